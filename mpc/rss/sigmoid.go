package rss

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// tail is where e^-|x| is cut off: it is below 2^-30 from there on.
const tail = 21

// Sigmoid returns 1/(1 + e^-x) with frac fractional bits, frac <= 28. x is any
// number of at most 59 bits; beyond 21 in magnitude the result is that for 21.
// The error is at most 2^-24 + 2^-frac. 20 rounds and 130 bytes an element for x of
// 24 fractional bits up to 16, 33 bytes more where x may be larger. Leaks nothing
// beyond what reshareRounded says.
func Sigmoid(s *mpc.Session, x Fixed, frac int) Fixed {
	z := Fixed{zero[ring.Vec64](x.Len()), frac, frac}
	if !between(s, "fractional bits of a sigmoid", frac, 0, precision[ring.Vec64]()) || !ready(s, x.Share) {
		return z
	}
	z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Vec { return sigmoid(s, x.part(lo, hi), frac) })
	return z
}

// sigmoid is Sigmoid for a part.
func sigmoid(s *mpc.Session, x Fixed, frac int) Vec {
	p, side := precision[ring.Vec64](), fold(s, x)
	// 1 + e^-|x| is in (1, 2]: half of it needs no normalising, and the reciprocal
	// of the half is twice the result.
	e := expWindow[ring.Vec64](s.Step("exp"), side.size, -31, p-1)
	r := reciprocal(s.Step("reciprocal"), AddConst(s, e, unit[ring.Vec64](0.5)))
	// r for x >= 0 and 1 - r below, with p+1 fractional bits.
	other := AddConst(s, Scale(s, r, -2), 2*unit[ring.Vec64](1))
	return sumShift(s.Step("side"), r, []Vec{side.negative}, []Vec{other}, p+1-frac)
}

// Softplus returns log(1 + e^x) with frac fractional bits, frac <= 28. x is any
// number of at most 59 bits. The error is at most 2^-25 + 2 * 2^-frac. 18 rounds
// and 142 bytes an element for x of 24 fractional bits up to 16. Leaks nothing
// beyond what reshareRounded says.
func Softplus(s *mpc.Session, x Fixed, frac int) Fixed {
	z := Fixed{zero[ring.Vec64](x.Len()), frac, held[ring.Vec64](s, "a softplus", max(x.Bits-x.Frac, 0)+1+frac)}
	if !between(s, "fractional bits of a softplus", frac, 0, precision[ring.Vec64]()) || !ready(s, x.Share) {
		return z
	}
	z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Vec { return softplus(s, x.part(lo, hi), frac) })
	return z
}

// softplus is Softplus for a part.
func softplus(s *mpc.Session, x Fixed, frac int) Vec {
	p, side := precision[ring.Vec64](), fold(s, x)
	// log(1+e) = log((3+t)/4) + log 2 with t = 2e - 1.
	e := expWindow[ring.Vec64](s.Step("exp"), side.size, -31, p+1)
	terms := append([]float64{logTerms[0] + math.Ln2}, logTerms[1:]...)
	rest := poly(s.Step("log"), AddConst(s, e, -unit[ring.Vec64](1)), terms, frac)
	return Add(s, side.positive.Round(s.Step("positive"), frac).Share, rest)
}

// folded is a number by its sign and magnitude.
type folded struct {
	negative Vec   // 1 where x < 0, else 0
	size     Fixed // -|x|, but -tail where x is beyond it
	positive Fixed // x where it is positive, else 0
}

// fold takes numbers apart. 10 rounds.
func fold(s *mpc.Session, x Fixed) folded {
	n := x.Len()
	limit := steps(tail, x.Frac)
	xs, bits := []Vec{x.Share}, x.Bits
	cut := x.Bits > x.Frac+4
	if cut {
		bits++
		xs = append(xs, AddConst(s, x.Share, limit), AddConst(s, Neg(s, x.Share), limit))
	}
	signs := negative(s.Step("sign"), bits, xs...)
	// -|x| is x times 2b-1, and x times 0 less the limit where |x| is too large.
	sign := AddConst(s, Scale(s, signs[0], 2), -1)
	var offset Vec
	if cut {
		sign = Add(s, sign, Sub(s, signs[2], signs[1]))
		offset = Scale(s, Add(s, signs[1], signs[2]), -limit)
	}
	both := Mul(s.Step("parts"), Concat(s, x.Share, x.Share), Concat(s, sign, AddConst(s, Neg(s, signs[0]), 1)))
	size := Slice(s, both, 0, n)
	if cut {
		size = Add(s, size, offset)
	}
	return folded{
		negative: signs[0],
		size:     exponent(s.Step("argument"), Fixed{size, x.Frac, x.Bits}),
		positive: Fixed{Slice(s, both, n, 2*n), x.Frac, x.Bits},
	}
}
