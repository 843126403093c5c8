package rss

import (
	"fmt"
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Exp returns e^x with frac fractional bits for |x| <= 2^k, k = Bits - Frac <= 4:
// clamp what may be larger. The error is at most 2^-26 of the result, plus
// 2^-frac. The result is bounded by e^(2^k). 3 rounds and 28 bytes an element on
// average for |x| <= 8, 5 rounds and 52 bytes up to 16; besides, 2 rounds and 12 to
// 16 bytes for x of more than 28 fractional bits. Leaks nothing beyond what
// reshareRounded says.
func Exp(s *mpc.Session, x Fixed, frac int) Fixed {
	const direct, most = 3, 4
	k := x.Bits - x.Frac
	z := Fixed{zero[ring.Vec64](x.Len()), frac, 0}
	if k > most {
		s.Fail(fmt.Errorf("exponents up to 2^%d: 2^%d at most, clamp them", k, most))
		return z
	}
	high := octaves(math.Ldexp(1, k))
	if z.Bits = held[ring.Vec64](s, "an exponential", high+frac); s.Err() != nil {
		return z
	}
	x = exponent(s.Step("argument"), x)
	if k <= direct {
		z.Share = expWindow[ring.Vec64](s, x, -high, frac)
		return z
	}
	// The window of expWindow is too narrow: take the square of e^(x/2).
	const rootFrac = 44
	half := expWindow[ring.Vec128](s.Step("half"), Fixed{x.Share, x.Frac + 1, x.Bits}, -octaves(8), rootFrac)
	z.Share = reshareRounded[ring.Vec128, ring.Vec64](s.Step("square"), x.Len(), 2*rootFrac-frac, cross(half, half))
	return z
}

// octaves returns by how many powers of two e^x moves at most, for a public x.
func octaves(x float64) int { return int(math.Ceil(x*math.Log2E + 0x1p-10)) }

// exponentFrac is how many fractional bits exponents may have, so that they are
// exact enough in steps of 2^-58 octaves.
const exponentFrac = 28

// exponent returns x with at most exponentFrac fractional bits.
func exponent(s *mpc.Session, x Fixed) Fixed { return x.Round(s, min(x.Frac, exponentFrac)) }

// expWindow returns e^x with frac fractional bits for low <= x log2(e) < low + 31.9.
//
// A product with a public number turns x into octaves above low, in steps of
// 2^-58: 64 of them wrap around in Z_2^64. The party of role 0 raises two to the
// sum of its two components and the others to the component that both know, each
// alone and in integers (ring.SetLoneExp2). The product of the two powers is the
// result; it lacks 64 octaves where the sum of exponents wrapped, which is where
// both are negative, and there another pair of factors steps in.
//
// That shares of an exponent can be raised locally is known from two-party
// computation (Kelkar, Le, Raykova, Seth: "Secure Poisson Regression", USENIX
// Security 2022); for three parties and without a comparison of the wrap it is
// derived here, checked by simulation, not reviewed. 3 rounds.
func expWindow[W ring.Vector[W]](s *mpc.Session, x Fixed, low, frac int) Share[W] {
	n := x.Len()
	if !ready(s, x.Share) {
		return zero[W](n)
	}
	u := Scale(s, x.Share, steps(math.Log2E, ring.ExponentFrac-x.Frac))
	u = AddConst(s, u, -int64(low)<<ring.ExponentFrac)
	return reshareRounded[ring.Vec128, W](s, n, ring.Exp2Frac-low-frac, func(l *strand, part ring.Vec128, lo, hi int) {
		powerOfTwo(l, part, u.slice(lo, hi))
	})
}

// powerOfTwo sets part to this party's part of 2^u, with ring.Exp2Frac fractional
// bits: the dealer deals its factors, of which the others each multiply what they
// get by those that both know. 1 round.
func powerOfTwo(l *strand, part ring.Vec128, u Vec) {
	n := u.Len()
	dealt := spare[ring.Vec128](l, slotDealt, 2*n)
	known := spare[ring.Vec64](l, slotKnown, n)
	g := l.gate("deal")
	if l.seat() == dealer {
		known.SetAdd(u.A, u.B)
		ring.SetLoneExp2(dealt[:n], dealt[n:], known)
		offer(l, g, dealt, nil)
		clear(part)
		return
	}
	if l.seat() == after {
		offer(l, g, dealt, nil)
	} else {
		offer(l, g, nil, dealt)
	}
	factors := spare[ring.Vec128](l, slotTerm, 2*n)
	ring.SetPairExp2(factors[:n], factors[n:], outside(l, u.A, u.B))
	for i := range part {
		part[i] = dealt[i].Mul(factors[i]).Add(dealt[n+i].Mul(factors[n+i]))
	}
}
