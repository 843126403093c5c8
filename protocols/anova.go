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
	between, within := groups.Int64()-1, rows[0]-groups.Int64()
	f := ratio[0] * float64(within) / float64(between)
	tail := tailOfF(f, float64(between), float64(within))
	table := Table{
		Title:  fmt.Sprintf("Analysis of variance of %s by %s", g.value.Name, g.group.column.Name),
		Header: []string{"n", "Groups", "F", "df", "p"},
		Rows: [][]string{{
			strconv.FormatInt(rows[0], 10), groups.String(), printedStatistic(f),
			fmt.Sprintf("%d, %d", between, within), printedP(tail),
		}},
		Notes: g.notes(p, "One-way, groups of equal variance assumed."),
	}
	value := map[string]any{"f": f, "df": []any{between, within}, "p": tail}
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}, nil
}

// notes are what a table of the groups says below.
func (g *groupedColumn) notes(p *Plan, method string) []string {
	return []string{
		filterNote(p),
		fmt.Sprintf("Rows with a missing value in %s or %s are left out, as are groups that no row is in.", g.value.Name, g.group.column.Name),
		method,
	}
}
