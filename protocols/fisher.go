package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Fisher scoring of generalised linear models on shares (Nelder, Wedderburn:
// "Generalized linear models", 1972; R's glm): from coefficients b follow the
// linear predictor eta = Z b, each row's weight w and score, and the next
// coefficients b + H^-1 g with H = Z' diag(w) Z and g = Z' score.
//
// Where it ends depends on g alone, which is exact but for the rounding of the rows'
// scores. So H^-1 need not be exact on the way: each step improves the inverse of
// the step before by Newton and Schulz, which starts below the inverse wanted and
// grows towards it. A step is therefore never longer than Fisher's, and a model
// without finite coefficients ends in none that converged.

const (
	// fisherSteps is the public number of steps. Five to seven suffice for most
	// models; of random small ones that have finite coefficients, but barely, about
	// one in 200 needs more than these.
	fisherSteps = 12
	// coefFrac is how many fractional bits matrices and coefficients have in 128
	// bits.
	coefFrac = 42
	// rowCoefFrac is how many the coefficients have that rows are multiplied by.
	rowCoefFrac = 24
	// fullFrac is how many weights and scores have at most.
	fullFrac = 28

	// Bounds of numbers that are of moderate size for any model that converges, in
	// bits before the point: entries of H / n, of its inverse, traces of their
	// products, coefficients of z, steps, linear predictors. Beyond them numbers wrap around and no model
	// converges.
	informationBits = 4
	inverseBits     = 28
	traceBits       = 18
	coefBits        = 12
	stepBits        = 8
	etaBits         = 12

	// coldSteps of Newton and Schulz invert a correlation matrix whose least
	// eigenvalue is 2^-coldSteps of its trace; below that it counts as singular.
	coldSteps = 26
	// warmSteps and another for each doubling of the terms follow in each of
	// Fisher's steps.
	warmSteps = 9

	// convergedBelow is the largest g' H^-1 g, the square of the last step in standard
	// errors, of coefficients that count as converged, besides what rounding
	// adds to it by row. One more step, which they take, leaves them with an error of
	// that order, and their standard errors with its root.
	convergedBelow = 1e-10
	roundedBelow   = 1e-14
	// decrementFrac is how many fractional bits that number has.
	decrementFrac = 60
	// invertedBelow is the largest distance of the trace of H H^-1 from its order, of
	// an inverse that counts as one.
	invertedBelow = 0x1p-7
)

// family is a kind of generalised linear model.
type family interface {
	// start returns what the first step takes, which starts from coefficients 0.
	start(s *mpc.Session) working
	// at returns what a step takes that starts from the linear predictors of a fit.
	at(s *mpc.Session, f *fit) working
}

// working are rows as a step of Fisher scoring takes them: what they weigh in H,
// and what they are in the sum that g is, with the bits of precision.score.
type working struct{ weight, score rss.Fixed }

// precision says how many fractional bits row vectors have.
type precision struct {
	z      int // the design
	weight int // weights, whose products with z then fit 64 bits
	work   int // weighted columns of the design, whose sums with z then fit 64 bits
	score  int // scores: more than fit
}

// newPrecision is for weights and scores of which the sums of squares, also times a
// column of z, are at most 4^spare times the number of rows.
func newPrecision(rows, spare int) precision {
	const room, mostWork = 61, 24
	z := rowFrac(rows, spare/2)
	weight := min(fullFrac, room-(log2(rows)+1)/2-spare-z)
	work := min(mostWork, room-log2(rows)-spare-z)
	// What rounding scores to work leaves is below 1 in steps of work.
	return precision{z, weight, work, min(fullFrac, room-1-log2(rows)-z+work)}
}

// fisher is a model's design as the steps take it: a column of ones, the members,
// and those of the terms.
type fisher struct {
	z      rss.Vec // p rows of n elements
	across rss.Vec // n rows of p elements
	p, n   int
	frac   precision
	offset rss.Fixed // is added to the linear predictor; of length 0 if there is none
	// 2^size is about the number of rows; scale is 2^(top-size).
	size  rss.Vec
	scale rss.Vec128
	top   int
	// idle has 1 on the diagonal for the terms that are not kept, whose rows and
	// columns in H are 0.
	idle rss.Fixed128
}

// fit is the end of Fisher scoring.
type fit struct {
	coef rss.Fixed128 // of the column of ones and of z
	// inverse is that of H / 2^size.
	inverse rss.Fixed128
	size    rss.Vec
	// eta is the linear predictor of each row, not rounded: rows of equal values have
	// the same.
	eta     rss.Vec
	etaFrac int
	// singular and stuck are 0 unless the terms depend on each other, or the steps
	// did not converge.
	singular, stuck rss.Vec
}

// fitted runs all steps; the last takes the standard errors' H. About 170 rounds
// before the first and 100 a step, and what the family costs; a row costs 12 bytes a
// term and step, 45 a step, and 31 a term in the last.
func (m *fisher) fitted(s *mpc.Session, of family) *fit {
	inverse, singular := m.first(s.Step("first"))
	coef := rss.NewFixed128(s, rss.Zero[ring.Vec128](m.p), coefFrac, coefFrac+coefBits)
	out := &fit{singular: singular, size: m.size, etaFrac: m.frac.z + rowCoefFrac}
	for i := range fisherSteps {
		s := s.Step("step", i)
		var now working
		if i == 0 {
			now = m.without(s.Step("offset"), of.start(s.Step("start")))
		} else {
			coef, out.eta = m.predict(s.Step("eta"), coef)
			now = of.at(s.Step("family"), out)
		}
		h, g := m.information(s.Step("information"), now)
		if i == fisherSteps-1 {
			h = m.fineInformation(s.Step("fine"), now.weight)
		}
		inverse = m.improve(s.Step("inverse"), h, inverse)
		step := inverse.MatMul(s.Step("step"), g, m.p, m.p, 1, coefFrac).Within(s, coefFrac+stepBits)
		if i == fisherSteps-1 {
			out.stuck = m.stuck(s.Step("stuck"), h, inverse, g, step)
		}
		coef = coef.Add(s, step).Within(s, coefFrac+coefBits)
	}
	_, out.eta = m.predict(s.Step("eta"), coef)
	out.coef, out.inverse = coef, inverse
	return out
}

// predictor is the linear predictor of each row, rounded. 2 rounds.
func (f *fit) predictor(s *mpc.Session, frac int) rss.Fixed {
	const widest = 61
	return rss.NewFixed(s, f.eta, f.etaFrac, widest).Round(s, frac).Within(s, frac+etaBits)
}

// newFisher lays a design out.
func newFisher(s *mpc.Session, x *standardised, z rss.Fixed, frac precision, member rss.Vec, offset rss.Fixed) *fisher {
	n := member.Len()
	m := &fisher{
		n: n, p: 1 + z.Len()/n, frac: frac, offset: offset,
		z:    rss.Concat(s, rss.Scale(s, member, 1<<frac.z), z.Share),
		size: x.extra.countSize, top: log2(n) + 1,
	}
	m.across = rss.Transpose(s, m.z, m.p, n)
	m.scale = powers(s, ones(s, 1), rss.AddConst(s, rss.Neg(s, m.size), int64(m.top)), m.top+1)
	m.idle = rss.NewFixed128(s, rss.Zero[ring.Vec128](m.p*m.p), coefFrac, coefFrac)
	unkept := rss.AddConst(s, rss.Neg(s, x.kept), 1)
	for i := range m.p - 1 {
		at := (i + 1) * (m.p + 1)
		cell := rss.Slice(s, m.idle.Share, at, at+1)
		one := rss.Slice(s, unkept, i, i+1)
		cell.A.Set(one.A.Shl(coefFrac))
		cell.B.Set(one.B.Shl(coefFrac))
	}
	return m
}

// alone is the model of the column of ones alone.
func (m *fisher) alone(s *mpc.Session) *fisher {
	null := *m
	null.p, null.z = 1, rss.Slice(s, m.z, 0, m.n)
	null.across = null.z
	null.idle = m.idle.Slice(s, 0, 1)
	return &null
}

// ones returns n ones. Local.
func ones(s *mpc.Session, n int) rss.Vec128 {
	return rss.Public(s, ring.Vec128{}.Make(n).AddConst(1))
}

// first inverts Z'Z / 2^size, and returns what is not 0 if it is singular.
func (m *fisher) first(s *mpc.Session) (rss.Fixed128, rss.Vec) {
	sums := rss.MatMul(s.Step("sums"), m.z, m.across, m.p, m.n, m.p)
	a := m.perRow(s.Step("per row"), rss.Lift(s.Step("lift"), sums), 2*m.frac.z).Add(s, m.idle).Within(s, coefFrac+informationBits)
	x := rss.StartInverse(s.Step("start"), a, m.p, coefFrac).Within(s, coefFrac+inverseBits)
	x = rss.NewtonSchulz(s.Step("newton"), a, x, m.p, coldSteps)
	return x, m.defect(s.Step("defect"), a, x, 0.5)
}

// perRow returns sums with frac fractional bits over 2^size. 2 rounds.
func (m *fisher) perRow(s *mpc.Session, sums rss.Vec128, frac int) rss.Fixed128 {
	share := rss.MulRound(s, sums, rss.Repeat(s, m.scale, sums.Len()), frac+m.top-coefFrac)
	return rss.NewFixed128(s, share, coefFrac, coefFrac+informationBits)
}

// predict returns the exact linear predictor of each row for coefficients rounded
// to what rows take, and these.
func (m *fisher) predict(s *mpc.Session, coef rss.Fixed128) (rss.Fixed128, rss.Vec) {
	coef = coef.Round(s.Step("round"), rowCoefFrac)
	eta := rss.MatMul(s.Step("rows"), rss.Narrow(s, coef.Share), m.z, 1, m.p, m.n)
	if m.offset.Len() > 0 {
		eta = rss.Add(s, eta, rss.Scale(s, m.offset.Share, 1<<(m.frac.z+rowCoefFrac-m.offset.Frac)))
	}
	return coef.Round(s.Step("finer"), coefFrac), eta
}

// without takes the offset out of what the first step regresses. 4 rounds, if there
// is one.
func (m *fisher) without(s *mpc.Session, now working) working {
	if m.offset.Len() > 0 {
		weight := now.weight.Round(s.Step("weight"), m.frac.work)
		part := rss.MulRound(s, weight.Share, m.offset.Share, weight.Frac+m.offset.Frac-m.frac.score)
		now.score.Share = rss.Sub(s, now.score.Share, part)
	}
	return now
}

// information returns H and g over 2^size. Scores are taken apart, into what they are
// with few fractional bits and what that leaves: both sums fit 64 bits, and
// together they are exact.
func (m *fisher) information(s *mpc.Session, now working) (h, g rss.Fixed128) {
	weight := now.weight.Round(s.Step("weight"), m.frac.weight)
	weighted := rss.MulRound(s.Step("weigh"), rss.Repeat(s, weight.Share, m.p), m.z, weight.Frac+m.frac.z-m.frac.work)
	finer := m.frac.score - m.frac.work
	high := rss.Round(s.Step("score"), now.score.Share, finer)
	low := rss.Sub(s, now.score.Share, rss.Scale(s, high, 1<<finer))

	sums := rss.MatMul(s.Step("sums"), rss.Concat(s, weighted, high, low), m.across, m.p+2, m.n, m.p)
	wide := rss.Lift(s.Step("lift"), sums)
	all := rss.Scale(s, rss.Slice(s, wide, 0, (m.p+1)*m.p), 1<<finer)
	score := rss.Add(s, rss.Slice(s, all, m.p*m.p, all.Len()), rss.Slice(s, wide, all.Len(), wide.Len()))
	both := m.perRow(s.Step("per row"), rss.Concat(s, rss.Slice(s, all, 0, m.p*m.p), score), m.frac.z+m.frac.score)
	h = both.Slice(s, 0, m.p*m.p).Add(s, m.idle).Within(s, coefFrac+informationBits)
	return h, both.Slice(s, m.p*m.p, both.Len())
}

// fineInformation is H over 2^size in 128 bits, from weights that lose no digits: the
// standard errors' H, where rows may weigh so little that those of the other steps
// hardly tell their weights. 31 bytes a row and term.
func (m *fisher) fineInformation(s *mpc.Session, weight rss.Fixed) rss.Fixed128 {
	const frac = 40 // of weighted columns
	z := rss.Lift(s.Step("z"), m.z)
	across := rss.Transpose(s, z, m.p, m.n)
	weights := rss.Repeat(s, rss.Lift(s.Step("weights"), weight.Share), m.p)
	weighted := rss.MulRound(s.Step("weigh"), weights, z, weight.Frac+m.frac.z-frac)
	sums := rss.MatMul(s.Step("sums"), weighted, across, m.p, m.n, m.p)
	return m.perRow(s.Step("per row"), sums, frac+m.frac.z).Add(s, m.idle).Within(s, coefFrac+informationBits)
}

// improve returns an inverse of h from that of another positive definite matrix.
// Divided by the trace of their product, no eigenvalue of the product is above 1: so
// Newton and Schulz converge from below.
func (m *fisher) improve(s *mpc.Session, h, x rss.Fixed128) rss.Fixed128 {
	const (
		inverseFrac = 40
		overBits    = 14 // of one over the trace, before the point
	)
	trace := m.traceOf(s.Step("trace"), h, x)
	over := rss.Reciprocal(s.Step("over"), trace, inverseFrac).Within(s, inverseFrac+overBits)
	over.Share = rss.Repeat(s, over.Share, x.Len())
	x = x.Mul(s.Step("scale"), over, coefFrac).Within(s, coefFrac+inverseBits)
	return rss.NewtonSchulz(s.Step("newton"), h, x, m.p, warmSteps+log2(m.p))
}

// traceOf returns the trace of h x.
func (m *fisher) traceOf(s *mpc.Session, h, x rss.Fixed128) rss.Fixed128 {
	// The sum over i and j of h[i][j] x[j][i].
	across := rss.Transpose(s, x.Share, m.p, m.p)
	trace := rss.DotRowsRound(s, h.Share, across, m.p*m.p, coefFrac)
	return rss.NewFixed128(s, trace, coefFrac, coefFrac+traceBits)
}

// defect is not 0 if the trace of a x is that far from its order.
func (m *fisher) defect(s *mpc.Session, a, x rss.Fixed128, limit float64) rss.Vec {
	trace := m.traceOf(s.Step("trace"), a, x)
	return reaches(s.Step("reaches"), trace.AddConst(s, -float64(m.p)), limit)
}

// stuck is not 0 if the last step was not among those of coefficients that
// converged.
func (m *fisher) stuck(s *mpc.Session, h, inverse, g, step rss.Fixed128) rss.Vec {
	count := rss.NewFixed128(s, powers(s.Step("rows"), ones(s, 1), m.size, m.top+1), 0, m.top+1)
	decrement := g.Dot(s.Step("decrement"), step, decrementFrac).Mul(s.Step("all rows"), count, decrementFrac)
	return rss.Add(s,
		reaches(s.Step("converged"), decrement, convergedBelow+roundedBelow*float64(m.n)),
		m.defect(s.Step("inverted"), h, inverse, invertedBelow))
}

// reaches returns how many elements are of that magnitude or greater. 9 rounds.
func reaches(s *mpc.Session, x rss.Fixed128, limit float64) rss.Vec {
	both := rss.Concat(s, x.Neg(s).AddConst(s, limit).Share, x.AddConst(s, limit).Share)
	beyond := rss.LessPublic(s.Step("beyond"), both, 1, 128)
	return rss.Sum(s, rss.ToArith(s.Step("arith"), beyond))
}
