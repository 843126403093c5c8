package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// The reciprocal of c in [1/2, 1] starts from a parabola whose coefficients, but
// for the constant, are eighths, so that it costs one rounded product:
// w = reciprocalConst + c (21 c - 47) / 8 has |1 - c w| <= 0.01108. The two
// integers are the best of all eighths, the constant makes the error the same at
// both ends (minimax_internal_test.go).
const (
	reciprocalSquare, reciprocalLinear = 21, -47
	eighth                             = 3
	reciprocalConst                    = 4.261078676470588
)

// Reciprocal returns 1/y with frac fractional bits, and 0 for 0. y has at most 32
// bits (61 in Fixed128) and either sign. The error is at most 2^-24 (2^-50) of
// the result, plus 2^-frac. The result is bounded by that for one step of y. 28
// rounds and 198 bytes an element for 28 bits. Leaks nothing beyond what
// reshareRounded says.
func Reciprocal[V ring.Vector[V]](s *mpc.Session, y Real[V], frac int) Real[V] {
	z := Real[V]{zero[V](y.Len()), frac, held[V](s, "a reciprocal", y.Frac+frac)}
	if !between(s, "bits of a divisor", y.Bits, 0, widestDivisor[V]()) || !ready(s, y.Share) {
		return z
	}
	z.Share = inParts(s, y.Len(), func(s *mpc.Session, lo, hi int) Share[V] {
		inv := inverse(s, y.part(lo, hi))
		return inv.times(s.Step("result"), inv.at-y.Frac-frac)
	})
	return z
}

// Divide returns x/y with frac fractional bits, and 0 where y is 0. The caller
// vouches that the result has at most the given number of bits, its fractional
// ones included. y is as in Reciprocal; x and the result together have at most 61
// bits (125 in Fixed128, of which x has 64), or y so few that this does not
// matter. The error is at most 2^-24 (2^-50) of the result, plus 2 * 2^-frac. 30
// rounds and 212 bytes an element for 30 bits. Leaks nothing beyond what
// reshareRounded says.
//
// For integers (Frac 0) and frac 0 the result q is off by less than 3 while it has
// at most 23 bits; who needs the quotient rounded down compares x - q y with
// multiples of y.
func Divide[V ring.Vector[V]](s *mpc.Session, x, y Real[V], frac, bits int) Real[V] {
	z := Real[V]{zero[V](x.Len()), frac, held[V](s, "a quotient", bits)}
	if !between(s, "bits of a divisor", y.Bits, 0, widestDivisor[V]()) || !ready(s, x.Share, y.Share) {
		return z
	}
	up := frac + y.Frac - x.Frac // the result is 2^up times the quotient of the integers
	down := min(room[V](), mostShift[V](), room[V]()-bits)
	full := precision[V]() + y.Bits + 1 - up // 2^(full+up) / y is known exactly
	if full > down && x.Bits > down {
		s.Fail(fmt.Errorf("%d bits divided to %d: the dividend may have %d; use fewer bits, or more than 64", x.Bits, bits, down))
		return z
	}
	down = min(down, full)
	z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Share[V] {
		inv := inverse(s, y.part(lo, hi)).times(s.Step("reciprocal"), full-down)
		return mulShift(s.Step("result"), x.slice(lo, hi), inv, down)
	})
	return z
}

// inverted is a reciprocal in two factors: their product is 2^at / y.
type inverted[V ring.Vector[V]] struct {
	w, scale Share[V]
	at       int
}

// widestDivisor is the widest number, in bits, whose reciprocal fits.
func widestDivisor[V ring.Vector[V]]() int { return min(widest, room[V]()-precision[V]()-1) }

// inverse returns the reciprocal of the integers that y counts.
func inverse[V ring.Vector[V]](s *mpc.Session, y Real[V]) inverted[V] {
	x := normalise(s.Step("normalise"), y.Share, y.Bits)
	return inverted[V]{reciprocal(s.Step("newton"), x.c), x.scale, precision[V]() + x.width}
}

// times returns 2^(at-f) / y.
func (i inverted[V]) times(s *mpc.Session, f int) Share[V] {
	return mulShift(s, i.w, i.scale, f)
}

// mulShift returns x * y / 2^f, rounded for positive f.
func mulShift[V ring.Vector[V]](s *mpc.Session, x, y Share[V], f int) Share[V] {
	if f > 0 {
		return MulRound(s, x, y, f)
	}
	return shiftLeft(s, Mul(s, x, y), -f)
}

// reciprocal returns 1/c for c in [1/2, 1], with p fractional bits (Goldschmidt).
// With e = 1 - c w the reciprocal is w (1+e) (1+e^2) (1+e^4) …: 8 rounds for 28
// bits, 10 for 56.
func reciprocal[V ring.Vector[V]](s *mpc.Session, c Share[V]) Share[V] {
	p, n := precision[V](), c.Len()
	w := AddConst(s, Scale(s, c, reciprocalSquare), reciprocalLinear*unit[V](1))
	w = AddConst(s, MulRound(s.Step("start"), c, w, p+eighth), unit[V](reciprocalConst))
	e := AddConst(s, Neg(s, MulRound(s.Step("error"), c, w, p)), unit[V](1))
	for step := 0; ; step++ {
		next := AddConst(s, e, unit[V](1))
		if 13<<step >= p-4 { // e^2 is below 2^-(13 * 2^step): the last step
			return MulRound(s.Step("last"), w, next, p)
		}
		both := parts(s, MulRound(s.Step("step", step), Concat(s, w, e), Concat(s, next, e), p), n)
		w, e = both[0], both[1]
	}
}
