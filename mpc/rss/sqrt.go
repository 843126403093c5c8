package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// 1/sqrt(c) for c in [1/4, 1] starts from a parabola like that of the reciprocal:
// w = rootConst + c (12 c - 25) / 8 has |1 - w sqrt(c)| <= 0.0273
// (minimax_internal_test.go).
const (
	rootSquare, rootLinear = 12, -25
	rootConst              = 2.632951907043101
)

// widestRadicand is the widest number, in bits, whose root is taken.
const widestRadicand = 59

// Sqrt returns the square root of x >= 0 with frac fractional bits, and exactly 0
// for 0; of a negative x something arbitrary. x has at most 59 bits. The error is
// at most 2^-24 (2^-50 in Fixed128) of the result, plus 2^-frac. 35 rounds and 226
// bytes an element for 31 bits. Leaks nothing beyond what reshareRounded says.
func Sqrt[V ring.Vector[V]](s *mpc.Session, x Real[V], frac int) Real[V] {
	x = x.even(s)
	z := Real[V]{zero[V](x.Len()), frac, held[V](s, "a square root", max((x.Bits+1-x.Frac)/2+frac, 0))}
	if !between(s, "bits of a radicand", x.Bits, 0, widestRadicand) || !ready(s, x.Share) {
		return z
	}
	z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Share[V] {
		r := quarters(s.Step("normalise"), x.slice(lo, hi), x.Bits)
		root, _ := roots(s.Step("newton"), r.c, true)
		// sqrt(x) is root * 2^(pairs-t), and pairs-t is 2^m-1-t less a constant.
		complement := make([]Share[V], len(r.bits))
		for j, b := range r.bits {
			complement[j] = AddConst(s, Neg(s, b), 1)
		}
		scale := product(s.Step("scale"), powerFactors(s, complement, 1))
		return mulShift(s.Step("result"), root, scale, precision[V]()+1<<len(r.bits)-1-r.pairs-frac+x.Frac/2)
	})
	return z
}

// InvSqrt returns 1/sqrt(x) for x >= 0 with frac fractional bits, and 0 for 0; of
// a negative x something arbitrary. x has at most 59 bits. The error is at most
// 2^-24 (2^-50 in Fixed128) of the result, plus 2^-frac. The result is bounded by
// that for one step of x. 36 rounds and 234 bytes an element for 31 bits. Leaks
// nothing beyond what reshareRounded says.
func InvSqrt[V ring.Vector[V]](s *mpc.Session, x Real[V], frac int) Real[V] {
	x = x.even(s)
	z := Real[V]{zero[V](x.Len()), frac, held[V](s, "an inverse square root", x.Frac/2+frac)}
	if !between(s, "bits of a radicand", x.Bits, 0, widestRadicand) || !ready(s, x.Share) {
		return z
	}
	z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Share[V] {
		r := quarters(s.Step("normalise"), x.slice(lo, hi), x.Bits)
		_, w := roots(s.Step("newton"), r.c, false)
		scale := product(s.Step("scale"), append(powerFactors(s, r.bits, 1), r.some))
		return mulShift(s.Step("result"), w, scale, precision[V]()+r.pairs-frac-x.Frac/2)
	})
	return z
}

// even returns x with an even number of fractional bits. Local.
func (x Real[V]) even(s *mpc.Session) Real[V] { return x.finer(s, x.Frac%2) }

// quartered is a vector of positive numbers x scaled by secret powers of four.
type quartered[V ring.Vector[V]] struct {
	c     Share[V]   // x 4^(t-pairs), in [1/4, 1), with p fractional bits; 0 for 0
	bits  []Share[V] // of t, as elements 0 or 1
	some  Share[V]   // 1 where x is not 0
	pairs int
}

// quarters scales positive numbers of at most 2^bits by the leading pair of bits.
func quarters[V ring.Vector[V]](s *mpc.Session, x Share[V], bits int) quartered[V] {
	n, pairs := x.Len(), max(bits/2+1, 2)
	planes := Decompose(s.Step("bits"), narrow(x), 2*pairs)
	var low, high []Bits
	for j := range pairs {
		low, high = append(low, planes.Plane(2*j)), append(high, planes.Plane(2*j+1))
	}
	either := Or(s.Step("pairs"), ConcatPlanes(low...), ConcatPlanes(high...))
	for j := range pairs {
		low[j] = either.Plane(j)
	}
	zeros, some := leadingZeros(s.Step("leading"), low)
	m := len(zeros)
	arith := parts(s, toArith[V](s.Step("arith"), ConcatPlanes(append(zeros, some)...)), n)
	power := product(s.Step("power"), powerFactors(s, arith[:m], 2))
	return quartered[V]{scaleTo(s.Step("scaled"), x, power, 2*pairs), arith[:m], arith[m], pairs}
}

// roots returns, for c in [1/4, 1], sqrt(c) and 1/sqrt(c) with p fractional bits;
// of the last step only the one that is asked for. g = c w and w go up together
// by factors that make d = 1 - g w vanish: (1 - d)^(-1/2), which is
// 1 + d/2 + 3 d^2/8 at first and 1 + d/2 when d is small. 14 rounds for 28 bits,
// 18 for 56.
func roots[V ring.Vector[V]](s *mpc.Session, c Share[V], root bool) (g, w Share[V]) {
	p, n := precision[V](), c.Len()
	w = AddConst(s, Scale(s, c, rootSquare), rootLinear*unit[V](1))
	w = AddConst(s, MulRound(s.Step("start"), c, w, p+eighth), unit[V](rootConst))
	g = MulRound(s.Step("root"), c, w, p)
	d := AddConst(s, Neg(s, MulRound(s.Step("error"), g, w, p)), unit[V](1))
	up := AddConst(s, Scale(s, d, 3), 4*unit[V](1))
	up = MulRound(s.Step("cubic"), d, up, p+eighth)
	for step := 0; ; step++ {
		up = AddConst(s, up, unit[V](1))
		if step == p/28 { // d was below 2^-13, then 2^-26
			if root {
				return MulRound(s.Step("last"), g, up, p), w
			}
			return g, MulRound(s.Step("last"), w, up, p)
		}
		both := parts(s, MulRound(s.Step("both", step), Concat(s, g, w), Concat(s, up, up), p), n)
		g, w = both[0], both[1]
		up = AddConst(s, Neg(s, MulRound(s.Step("half", step), g, w, p+1)), unit[V](0.5))
	}
}
