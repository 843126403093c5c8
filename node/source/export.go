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
	out := csv.NewWriter(w)
	if err := out.Write(schema.Names()); err != nil {
		return 0, err
	}
	var bad CellErrors
	record := make([]string, len(columns))
	for ; ; rows++ {
		cells, err := t.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		for i, c := range columns {
			text, problem := c.text(cells[c.at])
			if problem != "" {
				bad.add(&CellError{File: name, Row: rows + 1, Column: c.Name, Problem: problem})
			}
			record[i] = text
		}
		if err := out.Write(record); err != nil {
			return 0, err
		}
	}
	if len(bad.Cells) > 0 {
		return 0, &bad
	}
	out.Flush()
	return rows, out.Error()
}

// text is a cell as its code reads, or what is wrong with it.
func (c *column) text(cell string) (text, problem string) {
	code, present, problem := c.code(cell)
	switch {
	case problem != "" || !present:
		return "", problem
	case !c.coded():
		return cell, ""
	}
	return c.Format(code), ""
}
