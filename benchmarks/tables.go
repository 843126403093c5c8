package main

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// keyBits is the width of keys by which tables are sorted, joined and grouped.
const keyBits = 32

// unique is a key that no other row has: an odd multiple modulo 2^32.
func unique(row int64) int64 { return int64(uint32(row) * 0x9e3779b1) }

// setupJoin joins R rows with C (plain N: as many) rows of unique keys. Every
// second row on the left has a partner. The right table carries row numbers.
func setupJoin(d *dealer, n size) task {
	left, right := n.rows, n.cols
	if right == 0 {
		right = left
	}
	partner := func(i int) int64 { // its row; beyond the table for who has none
		return below(uint64(right), i, 0) + int64(i%2*right)
	}
	l := rss.Table{Key: rss.Key{Column: d.vec(left, func(i int) int64 { return unique(partner(i)) }), Bits: keyBits}}
	r := rss.Table{Key: rss.Key{Column: d.vec(right, func(j int) int64 { return unique(int64(j)) }), Bits: keyBits}}
	r.Columns = []rss.Vec{d.vec(right, func(j int) int64 { return int64(j) + 1 })}
	return task{
		run: func(s *mpc.Session) output {
			j := rss.Join(s, l, r)
			return output{vecs: []rss.Vec{j.Valid, j.Right[0]}}
		},
		check: func(c *checker, out output) error {
			if err := c.same(out.vecs[0], func(i int) int64 { return int64(1 - i%2) }); err != nil {
				return fmt.Errorf("partners: %w", err)
			}
			if err := c.same(out.vecs[1], func(i int) int64 { return int64(1-i%2) * (partner(i) + 1) }); err != nil {
				return fmt.Errorf("columns: %w", err)
			}
			return nil
		},
	}
}

// setupGroupBy sums a column over C groups (plain N: about N/10).
func setupGroupBy(d *dealer, n size) task {
	count := n.cols
	if count == 0 {
		count = max(1, n.rows/10)
	}
	group := func(i int) int64 { return unique(below(uint64(count), i, 0)) }
	value := func(i int) int64 { return signed(40, i, 1) }
	key := rss.Key{Column: d.vec(n.rows, group), Bits: keyBits}
	column := d.vec(n.rows, value)
	return task{
		run: func(s *mpc.Session) output {
			g := rss.GroupBy(s, []rss.Key{key}, column)
			return output{vecs: []rss.Vec{g.Valid, g.Keys[0], g.Count, g.Sums[0]}}
		},
		check: func(c *checker, out output) error {
			want := make([][]int64, len(out.vecs))
			for k := range want {
				want[k] = make([]int64, n.rows)
			}
			groups, last := -1, int64(-1)
			for _, i := range ranked(n.rows, func(i, j int) int { return int(group(i) - group(j)) }) {
				if group(i) != last {
					groups, last = groups+1, group(i)
				}
				want[0][groups], want[1][groups] = 1, last
				want[2][groups]++
				want[3][groups] += value(i)
			}
			for k, name := range []string{"valid", "keys", "counts", "sums"} {
				if err := c.same(out.vecs[k], func(i int) int64 { return want[k][i] }); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		},
	}
}
