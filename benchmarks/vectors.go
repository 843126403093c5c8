package main

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/rss"
)

func setupMul(d *dealer, n size) task {
	x := d.vec(n.rows, func(i int) int64 { return signed(64, i, 0) })
	y := d.vec(n.rows, func(i int) int64 { return signed(64, i, 1) })
	return task{
		run: func(s *mpc.Session) output { return output{vecs: []rss.Vec{rss.Mul(s, x, y)}} },
		check: func(c *checker, out output) error {
			return c.same(out.vecs[0], func(i int) int64 { return signed(64, i, 0) * signed(64, i, 1) })
		},
	}
}

func setupDot(d *dealer, n size) task {
	x := d.vec(n.rows, func(i int) int64 { return signed(64, i, 0) })
	y := d.vec(n.rows, func(i int) int64 { return signed(64, i, 1) })
	return task{
		run: func(s *mpc.Session) output { return output{vecs: []rss.Vec{rss.Dot(s, x, y)}} },
		check: func(c *checker, out output) error {
			return c.same(out.vecs[0], func(int) int64 {
				var sum int64
				for i := range n.rows {
					sum += signed(64, i, 0) * signed(64, i, 1)
				}
				return sum
			})
		},
		products: 2 * float64(n.rows),
	}
}

// fraction is how many bits of a fixed-point number lie behind the point.
const fraction = 20

// setupMatMul multiplies an R x C matrix by a C x R one; a plain N is N x N.
// Entries are below 2 in size.
func setupMatMul(d *dealer, n size) task {
	r, k := n.rows, max(n.cols, 0)
	if k == 0 {
		k = r
	}
	entry := func(i, column int) int64 { return signed(fraction+2, i, column) }
	x := d.vec(r*k, func(i int) int64 { return entry(i, 0) })
	y := d.vec(k*r, func(i int) int64 { return entry(i, 1) })
	return task{
		run: func(s *mpc.Session) output {
			return output{vecs: []rss.Vec{rss.MatMulRound(s, x, y, r, k, r, fraction)}}
		},
		check: func(c *checker, out output) error {
			return c.near(out.vecs[0], fraction, ulps(1, fraction), 0, func(i int) float64 {
				var sum int64
				for j := range k {
					sum += entry(i/r*k+j, 0) * entry(j*r+i%r, 1)
				}
				return math.Ldexp(float64(sum), -2*fraction)
			})
		},
		products: 2 * float64(r) * float64(r) * float64(k),
	}
}

// ulps is n units of the last place of f fractional bits.
func ulps(n float64, f int) float64 { return math.Ldexp(n, -f) }
