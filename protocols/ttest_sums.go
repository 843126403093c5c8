package protocols

import (
	"fmt"
	"math"
	"math/big"

	"consilium/job"
)

// PlanSums implements Summarizer.
func (t TTest) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := t.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	p.Outputs = outputsOf(p.Summaries)
	switch t := p.Detail.(type) {
	case *pair:
		x, y := t.columns[0].Name, t.columns[1].Name
		p.Reveals = []string{
			"how many selected rows have a value in both " + x + " and " + y,
			fmt.Sprintf("of these rows the sums of %s and of %s, the sums of their squares and that of their products (hence mean, t, the interval and the p-value)", x, y),
		}
	case *twoSample:
		p.Reveals = []string{t.groupedColumn.reveals() + " (hence the groups' means and variances, t, the interval and the p-value)"}
	}
	return p, nil
}

// reveals says that the sums of every group are shown.
func (g *groupedColumn) reveals() string {
	return fmt.Sprintf("of each of the %d groups of %s: how many rows there are, the sum of %s and the sum of its squares",
		len(g.group.levels), g.group.column.Name, g.value.Name)
}

// FinishSums implements Summarizer.
func (TTest) FinishSums(p *Plan, sums Opened) (*Result, error) {
	if pair, ok := p.Detail.(*pair); ok {
		return pair.finishSums(p, sums)
	}
	t := p.Detail.(*twoSample)
	g, err := t.sums(p, sums)
	if err != nil {
		return nil, err
	}
	groups := nonzero(g.rows)
	few := len(groups) < 2 || t.pooled && g.all < 3
	for _, i := range groups {
		few = few || !t.pooled && g.rows[i] < 2
	}
	if end := p.ending(g.all, map[string]bool{
		statusFewRows: few, statusManyLevels: len(groups) > 2, statusConstant: g.constant(),
	}); end != nil {
		return end, nil
	}
	if t.pooled {
		return t.result(p, g.rows, g.sum, pooledError(g.within(), g.rows)), nil
	}
	return t.result(p, g.rows, g.sum, g.welch()), nil
}

// groupSumsOf are the sums of a grouped column, in the clear.
type groupSumsOf struct {
	rows   []int64 // of each group
	all    int64   // rows
	n, sum []*big.Int
	spread []*big.Int // n times the sum of squares around the group's mean
}

// sums reads what splitColumn plans.
func (g *groupedColumn) sums(p *Plan, opened Opened) (*groupSumsOf, error) {
	rows, all, err := cells(p, opened[groupCounts])
	if err != nil {
		return nil, err
	}
	out := &groupSumsOf{rows: rows, all: all, n: opened[groupCounts], sum: opened[groupSums]}
	for i, n := range out.n {
		spread := centredSum(n, out.sum[i], out.sum[i], opened[groupSquares][i])
		if spread.Sign() < 0 {
			return nil, errImpossible
		}
		out.spread = append(out.spread, spread)
	}
	return out, nil
}

// constant tells whether the values of no group vary.
func (g *groupSumsOf) constant() bool { return addedUp(g.spread).Sign() == 0 }

// within is the sum of squares around the groups' means.
func (g *groupSumsOf) within() float64 {
	within := 0.0
	for _, i := range nonzero(g.rows) {
		within += quotient(g.spread[i], g.n[i])
	}
	return within
}

// welch follows the formulas of TTest: of each of two groups v/n = spread / (n n (n-1)).
func (g *groupSumsOf) welch() meanError {
	variance, per := 0.0, 0.0
	for _, i := range nonzero(g.rows) {
		less := big.NewInt(g.rows[i] - 1)
		share := quotient(g.spread[i], product(g.n[i], g.n[i], less))
		variance += share
		per += share * share / float64(g.rows[i]-1)
	}
	return meanError{math.Sqrt(variance), variance * variance / per}
}

// finishSums takes the differences' sums from those of the columns.
func (t *pair) finishSums(p *Plan, sums Opened) (*Result, error) {
	pairs := sums[pairSums]
	_, rows, err := cells(p, pairs[:1])
	if err != nil {
		return nil, err
	}
	n, x, y, xx, xy, yy := pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5]
	a, b := t.first, new(big.Int).Neg(t.second)
	difference := addedUp([]*big.Int{product(a, x), product(b, y)})
	squares := addedUp([]*big.Int{product(a, a, xx), product(big.NewInt(2), a, b, xy), product(b, b, yy)})
	spread := centredSum(n, difference, difference, squares)
	if end := p.ending(rows, map[string]bool{statusFewRows: rows < 2, statusConstant: spread.Sign() == 0}); end != nil {
		return end, nil
	}
	return t.finish(p, Opened{groupCounts: {n}, groupSums: {difference}, groupSquares: {squares}})
}
