package main

import (
	"cmp"
	"fmt"
	"slices"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// keyOf is the sort key of row i: 32 bits, and about half of the rows share
// theirs with another.
func keyOf(n int) func(i int) int64 {
	return func(i int) int64 { return below(uint64(n), i, 0) * (1 << 32 / int64(n)) }
}

// setupSort sorts rows by a 32-bit key. The payload is the row's number, so that
// the check sees that the sort is stable.
func setupSort(d *dealer, n size) task {
	value := keyOf(n.rows)
	key := rss.Key{Column: d.vec(n.rows, value), Bits: keyBits}
	row := d.vec(n.rows, func(i int) int64 { return int64(i) })
	return task{
		run: func(s *mpc.Session) output {
			sorted, carried := rss.Sort(s, []rss.Key{key}, row)
			return output{vecs: append(sorted, carried...)}
		},
		check: func(c *checker, out output) error {
			rows := ranked(n.rows, func(i, j int) int { return cmp.Compare(value(i), value(j)) })
			if err := c.same(out.vecs[0], func(i int) int64 { return value(rows[i]) }); err != nil {
				return fmt.Errorf("key: %w", err)
			}
			if err := c.same(out.vecs[1], func(i int) int64 { return int64(rows[i]) }); err != nil {
				return fmt.Errorf("payload: %w", err)
			}
			return nil
		},
	}
}

// ranked returns the numbers of n rows in order; equal rows stay as they are.
func ranked(n int, compare func(i, j int) int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, compare)
	return rows
}

// setupShuffle shuffles row numbers: the check wants each of them once, and not
// in their old order.
func setupShuffle(d *dealer, n size) task {
	x := d.vec(n.rows, func(i int) int64 { return int64(i) })
	return task{
		run: func(s *mpc.Session) output { return output{vecs: rss.Shuffle(s, x)} },
		check: func(c *checker, out output) error {
			rows := c.open(out.vecs[0])
			if err := c.s.Err(); err != nil {
				return err
			}
			sorted := slices.Sorted(slices.Values(rows))
			for i, row := range sorted {
				if row != int64(i) {
					return fmt.Errorf("wrong result: row %d is missing", i)
				}
			}
			if len(rows) > 20 && slices.IsSorted(rows) { // 1 in 20! by chance
				return fmt.Errorf("wrong result: the rows lie in their old order")
			}
			return nil
		},
	}
}
