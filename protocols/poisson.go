package protocols

import (
	"fmt"
	"math"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Poisson is Poisson regression: log rates of a count that are linear in the
// covariates, log(mu) = eta, fitted by maximum likelihood (McCullagh, Nelder:
// "Generalized Linear Models", 2nd edition, chapter 6; R's glm with family =
// poisson). The column offset is added to eta as it is: the logarithm of an exposure,
// as R's offset(). Fisher scoring starts, much as R does, from the logarithms of the
// counts and takes 12 steps, a public number. A fit that has not converged by then
// ends in the status "separated", covariates that depend on each other in
// "singular", and one whose rates differ more than e^8-fold from the outcome's root
// mean square in "clamped".
//
// On the way counts stand over a secret power of two, about that root mean square.
// They may be below 2^32; rates are computed to about 2^-28 of them, which for counts
// of 10^9 leaves the deviance four digits.
//
// The recipient learns coefficients, standard errors, deviance, the number of rows,
// and which levels and columns tell nothing.
//
// About 2,000 rounds, one or two more a term; a row costs 2.5 kB and 180 bytes more
// for each term.
type Poisson struct{}

// Name implements Analysis.
func (Poisson) Name() string { return "poisson" }

const (
	// highestEta and lowestEta clamp linear predictors. What is below the lowest is
	// a rate that scores do not tell from 0.
	highestEta, lowestEta = 8, -15
	// rateLogBits bounds both.
	rateLogBits = 4
	// highestBits bounds e^highestEta.
	highestBits = 12
	// poissonSpare is as in newPrecision: scores are counts less rates.
	poissonSpare = highestBits + 1
	// mostCountBits is the width of counts: exact logarithms are taken of no wider
	// integers, and with wider ones 28 bits would not do for rates.
	mostCountBits = 32
)

// Plan implements Analysis. Arguments: outcome, covariates; categorical, offset
// (optional).
func (Poisson) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	m, err := planGLM(j, d, poissonSpare)
	if err != nil {
		return nil, err
	}
	if err := m.checkCounts(d); err != nil {
		return nil, err
	}
	return &Plan{
		Summaries: []job.Summary{m.moments(true)},
		Samples:   []Sample{m.sample(job.Vector{Name: outcomeVector, Column: m.outcome.Name})},
		Outputs:   append(m.outputs(), Output{rowsOutput, 1}),
		Failures:  []string{statusFewRows, statusNoEvents, statusSingular, statusSeparated, statusClamped},
		Reveals:   []string{m.reveals(), "how many selected rows have a value in all of these"},
		Detail:    m,
	}, nil
}

// checkCounts refuses an outcome that does not count.
func (m *glm) checkCounts(d *job.Dataset) error {
	if m.outcome.Type == job.Text {
		return fmt.Errorf("outcome: column %q is text; name a column of counts", m.outcome.Name)
	}
	if low, _ := m.outcome.Codes(); low < 0 {
		return fmt.Errorf("outcome: column %q may be negative, and counts are not; declare its min as 0, or name another column", m.outcome.Name)
	}
	if m.outcome.Bits() > mostCountBits {
		return fmt.Errorf("outcome: column %q may be above %d steps, and counts are not; declare a lower max or a larger step, or name another column", m.outcome.Name, int64(1)<<mostCountBits-1)
	}
	return squarable(m.outcome, d.Rows())
}

// Compute implements Analysis.
func (Poisson) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	m, rows := p.Detail.(*glm), in.Rows[modelRows]
	x := m.design.standardise(s.Step("standardise"), rows, in.Sums[designMoments], m.frac.z)
	mean, shifts := m.offsetMean(s.Step("offset"), x)
	z := m.standardisedRows(s.Step("columns"), rows, x, mean)
	defer z.Close()
	of := m.rates(s.Step("counts"), rows, x)
	defer of.scaled.Close()
	f := newFisher(s.Step("model"), x, m.frac, z, m.offset != nil).fitted(s.Step("fit"), of)
	deviance := of.deviance(s.Step("deviance"), f)

	shifts = append(shifts, of.logUnit(s))
	coef, errors := x.estimates(s.Step("estimates"), f, rss.Add(s, f.size, of.unit), shifts...)
	n := x.members
	none := rss.ToArith(s.Step("none"), rss.EqualPublic(s.Step("any"), x.extra.sum[0], 0, 128))
	return Outputs{
		Values: map[string]rss.Vec128{
			coefOutput:     revealReals(s.Step("coef"), coef),
			errorOutput:    revealReals(s.Step("se"), errors),
			keptOutput:     x.kept,
			devianceOutput: revealReals(s.Step("real deviance"), deviance),
			rowsOutput:     rss.Lift(s.Step("n"), n),
		},
		Rows:   n,
		Counts: x.withLevels(s),
		Failed: map[string]rss.Vec{
			statusFewRows:   x.tooFew(s.Step("too few"), n),
			statusNoEvents:  none,
			statusSingular:  f.singular,
			statusSeparated: f.stuck,
			statusClamped:   f.outside,
		},
	}
}

// counted is the family of counts, which are y 2^unit, in codes.
type counted struct {
	rows   *Sampled
	scaled *rss.Chunked // y, with frac fractional bits, those of scores, and bits bits
	unit   rss.Vec

	frac, bits int
	width      int // of codes
}

const (
	// logRateFrac is how many fractional bits logarithms of rates have: as many as
	// exponentials take.
	logRateFrac = 28
	// startFrac and startBits are of logarithms of counts.
	startFrac, startBits = 24, 6
	// logarithmBits is the width of what logarithms are taken of.
	logarithmBits = 30
)

// rates scales the outcome: the squares of y sum up to at most the number of rows.
func (m *glm) rates(s *mpc.Session, rows *Sampled, x *standardised) *counted {
	c := &counted{
		rows: rows, scaled: rows.Like(s, 1, 0), width: m.outcome.Bits(),
		frac: m.frac.score, bits: m.frac.score + log2(rows.Rows())/2 + 2,
	}
	c.unit = spreads(s.Step("unit"), x.extra.squares[0], 2*c.width+log2(rows.Rows()), x.extra.countSize)
	scale := newScaling(s.Step("scale"), []int{c.width}, rss.Zero[ring.Vec128](1), c.unit, ones(s, 1), c.frac, rows.Rows())
	for i := range rows.Chunks() {
		part := rows.chunk(s, i, outcomeVector)
		c.scaled.Put(s, i, scale.of(s.Step("scaled", i), []rss.Vec{part.Value[outcomeVector]}, part.Member))
	}
	return c
}

// y returns the counts of a chunk.
func (c *counted) y(s *mpc.Session, chunk int) rss.Fixed {
	return rss.NewFixed(s, c.scaled.Get(s, chunk)[0], c.frac, c.bits)
}

// start regresses log(y + 1/8) with weights y + 1/8, which are rates near the
// counts.
func (c *counted) start(s *mpc.Session, chunk int) working {
	const eighth = 0.125
	// So many bits as logarithms are taken of.
	short := c.y(s, chunk).Round(s.Step("short"), logarithmBits-1-(c.bits-c.frac))
	rates := short.AddConst(s, eighth)
	logs := rss.Log(s.Step("log"), rates, startFrac).Within(s, startFrac+startBits)
	return working{weight: rates, score: rates.Mul(s.Step("score"), logs, c.frac).AddConst(s, -eighth)}
}

// at has the weight mu and the score y - mu.
func (c *counted) at(s *mpc.Session, chunk int, exact predicted) working {
	eta, outside := rss.Clamp(s.Step("clamp"), exact.rounded(s.Step("eta"), logRateFrac), lowestEta, highestEta)
	mu := rss.Exp(s.Step("exp"), eta, c.frac).Within(s, c.frac+highestBits)
	return working{mu, c.y(s, chunk).Sub(s, mu), rss.Sum(s, outside)}
}

// logUnit is the logarithm of the counts' unit. Local.
func (c *counted) logUnit(s *mpc.Session) rss.Fixed128 {
	const digits = 30
	return rss.NewFixed128(s, rss.Scale(s, rss.Lift(s.Step("unit"), c.unit), int64(math.Round(math.Ldexp(math.Ln2, coefFrac)))), coefFrac, coefFrac+digits)
}

// Finish implements Analysis. Coefficients are of codes of the outcome until here: a
// step of it is the unit of the rates.
func (Poisson) Finish(p *Plan, opened Opened) (*Result, error) {
	m := p.Detail.(*glm)
	step, _ := m.outcome.StepRat().Float64()
	f, err := m.read(opened, math.Log(step))
	if err != nil {
		return nil, err
	}
	n, err := counts(p, opened[rowsOutput])
	if err != nil {
		return nil, err
	}
	f.deviance *= step
	for i := range f.se {
		f.se[i] /= math.Sqrt(step)
	}
	table := f.table("Poisson regression of "+m.outcome.Name, "Rate ratio")
	table.Notes = []string{
		filterNote(p),
		fmt.Sprintf("n = %d. Deviance %s.", n[0], significant(f.deviance)),
		m.note("Poisson regression"),
	}
	return &Result{Status: statusOK, Value: f.value(), Tables: []Table{table}}, nil
}
