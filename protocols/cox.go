package protocols

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Cox fits the proportional hazards model: at every time a patient's hazard is
// exp(b'x) times one that all of a stratum share (Cox: "Regression models and
// life-tables", JRSS B 34, 1972). Coefficients maximise the partial likelihood, the
// product over events of exp(b'x) over the sum of exp(b'x) of those at risk; of d
// events at one time the m-th, from 0, lacks m/d of the ties' own sum (Efron, JASA
// 72, 1977), or nothing (Breslow). Standard errors are those of the inverse observed
// information, p-values are Wald's. As in R's coxph and survival::concordance.
//
// The recipient learns the coefficients, their standard errors, the logarithms of
// the partial likelihood without covariates and with them, the concordance, and how
// many rows and events there are: no step on the way, no risk set.
//
// There is a public number of Newton's steps from 0, each shortened so that no linear
// predictor moves by 4 or more. Against plain numbers, over 1,500 small tables and 60
// of up to 900 rows with outlying, rare and dependent covariates, coefficients were
// off by less than 1e-4 of themselves or 1e-5 standard errors, mostly by 1e-8. A model
// of which the last step still moves a linear predictor has no finite coefficients and
// ends as "separated"; linear predictors beyond 8, about the mean, as "clamped", or as
// "separated" where they keep the steps from converging.
//
// With one covariate 3,200 rounds and 16 kB a row and party (Efron; Breslow 13), with
// five 4,800 rounds and 23 kB (17): most of the rounds solve for the steps. Each chunk of
// rows after the first takes 1,200 rounds more, 1,400 with strata. In memory are 8 bytes
// of every row, 16 with strata, and what one chunk takes; of the concordance some
// elements a row of one chunk, for each chunk.
type Cox struct{}

// Name implements Analysis.
func (Cox) Name() string { return "cox" }

const (
	// coxSteps is the public number of Newton's steps. The last one, from where the
	// others end, tells whether they converged.
	coxSteps = 11
	// coxStill is how far the last step may move a linear predictor.
	coxStill = 0x1p-12
)

// Outputs of Cox.
const (
	coxCounts      = "counts"      // rows, events
	coxCoef        = "coef"        // per step of the column
	coxErrors      = "se"          // likewise
	coxLikelihood  = "loglik"      // null and fitted, in steps of 2^-logLikelihood
	coxConcordance = "concordance" // and 1, in steps of 2^-concordanceFrac; 0 where no pair tells
)

const concordanceFrac = 40

// coxSample is the name of the sample.
const coxSample = "rows"

// cox is what Plan works out.
type cox struct {
	design *design
	axis   timeAxis
	event  string
	efron  bool
	level  float64 // of intervals
}

// Plan implements Analysis. Arguments: time, event, covariates; ties (efron or
// breslow), strata, categorical, conf_level (all optional).
func (Cox) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	time, event := args.String("time"), args.String("event")
	covariates, categorical := args.Strings("covariates"), args.OptionalStrings("categorical")
	ties, strata := args.OptionalString("ties", "efron"), args.OptionalString("strata", "")
	level, levelErr := confidence(args)
	if err := args.Err(); err != nil {
		return nil, err
	}
	switch {
	case levelErr != nil:
		return nil, levelErr
	case ties != "efron" && ties != "breslow":
		return nil, fmt.Errorf("ties is %.64q: give efron or breslow", ties)
	case d.Rows() > maxCoxRows:
		return nil, fmt.Errorf("dataset %s has %d declared rows, and this version fits a Cox model to at most %d", d.Name, d.Rows(), maxCoxRows)
	}
	m := &cox{event: event, efron: ties == "efron", level: level}
	var err error
	if m.axis, err = newTimeAxis(d, time); err != nil {
		return nil, err
	}
	complete := []string{time}
	if strata != "" {
		if m.axis, err = m.axis.within(d, strata); err != nil {
			return nil, err
		}
		complete = append(complete, strata)
	}
	end, err := endOf(event, d)
	if err != nil {
		return nil, err
	}
	if m.design, err = newDesign(d, covariates, categorical); err != nil {
		return nil, fmt.Errorf("covariates: %w", err)
	}
	for _, t := range m.design.terms {
		if t.column == m.axis.column || t.column == m.axis.strata {
			return nil, fmt.Errorf("column %q is the time or the strata and cannot be a covariate too", t.column.Name)
		}
	}
	p := len(m.design.terms)
	vectors := append(m.axis.vectors(), end)
	return &Plan{
		Summaries: []job.Summary{m.design.moments(complete, nil)},
		Samples:   []Sample{{coxSample, append(vectors, m.design.vectors()...)}},
		Outputs: []Output{
			{coxCounts, 2},
			m.design.keptOutput(),
			realOutput(coxCoef, p), realOutput(coxErrors, p),
			{coxLikelihood, 2},
			{coxConcordance, 1},
		},
		Failures: []string{statusFewRows, statusNoEvents, statusSingular, statusSeparated, statusClamped},
		Reveals: []string{
			fmt.Sprintf("how many selected rows have a value in every column that the model needs, and how many of these have the event (%s)", event),
			"the coefficient of each of " + strings.Join(m.design.names(), ", ") + " and its standard error (hence hazard ratio, interval and p-value), which levels no row has and which columns do not vary",
			"the logarithms of the partial likelihood without covariates and with them, and the concordance",
		},
		Detail: m,
	}, nil
}

// Compute implements Analysis.
func (Cox) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	m, rows := p.Detail.(*cox), in.Rows[coxSample]
	x := m.design.standardise(s.Step("standardise"), rows, in.Sums[designMoments], rowFrac(rows.Rows(), 0))
	c := newCoxRows(s.Step("rows"), m.axis, rows, x, m.efron)
	fit := c.fit(s.Step("fit"), x.kept)
	likelihoods := c.logLikelihoods(s.Step("log"), fit.last)
	fit.last.Close() // before the concordance sorts

	n, events := x.members, c.events
	kept := rss.Narrow(s, rss.Sum(s, x.kept))
	few := negatives(s.Step("few"),
		rss.AddConst(s, n, -2), rss.Sub(s, rss.AddConst(s, n, -1), kept),
		rss.AddConst(s, events, -1), rss.AddConst(s, kept, -1))
	counts := append([]rss.Vec{events}, c.strataCounts...)
	if x.counts.Len() > 0 {
		counts = append(counts, x.counts)
	}
	return Outputs{
		Values: map[string]rss.Vec128{
			coxCounts:      rss.Lift(s.Step("counts"), rss.Concat(s, n, events)),
			keptOutput:     x.kept,
			coxCoef:        revealReals(s.Step("coef"), x.perStep(s, fit.coef(s.Step("size of coef")))),
			coxErrors:      revealReals(s.Step("se"), x.perStep(s, fit.errors(s.Step("size of se"), c.perEvent))),
			coxLikelihood:  rss.Lift(s.Step("likelihood"), likelihoods),
			coxConcordance: c.concordance(s.Step("concordance"), fit.scores(s.Step("score"), c)).fraction(s.Step("fraction")),
		},
		Rows:   n,
		Counts: rss.Concat(s, counts...),
		Failed: map[string]rss.Vec{
			statusFewRows:   rss.Add(s, few[0], few[1]),
			statusNoEvents:  few[2],
			statusSingular:  rss.Add(s, few[3], fit.singular),
			statusSeparated: fit.moving,
			statusClamped:   fit.last.clamped,
		},
	}
}

// fraction returns 1 and the concordance, and 0 if there is no pair.
func (p concordancePairs) fraction(s *mpc.Session) rss.Vec128 {
	const bits = 2*20 + 2 // of doubled numbers of pairs of maxCoxRows
	all := rss.Scale(s, p.all, 2)
	won := rss.Add(s, all, rss.Add(s, rss.Scale(s, p.concordant, 2), p.tied))
	both := rss.Lift(s.Step("lift"), rss.Concat(s, won, all))
	number := func(i int) rss.Fixed128 { return rss.NewFixed128(s, rss.Slice(s, both, i, i+1), 0, bits) }
	return rss.Divide(s.Step("divide"), number(0), number(1), concordanceFrac, concordanceFrac+2).Share
}

// hazardRatio is one term of a fitted model.
type hazardRatio struct{ coef, se float64 }

func (h hazardRatio) ratio() float64 { return math.Exp(h.coef) }

// p is Wald's p-value.
func (h hazardRatio) p() float64 { return math.Erfc(math.Abs(h.coef/h.se) / math.Sqrt2) }

// interval is that of the hazard ratio.
func (h hazardRatio) interval(level float64) (low, high float64) {
	z := distuv.UnitNormal.Quantile((1+level)/2) * h.se
	return math.Exp(h.coef - z), math.Exp(h.coef + z)
}

// Finish implements Analysis. A level that no row has is left out; a covariate that
// does not vary has no coefficient.
func (Cox) Finish(p *Plan, opened Opened) (*Result, error) {
	m := p.Detail.(*cox)
	totals, err := counts(p, opened[coxCounts])
	if err != nil || totals[1] > totals[0] {
		return nil, errImpossible
	}
	likelihoods, err := readFixed(opened[coxLikelihood], logLikelihood, math.MaxFloat64)
	if err != nil || likelihoods[0] > 0x1p-16*float64(totals[1]) {
		return nil, errImpossible
	}
	concordance, err := readConcordance(opened[coxConcordance])
	if err != nil {
		return nil, err
	}
	kept, err := m.design.readKept(opened[keptOutput])
	if err != nil {
		return nil, err
	}
	terms, err := m.hazardRatios(opened, kept)
	if err != nil {
		return nil, err
	}
	value := map[string]any{
		"n": totals[0], "events": totals[1],
		"loglik": []any{likelihoods[0], likelihoods[1]}, "concordance": figure(concordance),
	}
	var names, coef, se, ratio, pValue []any
	table := m.table(p, totals, likelihoods, concordance)
	for i, t := range m.design.terms {
		if t.dropped(kept[i]) {
			continue
		}
		h := terms[i]
		names, coef, se = append(names, t.name), append(coef, figure(h.coef)), append(se, figure(h.se))
		ratio, pValue = append(ratio, figure(h.ratio())), append(pValue, figure(h.p()))
		low, high := h.interval(m.level)
		table.Rows = append(table.Rows, []string{
			t.name, significant(h.coef), significant(h.se), printedInterval(h.ratio(), low, high), printedP(h.p()),
		})
	}
	value["term"], value["coef"], value["se"], value["hazard_ratio"], value["p"] = names, coef, se, ratio, pValue
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}, nil
}

// hazardRatios reads the coefficients and errors per unit; of terms that are not kept
// they do not exist.
func (m *cox) hazardRatios(opened Opened, kept []bool) ([]hazardRatio, error) {
	coef, err := readReals(opened[coxCoef])
	if err != nil {
		return nil, err
	}
	se, err := readReals(opened[coxErrors])
	if err != nil {
		return nil, err
	}
	out := make([]hazardRatio, len(coef))
	for i, t := range m.design.terms {
		if kept[i] && !(se[i] > 0) {
			return nil, errImpossible
		}
		out[i] = hazardRatio{t.perUnit(coef[i]), t.perUnit(se[i])}
		if !kept[i] {
			out[i] = hazardRatio{math.NaN(), math.NaN()}
		}
	}
	return out, nil
}

// readConcordance returns NaN where no pair of rows tells.
func readConcordance(opened []*big.Int) (float64, error) {
	x, err := readFixed(opened, concordanceFrac, 2+0x1p-30)
	switch {
	case err != nil || x[0] < 0 || x[0] > 0 && x[0] < 1-0x1p-30:
		return 0, errImpossible
	case x[0] == 0:
		return math.NaN(), nil
	}
	return min(max(x[0]-1, 0), 1), nil
}

// table is the result as a paper prints it, without its rows.
func (m *cox) table(p *Plan, totals []int64, likelihoods []float64, concordance float64) Table {
	ties, strata := "Breslow", ""
	if m.efron {
		ties = "Efron"
	}
	missing := m.axis.column.Name + ", the event and the covariates"
	if m.axis.strata != nil {
		strata = ", stratified by " + m.axis.strata.Name
		missing = m.axis.column.Name + ", the event, the covariates and " + m.axis.strata.Name
	}
	agreement := undefined
	if !math.IsNaN(concordance) {
		agreement = strconv.FormatFloat(concordance, 'f', 3, 64)
	}
	return Table{
		Title:  "Cox regression of " + withUnit(m.axis.column) + strata,
		Header: []string{"Covariate", "Coefficient", "SE", "Hazard ratio (" + printedLevel(m.level) + ")", "p"},
		Notes: []string{
			filterNote(p),
			fmt.Sprintf("%d rows, %d events (%s); rows with a missing value in %s are left out.", totals[0], totals[1], m.event, missing),
			fmt.Sprintf("Tied events by %s; p-values and intervals by Wald.", ties),
			fmt.Sprintf("Log partial likelihood %.2f, without covariates %.2f; concordance %s.", likelihoods[1], likelihoods[0], agreement),
		},
	}
}
