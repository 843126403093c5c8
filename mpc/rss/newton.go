package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// StartInverse returns X = I / trace(A) with frac fractional bits for a batch of
// p x p matrices: from there NewtonSchulz converges for every symmetric positive
// definite A, in about log2(trace / least eigenvalue) + 5 steps. 30 to 38 rounds.
func StartInverse(s *mpc.Session, a Fixed128, p, frac int) Fixed128 {
	x := Fixed128{zero[ring.Vec128](a.Len()), frac, held[ring.Vec128](s, "an inverse trace", a.Frac+frac)}
	if !squares(s, a, p) {
		return x
	}
	m := a.Len() / (p * p)
	trace := Fixed128{zero[ring.Vec128](m), a.Frac, held[ring.Vec128](s, "a trace", a.Bits+terms(p))}
	each := entries(a.Share, p, p)
	for i := range p {
		trace.Share = Add(s, trace.Share, each[i][i])
	}
	inv := Reciprocal(s, trace, frac)
	for i := range p {
		for j := range p {
			if each[i][j] = zero[ring.Vec128](m); i == j {
				each[i][j] = inv.Share
			}
		}
	}
	x.Share = together(each, p, p)
	return x
}

// NewtonSchulz returns x improved by a public number of steps X (2 I - A X)
// towards the inverses of a batch of p x p matrices. Each step squares I - A X, so
// that a start with a small one, such as the inverse of a matrix nearby, needs few
// steps, and none helps where its largest eigenvalue is not below 1. The bits of x
// bound every iterate, for which the caller vouches. 4 rounds a step. Leaks
// nothing beyond what reshareRounded says.
func NewtonSchulz(s *mpc.Session, a, x Fixed128, p, count int) Fixed128 {
	if a.Len() != x.Len() {
		whole(s, a.Share, x.Share)
	}
	held[ring.Vec128](s, "a matrix product", a.Bits+x.Bits+terms(p))
	held[ring.Vec128](s, "a matrix product", 2*x.Frac+2+max(x.Bits-x.Frac, 0)+terms(p))
	if !squares(s, a, p) || !ready(s, x.Share) {
		return x
	}
	for i := range count {
		near := matMuls(s.Step("near", i), a.Share, x.Share, p, a.Frac, nil)
		x.Share = matMuls(s.Step("next", i), Neg(s, x.Share), near, p, x.Frac, &x.Share)
	}
	return x
}

// matMuls returns the products of two batches of p x p matrices divided by 2^f and
// rounded, plus twice a third batch if there is one.
func matMuls(s *mpc.Session, x, y Vec128, p, f int, twice *Vec128) Vec128 {
	if !ready(s, x, y) {
		return zero[ring.Vec128](x.Len())
	}
	z := make(ring.Vec128, x.Len())
	for lo := 0; lo < len(z); lo += p * p {
		x, y := x.slice(lo, lo+p*p), y.slice(lo, lo+p*p)
		z[lo:lo+p*p].SetCrossMatMul(x.A, x.B, y.A, y.B, p, p, 0)
	}
	if twice != nil {
		z = z.Add(twice.A.Shl(f + 1))
	}
	return reshareRounded[ring.Vec128, ring.Vec128](s, len(z), f, func(_ *strand, part ring.Vec128, lo, hi int) {
		part.Set(z.Slice(lo, hi))
	})
}
