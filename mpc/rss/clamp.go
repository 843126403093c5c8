package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Clamp returns x where it lies between two public numbers and the nearer of them
// elsewhere, and which elements were outside, as integers 0 or 1. The result is
// bounded by the larger of the two. 8 rounds and 39 bytes an element for 34 bits.
// Leaks nothing.
func Clamp(s *mpc.Session, x Fixed, low, high float64) (y Fixed, outside Vec) {
	n := x.Len()
	lo, hi := steps(low, x.Frac), steps(high, x.Frac)
	y = Fixed{zero[ring.Vec64](n), x.Frac, max(magnitude(lo), magnitude(hi))}
	if lo > hi {
		s.Fail(fmt.Errorf("nothing lies between %v and %v", low, high))
	}
	if held[ring.Vec64](s, "a limit", y.Bits); !ready(s, x.Share) {
		return y, zero[ring.Vec64](n)
	}
	below, above := AddConst(s, x.Share, -lo), AddConst(s, Neg(s, x.Share), hi)
	bits := negative(s.Step("sign"), max(x.Bits, y.Bits)+1, below, above)
	y.Share = Add(s, x.Share, mulSum(s.Step("pick"), bits, []Vec{Neg(s, below), above}))
	return y, Add(s, bits[0], bits[1])
}

// negative returns for each x, of magnitude at most 2^bits, whether it is below
// zero, as integers 0 or 1.
func negative(s *mpc.Session, bits int, xs ...Vec) []Vec {
	signs := ToArith(s.Step("arith"), LessPublic(s.Step("bits"), Concat(s, xs...), 0, bits+2))
	return parts(s, signs, xs[0].Len())
}
