package source

import (
	"context"
	"database/sql"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// serverPages is the answer of one query to a server, which streams it.
type serverPages struct {
	store *store
	rows  *sql.Rows
	width int
}

func openServerPages(ctx context.Context, st *store, query string, width int) (pages, error) {
	rows, err := st.db.QueryContext(ctx, query+st.relation.order())
	if err != nil {
		return nil, st.failed(ctx, "reading rows", err)
	}
	return &serverPages{st, rows, width}, nil
}

func (p *serverPages) fill(ctx context.Context, b *array.RecordBuilder, n int) (int, error) {
	read, err := appendRows(p.rows, b, p.width, n)
	if err != nil {
		return 0, p.store.failed(ctx, "reading rows", err)
	}
	return read, nil
}

func (p *serverPages) close() error { return p.rows.Close() }
