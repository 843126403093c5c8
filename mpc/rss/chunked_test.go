package rss_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// chunked puts public columns, piece by piece.
func chunked(s *mpc.Session, spill *rss.Spill, columns ...[]int64) *rss.Chunked {
	rows := spill.New(s, len(columns[0]), len(columns), 0)
	fill := rows.Fill()
	for lo := 0; lo < rows.Rows(); lo += 100 {
		var piece []rss.Vec
		for _, x := range columns {
			piece = append(piece, rss.Public(s, ring.FromInt64(x[lo:min(lo+100, len(x))])))
		}
		fill.Append(s, piece...)
	}
	return rows
}

// allRows opens narrow columns, row by row.
func allRows(s *mpc.Session, rows *rss.Chunked) [][]int64 {
	var out [][]int64
	for i := range rows.Chunks() {
		for j, x := range rows.Get(s, i) {
			if i == 0 {
				out = append(out, nil)
			}
			out[j] = append(out[j], rss.Open(s.Step("open").Step("chunk", i, j), x).Int64()...)
		}
	}
	return out
}

// TestChunked: what pieces of any length bring comes back in chunks, from memory and from
// disk, forward and backward, with its ends.
func TestChunked(t *testing.T) {
	for _, n := range []int{1, 64, 65, 1000} {
		spill := testkit.NewSpill(t, 64)
		x, y := numbersOf(n, 3), numbersOf(n, -7)
		world := memnet.New(memnet.Config{})
		if err := world.Run(func(s *mpc.Session) error {
			rows := chunked(s, spill, x, y)
			if rows.Rows() != n || rows.Chunks() != (n+63)/64 {
				return fmt.Errorf("%d rows in %d chunks", rows.Rows(), rows.Chunks())
			}
			got := allRows(s, rows)
			if s.Err() == nil && (!slices.Equal(got[0], x) || !slices.Equal(got[1], y)) {
				return fmt.Errorf("%d rows came back as others", n)
			}
			for i := rows.Chunks() - 1; i >= 0; i-- {
				lo, hi := rows.Bounds(i)
				ends := rss.Concat(s, rows.First(s, i, 1), rows.Last(s, i, 1), rows.First(s, rows.Chunks(), 1), rows.Last(s, -1, 1))
				want := []int64{y[lo], y[hi-1], 0, 0}
				if got := rss.Open(s.Step("ends", i), ends).Int64(); s.Err() == nil && !slices.Equal(got, want) {
					return fmt.Errorf("the ends of chunk %d are %v, want %v", i, got, want)
				}
			}
			return s.Err()
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestChunkedWide: wide columns beside narrow ones, chunks put backward.
func TestChunkedWide(t *testing.T) {
	const n = 200
	spill := testkit.NewSpill(t, 64)
	world := memnet.New(memnet.Config{})
	if err := world.Run(func(s *mpc.Session) error {
		rows := spill.New(s, n, 1, 2)
		for i := rows.Chunks() - 1; i >= 0; i-- {
			lo, hi := rows.Bounds(i)
			x := rss.Public(s, ring.FromInt64(numbersOf(n, 1)[lo:hi]))
			wide := rss.Lift(s.Step("lift", i), x)
			rows.Put(s, i, []rss.Vec{x}, rss.Scale(s, wide, 5), rss.Neg(s, wide))
		}
		for i := range rows.Chunks() {
			lo, hi := rows.Bounds(i)
			both := rss.Add(s, rows.Wide(s, i, 1)[0], rows.Wide(s, i)[0]) // 4 x
			got := rss.Open(s.Step("open", i), rss.Sub(s, rss.Narrow(s, both), rows.Get(s, i, 0)[0])).Int64()
			for k, x := range numbersOf(n, 3)[lo:hi] {
				if s.Err() == nil && got[k] != x {
					return fmt.Errorf("row %d is %d, want %d", lo+k, got[k], x)
				}
			}
		}
		return s.Err()
	}); err != nil {
		t.Error(err)
	}
}

// numbersOf are k, 2 k, … n k.
func numbersOf(n int, k int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i+1) * k
	}
	return out
}

// TestChunkedMisuse: mistakes end the session with a line that tells of them, and what is
// read then has the right length.
func TestChunkedMisuse(t *testing.T) {
	for name, c := range map[string]struct {
		misuse func(s *mpc.Session, rows *rss.Chunked)
		want   string
	}{
		"too many rows":    {func(s *mpc.Session, rows *rss.Chunked) { rows.Fill().Append(s, rss.Zero[ring.Vec64](201)) }, "more rows came than the 200"},
		"another chunk":    {func(s *mpc.Session, rows *rss.Chunked) { rows.Put(s, 4, []rss.Vec{rss.Zero[ring.Vec64](8)}) }, "none of 4 chunks"},
		"more columns":     {func(s *mpc.Session, rows *rss.Chunked) { rows.Put(s, 3, make([]rss.Vec, 2)) }, "with 2 and 0 columns"},
		"another length":   {func(s *mpc.Session, rows *rss.Chunked) { rows.Put(s, 3, []rss.Vec{rss.Zero[ring.Vec64](9)}) }, "8"},
		"never put":        {func(s *mpc.Session, rows *rss.Chunked) { rows.Get(s, 2) }, "column 0 of chunk 2 is not there"},
		"no such column":   {func(s *mpc.Session, rows *rss.Chunked) { rows.Fill().End(s); rows.Get(s, 2, 1) }, "column 1 of chunk 2 is not there"},
		"after its end":    {func(s *mpc.Session, rows *rss.Chunked) { rows.Fill().End(s); rows.Close(); rows.Get(s, 2) }, "not there"},
		"a chunk twice":    {func(s *mpc.Session, rows *rss.Chunked) { rows.Fill().End(s); rows.Fill().End(s) }, "cannot be written"},
		"no rows":          {func(s *mpc.Session, rows *rss.Chunked) { testkit.NewSpill(t, 64).New(s, 0, 1, 0) }, "0 rows in chunks of 64"},
		"chunks not of 64": {func(s *mpc.Session, rows *rss.Chunked) { testkit.NewSpill(t, 63).New(s, 10, 1, 0) }, "chunks of 63"},
	} {
		t.Run(name, func(t *testing.T) {
			spill := testkit.NewSpill(t, 64)
			err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
				rows := spill.New(s, 200, 1, 0)
				c.misuse(s, rows)
				if n := rows.Get(s, 1, 0)[0].Len(); n != 64 {
					return fmt.Errorf("after a failure a chunk has %d rows", n)
				}
				return s.Err()
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestRecut: rows in smaller chunks are the same rows, and those that fit stay.
func TestRecut(t *testing.T) {
	const n = 300
	spill := testkit.NewSpill(t, 128)
	x, y := numbersOf(n, 3), numbersOf(n, -7)
	if err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
		rows := chunked(s, spill, x, y)
		if same := rows.Recut(s, 100); same != rows {
			return errors.New("rows in chunks of 128 were cut for chunks of 100, rounded up")
		}
		rows = rows.Recut(s, 1)
		if rows.Chunks() != 5 {
			return fmt.Errorf("%d chunks of 64", rows.Chunks())
		}
		got := allRows(s, rows)
		if s.Err() == nil && (!slices.Equal(got[0], x) || !slices.Equal(got[1], y)) {
			return errors.New("rows came back as others")
		}
		return s.Err()
	}); err != nil {
		t.Error(err)
	}
}
