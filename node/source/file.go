package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// fileMemory is what each of the two databases over a file may use, in bytes: one
// sums, the other streams.
const fileMemory = 256 << 20

func isParquet(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".parquet") }

// openFile opens a Parquet file to be cast in each query.
func (s *Source) openFile(ctx context.Context) (*store, error) {
	path, err := plainPath(s.path)
	if err != nil {
		return nil, err
	}
	return s.openEmbedded(ctx, []string{path}, relation{
		dialect: duckDB,
		from:    "read_parquet(" + literal(path) + ", file_row_number = true, hive_partitioning = false)",
		place:   "file_row_number",
	})
}

// openFiles opens a query over files.
func (s *Source) openFiles(ctx context.Context) (*store, error) {
	query, err := s.setting.relation(duckDB)
	if err != nil {
		return nil, err
	}
	var paths, tables []string
	for _, name := range slices.Sorted(maps.Keys(s.setting.Tables)) {
		path, err := plainPath(s.setting.Tables[name])
		if err != nil {
			return nil, err
		}
		read := "read_ndjson_objects(" + literal(path) + ")"
		if isParquet(path) {
			read = "read_parquet(" + literal(path) + ", hive_partitioning = false)"
		} else if !isJSON(path) {
			return nil, fmt.Errorf("%s: a query reads .parquet, .jsonl and .ndjson files; of others make one of these", filepath.Base(path))
		}
		paths = append(paths, path)
		tables = append(tables, doubled(name)+" AS (SELECT * FROM "+read+")")
	}
	return s.openEmbedded(ctx, paths, relation{
		dialect: duckDB,
		from:    "(WITH " + strings.Join(tables, ", ") + " SELECT * FROM " + query + ") given",
		orderBy: s.setting.OrderBy,
	})
}

// plainPath makes a path absolute and refuses one that the engine would take for many.
func plainPath(path string) (string, error) {
	name := filepath.Base(path)
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: the working directory is gone: %w", name, err)
	}
	if strings.ContainsAny(path, "*?[\x00") {
		return "", fmt.Errorf("%s: its path holds one of * ? [ which would be taken for a pattern; rename it", name)
	}
	return path, nil
}

// openEmbedded opens a relation over files to be cast in each query.
func (s *Source) openEmbedded(ctx context.Context, paths []string, r relation) (_ *store, err error) {
	var files []*watched
	for _, path := range paths {
		w, err := watch(path)
		if err != nil {
			return nil, err
		}
		files = append(files, w)
	}
	changed := func() error {
		for _, w := range files {
			if err := w.changed(); err != nil {
				return err
			}
		}
		return nil
	}
	db, err := openDatabase(ctx, fileMemory, paths...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	st := &store{
		name: s.name, db: db, declared: s.declared, rows: -1, changed: changed, close: db.Close, relation: r,
		failed: func(ctx context.Context, doing string, err error) error {
			if context.Cause(ctx) == nil {
				if err := changed(); err != nil {
					return err
				}
			}
			return engineError(ctx, s.name, doing, err)
		},
	}
	for i := range s.schema.Columns {
		st.columns = append(st.columns, newColumn(&s.schema.Columns[i], i))
	}
	st.pages = func(ctx context.Context, query string, width int) (pages, error) {
		return openChunks(ctx, st, paths, query+st.relation.order(), width)
	}
	if err := st.relation.bind(ctx, db, s.name, s.schema, false); err != nil {
		var failed asked
		if errors.As(err, &failed) {
			err = st.failed(ctx, "asking for its columns", failed.error)
			if s.setting.IsFile() {
				err = (&parquetTable{name: s.name}).readError(ctx, failed.error)
			}
		}
		return nil, errors.Join(err, db.Close())
	}
	return st, nil
}
