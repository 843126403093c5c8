package protocols

import (
	"fmt"
	"math/bits"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What tests that compare the means of groups share: the column and its groups, the
// spread of the values around the groups' means, and sums and products of secret
// floating-point numbers.

// groupedColumn is a numeric column whose rows are split by the levels of a factor.
type groupedColumn struct {
	value *job.Column
	group factor
	size  int // there are at most 2^size rows
	reach int // two values differ by at most 2^reach steps
}

// The summaries of a grouped column, one element a group each.
const (
	groupCounts  = "n"
	groupSums    = "sum"
	groupSquares = "squares"
)

// splitColumn plans n, the sum and the sum of squares of a column in each group.
func splitColumn(d *job.Dataset, value, group string) (*groupedColumn, []job.Summary, error) {
	c, f, groups, err := comparedColumn(d, value, group)
	if err != nil {
		return nil, nil, err
	}
	g := &groupedColumn{value: c, group: f, size: countSize(d), reach: codeReach(c)}
	if g.squareBits() > widestCross {
		return nil, nil, fmt.Errorf("column %q: sums of squares over %d rows need %d bits, and there are %d; declare a narrower range or a larger step", value, d.Rows(), g.squareBits(), widestCross)
	}
	complete := []string{value, group}
	summary := func(name string, term job.Term) job.Summary {
		return job.Summary{Name: name, Complete: complete, Groups: groups, Terms: []job.Term{term}}
	}
	return g, []job.Summary{
		summary(groupCounts, job.Term{}),
		summary(groupSums, job.Term{value}),
		summary(groupSquares, job.Term{value, value}),
	}, nil
}

// numeric returns the column of numbers of that name.
func numeric(d *job.Dataset, name string) (*job.Column, error) {
	c, ok := d.Schema.Column(name)
	if !ok {
		return nil, unknownColumn(d, name)
	}
	if c.Type == job.Text {
		return nil, fmt.Errorf("column %q is text and has no mean; name a column of numbers", name)
	}
	return c, nil
}

// countSize returns the least b for which every count of rows is at most 2^b.
func countSize(d *job.Dataset) int { return bits.Len(uint(d.Rows() - 1)) }

// codeReach returns a b for which two codes differ by at most 2^b.
func codeReach(c *job.Column) int {
	low, high := c.Codes()
	return bits.Len64(uint64(high - low))
}

// widestCross is the widest integer that is made a floating-point number.
const widestCross = 123

// n numbers within 2^reach have a sum of squares around their mean of at most
// n 2^(2 reach - 2), and n Q - S^2, with their sum S and their sum of squares Q, is
// n times that.
func (g *groupedColumn) squareBits() int { return max(g.size+2*g.reach-2, 0) }
func (g *groupedColumn) crossBits() int  { return g.size + g.squareBits() }
func (g *groupedColumn) exact() bool     { return g.crossBits() <= widestCross }

// spread is how far the values of each group lie from its mean: the sum of squares
// around it is squares/divisor, both of them integers of at most 2^spreadBits.
type spread struct {
	squares, divisor rss.Vec128
	constant         rss.Vec // 1 if the values of no group vary, else 0
}

func (g *groupedColumn) spreadBits() int {
	if g.exact() {
		return max(g.crossBits(), g.size) + 1
	}
	return g.squareBits() + 1
}

// spread returns the spread of groups whose n, sum and sum of squares are given. Of
// these the first k have to be constant for the whole to be.
func (g *groupedColumn) spread(s *mpc.Session, k int, n, sum, squares rss.Vec128) spread {
	all := n.Len()
	both := rss.Mul(s.Step("cross"), rss.Concat(s, n, sum), rss.Concat(s, squares, sum))
	cross := rss.Sub(s, rss.Slice(s, both, 0, all), rss.Slice(s, both, all, 2*all)) // n Q - S^2
	// This is modulo 2^128: what does not fit is taken for 0 if it is a multiple of
	// that, which groups that vary do not hit on.
	flat := rss.EqualPublic(s.Step("flat"), rss.Slice(s, cross, 0, k), 0, 128).Across()
	out := spread{squares: cross, divisor: n, constant: rss.ToArith(s.Step("constant"), rss.AndAll(s.Step("all"), flat))}
	if !g.exact() {
		out.squares = g.recentred(s.Step("recentred"), n, sum, squares)
		out.divisor = rss.AddConst(s, rss.Zero[ring.Vec128](all), 1)
	}
	return out
}

// recentred returns sums of squares around the means as integers, for columns so
// wide that n Q - S^2 does not fit. For any integer m, with r = S - n m,
//
//	Q - 2 m S + n m^2 = Q - m (S + r)
//
// is exact, and less r^2/n it is the sum of squares around the mean. m is the
// mean but for its last bits, so that r^2/n is small; rounding it to an integer
// costs nothing unless the values differ by a few steps alone, of the 2^40 or more
// that such columns have.
func (g *groupedColumn) recentred(s *mpc.Session, n, sum, squares rss.Vec128) rss.Vec128 {
	k, width := n.Len(), g.value.Bits()+g.size
	f := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, rss.Concat(s, sum, n), 0, width))
	inverse := f.Slice(s, k, 2*k).Recip(s.Step("reciprocal"))
	mean := f.Slice(s, 0, k).Mul(s.Step("mean"), inverse).Fixed(s.Step("whole"), 0, g.value.Bits()+1)
	rest := rss.Sub(s, sum, rss.Mul(s.Step("product"), n, mean.Share))
	both := rss.Mul(s.Step("squares"), rss.Concat(s, mean.Share, rest), rss.Concat(s, rss.Add(s, sum, rest), rest))
	// |r| is at most n times the error of m, which is below 2^11.
	off := rss.Normalise128(s.Step("off"), rss.NewFixed128(s, rss.Slice(s, both, k, 2*k), 0, 2*(g.size+12)))
	off = off.Mul(s.Step("share"), inverse)
	less := off.Fixed(s.Step("less"), 0, g.size+25)
	return rss.Sub(s, rss.Sub(s, squares, rss.Slice(s, both, 0, k)), less.Share)
}

// reals are integers as floating-point numbers, with their reciprocals.
type reals struct{ value, inverse rss.Float }

// realsOf returns vectors of integers of at most 2^bits in that form. 43 rounds.
func realsOf(s *mpc.Session, bits int, xs ...rss.Vec128) []reals {
	value := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, rss.Concat(s, xs...), 0, bits))
	inverse := value.Recip(s.Step("reciprocal"))
	out := make([]reals, len(xs))
	at := 0
	for i, x := range xs {
		out[i] = reals{value.Slice(s, at, at+x.Len()), inverse.Slice(s, at, at+x.Len())}
		at += x.Len()
	}
	return out
}

// products multiplies several pairs of vectors of any length at once. 12 rounds.
func products(s *mpc.Session, pairs ...[2]rss.Float) []rss.Float {
	var x, y []rss.Float
	for _, pair := range pairs {
		x, y = append(x, pair[0]), append(y, pair[1])
	}
	all := rss.ConcatFloats(s, x...).Mul(s, rss.ConcatFloats(s, y...))
	out := make([]rss.Float, len(pairs))
	at := 0
	for i := range x {
		out[i] = all.Slice(s, at, at+x[i].Len())
		at += x[i].Len()
	}
	return out
}

// repeated returns k copies of a number. Local.
func repeated(s *mpc.Session, x rss.Float, k int) rss.Float {
	return rss.Float{Mantissa: rss.Repeat(s, x.Mantissa, k), Exponent: rss.Repeat(s, x.Exponent, k)}
}

// guardBits are the fractional bits of a sum beyond the leading one of the least
// that it can be.
const guardBits = 54

// sumFrac returns the fractional bits for adding up numbers in fixed-point steps
// whose sum is at least 2^-least, or 0.
func sumFrac(least int) int { return min(least+guardBits, widestCross) }

// addUp returns the sum of positive numbers, which is at most 1 and at least
// 2^-least, or 0. 18 rounds.
func addUp(s *mpc.Session, x rss.Float, least int) rss.Fixed128 {
	frac := sumFrac(least)
	each := x.Fixed(s, frac, frac+1)
	return rss.NewFixed128(s, rss.Sum(s, each.Share), frac, frac+1) // the whole is at most 1 too
}
