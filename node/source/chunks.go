package source

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow/array"
	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// chunkPages are the answer of a query over a file, in the engine's own columns and
// while it is still computed: the driver for database/sql would hold all of it and
// hand it over cell by cell. They have a database of its own, set up as openDatabase does.
type chunkPages struct {
	store *store
	width int // vectors

	db      duckdb.Database
	conn    duckdb.Connection
	query   duckdb.PreparedStatement
	result  duckdb.Result
	ready   bool   // result is to be destroyed
	unwatch func() // ends the watch over the context

	chunk duckdb.DataChunk // at hand; no pointer: none
	at    int              // its next row
	scrap struct {
		codes []int64
		bits  []bool
	}
}

func openChunks(ctx context.Context, st *store, paths []string, query string, width int) (pages, error) {
	s := &chunkPages{store: st, width: width, unwatch: func() {}}
	if err := s.open(ctx, paths, query); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *chunkPages) open(ctx context.Context, paths []string, query string) error {
	const doing = "reading rows"
	failed := func(state duckdb.State) bool { return state == duckdb.StateError }
	errStart := fmt.Errorf("%s: %s: the embedded database does not start", s.store.name, doing)
	if failed(duckdb.Open("", &s.db)) || failed(duckdb.Connect(s.db, &s.conn)) {
		return errStart
	}
	for _, setting := range settings(fileMemory, paths) {
		var result duckdb.Result
		state := duckdb.Query(s.conn, setting, &result)
		duckdb.DestroyResult(&result)
		if failed(state) {
			return errStart
		}
	}
	if failed(duckdb.Prepare(s.conn, query, &s.query)) {
		return s.store.failed(ctx, doing, errors.New("the query is refused"))
	}
	conn, interrupted := s.conn, make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		duckdb.Interrupt(conn)
	})
	s.unwatch = func() {
		if !stop() {
			<-interrupted // the connection must outlive it
		}
	}
	state := duckdb.ExecutePreparedStreaming(s.query, &s.result)
	s.ready = true
	if failed(state) {
		return s.store.failed(ctx, doing, errors.New("the query fails"))
	}
	return nil
}

func (s *chunkPages) fill(ctx context.Context, b *array.RecordBuilder, n int) (int, error) {
	done := 0
	for done < n {
		if s.chunk.Ptr == nil {
			s.chunk, s.at = duckdb.FetchChunk(s.result), 0
			if s.chunk.Ptr == nil {
				if duckdb.ResultError(&s.result) != "" || context.Cause(ctx) != nil {
					return 0, s.store.failed(ctx, "reading rows", errors.New("the query fails"))
				}
				return done, nil
			}
		}
		size := int(duckdb.DataChunkGetSize(s.chunk))
		take := min(n-done, size-s.at)
		s.copy(b, s.at, take)
		if done, s.at = done+take, s.at+take; s.at == size {
			duckdb.DestroyDataChunk(&s.chunk)
			s.chunk.Ptr = nil
		}
	}
	return done, nil
}

// copy appends n rows of the chunk at hand, from row at on, to a builder.
func (s *chunkPages) copy(b *array.RecordBuilder, at, n int) {
	selected, _ := s.column(0, at, n)
	bits := s.bits(n)
	for i, v := range selected {
		bits[i] = v == 1
	}
	b.Field(2*s.width).(*array.BooleanBuilder).AppendValues(bits, nil)
	for i := range s.width {
		codes, validity := s.column(i+1, at, n)
		bits := s.bits(n)
		if validity == nil {
			for j := range bits {
				bits[j] = true
			}
		} else {
			codes = append(s.scrap.codes[:0], codes...) // the engine's own are not to be changed
			s.scrap.codes = codes
			for j := range bits {
				row := at + j
				if bits[j] = validity[row/64]>>(row%64)&1 == 1; !bits[j] {
					codes[j] = 0
				}
			}
		}
		b.Field(2*i).(*array.Int64Builder).AppendValues(codes, nil)
		b.Field(2*i+1).(*array.BooleanBuilder).AppendValues(bits, nil)
	}
}

// column is part of a column of the chunk at hand, with the validity of the whole
// column, a bit a row; nil where all rows have a value. Both are the engine's memory
// and end with the chunk. Each column is BIGINT, as rowsQuery casts it.
func (s *chunkPages) column(i, at, n int) (codes []int64, validity []uint64) {
	vector := duckdb.DataChunkGetVector(s.chunk, duckdb.IdxT(i))
	codes = unsafe.Slice((*int64)(duckdb.VectorGetData(vector)), at+n)[at:]
	if mask := duckdb.VectorGetValidity(vector); mask != nil {
		validity = unsafe.Slice((*uint64)(mask), (at+n+63)/64)
	}
	return codes, validity
}

func (s *chunkPages) bits(n int) []bool {
	if len(s.scrap.bits) < n {
		s.scrap.bits = make([]bool, n)
	}
	return s.scrap.bits[:n]
}

func (s *chunkPages) close() error {
	s.unwatch()
	if s.chunk.Ptr != nil {
		duckdb.DestroyDataChunk(&s.chunk)
	}
	if s.ready {
		duckdb.DestroyResult(&s.result)
	}
	if s.query.Ptr != nil {
		duckdb.DestroyPrepare(&s.query)
	}
	if s.conn.Ptr != nil {
		duckdb.Disconnect(&s.conn)
	}
	if s.db.Ptr != nil {
		duckdb.Close(&s.db)
	}
	return nil
}
