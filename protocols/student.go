package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// studentTest is a difference of means with its standard error, in the clear.
type studentTest struct {
	means      []*big.Rat
	difference *big.Rat
	se, df     float64
	level      float64
}

func (t *studentTest) statistic() float64 {
	difference, _ := t.difference.Float64()
	return difference / t.se
}

// p is two-sided.
func (t *studentTest) p() float64 {
	return 2 * distuv.StudentsT{Sigma: 1, Nu: t.df}.CDF(-math.Abs(t.statistic()))
}

func (t *studentTest) interval() (low, high float64) {
	center, _ := t.difference.Float64()
	half := t.se * distuv.StudentsT{Sigma: 1, Nu: t.df}.Quantile((1+t.level)/2)
	return center - half, center + half
}

func (t *studentTest) value() map[string]any {
	low, high := t.interval()
	means := make([]any, len(t.means))
	for i, m := range t.means {
		means[i] = float(m)
	}
	return map[string]any{"t": t.statistic(), "df": t.df, "p": t.p(), "mean": means, "conf_int": []any{low, high}}
}

// headings and cells are the columns of a table that tell of the test.
func (t *studentTest) headings() []string { return []string{printedLevel(t.level), "t", "df", "p"} }

func (t *studentTest) cells(decimals int) []string {
	low, high := t.interval()
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', decimals, 64) }
	dfDecimals := 0
	if t.df != math.Trunc(t.df) {
		dfDecimals = 1
	}
	df := strconv.FormatFloat(t.df, 'f', dfDecimals, 64)
	return []string{number(low) + " to " + number(high), printedStatistic(t.statistic()), df, printedP(t.p())}
}

// pair is what TTest plans for two columns of the same rows: their differences in
// steps of which either column's are a whole number.
type pair struct {
	columns       []*job.Column
	first, second *big.Int // steps of the difference in one of the column's
	step          *big.Rat
	level         float64
}

// pairSums is the summary of both columns' sums, squares and product; the outputs
// are n, the sum and the sum of squares of the differences.
const pairSums = "pairs"

func planPaired(d *job.Dataset, names []string, level float64) (*Plan, error) {
	if len(names) != 2 {
		return nil, fmt.Errorf("value names %d columns: paired compares two of the same row, as in value: [before, after]", len(names))
	}
	cols, err := columns(d, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := numeric(d, name); err != nil {
			return nil, err
		}
	}
	if a, b := cols[0].Unit, cols[1].Unit; a != "" && b != "" && a != b {
		return nil, fmt.Errorf("columns %q and %q have the units %s and %s, and so no difference; mend the schema or choose others", names[0], names[1], a, b)
	}
	t := newPair(cols, level)
	if err := t.room(d); err != nil {
		return nil, err
	}
	x, y := names[0], names[1]
	return &Plan{
		Summaries: []job.Summary{{Name: pairSums, Complete: names, Terms: []job.Term{{}, {x}, {y}, {x, x}, {x, y}, {y, y}}}},
		Outputs:   []Output{{groupCounts, 1}, {groupSums, 1}, {groupSquares, 1}},
		Failures:  []string{statusFewRows, statusConstant},
		Reveals: []string{
			"how many selected rows have a value in both " + x + " and " + y,
			"the sum and the sum of squares of " + x + " less " + y + " (hence mean, t, the interval and the p-value)",
		},
		Detail: t,
	}, nil
}

// newPair finds the greatest step of which both columns' steps are multiples.
func newPair(cols []*job.Column, level float64) *pair {
	a, b := cols[0].StepRat(), cols[1].StepRat()
	// a and b in units of 1/(the product of the denominators)
	first, second := new(big.Int).Mul(a.Num(), b.Denom()), new(big.Int).Mul(b.Num(), a.Denom())
	common := new(big.Int).GCD(nil, nil, first, second)
	unit := new(big.Int).Mul(a.Denom(), b.Denom())
	return &pair{cols, first.Quo(first, common), second.Quo(second, common), new(big.Rat).SetFrac(common, unit), level}
}

// room refuses columns whose differences have squares that could pass 126 bits.
func (t *pair) room(d *job.Dataset) error {
	const widest = 126
	difference := 1 + max(t.first.BitLen()+t.columns[0].Bits(), t.second.BitLen()+t.columns[1].Bits())
	if countSize(d)+2*difference > widest {
		return errors.New("the columns' steps are so different or their ranges so wide that squared differences could overflow; declare narrower ranges or larger steps")
	}
	return nil
}

// compute takes the differences' sums from those of the columns.
func (t *pair) compute(s *mpc.Session, in Inputs) Outputs {
	sums := elements(s, in.Sums[pairSums])
	n, x, y, xx, xy, yy := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
	// times returns v a b k.
	times := func(v rss.Vec128, k int64, a, b *big.Int) rss.Vec128 {
		c := new(big.Int).Mul(a, b)
		return rss.MulPublic(s, v, ring.FromBig([]*big.Int{c.Mul(c, big.NewInt(k))}))
	}
	one := big.NewInt(1)
	sum := rss.Sub(s, times(x, 1, t.first, one), times(y, 1, t.second, one))
	squares := rss.Add(s, rss.Add(s, times(xx, 1, t.first, t.first), times(xy, -2, t.first, t.second)), times(yy, 1, t.second, t.second))

	both := rss.Mul(s.Step("cross"), rss.Concat(s, n, sum), rss.Concat(s, squares, sum))
	cross := rss.Sub(s, rss.Slice(s, both, 0, 1), rss.Slice(s, both, 1, 2))
	constant := rss.EqualPublic(s.Step("flat"), cross, 0, 128)
	narrow := rss.Narrow(s, n)
	return Outputs{
		Values: map[string]rss.Vec128{groupCounts: n, groupSums: sum, groupSquares: squares},
		Rows:   narrow,
		Failed: map[string]rss.Vec{
			statusFewRows:  negatives(s.Step("few"), rss.AddConst(s, narrow, -2))[0],
			statusConstant: rss.ToArith(s.Step("constant"), constant),
		},
	}
}

func (t *pair) finish(p *Plan, opened Opened) (*Result, error) {
	m, err := newMoments(p, t.step, int64(p.Dataset.Rows()), []*big.Int{opened[groupCounts][0], opened[groupSums][0], opened[groupSquares][0]})
	if err != nil || m.n < 2 || m.variance.Sign() == 0 {
		return nil, errImpossible
	}
	variance, _ := m.variance.Float64()
	test := &studentTest{
		means: []*big.Rat{m.mean}, difference: m.mean,
		se: math.Sqrt(variance / float64(m.n)), df: float64(m.n - 1), level: t.level,
	}
	x, y := t.columns[0], t.columns[1]
	d := max(decimals(x), decimals(y)) + 1
	table := Table{
		Title:  fmt.Sprintf("%s less %s of the same rows", x.Name, y.Name),
		Header: append([]string{"n", "Mean difference"}, test.headings()...),
		Rows:   [][]string{append([]string{strconv.FormatInt(m.n, 10), fixed(m.mean, d)}, test.cells(d)...)},
		Notes: []string{
			filterNote(p),
			fmt.Sprintf("Rows with a missing value in %s or %s are left out.", x.Name, y.Name),
			"Paired t-test, two-sided.",
		},
	}
	return &Result{Status: statusOK, Value: test.value(), Tables: []Table{table}}, nil
}
