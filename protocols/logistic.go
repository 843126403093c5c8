package protocols

import (
	"fmt"
	"math"
	"math/big"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Logistic is logistic regression: log odds of a binary outcome that are linear in
// the covariates, log(mu / (1 - mu)) = eta, fitted by maximum likelihood (McCullagh,
// Nelder: "Generalized Linear Models", 2nd edition, chapter 4; R's glm with
// family = binomial). Fisher scoring starts from the model without covariates and
// takes 12 steps, a public number. A fit that has not converged by then, as where
// covariates separate the outcomes, ends in the status "separated"; covariates that
// depend on each other end in "singular".
//
// The area under the curve is that of the fitted values and ranks linear predictors
// that are not rounded.
//
// The recipient learns coefficients, standard errors, deviance, the area under the
// curve, the numbers of rows and of events, and which levels and columns tell
// nothing; with an offset also the deviance without covariates.
//
// About 2,150 rounds, one or two more a term; a row costs 2.9 kB and 180 bytes more
// for each term.
type Logistic struct{}

// Name implements Analysis.
func (Logistic) Name() string { return "logistic" }

const (
	eventsOutput = "events"
	aucOutput    = "auc"
	nullOutput   = "null_deviance"
)

// logisticSpare is as in newPrecision: weights are at most 1/4, scores at most 2 in
// magnitude.
const logisticSpare = 1

// Plan implements Analysis. Arguments: outcome, covariates; categorical, offset
// (optional).
func (Logistic) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	m, err := planGLM(j, d, logisticSpare)
	if err != nil {
		return nil, err
	}
	f, err := binary(d, m.outcome.Name)
	if err != nil {
		return nil, err
	}
	m.event = fmt.Sprintf("%s %s", f.column.Name, f.key(1))
	outcome := levelVector(outcomeVector, f.column.Name, f.levels[1])
	p := &Plan{
		Summaries: []job.Summary{m.moments(false)},
		Samples:   []Sample{m.sample(outcome)},
		Outputs:   append(m.outputs(), Output{rowsOutput, 1}, Output{eventsOutput, 1}, Output{aucOutput, 2}),
		Failures:  []string{statusFewRows, statusSingular, statusSeparated},
		Reveals: []string{
			m.reveals(),
			"how many selected rows have a value in all of these, and how many of them have " + m.event + " (hence the null deviance)",
			"the area under the ROC curve of the fitted values",
		},
		Detail: m,
	}
	if m.offset != nil {
		p.Outputs = append(p.Outputs, realOutput(nullOutput, 1))
		p.Reveals = append(p.Reveals, "the deviance of the model of the offset alone")
	}
	return p, nil
}

// Compute implements Analysis.
func (Logistic) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	m, sample := p.Detail.(*glm), in.Rows[modelRows]
	x := m.design.standardise(s.Step("standardise"), sample, in.Sums[designMoments], m.frac.z)
	rows := sample.whole(s)
	z := x.whole(s.Step("columns"), rows)
	offset, shifts := m.centredOffset(s.Step("offset"), rows, x)
	y := rows.Value[outcomeVector]
	of := &binomial{y, rows.Member, m.frac.score}
	model := newFisher(s.Step("model"), x, z, m.frac, rows.Member, offset)
	f := model.fitted(s.Step("fit"), of)
	deviance := of.deviance(s.Step("deviance"), f)
	curve := aucOf(s.Step("auc"), f.eta, m.scoreBits(), y, rows.Member)

	coef, errors := x.estimates(s.Step("estimates"), f, f.size, shifts...)
	n, events := rss.Sum(s, rows.Member), rss.Sum(s, y)
	counted := rss.Lift(s.Step("counts"), rss.Concat(s, n, events))
	values := map[string]rss.Vec128{
		coefOutput:     revealReals(s.Step("coef"), coef),
		errorOutput:    revealReals(s.Step("se"), errors),
		keptOutput:     x.kept,
		devianceOutput: revealReals(s.Step("real deviance"), deviance),
		rowsOutput:     rss.Slice(s, counted, 0, 1),
		eventsOutput:   rss.Slice(s, counted, 1, 2),
		aucOutput:      rss.Concat(s, curve.won, curve.pairs),
	}
	if m.offset != nil {
		null := model.alone(s).fitted(s.Step("null"), of)
		values[nullOutput] = revealReals(s.Step("real null deviance"), of.deviance(s.Step("null deviance"), null))
	}
	return Outputs{
		Values: values,
		Rows:   n,
		Counts: x.withLevels(s, events, rss.Sub(s, n, events)),
		Failed: map[string]rss.Vec{
			statusFewRows:   x.tooFew(s.Step("too few"), n),
			statusSingular:  f.singular,
			statusSeparated: f.stuck,
		},
	}
}

// binomial is the family of binary outcomes.
type binomial struct {
	y, member rss.Vec
	frac      int // of scores
}

const (
	// meanFrac is how many fractional bits fitted probabilities have.
	meanFrac = fullFrac
	// logitFrac is how many linear predictors have.
	logitFrac = 24
)

// start regresses from the model without covariates: all rows have the mean m of y,
// the weight m (1-m) and the linear predictor log(m / (1-m)).
func (b *binomial) start(s *mpc.Session) working {
	rows := b.y.Len()
	count := func(x rss.Vec) rss.Fixed { return rss.NewFixed(s, rss.Sum(s, x), 0, log2(rows)+1) }
	n, n1 := count(b.member), count(b.y)
	n0 := count(rss.Sub(s, b.member, b.y))
	mean := rss.Divide(s.Step("mean"), n1, n, meanFrac, meanFrac+1)
	weight := b.weight(s.Step("weight"), mean)
	const logFrac = 20
	logit := rss.Log(s.Step("log events"), n1, logFrac).Sub(s, rss.Log(s.Step("log others"), n0, logFrac))
	constant := weight.Mul(s.Step("working"), logit.Within(s, logFrac+etaBits), b.frac).Sub(s, mean.Round(s.Step("mean less"), b.frac))
	both := rss.Mul(s.Step("rows"),
		rss.Repeat(s, b.member, 2),
		rss.Concat(s, rss.Repeat(s, weight.Share, rows), rss.Repeat(s, constant.Share, rows)))
	return working{
		weight: rss.NewFixed(s, rss.Slice(s, both, 0, rows), meanFrac, weight.Bits),
		score:  b.scores(s, rss.Slice(s, both, rows, 2*rows)),
	}
}

// at has the score y - mu and the weight mu (1-mu).
func (b *binomial) at(s *mpc.Session, f *fit) working {
	mu := rss.Sigmoid(s.Step("mean"), f.predictor(s.Step("eta"), logitFrac), meanFrac)
	return working{
		weight: b.weight(s.Step("weight"), mu),
		score:  b.scores(s, mu.Round(s.Step("score"), b.frac).Neg(s).Share),
	}
}

// weight returns m (1-m), which is at most 1/4.
func (b *binomial) weight(s *mpc.Session, m rss.Fixed) rss.Fixed {
	return m.Mul(s, m.Neg(s).AddConst(s, 1), meanFrac).Within(s, meanFrac-2)
}

// scores returns y + x. Local.
func (b *binomial) scores(s *mpc.Session, x rss.Vec) rss.Fixed {
	return rss.NewFixed(s, rss.Add(s, rss.Scale(s, b.y, 1<<b.frac), x), b.frac, b.frac+2)
}

// deviance is minus twice the log likelihood: 2 sum log(1 + e^eta) - y eta.
func (b *binomial) deviance(s *mpc.Session, f *fit) rss.Float {
	eta := f.predictor(s.Step("eta"), logitFrac)
	total := rss.Softplus(s.Step("softplus"), eta, logitFrac)
	sum := func(s *mpc.Session, x rss.Vec, of rss.Fixed) rss.Fixed {
		return rss.NewFixed(s, x, 0, 0).Dot(s, of, logitFrac)
	}
	half := sum(s.Step("all"), b.member, total).Sub(s, sum(s.Step("events"), b.y, eta))
	wide := rss.NewFixed128(s, rss.Lift(s.Step("lift"), half.Share), logitFrac-1, half.Bits)
	return rss.Normalise128(s.Step("size"), wide)
}

// scoreBits bounds the linear predictors that are ranked.
func (m *glm) scoreBits() int {
	const most, reach = 60, 10
	return min(most, m.frac.z+rowCoefFrac+reach)
}

// Finish implements Analysis.
func (Logistic) Finish(p *Plan, opened Opened) (*Result, error) {
	m := p.Detail.(*glm)
	f, err := m.read(opened, 0)
	if err != nil {
		return nil, err
	}
	n, err := counts(p, []*big.Int{opened[rowsOutput][0], opened[eventsOutput][0]})
	if err != nil || n[1] > n[0] {
		return nil, errImpossible
	}
	area, err := aucValue(opened[aucOutput][0], opened[aucOutput][1])
	if err != nil {
		return nil, err
	}
	null := nullDeviance(n[0], n[1])
	if m.offset != nil {
		alone, err := readReals(opened[nullOutput])
		if err != nil {
			return nil, err
		}
		null = alone[0]
	}
	value := f.value()
	value["n"], value["null_deviance"], value["auc"] = n[0], figure(null), float(area)
	table := f.table("Logistic regression of "+m.outcome.Name, "Odds ratio")
	table.Notes = []string{
		filterNote(p),
		fmt.Sprintf("n = %d, of which %d with %s. Deviance %s (without covariates %s), area under the ROC curve %s.",
			n[0], n[1], m.event, significant(f.deviance), significant(null), fixed(area, maxDecimals)),
		m.note("Logistic regression"),
	}
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}, nil
}

// nullDeviance is the deviance of a model without covariates.
func nullDeviance(n, events int64) float64 {
	sum := 0.0
	for _, k := range []int64{events, n - events} {
		if k > 0 {
			sum -= float64(k) * math.Log(float64(k)/float64(n))
		}
	}
	return 2 * sum
}
