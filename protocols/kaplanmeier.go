package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// KaplanMeier estimates survival: S(t) is the product of 1 - d/n over the event
// times up to t, d being the number of events at a time and n that of patients at
// risk just before (Kaplan, Meier: "Nonparametric estimation from incomplete
// observations", JASA 53, 1958); its standard error is S times the root of the sum
// of d/(n(n-d)) (Greenwood, 1926). As in R's survfit: an event comes before a
// censoring of the same time, intervals are those of log S or log(-log S), and the
// median is the first time with S <= 1/2, or midway to the next event time where
// S = 1/2.
//
// With `times` the recipient learns S, its Greenwood sum and the number at risk at
// these times, the median, and the numbers of rows and events, of each group.
// Without, it learns the time, the events and the number at risk of each event time,
// which is what a curve shows; these lie among as many zeros as make up the declared
// number of rows.
//
// In the order of the risk sets log S and the Greenwood sum are prefix sums of
// public numbers times the events (see risk.go), exact to 2^-52 and 2^-60, so that
// beside the sort there is next to nothing to compute: 70 rounds for few rows and
// 200 for 100,000, nearly all of them the sort's, 110 bytes a row and party; each
// group of `by` adds 30 rounds and 87 bytes a row, and a sort by one bit where memory
// does not hold all rows. A whole curve takes about 110 bytes a row and group more.
// Beside the sorts memory holds one chunk of rows at a time.
type KaplanMeier struct{}

// Name implements Analysis.
func (KaplanMeier) Name() string { return "kaplanmeier" }

// Outputs of a KaplanMeier: with times, and of a whole curve.
const (
	survivalCounts = "counts"    // of each group the rows, then of each group the events
	survivalLogs   = "log"       // -log S in steps of 2^-logFrac, group by group
	survivalErrors = "greenwood" // in steps of 2^-greenwoodFrac
	survivalAtRisk = "at_risk"
	survivalMedian = "median" // doubled twice; 0 where there is none

	curveTimes  = "times"  // doubled; 0 where there is no event
	curveEvents = "events" // at that time; 0 likewise
)

const (
	greenwoodFrac = 60
	// vanished stands for -log 0: beyond -log S for any number of rows while S > 0.
	vanished = 64
)

// survival is what Plan works out.
type survival struct {
	axis   timeAxis
	event  string
	end    job.Vector   // the same, of rows
	by     []factor     // none or one
	times  []*big.Rat   // none: the whole curve
	level  float64      // of intervals
	logLog bool         // intervals of log(-log S)
	groups []job.Vector // the levels of by
}

// Plan implements Analysis. Arguments: time, event; times, by, conf_type (log or
// log-log), conf_level (all optional).
func (KaplanMeier) Plan(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	k, sample, err := planSurvival(j, d)
	if err != nil {
		return nil, err
	}
	p := &Plan{Samples: []Sample{sample}, Detail: k}
	if len(k.times) > 0 {
		k.revealTimes(p)
		return p, nil
	}
	return p, k.revealCurve(p, d.Rows(), rules)
}

// planSurvival reads the arguments.
func planSurvival(j *job.Job, d *job.Dataset) (*survival, Sample, error) {
	args := j.Arguments()
	time, event := args.String("time"), args.String("event")
	by, confType := args.OptionalStrings("by"), args.OptionalString("conf_type", "log")
	var times []*big.Rat
	if args.Has("times") {
		times = args.Decimals("times")
	}
	level, levelErr := confidence(args)
	refused := func(err error) (*survival, Sample, error) { return nil, Sample{}, err }
	if err := args.Err(); err != nil {
		return refused(err)
	}
	switch {
	case levelErr != nil:
		return refused(levelErr)
	case confType != "log" && confType != "log-log":
		return refused(fmt.Errorf("conf_type is %.64q: give log or log-log", confType))
	case len(by) > 1:
		return refused(errors.New("by names several columns; give one"))
	}
	k, sample, err := newSurvival(d, time, event, by)
	if err != nil {
		return refused(err)
	}
	k.times, k.level, k.logLog = times, level, confType == "log-log"
	return k, sample, nil
}

// newSurvival checks the columns and returns the sample of their rows.
func newSurvival(d *job.Dataset, time, event string, by []string) (*survival, Sample, error) {
	axis, err := newTimeAxis(d, time)
	if err != nil {
		return nil, Sample{}, err
	}
	end, err := endOf(event, d)
	if err != nil {
		return nil, Sample{}, err
	}
	factors, _, err := grouped(d, by)
	if err != nil {
		return nil, Sample{}, fmt.Errorf("by: %w", err)
	}
	k := &survival{axis: axis, event: event, end: end, by: factors}
	for _, f := range factors {
		k.groups = f.indicators()
	}
	return k, Sample{"rows", slices.Concat(axis.vectors(), []job.Vector{end}, k.groups)}, nil
}

// revealTimes declares what the recipient learns at the times asked for.
func (k *survival) revealTimes(p *Plan) {
	groups := max(len(k.groups), 1)
	n := groups * len(k.times)
	p.Outputs = []Output{
		{survivalCounts, 2 * groups}, {survivalLogs, n}, {survivalErrors, n}, {survivalAtRisk, n}, {survivalMedian, groups},
	}
	p.Reveals = []string{
		k.reveals(),
		fmt.Sprintf("the Kaplan-Meier estimate of survival, its standard error and the number at risk at %d times%s", len(k.times), k.where()),
		"the median " + k.axis.column.Name + " until the event" + k.where(),
	}
}

// revealCurve declares what the recipient learns of a whole curve over that many
// declared rows.
func (k *survival) revealCurve(p *Plan, rows int, rules job.Disclosure) error {
	groups := max(len(k.groups), 1)
	p.Outputs = []Output{{survivalCounts, 2 * groups}, {curveTimes, groups * rows}, {curveEvents, groups * rows}}
	p.Reveals = []string{
		k.reveals(),
		fmt.Sprintf("every %s at which an event occurs, the number of events then and the number at risk%s: hence the whole Kaplan-Meier curve and its median", k.axis.column.Name, k.where()),
	}
	if rules.MinCount > 1 {
		return errors.New("a whole curve shows the times of single patients, which this study's min_count forbids; give times")
	}
	if n := 2 * groups * (rows + 1); n > MaxElements {
		return fmt.Errorf("a whole curve over %d declared rows would have %d numbers, at most %d are possible; give times", rows, n, MaxElements)
	}
	return nil
}

// reveals says which rows and events are counted.
func (k *survival) reveals() string {
	columns := k.axis.column.Name
	for _, f := range k.by {
		columns += " and " + f.column.Name
	}
	return fmt.Sprintf("how many selected rows have a value of %s, and how many of these have the event (%s)%s", columns, k.event, k.where())
}

// where says of which groups something is revealed.
func (k *survival) where() string {
	if len(k.by) == 0 {
		return ""
	}
	return ", in each group of " + k.by[0].column.Name
}

// Compute implements Analysis.
func (KaplanMeier) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	k, rows := p.Detail.(*survival), in.Rows["rows"]
	n, members := rows.sums(s, k.groups...)
	sorted := byRisk(s.Step("sort"), k.axis, rows, func(_ *mpc.Session, r *Rows) (rss.Vec, []rss.Vec) {
		return r.Value[endVector], r.values(k.groups)
	})
	if len(k.groups) == 0 {
		members = []rss.Vec{n}
	} else {
		all := sorted
		sorted = all.split(s.Step("groups"), len(k.groups))
		all.Close()
	}
	defer sorted.Close()
	var events []rss.Vec
	for _, block := range sorted.blocks {
		events = append(events, columnSums(s, block, riskEvent)...)
	}
	counts := rss.Concat(s, append(members, events...)...)
	values := map[string]rss.Vec{survivalCounts: counts}
	if len(k.times) == 0 {
		k.curve(s.Step("curve"), sorted, values)
	} else {
		k.atTimes(s.Step("times"), sorted, values)
		counts = rss.Concat(s, counts, values[survivalAtRisk])
	}
	return Outputs{Values: lifted(s.Step("lift"), p, values), Rows: n, Counts: counts}
}
