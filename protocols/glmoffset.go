package protocols

import (
	"fmt"
	"math"
	"math/big"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

const (
	// offsetReach is how far apart the values of an offset may be.
	offsetReach = 1 << 10
	// offsetFrac is how many fractional bits they have, offsetBits how many bits with
	// these, less their mean.
	offsetFrac, offsetBits = 28, offsetFrac + 11
)

// checkOffset refuses a column that cannot be the logarithm of anything.
func checkOffset(c *job.Column) error {
	low, high := c.Codes()
	reach := new(big.Rat).Mul(c.StepRat(), new(big.Rat).SetInt64(high))
	reach.Sub(reach, new(big.Rat).Mul(c.StepRat(), new(big.Rat).SetInt64(low)))
	most := big.NewRat(offsetReach, 1)
	if reach.Cmp(most) > 0 || c.StepRat().Cmp(most) > 0 {
		return fmt.Errorf("offset: column %q may vary by more than %d; an offset is added as it is, so give the logarithm of an exposure, or declare a narrower range", c.Name, offsetReach)
	}
	return nil
}

// offsetMean returns the offset's rounded mean in its steps, and what this takes from the
// intercept, as it is added to linear predictors; nothing if there is no offset.
func (m *glm) offsetMean(s *mpc.Session, x *standardised) (mean rss.Fixed128, shifts []rss.Fixed128) {
	if m.offset == nil {
		return mean, nil
	}
	width := m.offset.Bits() + log2(m.design.rows)
	last := len(x.extra.sum) - 1
	both := rss.Normalise128(s.Step("sizes"), rss.NewFixed128(s, rss.Concat(s, x.extra.sum[last], x.extra.count), 0, width))
	quotient := both.Slice(s, 0, 1).Div(s.Step("mean"), both.Slice(s, 1, 2))
	mean = quotient.Fixed(s.Step("whole"), 0, m.offset.Bits()+1)
	inUnits := m.inUnits(s, mean).Round(s.Step("mean in units"), coefFrac)
	return mean, []rss.Fixed128{inUnits.Neg(s)}
}

// centredOffset returns the offset of some rows less that mean, as it is added to linear
// predictors, with offsetFrac fractional bits.
func (m *glm) centredOffset(s *mpc.Session, rows *Rows, mean rss.Fixed128) rss.Vec {
	origin := rss.Mul(s.Step("members"), rows.Member, rss.Repeat(s, rss.Narrow(s, mean.Share), rows.N))
	codes := rss.Lift(s.Step("lift"), rss.Sub(s, rows.Value[offsetVector], origin))
	wide := m.inUnits(s, rss.NewFixed128(s, codes, 0, m.offset.Bits()+2))
	// Rounded down, and so alike in all rows: who ranks rows finds their ties.
	return rss.Narrow(s, rss.Trunc128(s.Step("round"), wide.Share, wide.Frac-offsetFrac))
}

// inUnits turns codes of the offset into numbers. Local.
func (m *glm) inUnits(s *mpc.Session, codes rss.Fixed128) rss.Fixed128 {
	const digits = 50 // of the step, in bits
	step, _ := m.offset.StepRat().Float64()
	_, size := math.Frexp(step)
	k := int64(math.Ldexp(step, digits-size))
	return rss.NewFixed128(s, rss.Scale(s, codes.Share, k), digits-size, codes.Bits+digits)
}
