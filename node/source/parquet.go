package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// parquetTable reads a Parquet file through a database of its own that may open
// nothing else. Columns are addressed by position, so that no name of the file
// gets into SQL.
type parquetTable struct {
	name  string
	path  string
	db    *sql.DB
	names []string
	query string

	page  [][]string // rows read ahead
	first int        // row number of page[0], from 0
	at    int        // next row within page
	done  bool       // no page follows
}

func openParquet(ctx context.Context, path string) (*parquetTable, error) {
	name := filepath.Base(path)
	path, err := plainPath(path)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, baseMemory, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t := &parquetTable{name: name, path: path, db: db}
	if err := t.start(ctx); err != nil {
		return nil, errors.Join(t.readError(ctx, err), t.close())
	}
	return t, nil
}

// start reads the columns' names: the children of the schema's root, which
// parquet_schema lists depth first with the nested ones between them.
func (t *parquetTable) start(ctx context.Context) error {
	rows, err := t.db.QueryContext(ctx, "SELECT name, coalesce(num_children, 0) FROM parquet_schema($1) ORDER BY column_id", t.path)
	if err != nil {
		return err
	}
	defer rows.Close()
	for nested, root := 0, true; rows.Next(); {
		var name string
		var children int
		if err := rows.Scan(&name, &children); err != nil {
			return err
		}
		switch {
		case root:
			root = false
		case nested > 0:
			nested += children - 1
		default:
			nested = children
			t.names = append(t.names, name)
		}
	}
	t.query = parquetQuery(len(t.names))
	return rows.Err()
}

// parquetQuery selects rows $2 up to $3 of file $1, all columns as text.
func parquetQuery(columns int) string {
	var aliases, texts strings.Builder
	for i := range columns {
		fmt.Fprintf(&aliases, "c%d, ", i)
		if i > 0 {
			texts.WriteString(", ")
		}
		fmt.Fprintf(&texts, "CAST(c%d AS VARCHAR)", i)
	}
	return "SELECT " + texts.String() +
		" FROM read_parquet($1, file_row_number = true, hive_partitioning = false) AS file(" + aliases.String() + "position)" +
		" WHERE position >= $2 AND position < $3 ORDER BY position"
}

func (t *parquetTable) header() []string { return t.names }

func (t *parquetTable) next(ctx context.Context) ([]string, error) {
	if t.at == len(t.page) {
		if t.done || len(t.names) == 0 {
			return nil, io.EOF
		}
		t.first += len(t.page)
		if err := t.readPage(ctx); err != nil {
			return nil, t.readError(ctx, err)
		}
		t.at, t.done = 0, len(t.page) < pageRows
		if len(t.page) == 0 {
			return nil, io.EOF
		}
	}
	t.at++
	return t.page[t.at-1], nil
}

func (t *parquetTable) readPage(ctx context.Context) error {
	rows, err := t.db.QueryContext(ctx, t.query, t.path, t.first, t.first+pageRows)
	if err != nil {
		return err
	}
	defer rows.Close()
	cells := make([]sql.NullString, len(t.names))
	targets := make([]any, len(cells))
	for i := range cells {
		targets[i] = &cells[i]
	}
	t.page = t.page[:0]
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = c.String // "" for NULL
		}
		t.page = append(t.page, row)
	}
	return rows.Err()
}

// readError hides DuckDB's own text, which may quote a value.
func (t *parquetTable) readError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: reading: %w", t.name, cause)
	}
	if text := err.Error(); strings.Contains(text, "UTF8") || strings.Contains(text, "UTF-8") || strings.Contains(text, "string encoding") {
		return fmt.Errorf("%s: holds text that is not UTF-8; write the file anew with UTF-8 texts", t.name)
	}
	return fmt.Errorf("%s: cannot be read as Parquet; it may be cut, damaged or encrypted", t.name)
}

func (t *parquetTable) close() error { return t.db.Close() }
