package source

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// fileMemory is what each of the two databases over a file may use, in bytes: one
// sums, the other streams.
const fileMemory = 256 << 20

func isParquet(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".parquet") }

// openFile opens a Parquet file to be cast in each query.
func (s *Source) openFile(ctx context.Context) (_ *store, err error) {
	path, err := filepath.Abs(s.path)
	if err != nil {
		return nil, fmt.Errorf("%s: the working directory is gone: %w", s.name, err)
	}
	w, err := watch(path)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, path, fileMemory)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	st := &store{
		name: s.name, db: db, declared: s.declared, rows: -1, changed: w.changed, close: db.Close,
		failed: func(ctx context.Context, doing string, err error) error {
			if changed := w.changed(); changed != nil && context.Cause(ctx) == nil {
				return changed
			}
			return engineError(ctx, s.name, doing, err)
		},
		relation: relation{
			dialect: duckDB,
			from:    "read_parquet(" + literal(path) + ", file_row_number = true, hive_partitioning = false)",
			place:   "file_row_number",
		},
	}
	for i := range s.schema.Columns {
		st.columns = append(st.columns, newColumn(&s.schema.Columns[i], i))
	}
	st.pages = func(ctx context.Context, query string, width int) (pages, error) {
		return openChunks(ctx, st, path, query, width)
	}
	if err := st.relation.bind(ctx, db, s.name, s.schema, false); err != nil {
		var unfit *mismatch
		if errors.As(err, &unfit) {
			return nil, errors.Join(err, db.Close())
		}
		return nil, errors.Join((&parquetTable{name: s.name}).readError(ctx, err), db.Close())
	}
	return st, nil
}
