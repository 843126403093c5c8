package source

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
)

// Rows streams vectors as Arrow record batches of bounded size: for each, in
// order, a field of codes named after it (int64, non-null) and a field NAME.valid
// (bool), and at the end a field .selected (bool). The rows
// come in the order of the file, as many as are declared: those that where does
// not select, and those that the file falls short, are zeros, invalid and not
// selected. The reader keeps to ctx and needs Release; it is not for use by
// several goroutines.
func (s *Source) Rows(ctx context.Context, where job.Predicate, vectors []job.Vector) (array.RecordReader, error) {
	if err := s.Check(ctx); err != nil {
		return nil, err
	}
	query, args, err := s.rowsQuery(where, vectors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.file, err)
	}
	r := &rowReader{ctx: ctx, source: s, query: query, args: args, schema: rowSchema(vectors)}
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

// rowsQuery selects a page of rows: its first and last row number are the two
// arguments to be added. Codes of rows that are not selected do not leave the
// database.
func (s *Source) rowsQuery(where job.Predicate, vectors []job.Vector) (query string, args []any, err error) {
	var q statement
	selected, err := q.predicate(where, s.position)
	if err != nil {
		return "", nil, err
	}
	outputs := []string{"selected"}
	for _, v := range vectors {
		value, err := s.value(&q, v)
		if err != nil {
			return "", nil, err
		}
		outputs = append(outputs, "CASE WHEN selected THEN "+value+" END")
	}
	q.writef("SELECT %s FROM (SELECT rowid AS position, coalesce(%s, FALSE) AS selected, * FROM %s WHERE rowid >= $%d AND rowid < $%d) ORDER BY position",
		strings.Join(outputs, ", "), selected, snapshotRef, len(q.args)+1, len(q.args)+2)
	return q.text.String(), q.args, nil
}

// value is the expression of a vector's code in a row; null where it is missing.
func (s *Source) value(q *statement, v job.Vector) (string, error) {
	if v.Column == "" {
		truth, err := q.predicate(v.Predicate, s.position)
		return "CAST(" + truth + " AS BIGINT)", err
	}
	at, err := s.position(v.Column, true)
	return columnRef(at), err
}

// rowReader is an array.RecordReader that asks for one page after the other. It
// holds nothing open between two calls of Next.
type rowReader struct {
	ctx        context.Context
	source     *Source
	query      string
	args       []any
	schema     *arrow.Schema
	builder    *array.RecordBuilder
	references atomic.Int64

	done   int // rows handed out
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
	if r.err != nil || r.done == r.source.declared {
		return false
	}
	page := min(pageRows, r.source.declared-r.done)
	read, err := r.readPage(page)
	if err != nil {
		r.err = err
		r.builder.NewRecord().Release() // empties the builder
		return false
	}
	for range page - read {
		r.appendRow(false, make([]sql.NullInt64, (len(r.schema.Fields())-1)/2))
	}
	r.done += page
	r.record = r.builder.NewRecord()
	return true
}

// readPage appends the file's rows among the next page rows to the builder, and
// returns how many there were.
func (r *rowReader) readPage(page int) (int, error) {
	const doing = "reading rows"
	s := r.source
	db, err := s.snapshot(r.ctx)
	if err != nil {
		return 0, err
	}
	first := int64(r.done)
	if r.done >= s.rows {
		return 0, r.stopped()
	}
	args := append(r.args[:len(r.args):len(r.args)], first, first+int64(page))
	rows, err := db.QueryContext(r.ctx, r.query, args...)
	if err != nil {
		return 0, engineError(r.ctx, s.file, doing, err)
	}
	defer rows.Close()
	var selected bool
	codes := make([]sql.NullInt64, (len(r.schema.Fields())-1)/2)
	targets := []any{&selected}
	for i := range codes {
		targets = append(targets, &codes[i])
	}
	read := 0
	for ; rows.Next(); read++ {
		if err := rows.Scan(targets...); err != nil {
			return 0, engineError(r.ctx, s.file, doing, err)
		}
		r.appendRow(selected, codes)
	}
	if err := rows.Err(); err != nil {
		return 0, engineError(r.ctx, s.file, doing, err)
	}
	if want := min(page, s.rows-r.done); read != want {
		return 0, fmt.Errorf("%s: %s: %d rows came where %d are held", s.file, doing, read, want)
	}
	return read, nil
}

func (r *rowReader) stopped() error {
	if cause := context.Cause(r.ctx); cause != nil {
		return fmt.Errorf("%s: reading rows: %w", r.source.file, cause)
	}
	return nil
}

// appendRow adds a row; a code that is not valid is zero.
func (r *rowReader) appendRow(selected bool, codes []sql.NullInt64) {
	for i, c := range codes {
		r.builder.Field(2 * i).(*array.Int64Builder).Append(c.Int64)
		r.builder.Field(2*i + 1).(*array.BooleanBuilder).Append(c.Valid)
	}
	r.builder.Field(2 * len(codes)).(*array.BooleanBuilder).Append(selected)
}
