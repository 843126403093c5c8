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
	m, rows := p.Detail.(*glm), in.Rows[modelRows]
	x := m.design.standardise(s.Step("standardise"), rows, in.Sums[designMoments], m.frac.z)
	mean, shifts := m.offsetMean(s.Step("offset"), x)
	z := m.standardisedRows(s.Step("columns"), rows, x, mean)
	defer z.Close()
	of := newBinomial(s.Step("outcome"), rows, x.members, m.frac.score)
	model := newFisher(s.Step("model"), x, m.frac, z, m.offset != nil)
	f := model.fitted(s.Step("fit"), of)
	scores := rows.Like(s, 1, 0)
	defer scores.Close()
	deviance := of.deviance(s.Step("deviance"), f, scores)
	curve := aucOf(s.Step("auc"), scores, m.scoreBits(), rows, outcomeVector)

	coef, errors := x.estimates(s.Step("estimates"), f, f.size, shifts...)
	n, events := x.members, of.events
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
		values[nullOutput] = revealReals(s.Step("real null deviance"), of.deviance(s.Step("null deviance"), null, nil))
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
	rows            *Sampled
	members, events rss.Vec
	// weight and score are those of all rows in the first step, the score less the
	// outcome.
	weight, score rss.Fixed
	frac          int // of scores
}

const (
	// meanFrac is how many fractional bits fitted probabilities have.
	meanFrac = fullFrac
	// logitFrac is how many linear predictors have.
	logitFrac = 24
)

// newBinomial begins with the model without covariates: all rows have the mean m of the
// outcome, the weight m (1-m) and the linear predictor log(m / (1-m)).
func newBinomial(s *mpc.Session, rows *Sampled, members rss.Vec, frac int) *binomial {
	events := columnSums(s, rows.Chunked, rows.at(outcomeVector))[0]
	b := &binomial{rows: rows, members: members, events: events, frac: frac}
	count := func(x rss.Vec) rss.Fixed { return rss.NewFixed(s, x, 0, log2(rows.Rows())+1) }
	mean := rss.Divide(s.Step("mean"), count(events), count(members), meanFrac, meanFrac+1)
	b.weight = variance(s.Step("weight"), mean)
	const logFrac = 20
	logit := rss.Log(s.Step("log events"), count(events), logFrac).
		Sub(s, rss.Log(s.Step("log others"), count(rss.Sub(s, members, events)), logFrac))
	b.score = b.weight.Mul(s.Step("working"), logit.Within(s, logFrac+etaBits), frac).Sub(s, mean.Round(s.Step("mean less"), frac))
	return b
}

// outcomes returns the outcome of a chunk's rows, and who are members.
func (b *binomial) outcomes(s *mpc.Session, chunk int) (y, member rss.Vec) {
	rows := b.rows.chunk(s, chunk, outcomeVector)
	return rows.Value[outcomeVector], rows.Member
}

// start regresses from the model without covariates.
func (b *binomial) start(s *mpc.Session, chunk int) working {
	y, member := b.outcomes(s, chunk)
	n := y.Len()
	both := rss.Mul(s.Step("rows"),
		rss.Repeat(s, member, 2),
		rss.Concat(s, rss.Repeat(s, b.weight.Share, n), rss.Repeat(s, b.score.Share, n)))
	return working{
		weight: rss.NewFixed(s, rss.Slice(s, both, 0, n), meanFrac, b.weight.Bits),
		score:  b.scores(s, y, rss.Slice(s, both, n, 2*n)),
	}
}

// at has the score y - mu and the weight mu (1-mu).
func (b *binomial) at(s *mpc.Session, chunk int, eta predicted) working {
	y, _ := b.outcomes(s, chunk)
	mu := rss.Sigmoid(s.Step("mean"), eta.rounded(s.Step("eta"), logitFrac), meanFrac)
	return working{
		weight: variance(s.Step("weight"), mu),
		score:  b.scores(s, y, mu.Round(s.Step("score"), b.frac).Neg(s).Share),
	}
}

// variance returns m (1-m), which is at most 1/4.
func variance(s *mpc.Session, m rss.Fixed) rss.Fixed {
	return m.Mul(s, m.Neg(s).AddConst(s, 1), meanFrac).Within(s, meanFrac-2)
}

// scores returns y + x. Local.
func (b *binomial) scores(s *mpc.Session, y, x rss.Vec) rss.Fixed {
	return rss.NewFixed(s, rss.Add(s, rss.Scale(s, y, 1<<b.frac), x), b.frac, b.frac+2)
}

// deviance is minus twice the log likelihood: 2 sum log(1 + e^eta) - y eta. Linear
// predictors are put into scores, unless that is nil.
func (b *binomial) deviance(s *mpc.Session, f *fit, scores *rss.Chunked) rss.Float {
	widest := logitFrac + etaBits + 2 + log2(b.rows.Rows())
	var half rss.Vec128
	for i := range b.rows.Chunks() {
		s := s.Step("chunk", i)
		exact := f.predict(s.Step("exact"), i)
		if scores != nil {
			scores.Put(s, i, []rss.Vec{exact.eta})
		}
		half = plus(s, half, b.logLikelihood(s, i, exact.rounded(s.Step("eta"), logitFrac)))
	}
	return rss.Normalise128(s.Step("size"), rss.NewFixed128(s, half, logitFrac-1, widest))
}

// logLikelihood is a chunk's part of the log likelihood, negative, with logitFrac
// fractional bits.
func (b *binomial) logLikelihood(s *mpc.Session, chunk int, eta rss.Fixed) rss.Vec128 {
	y, member := b.outcomes(s, chunk)
	total := rss.Softplus(s.Step("softplus"), eta, logitFrac)
	sum := func(s *mpc.Session, x rss.Vec, of rss.Fixed) rss.Fixed {
		return rss.NewFixed(s, x, 0, 0).Dot(s, of, logitFrac)
	}
	half := sum(s.Step("all"), member, total).Sub(s, sum(s.Step("events"), y, eta))
	return rss.Lift(s.Step("lift"), half.Share)
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
