package protocols

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// equations are the normal equations of a least-squares problem of p terms and an
// outcome, as correlations of all their pairs, in the order of pairs(p+1). A term
// without variance has correlation 0 with everything.
type equations struct {
	p int
	r rss.Fixed128
}

// solution is what follows from them, with R for the correlations among the terms
// and r for those with the outcome.
type solution struct {
	b         rss.Float // R^-1 r
	diagonal  rss.Float // of R^-1
	rest      rss.Float // 1 - r' R^-1 r
	quadratic rss.Float // u' R^-1 u, one element
	weak      rss.Vec   // 1 when R is too close to a singular matrix, else 0
}

const (
	// inverseSteps is how many Newton-Schulz steps make an inverse. From I/p they
	// find all eigenvalues of R down to about p/2^28.
	inverseSteps = 32
	// inverseFrac is how many fractional bits it has; its elements are below 2^28.
	inverseFrac = 42
	// meansFrac is that of u.
	meansFrac = 48
)

// solve inverts R, checks the inverse, and with it solves for r and for u, each
// improved by what the first solution leaves. A product of matrices may be summed up
// from terms that pass the ring's size: only the sums have to fit.
func (e equations) solve(s *mpc.Session, u rss.Float) solution {
	p := e.p
	a := e.matrix(s)
	inverse := rss.NewtonSchulz(s.Step("inverse"), a, e.start(s), p, inverseSteps).Share
	near := rss.MatMulRound(s.Step("near"), a.Share, inverse, p, p, p, correlationFrac)
	weak := e.weak(s.Step("weak"), near)

	aligned, exponent := rss.Align(s.Step("align"), meansFrac, eachOf(s, u)...)
	means := concatFixed(s, aligned)
	outcome := e.outcome(s)
	right := sideBySide(s, outcome, scaleUp(s, means, correlationFrac-meansFrac))
	x := e.refined(s.Step("refined"), a.Share, inverse, right)
	b, v := column(s, x, 0), column(s, x, 1)

	// 1 - r'b, exactly; u'v with fewer digits of v, which may be as large as u'v.
	explained := rss.Dot(s.Step("explained"), outcome, b)
	unit := rss.Public(s, ring.Vec128{ring.Int128(1).Shl(2 * correlationFrac)})
	const fewer = 12
	quadratic := rss.Dot(s.Step("quadratic"), means, rss.Round(s.Step("fewer"), v, fewer))

	// All in one pass: integers first, their steps afterwards.
	all := rss.Concat(s, b, diagonal(s, inverse, p), rss.Sub(s, unit, explained), quadratic)
	const widest = 124
	size := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, all, 0, widest))
	out := solution{
		b:         size.Slice(s, 0, p).Scale(s, -correlationFrac),
		diagonal:  size.Slice(s, p, 2*p).Scale(s, -inverseFrac),
		rest:      size.Slice(s, 2*p, 2*p+1).Scale(s, -2*correlationFrac),
		quadratic: size.Slice(s, 2*p+1, 2*p+2).Scale(s, fewer-meansFrac-correlationFrac),
		weak:      weak,
	}
	out.quadratic.Exponent = rss.Add(s, out.quadratic.Exponent, rss.Scale(s, exponent, 2))
	return out
}

// matrix is R.
func (e equations) matrix(s *mpc.Session) rss.Fixed128 {
	at := make([]rss.Vec128, e.p*e.p)
	one := rss.Public(s, ring.Vec128{ring.Int128(1).Shl(correlationFrac)})
	for i := range e.p {
		at[i*e.p+i] = one
	}
	for k, ij := range pairs(e.p + 1) {
		if i, j := ij[0], ij[1]; j < e.p {
			r := rss.Slice(s, e.r.Share, k, k+1)
			at[i*e.p+j], at[j*e.p+i] = r, r
		}
	}
	return rss.NewFixed128(s, rss.Concat(s, at...), correlationFrac, correlationFrac+1)
}

// outcome is r.
func (e equations) outcome(s *mpc.Session) rss.Vec128 {
	var out []rss.Vec128
	for k, ij := range pairs(e.p + 1) {
		if ij[1] == e.p {
			out = append(out, rss.Slice(s, e.r.Share, k, k+1))
		}
	}
	return rss.Concat(s, out...)
}

// start is I/p: R has trace p.
func (e equations) start(s *mpc.Session) rss.Fixed128 {
	unit := ring.Int128(int64(math.Round(math.Ldexp(1, inverseFrac) / float64(e.p))))
	at := make(ring.Vec128, e.p*e.p)
	for i := range e.p {
		at[i*e.p+i] = unit
	}
	const bits = 70
	return rss.NewFixed128(s, rss.Public(s, at), inverseFrac, bits-log2(e.p))
}

// weak tells whether the product of R and its inverse is not I. Each step squares
// 1 - x for all eigenvalues x of the product, so that what is missing of its trace
// is what the worst of them still lacks.
func (e equations) weak(s *mpc.Session, near rss.Vec128) rss.Vec {
	const (
		width   = 62
		allowed = inverseFrac - 20
	)
	trace := rss.Narrow(s, rss.Sum(s, diagonal(s, near, e.p)))
	missing := rss.AddConst(s, rss.Neg(s, trace), int64(e.p)<<inverseFrac)
	fine := rss.LessPublic(s.Step("missing"), missing, 1<<allowed, width)
	return rss.ToArith(s.Step("arith"), rss.Not(s, fine))
}

// refined solves R x = right for two columns and corrects the solution once by what
// it leaves of the right side.
func (e equations) refined(s *mpc.Session, a, inverse, right rss.Vec128) rss.Vec128 {
	const (
		first = 44 // fractional bits of the first solution
		left  = 60 // and of what it leaves, which is small
	)
	p := e.p
	x := rss.MatMulRound(s.Step("first"), inverse, right, p, p, 2, inverseFrac+correlationFrac-first)
	missing := rss.Sub(s, scaleUp(s, right, first), rss.MatMul(s.Step("product"), a, x, p, p, 2))
	missing = rss.Round(s.Step("missing"), missing, first+correlationFrac-left)
	correction := rss.MatMulRound(s.Step("correction"), inverse, missing, p, p, 2, inverseFrac+left-correlationFrac)
	return rss.Add(s, scaleUp(s, x, correlationFrac-first), correction)
}

// scaleUp returns 2^k x. Local.
func scaleUp(s *mpc.Session, x rss.Vec128, k int) rss.Vec128 { return rss.Scale(s, x, 1<<k) }

// diagonal is that of a p x p matrix. Local.
func diagonal(s *mpc.Session, x rss.Vec128, p int) rss.Vec128 {
	which := make([]int, p)
	for i := range which {
		which[i] = i*p + i
	}
	return only(s, x, which)
}

// sideBySide makes two vectors the columns of a matrix. Local.
func sideBySide(s *mpc.Session, x, y rss.Vec128) rss.Vec128 {
	var out []rss.Vec128
	for i := range x.Len() {
		out = append(out, rss.Slice(s, x, i, i+1), rss.Slice(s, y, i, i+1))
	}
	return rss.Concat(s, out...)
}

// column is one of two columns. Local.
func column(s *mpc.Session, x rss.Vec128, k int) rss.Vec128 {
	which := make([]int, x.Len()/2)
	for i := range which {
		which[i] = 2*i + k
	}
	return only(s, x, which)
}

// eachOf returns the elements of x, one vector each. Local.
func eachOf(s *mpc.Session, x rss.Float) []rss.Float {
	out := make([]rss.Float, x.Len())
	for i := range out {
		out[i] = x.Slice(s, i, i+1)
	}
	return out
}

// concatFixed puts vectors of the same steps one after the other. Local.
func concatFixed(s *mpc.Session, xs []rss.Fixed128) rss.Vec128 {
	out := make([]rss.Vec128, len(xs))
	for i, x := range xs {
		out[i] = x.Share
	}
	return rss.Concat(s, out...)
}
