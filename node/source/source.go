package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"consilium/job"
)

// maxRows is the largest number of rows that a site may declare.
const maxRows = 1 << 31

// Source is one site's file of a dataset, bound to the schema. It takes a
// snapshot of the file, as codes, at the first call of Check, Summaries or Rows;
// what happens to the file later does not matter to it. Its calls may come from
// several goroutines but wait for one another.
type Source struct {
	path     string
	file     string // base name, for errors
	schema   *job.Schema
	declared int // rows; public
	columns  []*column

	mu   sync.Mutex
	db   *sql.DB // the snapshot; nil until it is taken
	rows int     // that the file has; not public
	gone bool    // closed
}

// Open looks at the file's header and binds its columns to the schema's. path
// ends in .csv, .csv.gz or .parquet; declaredRows is what the roster declares
// for this site, more than which the file must not have. Extra columns are
// passed over, the records are not read yet. Close it after use.
func Open(ctx context.Context, path string, schema *job.Schema, declaredRows int) (*Source, error) {
	s := &Source{path: path, file: filepath.Base(path), schema: schema, declared: declaredRows}
	if declaredRows < 1 || declaredRows > maxRows {
		return nil, fmt.Errorf("%s: %d rows are declared; declare 1 to %d", s.file, declaredRows, maxRows)
	}
	if err := schema.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.file, err)
	}
	t, err := openTable(ctx, path)
	if err != nil {
		return nil, err
	}
	s.columns, err = bindColumns(s.file, t.header(), schema)
	if err := errors.Join(err, t.close()); err != nil {
		return nil, err
	}
	return s, nil
}

// Check reads the whole file and casts every declared column, unless that is
// done already. A file that does not fit gives one line; cells that do not fit
// come as *CellErrors.
func (s *Source) Check(ctx context.Context) error {
	_, err := s.snapshot(ctx)
	return err
}

// snapshot returns the database of codes, taking it if need be.
func (s *Source) snapshot(ctx context.Context) (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil, fmt.Errorf("%s: the source is closed", s.file)
	}
	if s.db == nil {
		db, rows, err := s.load(ctx)
		if err != nil {
			return nil, err
		}
		s.db, s.rows = db, rows
	}
	return s.db, nil
}

// Close drops the snapshot. Further calls fail.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.db = nil
	return err
}

// position returns a column's place in the snapshot. With wantCode it refuses a
// text column without categories, of which only presence is known.
func (s *Source) position(name string, wantCode bool) (int, error) {
	for i, c := range s.columns {
		if c.Name != name {
			continue
		}
		if wantCode && !c.coded() {
			return 0, fmt.Errorf("column %s: is text without a list of categories; declare them in the study's schema to compute with it", name)
		}
		return i, nil
	}
	return 0, fmt.Errorf("column %s: is not in the schema; the columns are %s", name, names(s.schema.Names()))
}
