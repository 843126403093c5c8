package protocols

import (
	"math"
	"math/big"

	"gonum.org/v1/gonum/stat/distuv"
)

// What the recipient of a Kaplan-Meier estimate makes of what it opens.

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
