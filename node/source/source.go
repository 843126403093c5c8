package source

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"consilium/job"
)

// maxRows is the largest number of rows that a site may declare.
const maxRows = 1 << 31

// Source is one site's part of a dataset, bound to the schema. A CSV, JSON or Arrow
// file is read into a snapshot of codes at the first call of Check, Summaries or Rows,
// and what happens to the file later does not matter; a Parquet file is cast anew in
// each query, and one that changes meanwhile is refused. A table or query of a server
// is cast there, in one transaction where the server has them, and only sums or the
// rows that are asked for come back. Its calls may come from several
// goroutines but wait for one another.
type Source struct {
	setting  Setting
	path     string // of a file
	name     string // of the file or table, for errors
	schema   *job.Schema
	declared int // rows; public

	mu    sync.Mutex
	store *store // nil until it is asked for
	gone  bool   // closed
}

// Open looks at a file's header and binds its columns to the schema's. path
// ends in .csv, .csv.gz, .parquet, .jsonl, .ndjson or .arrow, or in .yaml for a
// mapping; declaredRows is what
// the roster declares for this site, more than which the file must not have. Extra
// columns are passed over, the records are not read yet. Close it after use.
func Open(ctx context.Context, path string, schema *job.Schema, declaredRows int) (*Source, error) {
	return OpenSetting(ctx, Setting{Path: path}, schema, declaredRows)
}

// OpenSetting is Open for any setting that passes Check. Of a server it asks for the
// columns, and closes the connection again if they do not fit.
func OpenSetting(ctx context.Context, setting Setting, schema *job.Schema, declaredRows int) (*Source, error) {
	s := &Source{setting: setting, path: setting.Path, name: setting.name(), schema: schema, declared: declaredRows}
	if declaredRows < 1 || declaredRows > maxRows {
		return nil, fmt.Errorf("%s: %d rows are declared; declare 1 to %d", s.name, declaredRows, maxRows)
	}
	if err := schema.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if !setting.IsFile() && setting.Mapping == "" {
		if _, err := s.open(ctx); err != nil {
			return nil, err
		}
		return s, nil
	}
	t, err := s.openRows(ctx)
	if err != nil {
		return nil, err
	}
	_, err = bindColumns(s.name, t.header(), schema)
	if err := errors.Join(err, t.close()); err != nil {
		return nil, err
	}
	return s, nil
}

// Check reads the whole source and casts every declared column, unless that is
// done already. A source that does not fit gives one line; cells that do not fit
// come as *CellErrors.
func (s *Source) Check(ctx context.Context) error {
	st, err := s.open(ctx)
	if err != nil {
		return err
	}
	return st.check(ctx, all(len(st.columns)))
}

// open returns the place of the codes, made if need be.
func (s *Source) open(ctx context.Context) (*store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil, fmt.Errorf("%s: the source is closed", s.name)
	}
	if s.store == nil {
		st, err := s.newStore(ctx)
		if err != nil {
			return nil, err
		}
		s.store = st
	}
	return s.store, nil
}

// newStore casts a Parquet file where it lies if SQL can do that exactly, and takes a
// snapshot of any other file.
func (s *Source) newStore(ctx context.Context) (*store, error) {
	switch {
	case s.setting.Mapping != "":
		return s.load(ctx)
	case s.setting.Remote():
		return s.openServer(ctx)
	case s.setting.Source == "duckdb":
		return s.openFiles(ctx)
	case isParquet(s.path):
		st, err := s.openFile(ctx)
		var unfit *mismatch
		if !errors.As(err, &unfit) {
			return st, err
		}
	}
	return s.load(ctx)
}

// openRows opens what is read row by row.
func (s *Source) openRows(ctx context.Context) (table, error) {
	if s.setting.Mapping != "" {
		return openServed(&s.setting, s.schema)
	}
	return openRows(ctx, s.path, s.schema)
}

func (s *Source) alive() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return fmt.Errorf("%s: the source is closed", s.name)
	}
	return nil
}

// Close drops what the source holds. Further calls fail.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if s.store == nil {
		return nil
	}
	err := s.store.close()
	s.store = nil
	return err
}
