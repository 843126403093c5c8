package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// coxFit is where Newton's steps end.
type coxFit struct {
	coefficients rss.Fixed128 // of z
	last         *coxPoint    // before the last step
	newton       newton       // the last step
	singular     rss.Vec      // not 0 if the terms depend on each other
	moving       rss.Vec      // not 0 if the steps did not converge
}

// fit takes all steps.
func (c *coxRows) fit(s *mpc.Session, kept rss.Vec128) *coxFit {
	out := &coxFit{coefficients: rss.NewFixed128(s, rss.Zero[ring.Vec128](c.p), coefficientFrac, coefficientBits)}
	for i := range coxSteps {
		s := s.Step("step", i)
		if i > 0 {
			out.last.Close()
		}
		out.last = c.at(s.Step("at"), out.coefficients)
		out.newton = newtonStep(s.Step("newton"), out.last.gradient, out.last.information, kept)
		long, far := c.moves(s.Step("moves"), out.newton.step, i == coxSteps-1)
		if i == 0 {
			out.singular = out.newton.weak
		}
		if i == coxSteps-1 {
			out.moving = rss.Add(s, far, out.newton.weak)
		}
		factor := repeat(s, shorten(s.Step("shorten"), long, c.n), c.p)
		step := out.newton.step.Mul(s.Step("shortened"), factor, coefficientFrac)
		out.coefficients = out.coefficients.Add(s, step).Within(s, coefficientBits)
	}
	return out
}

// moves counts the rows whose linear predictor a step moves far, as shorten takes them,
// and after the last step also those that it moves at all.
func (c *coxRows) moves(s *mpc.Session, step rss.Fixed128, last bool) (long, still rss.Vec) {
	for i := range c.z.Chunks() {
		s := s.Step("chunk", i)
		moves := c.predictors(s.Step("predictor"), step, c.covariates(s, i))
		long = plus(s, long, longMoves(s.Step("long"), moves))
		if last {
			_, far := rss.Clamp(s.Step("still"), moves, -coxStill, coxStill)
			still = plus(s, still, rss.Sum(s, far))
		}
	}
	return long, still
}

// coef returns the coefficients of z.
func (f *coxFit) coef(s *mpc.Session) rss.Float { return rss.Normalise128(s, f.coefficients) }

// errors returns the standard errors of the coefficients of z.
func (f *coxFit) errors(s *mpc.Session, perEvent rss.Fixed128) rss.Float {
	inverse := f.newton.inverse
	variance := rss.Normalise128(s.Step("inverse"), inverse).
		Mul(s.Step("variance"), rss.Normalise128(s.Step("per event"), repeat(s, perEvent, inverse.Len())))
	return variance.Sqrt(s.Step("root")).Mul(s.Step("scaled"), rss.Normalise128(s.Step("scale"), f.newton.root))
}

// scores returns the linear predictors as concordance takes them, chunk by chunk: exact
// products, cut off to the same step in every row, so that equal rows stay equal.
// Coefficients are taken to the nearest step of 2^-20, which is 0 for one that is 0 but
// for rounding: otherwise chance would rank rows that it does not tell apart.
func (f *coxFit) scores(s *mpc.Session, c *coxRows) func(i int) rss.Vec {
	const (
		whole = 5 // bits before the point of any predictor that is not clamped
		frac  = 20
		cut   = coefficientFrac - frac
	)
	rounded := rss.Trunc128(s.Step("round"), rss.AddConst(s, f.coefficients.Share, 1<<(cut-1)), cut)
	return func(i int) rss.Vec {
		s, z := s.Step("chunk", i), c.covariates(s, i)
		exact := rss.MatMul(s.Step("exact"), rounded, z.Share, 1, c.p, z.Len()/c.p)
		return rss.Narrow(s, rss.Trunc128(s.Step("cut"), exact, max(0, frac+z.Frac+whole+1-scoreBits(c.n))))
	}
}
