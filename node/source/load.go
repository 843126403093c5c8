package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// The snapshot is one table, snapshot.data, in a catalog of its own since only
// an attached in-memory catalog is kept compressed. Its columns are c0, c1 … in
// the schema's order, codes or NULL; its rowid counts the file's rows from 0.
const (
	catalog     = "snapshot"
	snapshotRef = catalog + ".main.data"
)

// cellMemory is what a code takes before compression, validity included, with
// something to spare; in bytes.
const cellMemory = 10

// load reads the file into a new database of codes.
func (s *Source) load(ctx context.Context) (*store, error) {
	t, err := s.openRows(ctx)
	if err != nil {
		return nil, err
	}
	defer t.close()
	// The file may have changed since Open.
	columns, err := bindColumns(s.name, t.header(), s.schema)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, baseMemory+cellMemory*int64(s.declared)*int64(len(columns)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	l := &loading{name: s.name, declared: s.declared, columns: columns}
	rows, err := l.fill(ctx, db, t)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	st := &store{
		name: s.name, db: db, relation: relation{dialect: duckDB, from: snapshotRef}, columns: columns, declared: s.declared,
		rows: rows, fit: all(len(columns)), close: db.Close,
		failed: func(ctx context.Context, doing string, err error) error { return engineError(ctx, s.name, doing, err) },
	}
	st.pages = func(_ context.Context, query string, width int) (pages, error) {
		return &snapshotPages{store: st, query: query, width: width}, nil
	}
	return st, nil
}

// loading is a file on its way into a snapshot.
type loading struct {
	name     string
	declared int
	columns  []*column
}

// fill creates the table and appends the file's rows to it.
func (l *loading) fill(ctx context.Context, db *sql.DB, t table) (int, error) {
	if err := execAll(ctx, db, "ATTACH ':memory:' AS "+catalog+" (COMPRESS)", createTable(len(l.columns))); err != nil {
		return 0, engineError(ctx, l.name, "preparing to read", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, engineError(ctx, l.name, "preparing to read", err)
	}
	var rows int
	err = conn.Raw(func(c any) error {
		appender, err := duckdb.NewAppender(c.(driver.Conn), catalog, "main", "data")
		if err != nil {
			return engineError(ctx, l.name, "preparing to read", err)
		}
		rows, err = l.appendRows(ctx, t, appender)
		if closing := appender.CloseWithCancel(ctx); err == nil && closing != nil {
			err = engineError(ctx, l.name, "reading", closing)
		}
		return err
	})
	if err := errors.Join(err, conn.Close()); err != nil {
		return 0, err
	}
	if err := execAll(ctx, db, "CHECKPOINT "+catalog); err != nil { // compresses
		return 0, engineError(ctx, l.name, "reading", err)
	}
	return rows, nil
}

func execAll(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func createTable(columns int) string {
	definitions := make([]string, columns)
	for i := range definitions {
		definitions[i] = columnRef(i) + " BIGINT"
	}
	return "CREATE TABLE " + snapshotRef + " (" + strings.Join(definitions, ", ") + ")"
}

// appendRows casts every row and appends it. A bad cell does not stop it: all of
// them are told at the end. A row that cannot be read, or one too many, does.
func (l *loading) appendRows(ctx context.Context, t table, appender *duckdb.Appender) (int, error) {
	var bad CellErrors
	codes := make([]driver.Value, len(l.columns))
	for rows := 0; ; rows++ {
		if err := context.Cause(ctx); err != nil {
			return 0, fmt.Errorf("%s: reading: %w", l.name, err)
		}
		cells, err := t.next(ctx)
		if errors.Is(err, io.EOF) {
			if len(bad.Cells) > 0 {
				return 0, &bad
			}
			return rows, nil
		}
		if err != nil {
			return 0, err
		}
		if rows == l.declared {
			return 0, fmt.Errorf("%s: has more than the %d rows that the roster declares for this site; shorten it or have the roster changed", l.name, l.declared)
		}
		l.castRow(cells, rows+1, codes, &bad)
		if len(bad.Cells) > 0 {
			continue
		}
		if err := appender.AppendRow(codes...); err != nil {
			return 0, engineError(ctx, l.name, "reading", err)
		}
	}
}

// castRow sets codes to a row's cells, missing ones to nil.
func (l *loading) castRow(cells []string, row int, codes []driver.Value, bad *CellErrors) {
	for i, c := range l.columns {
		code, present, problem := c.code(cells[c.at])
		switch {
		case problem != "":
			bad.add(&CellError{File: l.name, Row: row, Column: c.Name, Problem: problem})
		case present:
			codes[i] = code
		default:
			codes[i] = nil
		}
	}
}
