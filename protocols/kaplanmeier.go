package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

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
	for g := range sorted.blocks {
		events = append(events, sorted.block(g).sum(s, func(c *riskPiece) rss.Vec { return c.event }))
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

// survivalPoint is the estimate at one time; what does not exist is NaN.
type survivalPoint struct {
	time                       *big.Rat
	atRisk, events             int64
	all                        bool // whether these are all rows: nobody has left yet
	survival, se, lower, upper float64
}

// estimate fills a point with S, given its logarithm and Greenwood sum. Where S is
// 0 it has neither error nor interval; where S is 1 it has none of log(-log S), but
// before the first row's time, where R too says 1 to 1.
func (k *survival) estimate(at survivalPoint, logS, squares float64) survivalPoint {
	at.survival, at.se, at.lower, at.upper = math.Exp(logS), math.NaN(), math.NaN(), math.NaN()
	if at.survival == 0 {
		return at
	}
	root := math.Sqrt(squares)
	at.se = at.survival * root
	z := distuv.UnitNormal.Quantile((1 + k.level) / 2)
	switch {
	case !k.logLog:
		at.lower, at.upper = math.Exp(logS-z*root), min(math.Exp(logS+z*root), 1)
	case logS == 0 && at.all:
		at.lower, at.upper = 1, 1
	case logS < 0:
		spread := math.Exp(-z * root / logS)
		at.lower, at.upper = math.Exp(logS*spread), math.Exp(logS/spread)
	}
	return at
}

// survivalGroup is all that is known of one group.
type survivalGroup struct {
	key       string // the level, or nothing
	n, events int64
	points    []survivalPoint
	median    any // float64, or nil where survival stays above one half
}

// Finish implements Analysis. A group that no selected row is in is left out.
func (KaplanMeier) Finish(p *Plan, opened Opened) (*Result, error) {
	k := p.Detail.(*survival)
	numbers, err := counts(p, opened[survivalCounts])
	if err != nil {
		return nil, err
	}
	of := len(numbers) / 2
	groups := make([]survivalGroup, of)
	for i, n := range numbers[:of] {
		g := &groups[i]
		g.n, g.events = n, numbers[of+i]
		switch {
		case g.events > n:
			return nil, errImpossible
		case n == 0:
			continue
		}
		read := k.readTimes
		if len(k.times) == 0 {
			read = k.readCurve
		}
		if err := read(p, opened, i, g); err != nil {
			return nil, err
		}
	}
	return k.result(p, groups), nil
}

// result tells of the groups that have rows, of all in the order of their levels.
func (k *survival) result(p *Plan, all []survivalGroup) *Result {
	var groups []survivalGroup
	for i, g := range all {
		if g.n == 0 {
			continue
		}
		if len(k.by) > 0 {
			g.key = k.by[0].key(i)
		}
		groups = append(groups, g)
	}
	return &Result{Status: statusOK, Value: k.value(groups), Tables: k.tables(p, groups)}
}

// readTimes reads group i at the times asked for.
func (k *survival) readTimes(p *Plan, opened Opened, i int, g *survivalGroup) error {
	n := len(k.times)
	part := func(name string) []*big.Int { return opened[name][i*n : (i+1)*n] }
	atRisk, err := counts(p, part(survivalAtRisk))
	if err != nil {
		return err
	}
	logs, err := readFixed(part(survivalLogs), logFrac, 2*vanished)
	if err != nil {
		return err
	}
	squares, err := readFixed(part(survivalErrors), greenwoodFrac, 1)
	if err != nil {
		return err
	}
	for j, t := range k.times {
		if logs[j] < 0 || squares[j] < 0 || atRisk[j] > g.n {
			return errImpossible
		}
		logS := -logs[j]
		if logS < -vanished/2 {
			logS = math.Inf(-1)
		}
		g.points = append(g.points, k.estimate(survivalPoint{time: t, atRisk: atRisk[j], all: atRisk[j] == g.n}, logS, squares[j]))
	}
	if m := opened[survivalMedian][i]; m.Sign() > 0 {
		g.median = float(k.axis.value(new(big.Rat).SetFrac(m, big.NewInt(2))))
	}
	return nil
}

// readCurve reads every event time of group i, the earliest of which stands last.
func (k *survival) readCurve(p *Plan, opened Opened, i int, g *survivalGroup) error {
	n := p.Dataset.Rows()
	times, events := opened[curveTimes][i*n:(i+1)*n], opened[curveEvents][i*n:(i+1)*n]
	deaths, err := counts(p, events)
	if err != nil {
		return err
	}
	before := new(big.Int)
	var curve curve
	for row := n - 1; row >= 0; row-- {
		if deaths[row] == 0 {
			continue
		}
		atRisk, d := int64(row+1), deaths[row]
		if times[row].Cmp(before) <= 0 || d > atRisk || atRisk > g.n {
			return errImpossible
		}
		before = times[row]
		g.points = append(g.points, curve.next(k, k.axis.value(new(big.Rat).SetInt(before)), atRisk, d))
	}
	g.median = medianOf(g.points)
	return nil
}

// curve is where a curve is: log S, and its Greenwood sum.
type curve struct{ logS, squares float64 }

// next goes on to a time with that many at risk and events.
func (c *curve) next(k *survival, time *big.Rat, atRisk, events int64) survivalPoint {
	c.logS += math.Log1p(-float64(events) / float64(atRisk))
	c.squares += float64(events) / (float64(atRisk) * float64(atRisk-events))
	return k.estimate(survivalPoint{time: time, atRisk: atRisk, events: events}, c.logS, c.squares)
}

// medianOf returns the median of a curve: see survival.median.
func medianOf(points []survivalPoint) any {
	first := func(half float64) *big.Rat {
		for _, at := range points {
			if at.survival < half {
				return at.time
			}
		}
		return nil
	}
	at, below := first(0.5+halfTolerance), first(0.5-halfTolerance)
	switch {
	case at == nil:
		return nil
	case below == nil:
		below = at
	}
	middle := new(big.Rat).Add(at, below)
	return float(middle.Quo(middle, big.NewRat(2, 1)))
}

// value names the figures of each group.
func (k *survival) value(groups []survivalGroup) any {
	byLevel := map[string]any{}
	for _, g := range groups {
		value := map[string]any{"n": g.n, "events": g.events, "median": g.median}
		column := func(name string, of func(survivalPoint) any) {
			all := make([]any, len(g.points))
			for i, at := range g.points {
				all[i] = of(at)
			}
			value[name] = all
		}
		column("times", func(at survivalPoint) any { return float(at.time) })
		column("survival", func(at survivalPoint) any { return at.survival })
		column("se", func(at survivalPoint) any { return figure(at.se) })
		column("lower", func(at survivalPoint) any { return figure(at.lower) })
		column("upper", func(at survivalPoint) any { return figure(at.upper) })
		column("n_risk", func(at survivalPoint) any { return at.atRisk })
		if len(k.times) == 0 {
			column("n_event", func(at survivalPoint) any { return at.events })
		}
		if len(k.by) == 0 {
			return value
		}
		byLevel[g.key] = value
	}
	return byLevel
}
