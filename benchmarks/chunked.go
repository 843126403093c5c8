package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/mpc/spool"
)

// chunkedColumns are the key, the row's number, and a column that follows from it.
const chunkedColumns = 3

// setupSortChunked sorts rows by a 32-bit key, with two payload columns, that are on disk
// before and after, in chunks as between nodes.
func setupSortChunked(d *dealer, n size) task {
	t, err := newSortChunked(d, n.rows)
	if err != nil {
		return impossible(err)
	}
	return t
}

func newSortChunked(d *dealer, n int) (t task, err error) {
	path, err := os.MkdirTemp("", "consilium-spool-")
	if err != nil {
		return t, err
	}
	dir, err := spool.Open(path)
	if err != nil {
		return t, errors.Join(err, os.RemoveAll(path))
	}
	spill := rss.NewSpill(dir, rss.ChunkRows)
	t.close = func() error { return errors.Join(spill.Close(), os.RemoveAll(path)) }
	key := keyOf(n)
	value := func(c, i int) int64 { return [chunkedColumns]int64{key(i), int64(i), below(1000, i, 1)}[c] }
	rows := dealChunked(d, spill, n, value)
	var sorted *rss.Chunked
	t.run = func(s *mpc.Session) output {
		if sorted != nil {
			sorted.Close()
		}
		sorted = rss.SortChunked(s, rows, rss.ChunkedKey{Bits: keyBits})
		return output{}
	}
	t.check = func(c *checker, _ output) error {
		order := ranked(n, func(i, j int) int { return cmp.Compare(key(i), key(j)) })
		for i := range sorted.Chunks() {
			lo, _ := sorted.Bounds(i)
			for j, x := range sorted.Get(c.s, i) {
				if err := c.same(x, func(i int) int64 { return value(j, order[lo+i]) }); err != nil {
					return fmt.Errorf("column %d of chunk %d: %w", j, i, err)
				}
			}
		}
		return nil
	}
	return t, nil
}

// dealChunked shares rows with value(column, row), chunk by chunk.
func dealChunked(d *dealer, spill *rss.Spill, n int, value func(c, i int) int64) *rss.Chunked {
	rows := spill.New(d.s, n, chunkedColumns, 0)
	for i := range rows.Chunks() {
		lo, hi := rows.Bounds(i)
		columns := make([]rss.Vec, chunkedColumns)
		for j := range columns {
			columns[j] = d.vec(hi-lo, func(i int) int64 { return value(j, lo+i) })
		}
		rows.Put(d.s, i, columns)
	}
	return rows
}
