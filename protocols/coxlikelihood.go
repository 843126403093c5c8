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

// coxRows are rows in the order of the risk sets, as the iterations need them.
type coxRows struct {
	n, p int
	// z holds the covariates column by column, across row by row; they are 0 in rows
	// that are in no risk set.
	z, across rss.Fixed128
	event     rss.Fixed128 // 0 or 1
	events    rss.Vec      // the same
	ties      *runs        // events of one time, or censored rows of one time
	strata    *runs        // nil without
	// tied is what part of the sums over its ties an event's risk set lacks: 0,
	// 1/d, … (d-1)/d for d of them (Efron); nil where it lacks nothing (Breslow).
	tied     *rss.Fixed128
	atRisk   rss.Fixed128 // rows at risk at an event, less that part of its ties
	survived rss.Vec      // rows that outlive the row
	perEvent rss.Fixed128 // 1 over the number of events
	run      rss.Vec      // the number of the row's run of ties, from 1
	stratum  rss.Vec      // that of its stratum, empty without
	// strataCounts has, with strata, for each row the rows of the stratum that starts
	// with it, or 0.
	strataCounts []rss.Vec
}

// newCoxRows sorts a sample and the terms' columns. stratified tells of strata,
// efron which ties.
func newCoxRows(s *mpc.Session, axis timeAxis, rows *Rows, columns rss.Fixed, efron bool) *coxRows {
	event := rows.Value[endVector]
	p := columns.Len() / rows.N
	carried := inParts(s, columns.Share, p)
	if axis.strata != nil {
		// From 1 on, and 0 for rows outside the sample, which so have a run of their own.
		from := rss.Scale(s, rows.Member, 1-axis.stratum)
		carried = append(carried, rss.Add(s, rows.Value[stratumVector], from), rows.Member)
	}
	sorted := wholeByRisk(s.Step("order"), axis, rows, event, carried...)
	c := &coxRows{n: rows.N, p: p, events: sorted.event}
	c.event = rss.NewFixed128(s, rss.Lift(s.Step("event"), c.events), 0, 0)

	starts := runStarts(s.Step("starts"), rss.Sub(s, sorted.time, sorted.event), sorted.width)
	c.run, c.ties = rss.PrefixSum(s, starts), newRuns(s.Step("ties"), starts)
	if axis.strata != nil {
		starts := runStarts(s.Step("strata starts"), sorted.carried[p], axis.width-axis.bits+1)
		c.stratum, c.strata = rss.PrefixSum(s, starts), newRuns(s.Step("strata"), starts)
		c.strataCounts = []rss.Vec{c.strata.totals(s.Step("strata rows"), sorted.carried[p+1])}
	}
	z := rss.Concat(s, sorted.carried[:p]...)
	z = rss.Mul(s.Step("exposed rows"), z, rss.Repeat(s, c.exposed(s.Step("exposed")), p))
	c.z = rss.NewFixed128(s, rss.Lift(s.Step("lift"), z), columns.Frac, columns.Bits)
	c.across = rss.NewFixed128(s, rss.Transpose(s, c.z.Share, p, c.n), columns.Frac, columns.Bits)
	c.count(s.Step("count"), efron)
	return c
}

// exposed returns 1 for rows that are in the risk set of an event, and 0 for others:
// no likelihood depends on these, however large their covariates.
func (c *coxRows) exposed(s *mpc.Session) rss.Vec {
	event := []rss.Vec128{c.event.Share}
	_, before := c.ties.sums(s.Step("ties"), nil, event)
	all := rss.Repeat(s, rss.Sum(s, c.event.Share), c.n)
	if c.strata != nil {
		ends, _ := c.strata.sums(s.Step("strata"), event, nil)
		all = ends[0]
	}
	none := rss.EqualPublic(s.Step("none"), rss.Narrow(s, rss.Sub(s, all, before[0])), 0, log2(c.n)+1)
	return rss.ToArith(s.Step("some"), rss.Not(s, none))
}

// count counts the rows at risk and the ties.
func (c *coxRows) count(s *mpc.Session, efron bool) {
	width := log2(c.n) + 1
	ones := rss.Public(s, constant128(1, 0, c.n))
	ends, starts := c.ties.sums(s.Step("ties"), []rss.Vec128{ones}, []rss.Vec128{ones})
	through, before := ends[0], starts[0]
	ties := rss.Sub(s, through, before)
	if c.strata != nil {
		_, outside := c.strata.sums(s.Step("strata"), nil, []rss.Vec128{ones})
		through, before = rss.Sub(s, through, outside[0]), rss.Sub(s, before, outside[0])
	}
	c.survived = rss.Narrow(s, before)
	c.atRisk = rss.NewFixed128(s, through, 0, width)
	events := rss.NewFixed128(s, rss.Sum(s, c.event.Share), 0, width)
	if efron {
		// The place among its ties, from 0.
		place := rss.Sub(s, rss.AddConst(s, rss.PrefixSum(s, ones), -1), starts[0])
		place = rss.Mul(s.Step("place"), place, c.event.Share)
		c.atRisk.Share = rss.Sub(s, c.atRisk.Share, place)
		per := rss.Reciprocal(s.Step("per tie"), rss.NewFixed128(s, ties, 0, width), tiedFrac)
		tied := rss.NewFixed128(s, place, 0, width).Mul(s.Step("tied"), per, tiedFrac).Within(s, tiedFrac)
		c.tied = &tied
	}
	c.perEvent = rss.Reciprocal(s.Step("per event"), events, averageFrac)
}

// predictors returns the linear predictors of rows for coefficients of z.
func (c *coxRows) predictors(s *mpc.Session, coefficients rss.Fixed128) rss.Fixed {
	x := coefficients.MatMul(s, c.z, 1, c.p, c.n, predictorFrac)
	return rss.NewFixed(s, rss.Narrow(s, x.Share), predictorFrac, predictorFrac+predictorBits)
}

// coxPoint is the partial likelihood at some coefficients.
type coxPoint struct {
	predictor rss.Fixed
	clamped   rss.Vec      // 1 in rows whose predictor is beyond the widest
	risk      rss.Fixed128 // the sums D
	// First and second derivatives, over the number of events.
	gradient, information rss.Fixed128
}

// at goes to coefficients of z. About 90 rounds; a row costs 900 bytes and 185 a term
// (Efron; Breslow 700 and 115), and with strata 40 more a term.
func (c *coxRows) at(s *mpc.Session, coefficients rss.Fixed128) coxPoint {
	n, p := c.n, c.p
	var out coxPoint
	out.predictor, out.clamped = rss.Clamp(s.Step("clamp"),
		c.predictors(s.Step("predictor"), coefficients), -widestPredictor, widestPredictor)
	weights := rss.Exp(s.Step("exp"), out.predictor, weightFrac(n))
	weight := rss.NewFixed128(s, rss.Lift(s.Step("lift"), weights.Share), weights.Frac, weights.Bits)

	sums := c.riskSums(s.Step("risk sets"), weight)
	out.risk = sums.Slice(s, 0, n)
	// A sum has the weight of a row, or an average of such.
	inverse := rss.Reciprocal(s.Step("inverse"), out.risk, perRiskFrac).Within(s, perRiskFrac+weightBits+1)
	inverse = inverse.Mul(s.Step("events"), c.event, perRiskFrac)
	means := sums.Slice(s, n, (p+1)*n).
		Mul(s.Step("means"), repeat(s, inverse, p), weight.Frac).Within(s, weight.Frac+c.z.Bits-c.z.Frac+1)

	hazard := c.hazard(s.Step("hazard"), inverse)
	// The rows' expected events sum up to the number of events.
	expected := weight.Mul(s.Step("expected"), hazard, expectedFrac).Within(s, expectedFrac+log2(n)+1)
	residual := c.event.Round(s, expectedFrac).Sub(s, expected)
	gradient := c.z.MatMul(s.Step("gradient"), residual, p, n, 1, expectedFrac)

	frac := c.informationFrac()
	within := repeat(s, expected, p).Mul(s.Step("weighted"), c.z, expectedFrac).
		MatMul(s.Step("within"), c.across, p, n, p, frac)
	across := rss.NewFixed128(s, rss.Transpose(s, means.Share, p, n), means.Frac, means.Bits)
	between := means.MatMul(s.Step("between"), across, p, n, p, frac)
	information := rss.NewFixed128(s, rss.Sub(s, within.Share, between.Share), frac, frac+2*log2(n)+2)

	// Averages are at most as large as the largest z, or its square.
	most := c.z.Bits - c.z.Frac + 1
	out.gradient = gradient.Within(s, expectedFrac+most+log2(n)).
		Mul(s.Step("average gradient"), repeat(s, c.perEvent, p), expectedFrac).Within(s, expectedFrac+most)
	out.information = information.
		Mul(s.Step("average information"), repeat(s, c.perEvent, p*p), frac).Within(s, frac+2*most)
	return out
}

// informationFrac leaves room for roots of the information.
func (c *coxRows) informationFrac() int { return min(expectedFrac, 58-2*(c.z.Bits-c.z.Frac+1)) }

// riskSums returns for every event the sums over its risk set of the weights and of
// the weights times each column of z, one after the other; for other rows as if they
// were events.
func (c *coxRows) riskSums(s *mpc.Session, weight rss.Fixed128) rss.Fixed128 {
	n, p := c.n, c.p
	weighted := repeat(s, weight, p).Mul(s.Step("weighted"), c.z, weight.Frac)
	columns := inParts(s, rss.Concat(s, weight.Share, weighted.Share), p+1)
	own := columns
	if c.tied == nil {
		own = nil
	}
	ends, starts := c.ties.sums(s.Step("ties"), columns, own)
	sums := rss.Concat(s, ends...)
	// As squares of z sum up to at most n, so do magnitudes.
	size := weight.Bits + log2(n)
	if c.tied != nil {
		ties := rss.NewFixed128(s, rss.Sub(s, sums, rss.Concat(s, starts...)), weight.Frac, size)
		sums = rss.Sub(s, sums, ties.Mul(s.Step("tied"), repeat(s, *c.tied, p+1), weight.Frac).Share)
	}
	if c.strata != nil {
		_, outside := c.strata.sums(s.Step("strata"), nil, columns)
		sums = rss.Sub(s, sums, rss.Concat(s, outside...))
	}
	return rss.NewFixed128(s, sums, weight.Frac, size)
}

// hazard returns for every row the sum over the events whose risk sets it is in of
// these numbers, 0 in rows without event: what riskSums does, the other way round.
func (c *coxRows) hazard(s *mpc.Session, inverse rss.Fixed128) rss.Fixed128 {
	size := inverse.Bits + log2(c.n)
	all := rss.Repeat(s, rss.Sum(s, inverse.Share), c.n)
	if c.strata != nil {
		ends, _ := c.strata.sums(s.Step("strata"), []rss.Vec128{inverse.Share}, nil)
		all = ends[0]
	}
	if c.tied == nil {
		_, before := c.ties.sums(s.Step("ties"), nil, []rss.Vec128{inverse.Share})
		return rss.NewFixed128(s, rss.Sub(s, all, before[0]), inverse.Frac, size)
	}
	lacking := inverse.Mul(s.Step("tied"), *c.tied, inverse.Frac).Share
	ends, before := c.ties.sums(s.Step("ties"), []rss.Vec128{lacking}, []rss.Vec128{lacking, inverse.Share})
	less := rss.Add(s, before[1], rss.Sub(s, ends[0], before[0]))
	return rss.NewFixed128(s, rss.Sub(s, all, less), inverse.Frac, size)
}

// logLikelihoods returns the logarithms of the partial likelihood without covariates
// and at a point: the sums over events of predictor - log D. As D is a multiple of
// the number at risk that does not grow with the rows, its logarithm is taken in two
// parts.
func (c *coxRows) logLikelihoods(s *mpc.Session, at coxPoint) rss.Vec {
	const ratioFrac, ratioBits = 20, 32
	per := rss.Reciprocal(s.Step("per row"), c.atRisk, riskFrac)
	ratio := at.risk.Mul(s.Step("ratio"), per, ratioFrac)
	logs := rss.Log(s.Step("log"), rss.NewFixed(s, rss.Narrow(s, ratio.Share), ratioFrac, ratioBits), logLikelihood)
	counts := rss.NewFixed(s, rss.Narrow(s, c.atRisk.Share), 0, bits.Len(uint(c.n)))
	null := rss.Neg(s, rss.Dot(s.Step("null"), c.events, rss.Log(s.Step("log counts"), counts, logLikelihood).Share))
	gain := rss.Dot(s.Step("gain"), c.events, rss.Sub(s, at.predictor.Share, logs.Share))
	return rss.Concat(s, null, rss.Add(s, null, gain))
}

// repeat returns k copies of x one after the other. Local.
func repeat(s *mpc.Session, x rss.Fixed128, k int) rss.Fixed128 {
	return rss.NewFixed128(s, rss.Repeat(s, x.Share, k), x.Frac, x.Bits)
}
