package protocols

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/rss"
)

const (
	// Fractional bits that numbers have for the deviance: rates, one over rates, and
	// distances from rates over these.
	rateFrac, overFrac, distanceFrac = 34, 28, 34
	summandFrac                      = rateFrac + distanceFrac
	// nearBits says which counts are near their rates: those not further away than
	// 2^-nearBits of them.
	nearBits = 3
)

// nearTerms are the coefficients of ((1+d) log(1+d) - d) / d^2 in powers of d. What
// they leave out is below 2^-22 of it for |d| <= 2^-nearBits.
var nearTerms = []float64{1. / 2, -1. / 6, 1. / 12, -1. / 20, 1. / 30, -1. / 42}

// deviance is 2 sum y log(y/mu) - (y - mu), in counts. A summand of large counts is
// the small difference of large numbers: so for a count near its rate it is
// mu ((1+d) log(1+d) - d) with d = (y - mu) / mu, by a series in d, and as it
// stands for the others alone. About 90 rounds and 600 bytes a row.
func (c *counted) deviance(s *mpc.Session, f *fit) rss.Float {
	const widest = 119
	var half rss.Vec128
	for i := range c.rows.Chunks() {
		s := s.Step("chunk", i)
		eta := f.predict(s.Step("exact"), i).rounded(s.Step("eta"), logRateFrac)
		half = plus(s, half, c.summands(s, i, eta.Within(s, logRateFrac+rateLogBits)))
	}
	return raised(s, rss.Normalise128(s.Step("size"), rss.NewFixed128(s, half, summandFrac-1, widest)), c.unit)
}

// summands returns a chunk's part of half the deviance, in counts over their unit.
func (c *counted) summands(s *mpc.Session, chunk int, eta rss.Fixed) rss.Vec128 {
	y, rows := c.y(s, chunk), c.rows.chunk(s, chunk, outcomeVector)
	mu := rss.Exp(s.Step("rate"), eta, rateFrac).Within(s, rateFrac+highestBits)
	distance := y.Round(s, rateFrac).Sub(s, mu)
	ratio := c.logs(s.Step("log"), rows.Value[outcomeVector]).Sub(s, eta)

	// Each count and its distance are near or, as what is left, far.
	n := rows.N
	all := rss.Concat(s, distance.Share, y.Share)
	near := rss.Mul(s.Step("split"), rss.Repeat(s, c.near(s.Step("near"), distance, mu), 2), all)
	far := rss.Sub(s, all, near)
	near = rss.Slice(s, near, 0, n)
	series := c.series(s.Step("series"), near, eta)

	wide := rss.Lift(s.Step("lift"), rss.Concat(s, near, far, series, rows.Member, ratio.Share))
	part := func(i int) rss.Vec128 { return rss.Slice(s, wide, i*n, (i+1)*n) }
	// Rows that are no members have y = 0, and are far.
	return rss.Dot(s.Step("sum"),
		rss.Concat(s, part(0), rss.Neg(s, scaleUp(s, part(1), summandFrac-rateFrac)), scaleUp(s, part(2), summandFrac-c.frac-logRateFrac)),
		rss.Concat(s, part(3), part(4), part(5)))
}

// near tells which counts are near their rates, as integers 0 or 1.
func (c *counted) near(s *mpc.Session, distance, mu rss.Fixed) rss.Vec {
	far := distance.Scale(s, 1<<nearBits)
	room := rss.Concat(s, mu.Sub(s, far).Share, mu.Add(s, far).Share)
	beyond := rss.ToArith(s.Step("arith"), rss.LessPublic(s.Step("beyond"), room, 0, far.Bits+2))
	n := mu.Len()
	return rss.AddConst(s, rss.Neg(s, rss.Add(s, rss.Slice(s, beyond, 0, n), rss.Slice(s, beyond, n, 2*n))), 1)
}

// series returns, with distanceFrac fractional bits, what times the distance of a
// near count from its rate is its summand; 0 for distance 0.
func (c *counted) series(s *mpc.Session, distance rss.Vec, eta rss.Fixed) rss.Vec {
	over := rss.Exp(s.Step("over"), eta.Neg(s), overFrac)
	d := rss.MulRound(s.Step("relative"), distance, over.Share, rateFrac+overFrac-distanceFrac)
	terms := rss.Poly(s.Step("terms"), rss.NewFixed(s, d, distanceFrac, distanceFrac), nearTerms, overFrac)
	return rss.MulRound(s.Step("product"), d, terms.Share, overFrac)
}

// logs are the logarithms of counts in codes over their unit, for counts above 0.
func (c *counted) logs(s *mpc.Session, codes rss.Vec) rss.Fixed {
	unit := rss.Scale(s, rss.Repeat(s, c.unit, codes.Len()), int64(math.Round(math.Ldexp(math.Ln2, logRateFrac))))
	return rss.Log(s, rss.NewFixed(s, codes, 0, c.width), logRateFrac).Sub(s, rss.NewFixed(s, unit, logRateFrac, logRateFrac+rateLogBits+1))
}
