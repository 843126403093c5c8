package main

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Functions of fixed-point numbers have fraction bits behind the point and, but
// for those of a narrow range, numberBits in all, the sign aside.
const numberBits = 30

// precise is the relative error that functions may have besides one or two units
// of the last place.
const precise = 0x1p-23

// number is a number of row i from lo to hi in its fixed-point steps.
func number(lo, hi float64) func(i, c int) int64 {
	first, last := math.Ldexp(lo, fraction), math.Ldexp(hi, fraction)
	return func(i, c int) int64 { return int64(first) + below(uint64(last-first), i, c) }
}

// real is what a fixed-point number stands for.
func real(x int64) float64 { return math.Ldexp(float64(x), -fraction) }

// fixed declares a dealt column as numbers.
func fixed(s *mpc.Session, x rss.Vec, bits int) rss.Fixed {
	return rss.NewReal[ring.Vec64](s, x, fraction, bits)
}

// setupDiv divides numbers of -1024 to 1024 by such from 1.
func setupDiv(d *dealer, n size) task {
	above, under := number(-1024, 1024), number(1, 1024)
	x := d.vec(n.rows, func(i int) int64 { return above(i, 0) })
	y := d.vec(n.rows, func(i int) int64 { return under(i, 1) })
	return task{
		run: func(s *mpc.Session) output {
			q := rss.Divide(s, fixed(s, x, numberBits), fixed(s, y, numberBits), fraction, numberBits)
			return output{vecs: []rss.Vec{q.Share}}
		},
		check: func(c *checker, out output) error {
			return c.near(out.vecs[0], fraction, ulps(4, fraction), precise, func(i int) float64 {
				return real(above(i, 0)) / real(under(i, 1))
			})
		},
	}
}

// setupSqrt takes roots of numbers of 0 to 1024.
func setupSqrt(d *dealer, n size) task {
	value := number(0, 1024)
	x := d.vec(n.rows, func(i int) int64 { return value(i, 0) })
	return task{
		run: func(s *mpc.Session) output {
			return output{vecs: []rss.Vec{rss.Sqrt(s, fixed(s, x, numberBits), fraction).Share}}
		},
		check: func(c *checker, out output) error {
			return c.near(out.vecs[0], fraction, ulps(3, fraction), precise, func(i int) float64 { return math.Sqrt(real(value(i, 0))) })
		},
	}
}

// setupExp takes exponentials of numbers from -8 to 8.
func setupExp(d *dealer, n size) task {
	const limitBits = 3
	value := number(-8, 8)
	x := d.vec(n.rows, func(i int) int64 { return value(i, 0) })
	return task{
		run: func(s *mpc.Session) output {
			return output{vecs: []rss.Vec{rss.Exp(s, fixed(s, x, fraction+limitBits), fraction).Share}}
		},
		check: func(c *checker, out output) error {
			return c.near(out.vecs[0], fraction, ulps(2, fraction), precise, func(i int) float64 { return math.Exp(real(value(i, 0))) })
		},
	}
}

// setupSigmoid takes sigmoids of numbers from -16 to 16.
func setupSigmoid(d *dealer, n size) task {
	const limitBits = 4
	value := number(-16, 16)
	x := d.vec(n.rows, func(i int) int64 { return value(i, 0) })
	return task{
		run: func(s *mpc.Session) output {
			return output{vecs: []rss.Vec{rss.Sigmoid(s, fixed(s, x, fraction+limitBits), fraction).Share}}
		},
		check: func(c *checker, out output) error {
			return c.near(out.vecs[0], fraction, ulps(2, fraction), 0, func(i int) float64 { return 1 / (1 + math.Exp(-real(value(i, 0)))) })
		},
	}
}
