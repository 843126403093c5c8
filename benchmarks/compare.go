package main

import (
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Every eighth pair is equal, so that this is met too.
func second(i int, value func(i, c int) int64) int64 {
	if i%8 == 0 {
		return value(i, 0)
	}
	return value(i, 1)
}

func setupCmp(d *dealer, n size) task {
	return less(d, n.rows, 64, func(i, c int) int64 { return signed(63, i, c) })
}

func setupCmp32(d *dealer, n size) task {
	return less(d, n.rows, 32, func(i, c int) int64 { return signed(31, i, c) })
}

// less compares numbers whose difference has k bits.
func less(d *dealer, n, k int, value func(i, c int) int64) task {
	x := d.vec(n, func(i int) int64 { return value(i, 0) })
	y := d.vec(n, func(i int) int64 { return second(i, value) })
	return task{
		run: func(s *mpc.Session) output { return output{bits: []rss.Bits{rss.Less(s, x, y, k)}} },
		check: func(c *checker, out output) error {
			return c.truth(out.bits[0], func(i int) bool { return value(i, 0) < second(i, value) })
		},
	}
}

func setupEq16(d *dealer, n size) task {
	value := func(i, c int) int64 { return below(1<<16, i, c) }
	x := d.vec(n.rows, func(i int) int64 { return value(i, 0) })
	y := d.vec(n.rows, func(i int) int64 { return second(i, value) })
	return task{
		run: func(s *mpc.Session) output { return output{bits: []rss.Bits{rss.Equal(s, x, y, 16)}} },
		check: func(c *checker, out output) error {
			return c.truth(out.bits[0], func(i int) bool { return value(i, 0) == second(i, value) })
		},
	}
}
