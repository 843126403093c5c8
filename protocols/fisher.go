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

// fit is where the steps of Fisher scoring stand, and in the end their end.
type fit struct {
	model *fisher
	coef  rss.Fixed128 // of the column of ones and of z
	// ofRows are the coefficients as rows are multiplied by them, with rowCoefFrac
	// fractional bits.
	ofRows rss.Vec
	// inverse is that of H / 2^size.
	inverse rss.Fixed128
	size    rss.Vec
	// outside is how many linear predictors the last step clamped. singular and stuck are
	// 0 unless the terms depend on each other, or the steps did not converge.
	outside, singular, stuck rss.Vec
}

// fitted runs all steps; the last takes the standard errors' H. About 170 rounds
// before the first and 100 a step, of which 12 are by chunk, as is what the family
// costs; a row costs 12 bytes a term and step, 45 a step, and 31 a term in the last.
func (m *fisher) fitted(s *mpc.Session, of family) *fit {
	f := &fit{model: m, size: m.size}
	f.inverse, f.singular = m.first(s.Step("first"))
	f.coef = rss.NewFixed128(s, rss.Zero[ring.Vec128](m.p), coefFrac, coefFrac+coefBits)
	for i := range fisherSteps {
		s := s.Step("step", i)
		last := i == fisherSteps-1
		var sums stepSums
		if i == 0 {
			sums = m.pass(s.Step("rows"), last, func(s *mpc.Session, chunk int) working {
				return m.without(s.Step("offset"), chunk, of.start(s.Step("start"), chunk))
			})
		} else {
			f.coef = f.round(s.Step("coef"))
			sums = m.pass(s.Step("rows"), last, func(s *mpc.Session, chunk int) working {
				return of.at(s.Step("family"), chunk, f.predict(s.Step("eta"), chunk))
			})
		}
		h, g := m.information(s.Step("information"), sums.few)
		if last {
			h = m.information128(s.Step("fine"), sums.fine)
		}
		f.inverse = m.improve(s.Step("inverse"), h, f.inverse)
		step := f.inverse.MatMul(s.Step("step"), g, m.p, m.p, 1, coefFrac).Within(s, coefFrac+stepBits)
		if last {
			f.stuck, f.outside = m.stuck(s.Step("stuck"), h, f.inverse, g, step), sums.outside
		}
		f.coef = f.coef.Add(s, step).Within(s, coefFrac+coefBits)
	}
	// Rows take these coefficients rounded, but rounding makes them no better.
	f.round(s.Step("coef"))
	return f
}

// round takes the coefficients to what rows are multiplied by, and returns what they
// are then. 2 rounds.
func (f *fit) round(s *mpc.Session) rss.Fixed128 {
	coef := f.coef.Round(s, rowCoefFrac)
	f.ofRows = rss.Narrow(s, coef.Share)
	return coef.Round(s, coefFrac)
}

// first inverts Z'Z / 2^size, and returns what is not 0 if it is singular.
func (m *fisher) first(s *mpc.Session) (rss.Fixed128, rss.Vec) {
	sums := rss.Lift(s.Step("lift"), m.squares(s.Step("sums")))
	a := m.perRow(s.Step("per row"), sums, 2*m.frac.z).Add(s, m.idle).Within(s, coefFrac+informationBits)
	x := rss.StartInverse(s.Step("start"), a, m.p, coefFrac).Within(s, coefFrac+inverseBits)
	x = rss.NewtonSchulz(s.Step("newton"), a, x, m.p, coldSteps)
	return x, m.defect(s.Step("defect"), a, x, 0.5)
}

// information returns H and g over 2^size from sums over all rows.
func (m *fisher) information(s *mpc.Session, sums rss.Vec) (h, g rss.Fixed128) {
	finer := m.frac.score - m.frac.work
	wide := rss.Lift(s.Step("lift"), sums)
	all := rss.Scale(s, rss.Slice(s, wide, 0, (m.p+1)*m.p), 1<<finer)
	score := rss.Add(s, rss.Slice(s, all, m.p*m.p, all.Len()), rss.Slice(s, wide, all.Len(), wide.Len()))
	both := m.perRow(s.Step("per row"), rss.Concat(s, rss.Slice(s, all, 0, m.p*m.p), score), m.frac.z+m.frac.score)
	h = both.Slice(s, 0, m.p*m.p).Add(s, m.idle).Within(s, coefFrac+informationBits)
	return h, both.Slice(s, m.p*m.p, both.Len())
}

// information128 returns H over 2^size from sums of fine weights.
func (m *fisher) information128(s *mpc.Session, sums rss.Vec128) rss.Fixed128 {
	return m.perRow(s, sums, fineFrac+m.frac.z).Add(s, m.idle).Within(s, coefFrac+informationBits)
}

// ones returns n ones. Local.
func ones(s *mpc.Session, n int) rss.Vec128 {
	return rss.Public(s, ring.Vec128{}.Make(n).AddConst(1))
}

// perRow returns sums with frac fractional bits over 2^size. 2 rounds.
func (m *fisher) perRow(s *mpc.Session, sums rss.Vec128, frac int) rss.Fixed128 {
	share := rss.MulRound(s, sums, rss.Repeat(s, m.scale, sums.Len()), frac+m.top-coefFrac)
	return rss.NewFixed128(s, share, coefFrac, coefFrac+informationBits)
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
