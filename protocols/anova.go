package protocols

import (
	"fmt"
	"math/big"
	"strconv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Anova is the one-way analysis of variance of R's aov(value ~ factor(group)): with
// k groups of n_i rows, N in all, and the sums of squares between the groups' means
// and within the groups around them,
//
//	B = sum of n_i (mean_i - mean)^2,  W = sum of (x - mean_i)^2,
//	F = B/(k-1) / (W/(N-k)),  df = k-1, N-k
//
// Groups that no row is in are dropped.
//
// The sites push down n, the sum and the sum of squares S_i, Q_i of each group.
// The parties take n_i Q_i - S_i^2 and N S_i - n_i S as exact integers, and go on
// from there with floating-point numbers that are divided by the total sum of
// squares: nothing cancels, however far the values lie from zero. The recipient
// learns F, k and N, and no group's figures. About 190 rounds; 25 kB a party for
// two groups, 3 kB for each further one.
type Anova struct{}

// Name implements Analysis.
func (Anova) Name() string { return "anova" }

// The outputs.
const (
	anovaRatio  = "ratio" // B/W
	anovaGroups = "groups"
	anovaRows   = "rows"
)

// Plan implements Analysis. Arguments: value, group.
func (Anova) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	value, group := args.String("value"), args.String("group")
	if err := args.Err(); err != nil {
		return nil, err
	}
	g, summaries, err := splitColumn(d, value, group)
	if err != nil {
		return nil, err
	}
	return &Plan{
		Summaries: summaries,
		Outputs:   []Output{realOutput(anovaRatio, 1), {anovaGroups, 1}, {anovaRows, 1}},
		Failures:  []string{statusFewRows, statusConstant},
		Reveals: []string{
			fmt.Sprintf("the F statistic of %s between the groups of %s (hence its p-value)", value, group),
			"its degrees of freedom (hence how many rows and how many groups there are); no figure of a group",
		},
		Detail: g,
	}, nil
}

// Compute implements Analysis.
func (Anova) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	g := p.Detail.(*groupedColumn)
	n, sum, squares := in.Sums[groupCounts], in.Sums[groupSums], in.Sums[groupSquares]
	k, all := n.Len(), rss.Sum(s, n)
	narrow := rss.Narrow(s, n)
	groups := withRows(s.Step("groups"), narrow)[0]
	few := negatives(s.Step("few"), rss.AddConst(s, groups, -2), rss.AddConst(s, rss.Sub(s, rss.Sum(s, narrow), groups), -1))

	// All rows together are one more group.
	with := func(x rss.Vec128) rss.Vec128 { return rss.Concat(s, x, rss.Sum(s, x)) }
	spread := g.spread(s.Step("spread"), k, with(n), with(sum), with(squares))
	ratio := g.ratio(s.Step("ratio"), n, sum, spread)
	return Outputs{
		Values: map[string]rss.Vec128{
			anovaRatio:  revealReals(s.Step("reveal"), ratio),
			anovaGroups: rss.Lift(s.Step("lift"), groups),
			anovaRows:   all,
		},
		Rows:   rss.Narrow(s, all),
		Counts: narrow,
		Failed: map[string]rss.Vec{
			statusFewRows:  rss.Add(s, few[0], few[1]),
			statusConstant: spread.constant,
		},
	}
}

// ratio returns B/W, for the spread of the groups and, last, of all rows.
func (g *groupedColumn) ratio(s *mpc.Session, n, sum rss.Vec128, x spread) rss.Float {
	k := n.Len()
	all, total := rss.Sum(s, n), rss.Sum(s, sum)
	both := rss.Mul(s.Step("deviation"), rss.Concat(s, rss.Repeat(s, all, k), n), rss.Concat(s, sum, rss.Repeat(s, total, k)))
	deviation := rss.Sub(s, rss.Slice(s, both, 0, k), rss.Slice(s, both, k, 2*k)) // N S_i - n_i S
	r := realsOf(s.Step("reals"), max(g.spreadBits(), 2*g.size+g.reach), deviation, n, all,
		rss.Slice(s, x.squares, 0, k), rss.Slice(s, x.divisor, 0, k), rss.Slice(s, x.squares, k, k+1), rss.Slice(s, x.divisor, k, k+1))
	off, count, rows, within, divisor, whole, wholeDivisor := r[0].value, r[1].inverse, r[2].inverse, r[3].value, r[4].inverse, r[5].inverse, r[6].value

	// As shares of the total sum of squares: B_i = ((N S_i - n_i S)/N)^2 / n_i, and W_i.
	first := products(s.Step("first"), [2]rss.Float{off, repeated(s, rows, k)}, [2]rss.Float{within, divisor}, [2]rss.Float{wholeDivisor, whole})
	mean, squares, perTotal := first[0], first[1], repeated(s, first[2], k)
	second := products(s.Step("second"), [2]rss.Float{mean, mean}, [2]rss.Float{squares, perTotal}, [2]rss.Float{count, perTotal})
	between := second[0].Mul(s.Step("between"), second[2])

	const frac = 120 // enough where one of the two is 10^-24 of the total
	parts := rss.ConcatFloats(s, between, second[1]).Fixed(s.Step("fixed"), frac, frac+1).Share
	sums := rss.Concat(s, rss.Sum(s, rss.Slice(s, parts, 0, k)), rss.Sum(s, rss.Slice(s, parts, k, 2*k)))
	shares := rss.Normalise128(s.Step("shares"), rss.NewFixed128(s, sums, frac, frac+1))
	return shares.Slice(s, 0, 1).Div(s.Step("quotient"), shares.Slice(s, 1, 2))
}

// Finish implements Analysis.
func (Anova) Finish(p *Plan, opened Opened) (*Result, error) {
	g := p.Detail.(*groupedColumn)
	rows, err := counts(p, opened[anovaRows])
	if err != nil {
		return nil, err
	}
	groups := opened[anovaGroups][0]
	if groups.Cmp(big.NewInt(2)) < 0 || groups.Cmp(big.NewInt(int64(len(g.group.levels)))) > 0 || groups.Int64() >= rows[0] {
		return nil, errImpossible
	}
	ratio, err := readReals(opened[anovaRatio])
	if err != nil || ratio[0] < 0 {
		return nil, errImpossible
	}
	return g.result(p, rows[0], groups.Int64(), ratio[0]), nil
}

// PlanSums implements Summarizer.
func (a Anova) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := a.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	p.Outputs = outputsOf(p.Summaries)
	p.Reveals = []string{p.Detail.(*groupedColumn).reveals() + " (hence the groups' means and variances, F, its degrees of freedom and its p-value)"}
	return p, nil
}

// FinishSums implements Summarizer.
func (Anova) FinishSums(p *Plan, sums Opened) (*Result, error) {
	g := p.Detail.(*groupedColumn)
	x, err := g.sums(p, sums)
	if err != nil {
		return nil, err
	}
	groups := int64(len(nonzero(x.rows)))
	if end := p.ending(x.all, map[string]bool{
		statusFewRows: groups < 2 || x.all == groups, statusConstant: x.constant(),
	}); end != nil {
		return end, nil
	}
	return g.result(p, x.all, groups, x.between()/x.within()), nil
}

// between is the sum of (N S_i - n_i S)^2 / (N^2 n_i), whose terms are exact.
func (g *groupSumsOf) between() float64 {
	all, whole, between := addedUp(g.n), addedUp(g.sum), 0.0
	for _, i := range nonzero(g.rows) {
		off := new(big.Int).Sub(product(all, g.sum[i]), product(g.n[i], whole))
		between += quotient(product(off, off), product(all, all, g.n[i]))
	}
	return between
}

// result tells of that many rows and groups, with B/W.
func (g *groupedColumn) result(p *Plan, rows, groups int64, ratio float64) *Result {
	between, within := groups-1, rows-groups
	f := ratio * float64(within) / float64(between)
	tail := tailOfF(f, float64(between), float64(within))
	table := Table{
		Title:  fmt.Sprintf("Analysis of variance of %s by %s", g.value.Name, g.group.column.Name),
		Header: []string{"n", "Groups", "F", "df", "p"},
		Rows: [][]string{{
			strconv.FormatInt(rows, 10), strconv.FormatInt(groups, 10), printedStatistic(f),
			fmt.Sprintf("%d, %d", between, within), printedP(tail),
		}},
		Notes: g.notes(p, "One-way, groups of equal variance assumed."),
	}
	value := map[string]any{"f": f, "df": []any{between, within}, "p": tail}
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}
}

// notes are what a table of the groups says below.
func (g *groupedColumn) notes(p *Plan, method string) []string {
	return []string{
		filterNote(p),
		fmt.Sprintf("Rows with a missing value in %s or %s are left out, as are groups that no row is in.", g.value.Name, g.group.column.Name),
		method,
	}
}
