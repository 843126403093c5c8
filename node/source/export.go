package source

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"consilium/job"
)

// Export writes what a site's file or mapping gives as CSV, with the schema's columns
// as they are cast: categories and shortest decimals, blank where missing; and returns
// the number of rows. Errors are those of Check. What is written are records of
// patients.
func Export(ctx context.Context, path string, schema *job.Schema, w io.Writer) (rows int, err error) {
	return export(ctx, path, schema, &csvExport{out: csv.NewWriter(w)})
}

// ExportParquet is Export for a Parquet file: whole numbers, decimal ones and texts,
// null where missing. It holds one row group of 131,072 rows.
func ExportParquet(ctx context.Context, path string, schema *job.Schema, w io.Writer) (rows int, err error) {
	return export(ctx, path, schema, &parquetExport{w: w})
}

// exporter takes the rows of an export.
type exporter interface {
	begin(columns []*column) error
	row(cells []exported) error
	end() error
}

// exported is a cell that fits.
type exported struct {
	present bool
	code    int64
	text    string // of a column without codes
}

// export reads all rows, also after one that does not fit, from which on nothing is
// written.
func export(ctx context.Context, path string, schema *job.Schema, to exporter) (rows int, err error) {
	if err := schema.Check(); err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	t, err := openRows(ctx, path, schema)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	name := filepath.Base(path)
	columns, err := bindColumns(name, t.header(), schema)
	if err != nil {
		return 0, err
	}
	if err := to.begin(columns); err != nil {
		return 0, err
	}
	var bad CellErrors
	row := make([]exported, len(columns))
	for ; ; rows++ {
		cells, err := t.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		for i, c := range columns {
			code, present, problem := c.code(cells[c.at])
			if problem != "" {
				bad.add(&CellError{File: name, Row: rows + 1, Column: c.Name, Problem: problem})
			}
			row[i] = exported{present, code, cells[c.at]}
		}
		if len(bad.Cells) > 0 {
			continue
		}
		if err := to.row(row); err != nil {
			return 0, err
		}
	}
	if len(bad.Cells) > 0 {
		return 0, &bad
	}
	return rows, to.end()
}

// exportText is a cell as its code reads.
func (c *column) exportText(cell exported) string {
	switch {
	case !cell.present:
		return ""
	case !c.coded():
		return cell.text
	}
	return c.Format(cell.code)
}

type csvExport struct {
	out     *csv.Writer
	columns []*column
	record  []string
}

func (e *csvExport) begin(columns []*column) error {
	e.columns = columns
	for _, c := range columns {
		e.record = append(e.record, c.Name)
	}
	return e.out.Write(e.record)
}

func (e *csvExport) row(cells []exported) error {
	for i, c := range e.columns {
		e.record[i] = c.exportText(cells[i])
	}
	return e.out.Write(e.record)
}

func (e *csvExport) end() error {
	e.out.Flush()
	return e.out.Error()
}
