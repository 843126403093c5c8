package protocols

import (
	"math/big"

	"consilium/job"
)

// PlanSums implements Summarizer, on the grid of all times.
func (KaplanMeier) PlanSums(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	k, _, err := planSurvival(j, d)
	if err != nil {
		return nil, err
	}
	grid, err := k.axis.timeGrid(k.by, k.end)
	if err != nil {
		return nil, err
	}
	return &Plan{
		Summaries: []job.Summary{grid},
		Outputs:   outputsOf([]job.Summary{grid}),
		Reveals:   []string{k.axis.gridReveals(k.by, k.event) + " (this shows the times of single patients; hence the whole Kaplan-Meier curve, its median and all numbers at risk)"},
		Detail:    k,
	}, nil
}

// FinishSums implements Summarizer.
func (KaplanMeier) FinishSums(p *Plan, sums Opened) (*Result, error) {
	k := p.Detail.(*survival)
	tables, rows, err := newLifeTables(p, k.axis, sums[gridCounts])
	if err != nil {
		return nil, err
	}
	if end := p.ending(rows, nil); end != nil {
		return end, nil
	}
	groups := make([]survivalGroup, len(tables))
	for i := range tables {
		groups[i] = k.group(&tables[i])
	}
	return k.result(p, groups), nil
}

// group follows the curve along a life table.
func (k *survival) group(t *lifeTable) survivalGroup {
	g := survivalGroup{n: t.atRisk[0], events: sum(t.events)}
	var at curve
	after := []curve{at} // every step of the curve
	var ends []int64     // the doubled times of these
	for i, d := range t.events {
		if d > 0 {
			time := k.axis.value(big.NewRat(doubledAt(i), 1))
			g.points = append(g.points, at.next(k, time, t.atRisk[i], d))
			after, ends = append(after, at), append(ends, doubledAt(i))
		}
	}
	g.median = medianOf(g.points)
	if len(k.times) == 0 {
		return g
	}
	g.points = nil
	for _, time := range k.times {
		steps := 0
		for steps < len(ends) && ends[steps] < k.axis.after(time) {
			steps++
		}
		asked := survivalPoint{time: time, atRisk: t.from(k.axis, time)}
		asked.all = asked.atRisk == g.n
		g.points = append(g.points, k.estimate(asked, after[steps].logS, after[steps].squares))
	}
	return g
}
