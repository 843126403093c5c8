package rss

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/spool"
)

// Chunked is rows on shares, chunk by chunk: narrow columns, of Vec, and wide ones, of
// Vec128. All chunks but the last have the same public number of rows. Rows of one chunk
// are in memory, others on disk but for the first and the last row of each chunk.
//
// A chunk is put once, chunks in any order, and read any number of times. Errors stick to
// the session, as everywhere: what is read then is zeros. It prints as "redacted".
type Chunked struct {
	spill        *Spill
	rows         int
	chunk        int // rows of each but the last
	narrow, wide int
	file         *spool.File  // nil while nothing is on disk
	memory       chunkColumns // of rows of one chunk
	ends         []chunkEnds  // of chunks
}

type chunkColumns struct {
	narrow []Vec
	wide   []Vec128
}

// chunkEnds are the first and the last row of a chunk.
type chunkEnds struct{ first, last chunkColumns }

// Like makes Chunked of as many rows, in the same chunks, with other columns.
func (t *Chunked) Like(s *mpc.Session, narrow, wide int) *Chunked {
	return t.spill.NewOf(s, t.chunk, t.rows, narrow, wide)
}

// Close ends it before all others end: what it takes is free.
func (t *Chunked) Close() {
	t.spill.mu.Lock()
	defer t.spill.mu.Unlock()
	delete(t.spill.open, t)
	_ = t.end() // nothing of it is wanted any more
}

func (t *Chunked) end() error {
	t.memory, t.ends = chunkColumns{}, nil
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}

// Meet waits until all parties are here, however long they take: after a pass over rows
// in which none of them sends anything, for their disks may differ in speed by more than
// a session's timeout. Rows of one chunk are on no disk, and nobody waits. 1 round.
func (t *Chunked) Meet(s *mpc.Session) {
	if t.Chunks() > 1 {
		mpc.Meet(s, s.Compute())
	}
}

// Rows returns the public number of rows.
func (t *Chunked) Rows() int { return t.rows }

// Chunks returns how many chunks there are.
func (t *Chunked) Chunks() int { return ceil(t.rows, t.chunk) }

// Bounds returns the numbers, from 0, of the first row of chunk i and of the one after
// its last.
func (t *Chunked) Bounds(i int) (lo, hi int) {
	return i * t.chunk, min((i+1)*t.chunk, t.rows)
}

// size returns how many rows chunk i has.
func (t *Chunked) size(i int) int {
	lo, hi := t.Bounds(i)
	return hi - lo
}

// Put keeps all columns of chunk i.
func (t *Chunked) Put(s *mpc.Session, i int, narrow []Vec, wide ...Vec128) {
	if s.Err() != nil || !t.fits(s, i, narrow, wide) {
		return
	}
	n := t.size(i)
	t.ends[i] = chunkEnds{copyChunk(narrow, wide, 0, 1), copyChunk(narrow, wide, n-1, n)}
	if t.Chunks() == 1 {
		t.memory = chunkColumns{narrow, wide}
		return
	}
	for j, x := range narrow {
		t.write(s, i, j, x.A, x.B)
	}
	for j, x := range wide {
		t.write(s, i, t.narrow+2*j, x.A)
		t.write(s, i, t.narrow+2*j+1, x.B)
	}
}

// fits checks the shape of what is put.
func (t *Chunked) fits(s *mpc.Session, i int, narrow []Vec, wide []Vec128) bool {
	if i < 0 || i >= len(t.ends) || len(narrow) != t.narrow || len(wide) != t.wide {
		s.Fail(fmt.Errorf("chunk %d with %d and %d columns is none of %d chunks, %d and %d columns",
			i, len(narrow), len(wide), len(t.ends), t.narrow, t.wide))
		return false
	}
	for _, x := range narrow {
		if !length(s, x.A.Len(), t.size(i)) || !length(s, x.B.Len(), t.size(i)) {
			return false
		}
	}
	for _, x := range wide {
		if !length(s, x.A.Len(), t.size(i)) || !length(s, x.B.Len(), t.size(i)) {
			return false
		}
	}
	return true
}

// copyChunk copies rows lo to hi-1.
func copyChunk(narrow []Vec, wide []Vec128, lo, hi int) chunkColumns {
	out := chunkColumns{make([]Vec, len(narrow)), make([]Vec128, len(wide))}
	for j, x := range narrow {
		out.narrow[j] = Vec{x.A[lo:hi].Join(), x.B[lo:hi].Join()}
	}
	for j, x := range wide {
		out.wide[j] = Vec128{x.A[lo:hi].Join(), x.B[lo:hi].Join()}
	}
	return out
}

// vector is what a record holds one or two of.
type vector interface {
	Append(b []byte) []byte
	Size() int
}

// write writes record j of chunk i.
func (t *Chunked) write(s *mpc.Session, i, j int, parts ...vector) {
	if t.file == nil || s.Err() != nil {
		return
	}
	size := 0
	for _, x := range parts {
		size += x.Size()
	}
	record := make([]byte, 0, size)
	for _, x := range parts {
		record = x.Append(record)
	}
	if err := t.file.Write(i*t.records()+j, record); err != nil {
		s.Fail(err)
	}
}

// records is how many records a chunk has.
func (t *Chunked) records() int { return t.narrow + 2*t.wide }

// Get returns narrow columns of chunk i: those of the given numbers, or all.
func (t *Chunked) Get(s *mpc.Session, i int, columns ...int) []Vec {
	if len(columns) == 0 {
		columns = numbers(t.narrow)
	}
	out := make([]Vec, len(columns))
	for k, j := range columns {
		out[k] = t.column(s, i, j)
	}
	return out
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// column returns narrow column j of chunk i.
func (t *Chunked) column(s *mpc.Session, i, j int) Vec {
	out := zero[ring.Vec64](t.size(i))
	switch {
	case !t.has(s, i, j, t.narrow):
	case t.Chunks() == 1:
		return t.memory.narrow[j]
	default:
		n := out.A.Size()
		if record := t.read(s, i, j, 2*n); record != nil {
			out.A.SetBytes(record[:n])
			out.B.SetBytes(record[n:])
		}
	}
	return out
}

// Wide returns wide columns of chunk i: those of the given numbers, counted from 0, or
// all.
func (t *Chunked) Wide(s *mpc.Session, i int, columns ...int) []Vec128 {
	if len(columns) == 0 {
		columns = numbers(t.wide)
	}
	out := make([]Vec128, len(columns))
	for k, j := range columns {
		out[k] = t.wideColumn(s, i, j)
	}
	return out
}

func (t *Chunked) wideColumn(s *mpc.Session, i, j int) Vec128 {
	out := zero[ring.Vec128](t.size(i))
	switch {
	case !t.has(s, i, j, t.wide):
	case t.Chunks() == 1:
		return t.memory.wide[j]
	default:
		for k, v := range []ring.Vec128{out.A, out.B} {
			if record := t.read(s, i, t.narrow+2*j+k, v.Size()); record != nil {
				v.SetBytes(record)
			}
		}
	}
	return out
}

// has checks that column j of so many, of chunk i, was put.
func (t *Chunked) has(s *mpc.Session, i, j, columns int) bool {
	if s.Err() != nil {
		return false
	}
	if i < 0 || i >= len(t.ends) || j < 0 || j >= columns || t.ends[i].first.narrow == nil {
		s.Fail(fmt.Errorf("column %d of chunk %d is not there", j, i))
		return false
	}
	return true
}

func (t *Chunked) read(s *mpc.Session, i, j, n int) []byte {
	if t.file == nil {
		s.Fail(errors.New("rows are used after their end"))
		return nil
	}
	record, err := t.file.Read(i*t.records()+j, n, nil)
	if err != nil {
		s.Fail(err)
	}
	return record
}

// First returns the first row of narrow column j of chunk i, and of the chunk after the
// last one a zero.
func (t *Chunked) First(s *mpc.Session, i, j int) Vec {
	if i == t.Chunks() || !t.has(s, i, j, t.narrow) {
		return zero[ring.Vec64](1)
	}
	return t.ends[i].first.narrow[j]
}

// Last returns the last row of narrow column j of chunk i, and of the chunk before the
// first one, -1, a zero.
func (t *Chunked) Last(s *mpc.Session, i, j int) Vec {
	if i == -1 || !t.has(s, i, j, t.narrow) {
		return zero[ring.Vec64](1)
	}
	return t.ends[i].last.narrow[j]
}

// String keeps rows out of logs.
func (*Chunked) String() string { return redacted }

// GoString keeps rows out of %#v.
func (*Chunked) GoString() string { return redacted }

// Format keeps rows out of every verb: %d would print its ends.
func (*Chunked) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps rows out of structured logs.
func (*Chunked) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps rows out of JSON, also as a field of something else.
func (*Chunked) MarshalText() ([]byte, error) { return []byte(redacted), nil }
