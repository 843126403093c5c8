package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Filler puts rows that come in pieces of any length, in their order.
type Filler struct {
	to      *Chunked
	chunk   int // the one at work
	filled  int // rows of it
	pending []Vec
}

// Fill begins to put rows of narrow columns.
func (t *Chunked) Fill() *Filler { return &Filler{to: t} }

// Append puts the next rows.
func (f *Filler) Append(s *mpc.Session, columns ...Vec) {
	if !ready(s, columns...) || !length(s, len(columns), f.to.narrow) {
		return
	}
	for at, n := 0, columns[0].Len(); at < n; {
		if f.chunk == f.to.Chunks() {
			s.Fail(fmt.Errorf("more rows came than the %d that there are", f.to.rows))
			return
		}
		f.begin()
		k := min(n-at, f.to.size(f.chunk)-f.filled)
		for j, x := range columns {
			copy(f.pending[j].A[f.filled:], x.A[at:at+k])
			copy(f.pending[j].B[f.filled:], x.B[at:at+k])
		}
		at, f.filled = at+k, f.filled+k
		if f.filled == f.to.size(f.chunk) {
			f.put(s)
		}
	}
}

// begin makes room for the chunk at work.
func (f *Filler) begin() {
	for len(f.pending) < f.to.narrow {
		f.pending = append(f.pending, zero[ring.Vec64](f.to.size(f.chunk)))
	}
}

// put puts the chunk at work, of which rows that have not come are zeros.
func (f *Filler) put(s *mpc.Session) {
	f.to.Put(s, f.chunk, f.pending)
	f.chunk, f.filled, f.pending = f.chunk+1, 0, nil
}

// End puts zeros for rows that have not come.
func (f *Filler) End(s *mpc.Session) {
	for f.chunk < f.to.Chunks() && s.Err() == nil {
		f.begin()
		f.put(s)
	}
}

// Recut returns rows of narrow columns in chunks of at most so many rows, rounded up to a
// multiple of 64, and closes those that they are taken from; rows that lie in such chunks
// are returned as they are. Local.
func (t *Chunked) Recut(s *mpc.Session, most int) *Chunked {
	chunk := ceil(max(most, 1), wordBits) * wordBits
	if t.size(0) <= chunk || s.Err() != nil {
		return t
	}
	out := t.spill.NewOf(s, chunk, t.rows, t.narrow, 0)
	fill := out.Fill()
	for i := range t.Chunks() {
		fill.Append(s, t.Get(s, i)...)
	}
	t.Close()
	return out
}
