package protocols

import (
	"fmt"
	"math/big"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// The quarters k of which the quantile at k/4 is the minimum, a quartile or the
// maximum.
const (
	quarterMinimum = iota
	quarterLower
	quarterMedian
	quarterUpper
	quarterMaximum
)

// shownQuarters are those that the study's rules allow to be shown.
func shownQuarters(rules job.Disclosure) []int {
	var shown []int
	if rules.AllowMinimum {
		shown = append(shown, quarterMinimum)
	}
	shown = append(shown, quarterLower, quarterMedian, quarterUpper)
	if rules.AllowMaximum {
		shown = append(shown, quarterMaximum)
	}
	return shown
}

// quarterFields are the names of the quarters' fields.
var quarterFields = [...]string{"min", "q25", "median", "q75", "max"}

// ordered are the values of a column in the order of sortedColumn.
type ordered struct {
	rows   *rss.Chunked
	column int   // of rows: the values less the least that there can be
	least  int64 // what that is
}

// quartiles returns for each quarter k the quantiles at k/4 (0: the minimum, 2: the
// median, 4: the maximum) of a column in each of several groups: quarter by quarter,
// and of each the groups. The groups' rows, of the secret sizes, lie one after the
// other and are sorted; rows after them do not count. The quantiles come in fourths
// of the column's step, which makes them integers; those of an empty group are 0.
// Elements are below 2^62 in magnitude.
//
// They are those of type 7 of Hyndman, Fan: "Sample quantiles in statistical
// packages", The American Statistician 50, 1996, R's default: with h = (n - 1) k/4
// and the rows counted from 0, x_j + (h - j) (x_j+1 - x_j), where j = floor(h). 14
// rounds and the costs of pick for two places a quantile.
func quartiles(s *mpc.Session, sorted *ordered, sizes rss.Vec, quarters []int) rss.Vec128 {
	first := rss.Sub(s, rss.PrefixSum(s, sizes), sizes)
	last := rss.AddConst(s, sizes, -1)
	var hs []rss.Vec
	for _, k := range quarters {
		hs = append(hs, rss.Scale(s, last, int64(k)))
	}
	h := rss.Concat(s, hs...) // in fourths
	j := rss.Trunc(s.Step("floor"), h, 2)
	rest := rss.Sub(s, h, rss.Scale(s, j, 4)) // 0 to 3
	n := h.Len()

	// Where the rest is 0 the upper neighbour may be of another group, or of none.
	lower := rss.Add(s, rss.Repeat(s, first, len(quarters)), j)
	places := rss.Concat(s, lower, rss.AddConst(s, lower, 1))
	picked := rss.AddConst(s, pick(s.Step("pick"), sorted.rows, sorted.column, places), sorted.least)
	some := rss.ToArith(s.Step("some"), rss.Not(s, rss.EqualPublic(s.Step("none"), sizes, 0, countBits)))
	wide := rss.Lift(s.Step("lift"), rss.Concat(s, picked, rest, rss.Repeat(s, some, len(quarters))))
	part := func(i int) rss.Vec128 { return rss.Slice(s, wide, i*n, (i+1)*n) }

	between := rss.Mul(s.Step("between"), part(2), rss.Sub(s, part(1), part(0)))
	quantiles := rss.Add(s, rss.Scale(s, part(0), 4), between)
	return rss.Mul(s.Step("empty"), quantiles, part(3))
}

// sortedColumn returns a column of a sample, sorted within each of the groups that
// the levels of other columns make, these in the order of a summary's cells, and
// after them the rows that are no members. Costs of rss.SortChunked. Its owner closes
// the rows.
func sortedColumn(s *mpc.Session, rows *Sampled, by []factor, column *job.Column) *ordered {
	var columns []*job.Column
	for _, f := range by {
		columns = append(columns, f.column)
	}
	columns = append(columns, column)
	var order []rss.ChunkedKey
	for i, c := range columns {
		order = append(order, rss.ChunkedKey{Column: i, Bits: keyBits(c.Codes())})
	}
	keys := rows.Like(s, len(columns), 0)
	defer keys.Close()
	for i := range rows.Chunks() {
		of := rows.chunk(s, i)
		var own []rss.Vec
		for _, c := range columns {
			own = append(own, columnKey(s, c, of).Column)
		}
		keys.Put(s, i, own)
	}
	least, _ := column.Codes()
	return &ordered{rss.SortChunked(s.Step("order"), keys, order...), len(by), least}
}

// newQuartiles takes the quantiles of a column's shown quarters, in fourths of a
// step, and returns them by quarter. Those that are not shown, or do not exist for
// want of rows, are nil.
func newQuartiles(c *job.Column, n int64, shown []int, opened []*big.Int) ([]*big.Rat, error) {
	out := make([]*big.Rat, quarterMaximum+1)
	if n == 0 {
		return out, nil
	}
	low, high := c.Codes()
	least, greatest := new(big.Int).Lsh(big.NewInt(low), 2), new(big.Int).Lsh(big.NewInt(high), 2)
	for i, k := range shown {
		if opened[i].Cmp(least) < 0 || opened[i].Cmp(greatest) > 0 {
			return nil, errImpossible
		}
		least = opened[i]
		out[k] = new(big.Rat).SetFrac(opened[i], big.NewInt(4))
		out[k].Mul(out[k], c.StepRat())
	}
	return out, nil
}

// medianText writes the median and the two quartiles around it, which may lie
// between two values: with one decimal more than these where one of them needs it.
func medianText(quartiles []*big.Rat, decimals int) string {
	shown := quartiles[quarterLower : quarterUpper+1]
	for _, x := range shown {
		if !strings.HasSuffix(fixed(x, decimals+1), "0") {
			decimals++
			break
		}
	}
	return fmt.Sprintf("%s (%s to %s)", fixed(shown[1], decimals), fixed(shown[0], decimals), fixed(shown[2], decimals))
}
