package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
)

// pageRows is how many rows are held as text, or handed on as one batch, at once.
const pageRows = 1 << 14

// Rows streams vectors as Arrow record batches of at most 16,384 rows: for each, in
// order, a field of codes named after it (int64, non-null) and a field NAME.valid
// (bool), and at the end a field .selected (bool). The rows come in the order of the
// source, as many as are declared: those that where does not select, and those that
// the source falls short, are zeros, invalid and not selected.
//
// All cells that the vectors and where read are checked before the first batch. One
// query serves the whole stream, and a few batches are held at a time. The reader
// keeps to ctx and needs Release; it is not for use by several goroutines, and the
// source answers nothing else while it is open.
func (s *Source) Rows(ctx context.Context, where job.Predicate, vectors []job.Vector) (array.RecordReader, error) {
	st, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	query, used, err := rowsQuery(st, where, vectors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := st.check(ctx, used); err != nil {
		return nil, err
	}
	r := &rowReader{ctx: ctx, source: s, store: st, query: query, schema: rowSchema(vectors), width: len(vectors)}
	r.references.Store(1)
	r.builder = array.NewRecordBuilder(memory.DefaultAllocator, r.schema)
	return r, nil
}

func rowSchema(vectors []job.Vector) *arrow.Schema {
	var fields []arrow.Field
	for _, v := range vectors {
		fields = append(fields,
			arrow.Field{Name: v.Name, Type: arrow.PrimitiveTypes.Int64},
			arrow.Field{Name: v.Name + ".valid", Type: arrow.FixedWidthTypes.Boolean})
	}
	fields = append(fields, arrow.Field{Name: ".selected", Type: arrow.FixedWidthTypes.Boolean})
	return arrow.NewSchema(fields, nil)
}

// rowsQuery selects all rows: first 1 or 0, whether where selects the row, then each
// vector's code or null. Codes of rows that are not selected do not leave the database.
func rowsQuery(st *store, where job.Predicate, vectors []job.Vector) (query string, used []int, err error) {
	q := statement{dialect: st.relation.dialect, columns: st.columns}
	selected, err := q.holds(where, true)
	if err != nil {
		return "", nil, err
	}
	whole := st.relation.dialect.whole
	outputs := []string{whole("CASE WHEN " + selected + " THEN 1 ELSE 0 END")}
	for _, v := range vectors {
		value, err := q.value(v)
		if err != nil {
			return "", nil, err
		}
		if where != nil {
			value = "CASE WHEN " + selected + " THEN " + value + " END"
		}
		outputs = append(outputs, whole(value))
	}
	query = "SELECT " + strings.Join(outputs, ", ") + " FROM " + st.relation.codes(q.used)
	return query, slices.Sorted(slices.Values(q.used)), nil
}

// value is the expression of a vector's code in a row; null where it is missing.
func (q *statement) value(v job.Vector) (string, error) {
	if v.Column == "" {
		yes, err := q.holds(v.Predicate, true)
		if err != nil {
			return "", err
		}
		no, err := q.holds(v.Predicate, false)
		return "CASE WHEN " + yes + " THEN 1 WHEN " + no + " THEN 0 END", err
	}
	return q.column(v.Column, true)
}

// pages are the rows of one query, in order.
type pages interface {
	// fill appends up to n rows to a builder of rowSchema's fields and returns how
	// many there were: fewer than n at the end only.
	fill(ctx context.Context, b *array.RecordBuilder, n int) (int, error)
	close() error
}

// rowReader is an array.RecordReader over pages.
type rowReader struct {
	ctx        context.Context
	source     *Source
	store      *store
	query      string
	schema     *arrow.Schema
	width      int // vectors
	builder    *array.RecordBuilder
	references atomic.Int64

	pages  pages // nil before the first batch
	done   int   // rows handed out
	record arrow.Record
	err    error
}

func (r *rowReader) Schema() *arrow.Schema { return r.schema }
func (r *rowReader) Record() arrow.Record  { return r.record }
func (r *rowReader) Err() error            { return r.err }
func (r *rowReader) Retain()               { r.references.Add(1) }

func (r *rowReader) Release() {
	if r.references.Add(-1) == 0 {
		r.drop()
		r.builder.Release()
		if r.pages != nil {
			r.pages.close() // what went wrong has been told by Err
		}
	}
}

func (r *rowReader) drop() {
	if r.record != nil {
		r.record.Release()
		r.record = nil
	}
}

func (r *rowReader) Next() bool {
	r.drop()
	if r.err != nil || r.done == r.store.declared {
		return false
	}
	page := min(pageRows, r.store.declared-r.done)
	if r.err = r.fill(page); r.err != nil {
		r.builder.NewRecord().Release() // empties the builder
		return false
	}
	r.done += page
	r.record = r.builder.NewRecord()
	return true
}

// fill puts the next page rows into the builder: the source's own, then padding.
func (r *rowReader) fill(page int) (err error) {
	if cause := context.Cause(r.ctx); cause != nil {
		return fmt.Errorf("%s: reading rows: %w", r.source.name, cause)
	}
	if err := r.source.alive(); err != nil {
		return err
	}
	if r.pages == nil {
		if r.pages, err = r.store.pages(r.ctx, r.query, r.width); err != nil {
			return err
		}
	}
	want := min(page, max(r.store.rows-r.done, 0))
	ask, last := want, r.done+page == r.store.declared
	if last {
		ask++ // to see that there is not one more
	}
	read, err := r.pages.fill(r.ctx, r.builder, ask)
	if err != nil {
		return err
	}
	if read != want {
		return r.store.moved()
	}
	if last && r.store.changed != nil {
		if err := r.store.changed(); err != nil {
			return err
		}
	}
	r.pad(page - read)
	return nil
}

// pad appends rows that are not there.
func (r *rowReader) pad(n int) {
	zeros, no := make([]int64, n), make([]bool, n)
	for i := range r.width {
		r.builder.Field(2*i).(*array.Int64Builder).AppendValues(zeros, nil)
		r.builder.Field(2*i+1).(*array.BooleanBuilder).AppendValues(no, nil)
	}
	r.builder.Field(2*r.width).(*array.BooleanBuilder).AppendValues(no, nil)
}
