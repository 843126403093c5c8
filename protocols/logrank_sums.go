package protocols

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"consilium/job"
)

// PlanSums implements Summarizer, on the grid of all times.
func (l LogRank) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := l.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	test := p.Detail.(*rankTest)
	by := append(slices.Clone(test.strata), *test.group)
	grid, err := test.axis.timeGrid(by, test.end)
	if err != nil {
		return nil, err
	}
	p.Samples, p.Summaries = nil, []job.Summary{grid}
	p.Outputs = outputsOf(p.Summaries)
	p.Reveals = []string{test.axis.gridReveals(by, test.event) + " (this shows the times of single patients; hence every group's curve, the log-rank statistic and its degrees of freedom)"}
	return p, nil
}

// FinishSums implements Summarizer.
func (LogRank) FinishSums(p *Plan, sums Opened) (*Result, error) {
	l := p.Detail.(*rankTest)
	tables, rows, err := newLifeTables(p, l.axis, sums[gridCounts])
	if err != nil {
		return nil, err
	}
	e := newExcessInClear(len(l.group.levels))
	for stratum := range slices.Chunk(tables, len(l.group.levels)) {
		e.add(stratum)
	}
	active := e.active()
	statistic, weak := e.quadratic(active)
	if end := p.ending(rows, map[string]bool{
		statusNoEvents: e.events == 0, statusFewRows: len(active) < 2, statusSingular: weak,
	}); end != nil {
		return end, nil
	}
	return l.result(p, statistic, int64(len(active)-1)), nil
}

// excessInClear are z and V as LogRank has them, with the expected events.
type excessInClear struct {
	events      int64
	expected, z []float64
	v           *mat.SymDense
}

func newExcessInClear(groups int) *excessInClear {
	return &excessInClear{0, make([]float64, groups), make([]float64, groups), mat.NewSymDense(groups, nil)}
}

// add goes along the groups of a stratum.
func (e *excessInClear) add(groups []lifeTable) {
	for time := range groups[0].atRisk {
		var n, d int64
		for _, g := range groups {
			n, d = n+g.atRisk[time], d+g.events[time]
		}
		if d == 0 {
			continue
		}
		e.events += d
		share := make([]float64, len(groups))
		for j, g := range groups {
			share[j] = float64(g.atRisk[time]) / float64(n)
			expected := float64(d) * share[j]
			e.expected[j] += expected
			e.z[j] += float64(g.events[time]) - expected
		}
		weight := float64(d) * float64(n-d) / math.Max(float64(n-1), 1)
		for j := range groups {
			// Exactly 0 where all who are at risk are of the group.
			others := float64(n-groups[j].atRisk[time]) / float64(n)
			e.v.SetSym(j, j, e.v.At(j, j)+weight*share[j]*others)
			for l := range j {
				e.v.SetSym(j, l, e.v.At(j, l)-weight*share[j]*share[l])
			}
		}
	}
}

// active are the groups with an expected event.
func (e *excessInClear) active() []int {
	var out []int
	for j, expected := range e.expected {
		if expected > 0 {
			out = append(out, j)
		}
	}
	return out
}

// quadratic returns z' V^- z over the active groups, and whether there is none: the
// events of a group do not vary, or a pivot is weak. It solves as excess.quadratic
// does: with correlations plus u u' / (u' u).
func (e *excessInClear) quadratic(active []int) (statistic float64, weak bool) {
	k := len(active)
	if k == 0 {
		return 0, true
	}
	a, b, trace := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil), 0.0
	for _, j := range active {
		trace += e.v.At(j, j)
	}
	for i, j := range active {
		deviation := math.Sqrt(e.v.At(j, j))
		if deviation == 0 {
			return 0, true
		}
		b.SetVec(i, e.z[j]/deviation)
		for m, l := range active[:i+1] {
			other := math.Sqrt(e.v.At(l, l))
			a.SetSym(i, m, e.v.At(j, l)/deviation/other+deviation*other/trace)
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(a) {
		return 0, true
	}
	var upper mat.TriDense
	factor.UTo(&upper)
	for i := range k {
		if pivot := upper.At(i, i); pivot*pivot < leastPivot {
			return 0, true
		}
	}
	var x mat.VecDense
	if err := factor.SolveVecTo(&x, b); err != nil {
		return 0, true
	}
	return mat.Dot(b, &x), false
}
