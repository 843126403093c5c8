package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// What Cox's partial likelihood is made of. In the order of the risk sets (risk.go)
// sums over them are prefix sums up to the end of a run of tied events.
//
// The information needs no matrices by row. With w = exp(predictor), D the sum of w
// over a risk set and m the weighted mean of z in it, it is the sum over events of
// (sum over the risk set of w z z')/D - m m'. Summed the other way round the first
// part is the sum over rows of w H z z', H being the sum of 1/D over the events whose
// risk set the row is in: a prefix sum as well, and w H is the expected number of
// events of the row. Both parts are then products of two matrices.

const (
	// widestPredictor caps linear predictors, about the mean.
	widestPredictor = 8
	weightBits      = 12 // e^8 is less than 2^12
	predictorFrac   = 24
	predictorBits   = 13 // before the point; a model with larger ones does not converge
	perRiskFrac     = 50
	expectedFrac    = 40
	averageFrac     = 44
	riskFrac        = 45
	tiedFrac        = 40
	logLikelihood   = 24 // fractional bits of a log-likelihood
	maxCoxRows      = 1 << 20
)

// weightFrac is how many fractional bits weights have, so that sums over all rows
// can be inverted.
func weightFrac(rows int) int { return min(30, 61-weightBits-log2(rows)) }

// predictors returns the linear predictors of rows with these covariates for coefficients
// of z.
func (c *coxRows) predictors(s *mpc.Session, coefficients, z rss.Fixed128) rss.Fixed {
	x := coefficients.MatMul(s, z, 1, c.p, z.Len()/c.p, predictorFrac)
	return rss.NewFixed(s, rss.Narrow(s, x.Share), predictorFrac, predictorFrac+predictorBits)
}

// covariates returns those of chunk i, column by column.
func (c *coxRows) covariates(s *mpc.Session, i int) rss.Fixed128 {
	return c.zFormat.of(s, rss.Concat(s, c.z.Wide(s, i)...))
}

// rowwise turns columns into rows, for a product of matrices. Local.
func rowwise(s *mpc.Session, x rss.Fixed128, columns int) rss.Fixed128 {
	return rss.NewFixed128(s, rss.Transpose(s, x.Share, columns, x.Len()/columns), x.Frac, x.Bits)
}

// coxPoint is the partial likelihood at some coefficients.
type coxPoint struct {
	clamped rss.Vec // how many rows have a predictor beyond the widest
	// First and second derivatives, over the number of events.
	gradient, information rss.Fixed128

	weights *coxWeights
	means   *coxMeans
}

// Close ends what was kept of rows.
func (p *coxPoint) Close() {
	p.weights.columns.Close()
	p.means.columns.Close()
}

// at goes to coefficients of z, three times over all chunks. About 90 rounds a chunk; a
// row costs 900 bytes and 185 a term (Efron; Breslow 700 and 115), and with strata 40 more
// a term.
func (c *coxRows) at(s *mpc.Session, coefficients rss.Fixed128) *coxPoint {
	w := c.weigh(s.Step("weights"), coefficients)
	m := c.average(s.Step("means"), w)
	gradient, within := c.expect(s.Step("expected"), w, m)

	// Averages are at most as large as the largest z, or its square.
	frac, most := c.informationFrac(), c.zFormat.bits-c.zFormat.frac+1
	information := rss.NewFixed128(s, rss.Sub(s, within, m.between), frac, frac+2*log2(c.n)+2)
	return &coxPoint{
		clamped: w.clamped, weights: w, means: m,
		gradient: rss.NewFixed128(s, gradient, expectedFrac, expectedFrac+most+log2(c.n)).
			Mul(s.Step("average gradient"), repeat(s, c.perEvent, c.p), expectedFrac).Within(s, expectedFrac+most),
		information: information.
			Mul(s.Step("average information"), repeat(s, c.perEvent, c.p*c.p), frac).Within(s, frac+2*most),
	}
}

// informationFrac leaves room for roots of the information.
func (c *coxRows) informationFrac() int {
	return min(expectedFrac, 58-2*(c.zFormat.bits-c.zFormat.frac+1))
}

// coxWeights are the rows' weights at some coefficients.
type coxWeights struct {
	// columns has a narrow column, the clamped predictors, and wide ones: the weights,
	// and these times each column of z.
	columns *rss.Chunked
	format  format      // of the wide ones
	sums    *coxBorders // of the wide ones over risk sets
	clamped rss.Vec
}

// coxBorders are those of sums over ties, and over strata: nil without.
type coxBorders struct{ ties, strata *borders }

func (b coxBorders) settle(s *mpc.Session) {
	b.ties.settle(s.Step("ties"))
	if b.strata != nil {
		b.strata.settle(s.Step("strata"))
	}
}

// weigh makes the weights.
func (c *coxRows) weigh(s *mpc.Session, coefficients rss.Fixed128) *coxWeights {
	w := &coxWeights{columns: c.order.Like(s, 1, c.p+1), sums: c.riskBorders()}
	for i := range c.order.Chunks() {
		s, z := s.Step("chunk", i), c.covariates(s, i)
		predictor, clamped := rss.Clamp(s.Step("clamp"),
			c.predictors(s.Step("predictor"), coefficients, z), -widestPredictor, widestPredictor)
		w.clamped = plus(s, w.clamped, rss.Sum(s, clamped))
		weights := rss.Exp(s.Step("exp"), predictor, weightFrac(c.n))
		weight := rss.NewFixed128(s, rss.Lift(s.Step("lift"), weights.Share), weights.Frac, weights.Bits)
		w.format = format{weight.Frac, weight.Bits}
		weighted := repeat(s, weight, c.p).Mul(s.Step("weighted"), z, weight.Frac)
		columns := append([]rss.Vec128{weight.Share}, inParts(s, weighted.Share, c.p)...)
		w.columns.Put(s, i, []rss.Vec{predictor.Share}, columns...)
		c.tellRisk(s.Step("risk sets"), i, w.sums, columns)
	}
	w.sums.settle(s.Step("risk sets"))
	return w
}

// own are columns of which ties are summed apart: Breslow's are not.
func (c *coxRows) own(columns []rss.Vec128) []rss.Vec128 {
	if !c.efron {
		return nil
	}
	return columns
}

// riskBorders are for the sums of riskSums.
func (c *coxRows) riskBorders() *coxBorders {
	b := &coxBorders{ties: c.ties.borders(c.p+1, 0)}
	if c.efron {
		b.ties = c.ties.borders(c.p+1, c.p+1)
	}
	if c.strata != nil {
		b.strata = c.strata.borders(0, c.p+1)
	}
	return b
}

// tellRisk tells them of columns of chunk i.
func (c *coxRows) tellRisk(s *mpc.Session, i int, b *coxBorders, columns []rss.Vec128) {
	b.ties.tell(s.Step("ties"), i, columns, c.own(columns))
	if c.strata != nil {
		b.strata.tell(s.Step("strata"), i, nil, columns)
	}
}

// riskSums returns for every event of chunk i the sums over its risk set of the weights
// and of the weights times each column of z, one after the other; for other rows as if
// they were events.
func (c *coxRows) riskSums(s *mpc.Session, i int, w *coxWeights) rss.Fixed128 {
	columns := w.columns.Wide(s, i)
	ends, starts := w.sums.ties.sums(s.Step("ties"), i, columns, c.own(columns))
	sums := rss.Concat(s, ends...)
	// As squares of z sum up to at most n, so do magnitudes.
	f := format{w.format.frac, w.format.bits + log2(c.n)}
	if c.efron {
		ties := f.of(s, rss.Sub(s, sums, rss.Concat(s, starts...)))
		sums = rss.Sub(s, sums, ties.Mul(s.Step("tied"), repeat(s, c.tied(s, i), c.p+1), f.frac).Share)
	}
	if c.strata != nil {
		_, outside := w.sums.strata.sums(s.Step("strata"), i, nil, columns)
		sums = rss.Sub(s, sums, rss.Concat(s, outside...))
	}
	return f.of(s, sums)
}

// tied returns what part of the sums over its ties an event's risk set lacks.
func (c *coxRows) tied(s *mpc.Session, i int) rss.Fixed128 {
	return rss.NewFixed128(s, c.risk.Wide(s, i, riskTied)[0], tiedFrac, tiedFrac)
}

// expect returns the gradient and the first part of the information, from the rows'
// expected events.
func (c *coxRows) expect(s *mpc.Session, w *coxWeights, m *coxMeans) (gradient, within rss.Vec128) {
	for i := range c.order.Chunks() {
		s, z := s.Step("chunk", i), c.covariates(s, i)
		hazard := c.hazard(s.Step("hazard"), i, m)
		n := hazard.Len()
		// They sum up to the number of events.
		expected := w.format.of(s, w.columns.Wide(s, i, 0)[0]).
			Mul(s.Step("expected"), hazard, expectedFrac).Within(s, expectedFrac+log2(c.n)+1)
		event := rss.NewFixed128(s, c.order.Wide(s, i, wideEvent)[0], 0, 0)
		residual := event.Round(s, expectedFrac).Sub(s, expected)
		gradient = plus(s, gradient, z.MatMul(s.Step("gradient"), residual, c.p, n, 1, expectedFrac).Share)
		within = plus(s, within, repeat(s, expected, c.p).Mul(s.Step("weighted"), z, expectedFrac).
			MatMul(s.Step("within"), rowwise(s, z, c.p), c.p, n, c.p, c.informationFrac()).Share)
	}
	return gradient, within
}

// logLikelihoods returns the logarithms of the partial likelihood without covariates
// and at a point: the sums over events of predictor - log D. As D is a multiple of
// the number at risk that does not grow with the rows, its logarithm is taken in two
// parts.
func (c *coxRows) logLikelihoods(s *mpc.Session, at *coxPoint) rss.Vec {
	const ratioFrac, ratioBits = 20, 32
	width := log2(c.n) + 1
	var less, gain rss.Vec
	for i := range c.order.Chunks() {
		s := s.Step("chunk", i)
		atRisk := rss.NewFixed128(s, c.risk.Wide(s, i, riskNumber)[0], 0, width)
		per := rss.Reciprocal(s.Step("per row"), atRisk, riskFrac)
		ratio := at.means.risk.of(s, at.means.columns.Wide(s, i, meansRisk)[0]).Mul(s.Step("ratio"), per, ratioFrac)
		logs := rss.Log(s.Step("log"), rss.NewFixed(s, rss.Narrow(s, ratio.Share), ratioFrac, ratioBits), logLikelihood)
		counts := rss.NewFixed(s, rss.Narrow(s, atRisk.Share), 0, bits.Len(uint(c.n)))
		logCounts := rss.Log(s.Step("log counts"), counts, logLikelihood)

		events, predictor := c.order.Get(s, i, orderEvent)[0], at.weights.columns.Get(s, i)[0]
		less = plus(s, less, rss.Dot(s.Step("null"), events, logCounts.Share))
		gain = plus(s, gain, rss.Dot(s.Step("gain"), events, rss.Sub(s, predictor, logs.Share)))
	}
	return rss.Concat(s, rss.Neg(s, less), rss.Sub(s, gain, less))
}

// repeat returns k copies of x one after the other. Local.
func repeat(s *mpc.Session, x rss.Fixed128, k int) rss.Fixed128 {
	return rss.NewFixed128(s, rss.Repeat(s, x.Share, k), x.Frac, x.Bits)
}
