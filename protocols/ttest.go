package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// TTest compares the means of two groups, the first level less the second, as R's
// t.test does. By default it is Welch's ("The generalization of Student's problem
// when several different population variances are involved", 1947): with the
// groups' variances v_i of n_i rows each,
//
//	t = (mean_1 - mean_2) / se,  se^2 = v_1/n_1 + v_2/n_2,
//	df = se^4 / sum of (v_i/n_i)^2 / (n_i - 1)
//
// and with `pooled` Student's, se^2 = (1/n_1 + 1/n_2) W/(n_1 + n_2 - 2), where W is
// the sum of squares within the groups. A filter may leave two of more declared
// levels. With `paired`, value names two columns of the same row, there is no
// group, and the test is Student's of the first less the second against 0 (R's
// t.test(first, second, paired = TRUE)). conf_level is that of the interval.
//
// The sites push down n, the sum and the sum of squares of each group, or of the
// two columns and their product. The recipient learns n and the sum of each group,
// and se with df, or W; paired, it learns n, the sum and the sum of squares of the
// differences, which its result determines anyway. Sums of squares around means
// are exact before they are divided (see groupedColumn.spread). About 210
// rounds and 20 kB a party; pooled 155 and 15 kB, paired 36 and 3 kB.
type TTest struct{}

// Name implements Analysis.
func (TTest) Name() string { return "ttest" }

// The outputs beside those of the groups' summaries.
const (
	welchVariance = "variance"         // se^2
	welchDF       = "reciprocal of df" // in steps of 2^-inverseFrac
	pooledSquares = "squares within"   // W
)

// twoSample is what TTest plans for two groups.
type twoSample struct {
	*groupedColumn
	pooled bool
	level  float64
}

// Plan implements Analysis. Arguments: value, group; or value with two columns and
// paired; pooled, conf_level (optional).
func (TTest) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	values, group := args.Strings("value"), args.OptionalString("group", "")
	paired, pooled := args.OptionalBool("paired", false), args.OptionalBool("pooled", false)
	level, wrongLevel := confidence(args)
	if err := args.Err(); err != nil {
		return nil, err
	}
	switch {
	case wrongLevel != nil:
		return nil, wrongLevel
	case paired && group != "":
		return nil, errors.New("paired compares two columns of the same row: name both in value, as in value: [before, after], and leave group out")
	case paired && pooled:
		return nil, errors.New("pooled is of two groups of rows, and paired has one: leave pooled out")
	case paired:
		return planPaired(d, values, level)
	case len(values) != 1:
		return nil, fmt.Errorf("value names %d columns: name one, with a group, or set paired: true to compare two", len(values))
	case group == "":
		return nil, errors.New("group is missing: name the column whose levels to compare")
	}
	return planTwoSample(d, values[0], group, pooled, level)
}

func planTwoSample(d *job.Dataset, value, group string, pooled bool, level float64) (*Plan, error) {
	g, summaries, err := splitColumn(d, value, group)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Summaries: summaries,
		Outputs:   outputsOf(summaries[:2]),
		Failures:  []string{statusFewRows, statusManyLevels, statusConstant},
		Reveals:   []string{fmt.Sprintf("of each of the two groups of %s: how many rows there are, and the sum of %s (hence its mean)", group, value)},
		Detail:    &twoSample{g, pooled, level},
	}
	if pooled {
		p.Outputs = append(p.Outputs, realOutput(pooledSquares, 1))
		p.Reveals = append(p.Reveals, "the variance within the groups, as one number for both (hence t, the interval and the p-value)")
	} else {
		p.Outputs = append(p.Outputs, realOutput(welchVariance, 1), Output{welchDF, 1})
		p.Reveals = append(p.Reveals, "the standard error of the difference and Welch's degrees of freedom (hence t, the interval and the p-value)")
	}
	return p, nil
}

// Compute implements Analysis.
func (TTest) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	if pair, ok := p.Detail.(*pair); ok {
		return pair.compute(s, in)
	}
	t := p.Detail.(*twoSample)
	n, sum := in.Sums[groupCounts], in.Sums[groupSums]
	narrow := rss.Narrow(s, n)
	spread := t.spread(s.Step("spread"), n.Len(), n, sum, in.Sums[groupSquares])
	out := Outputs{
		Values: map[string]rss.Vec128{groupCounts: n, groupSums: sum},
		Rows:   rss.Sum(s, narrow),
		Counts: narrow,
		Failed: t.failures(s.Step("levels"), narrow),
	}
	out.Failed[statusConstant] = spread.constant
	if t.pooled {
		out.Values[pooledSquares] = revealReals(s.Step("reveal"), t.within(s.Step("within"), spread))
		return out
	}
	variance, inverseDF := t.welch(s.Step("welch"), n, spread)
	out.Values[welchVariance] = revealReals(s.Step("reveal"), variance)
	out.Values[welchDF] = inverseDF
	return out
}

// failures tells whether there are not two groups with rows, or too few in them:
// Welch's test needs two in each, the pooled one three in all.
func (t *twoSample) failures(s *mpc.Session, n rss.Vec) map[string]rss.Vec {
	counted := withRows(s.Step("counted"), n, rss.AddConst(s, n, -1))
	groups, single := counted[0], subtractFrom(s, int64(n.Len()), counted[1])
	least := subtractFrom(s, 0, single)
	if t.pooled {
		least = rss.AddConst(s, rss.Sum(s, n), -3)
	}
	wrong := negatives(s.Step("two"), rss.AddConst(s, groups, -2), subtractFrom(s, 2, groups), least)
	return map[string]rss.Vec{statusFewRows: rss.Add(s, wrong[0], wrong[2]), statusManyLevels: wrong[1]}
}

// within returns the sum of squares within the groups, taken as shares of a number
// of its size so that the sum has all its digits whatever the column's scale.
func (t *twoSample) within(s *mpc.Session, x spread) rss.Float {
	r := realsOf(s.Step("reals"), t.spreadBits(), x.squares, x.divisor, rss.Sum(s, x.squares))
	squares, divisor, scale := r[0].value, r[1].inverse, r[2]
	share := squares.Mul(s.Step("share"), repeated(s, scale.inverse, squares.Len()))
	each := share.Mul(s.Step("each"), divisor)
	sum := rss.Normalise128(s.Step("normalise"), addUp(s.Step("sum"), each, t.size+1))
	return sum.Mul(s.Step("within"), scale.value)
}

// welch returns se^2, and 1/df in steps of 2^-inverseFrac.
func (t *twoSample) welch(s *mpc.Session, n rss.Vec128, x spread) (variance rss.Float, inverseDF rss.Vec128) {
	k := n.Len()
	less := rss.AddConst(s, n, -1)
	pairs := rss.Mul(s.Step("pairs"), n, less) // n (n-1)
	r := realsOf(s.Step("reals"), max(t.spreadBits(), 2*t.size+1), x.squares, x.divisor, rss.Sum(s, x.squares), pairs, less)
	squares, divisor, scale, perPair, perLess := r[0].value, r[1].inverse, r[2], r[3].inverse, r[4].inverse

	// v_i/n_i, as a share of the scale
	first := products(s.Step("first"), [2]rss.Float{squares, repeated(s, scale.inverse, k)}, [2]rss.Float{divisor, perPair})
	each := first[0].Mul(s.Step("each"), first[1])
	sum := rss.Normalise128(s.Step("normalise"), addUp(s.Step("sum"), each, 3*t.size+1))
	whole := sum.Recip(s.Step("whole"))

	// and as a share of se^2
	second := products(s.Step("second"), [2]rss.Float{sum, scale.value}, [2]rss.Float{each, repeated(s, whole, k)})
	variance, share := second[0], second[1]
	square := share.Mul(s.Step("square"), share).Mul(s.Step("weigh"), perLess)
	return variance, addUp(s.Step("df"), square, t.inverseLeast()).Share
}

// inverseLeast says that 1/df is at least 2^-inverseLeast.
func (t *twoSample) inverseLeast() int { return t.size + 1 }

func (t *twoSample) inverseFrac() int { return sumFrac(t.inverseLeast()) }

// Finish implements Analysis.
func (TTest) Finish(p *Plan, opened Opened) (*Result, error) {
	if pair, ok := p.Detail.(*pair); ok {
		return pair.finish(p, opened)
	}
	t := p.Detail.(*twoSample)
	n, err := counts(p, opened[groupCounts])
	if err != nil {
		return nil, err
	}
	if len(nonzero(n)) != 2 {
		return nil, errImpossible
	}
	var e meanError
	if t.pooled {
		e, err = readPooled(opened, n)
	} else {
		e, err = t.readWelch(opened)
	}
	if err != nil {
		return nil, err
	}
	return t.result(p, n, opened[groupSums], e), nil
}

// meanError is the standard error of the difference of the means, in steps, with
// its degrees of freedom.
type meanError struct{ se, df float64 }

func (t *twoSample) readWelch(opened Opened) (meanError, error) {
	variance, err := readReals(opened[welchVariance])
	if err != nil || variance[0] <= 0 {
		return meanError{}, errImpossible
	}
	inverse, err := readFixed(opened[welchDF], t.inverseFrac(), 2)
	if err != nil || inverse[0] <= 0 {
		return meanError{}, errImpossible
	}
	return meanError{math.Sqrt(variance[0]), 1 / inverse[0]}, nil
}

func readPooled(opened Opened, n []int64) (meanError, error) {
	within, err := readReals(opened[pooledSquares])
	if err != nil || within[0] <= 0 || sum(n) < 3 {
		return meanError{}, errImpossible
	}
	return pooledError(within[0], n), nil
}

// pooledError follows from the sum of squares within two groups of such sizes.
func pooledError(within float64, n []int64) meanError {
	df, perRow := float64(sum(n)-2), 0.0
	for _, i := range nonzero(n) {
		perRow += 1 / float64(n[i])
	}
	return meanError{math.Sqrt(within / df * perRow), df}
}

// result tells of the two groups that have rows.
func (t *twoSample) result(p *Plan, n []int64, sums []*big.Int, e meanError) *Result {
	step, _ := t.value.StepRat().Float64()
	test := &studentTest{level: t.level, se: e.se * step, df: e.df}
	groups := nonzero(n)
	for _, i := range groups {
		mean := new(big.Rat).SetFrac(sums[i], big.NewInt(n[i]))
		test.means = append(test.means, mean.Mul(mean, t.value.StepRat()))
	}
	test.difference = new(big.Rat).Sub(test.means[0], test.means[1])
	return &Result{Status: statusOK, Value: test.value(), Tables: []Table{t.table(p, test, n, groups)}}
}

// table prints the groups and their difference.
func (t *twoSample) table(p *Plan, test *studentTest, n []int64, groups []int) Table {
	method := "Welch's t-test, two-sided."
	if t.pooled {
		method = "Student's t-test with pooled variance, two-sided."
	}
	d := decimals(t.value)
	table := Table{
		Title:  fmt.Sprintf("%s by %s", t.value.Name, t.group.column.Name),
		Header: append([]string{withUnit(t.group.column), "n", "Mean " + withUnit(t.value)}, test.headings()...),
		Notes:  t.notes(p, method),
	}
	for i, g := range groups {
		table.Rows = append(table.Rows, []string{t.group.key(g), strconv.FormatInt(n[g], 10), fixed(test.means[i], d+1), "", "", "", ""})
	}
	name := t.group.key(groups[0]) + " less " + t.group.key(groups[1])
	table.Rows = append(table.Rows, append([]string{name, strconv.FormatInt(sum(n), 10), fixed(test.difference, d+1)}, test.cells(d+1)...))
	return table
}
