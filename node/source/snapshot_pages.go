package source

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// snapshotPages asks a snapshot for one page after the other: its driver holds all of
// an answer at once.
type snapshotPages struct {
	store *store
	query string
	width int
	done  int
}

func (p *snapshotPages) fill(ctx context.Context, b *array.RecordBuilder, n int) (int, error) {
	if n == 0 || p.done >= p.store.rows {
		return 0, nil
	}
	const doing = "reading rows"
	rows, err := p.store.db.QueryContext(ctx, fmt.Sprintf("%s WHERE rowid >= %d AND rowid < %d ORDER BY rowid", p.query, p.done, p.done+n))
	if err != nil {
		return 0, p.store.failed(ctx, doing, err)
	}
	defer rows.Close()
	read, err := appendRows(rows, b, p.width, n)
	if err != nil {
		return 0, p.store.failed(ctx, doing, err)
	}
	p.done += read
	return read, nil
}

func (p *snapshotPages) close() error { return nil }

// appendRows adds up to n rows of a query by rowsQuery to a builder. A code that is
// not valid is zero.
func appendRows(rows *sql.Rows, b *array.RecordBuilder, width, n int) (int, error) {
	var selected int64
	codes := make([]sql.NullInt64, width)
	targets := []any{&selected}
	for i := range codes {
		targets = append(targets, &codes[i])
	}
	read := 0
	for ; read < n && rows.Next(); read++ {
		if err := rows.Scan(targets...); err != nil {
			return 0, err
		}
		for i, c := range codes {
			b.Field(2 * i).(*array.Int64Builder).Append(c.Int64)
			b.Field(2*i + 1).(*array.BooleanBuilder).Append(c.Valid)
		}
		b.Field(2 * width).(*array.BooleanBuilder).Append(selected == 1)
	}
	if read < n {
		return read, rows.Err()
	}
	return read, nil
}
