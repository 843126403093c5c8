package protocols

import (
	"fmt"
	"math"
	"math/big"
	"strconv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// MannWhitney tests whether values of one group tend to be greater than those of
// another (Mann, Whitney: "On a test of whether one of two random variables is
// stochastically larger than the other", 1947), as R's wilcox.test(value ~ group,
// exact = FALSE) does. U is the number of pairs in which the first group's value is
// the greater, ties one half. With n rows in all, n1 and n2 of them in the groups,
// and t rows in each run of equal values, it is held against the normal
// distribution:
//
//	z = (U - n1 n2 / 2 -+ 1/2) / sigma
//	sigma^2 = n1 n2 / 12 (n^3 - n - sum of (t^3 - t)) / (n (n - 1))
//
// where the 1/2, toward 0, is left out if `correct` is false. Levels that no row is
// in are dropped; two must be left.
//
// The rows are sorted once. U comes from the sum of the first group's ranks, and the
// term in brackets from the lengths of runs of equal values, both as exact integers.
// The recipient learns U, z^2 with an error of 2^-50, and n. Costs of newRanked and ranked.eachRun, and beyond that 27 bytes a row, 4 rounds for each
// chunk and about 115 rounds.
type MannWhitney struct{}

// Name implements Analysis.
func (MannWhitney) Name() string { return "mannwhitney" }

// The sample and the outputs.
const (
	rankedRows     = "rows"
	rankedPairs    = "pairs" // 2 U
	rankedDistance = "distance"
	rankedCount    = "n"
)

// rankedGroups is what MannWhitney plans.
type rankedGroups struct {
	value   *job.Column
	group   factor
	correct bool
	size    int // there are at most 2^size rows
}

// Plan implements Analysis. Arguments: value, group; correct (optional).
func (MannWhitney) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	value, group, correct := args.String("value"), args.String("group"), args.OptionalBool("correct", true)
	if err := args.Err(); err != nil {
		return nil, err
	}
	c, f, _, err := comparedColumn(d, value, group)
	if err != nil {
		return nil, err
	}
	if err := roomForSquares(d.Rows()); err != nil {
		return nil, err
	}
	r := &rankedGroups{c, f, correct, countSize(d)}
	return &Plan{
		Samples:  []Sample{{rankedRows, r.vectors()}},
		Outputs:  []Output{{rankedPairs, 1}, realOutput(rankedDistance, 1), {rankedCount, 1}},
		Failures: []string{statusFewRows, statusManyLevels, statusConstant},
		Reveals: []string{
			fmt.Sprintf("the U statistic of %s between the two groups of %s, and how many standard deviations it lies from its mean (hence its p-value)", value, group),
			"how many selected rows have a value in both; no figure of a group",
		},
		Detail: r,
	}, nil
}

// levelName is the name of the vector that tells which rows have a level.
func levelName(level int) string { return fmt.Sprintf("level.%d", level) }

// vectors are the value and who is of each level but the last, which is never the
// first of two.
func (r *rankedGroups) vectors() []job.Vector {
	vectors := columnVectors(r.value.Name)
	for i, level := range r.group.levels[:len(r.group.levels)-1] {
		vectors = append(vectors, levelVector(levelName(i), r.group.column.Name, level))
	}
	return vectors
}

// Compute implements Analysis.
func (MannWhitney) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	r, rows := p.Detail.(*rankedGroups), in.Rows[rankedRows]
	sizes := r.sizes(s, rows)
	present := rss.AddConst(s, rss.Neg(s, rss.ToArith(s.Step("present"), rss.EqualPublic(s.Step("empty"), sizes, 0, countBits))), 1)
	levels := rss.Sum(s, present)
	few := negatives(s.Step("few"), rss.AddConst(s, levels, -2), rss.AddConst(s, levels, -3))

	order := r.inOrder(s.Step("ranks"), rows, r.firstLevel(s.Step("first"), present))
	defer order.close()
	n := order.members
	pairs, cubes := order.pairsAndCubes(s.Step("pairs"))
	distance, constant := r.distance(s.Step("distance"), order, pairs, cubes)

	wide := elements(s, rss.Lift(s.Step("lift"), rss.Concat(s, pairs, n)))
	return Outputs{
		Values: map[string]rss.Vec128{
			rankedPairs:    wide[0],
			rankedDistance: revealReals(s.Step("reveal"), distance),
			rankedCount:    wide[1],
		},
		Rows:   n,
		Counts: sizes,
		Failed: map[string]rss.Vec{
			statusFewRows:    few[0],
			statusManyLevels: subtractFrom(s, 1, few[1]),
			statusConstant:   constant,
		},
	}
}

// sizes returns the number of rows of every level. Local.
func (r *rankedGroups) sizes(s *mpc.Session, rows *Sampled) rss.Vec {
	rest, sizes := rows.sums(s, r.vectors()[1:]...)
	for _, size := range sizes {
		rest = rss.Sub(s, rest, size)
	}
	return rss.Concat(s, append(sizes, rest)...)
}

// firstLevel returns which of the levels but the last is the first that is present.
func (r *rankedGroups) firstLevel(s *mpc.Session, present rss.Vec) rss.Vec {
	k := len(r.group.levels) - 1
	if k == 1 {
		return rss.Public(s, ring.Vec64{1})
	}
	one := rss.ToArith(s.Step("arith"), rss.EqualPublic(s.Step("one"), rss.PrefixSum(s, present), 1, countBits))
	return rss.Slice(s, rss.Mul(s.Step("first"), one, present), 0, k)
}

// inOrder ranks the values. The group is who is of that first level.
func (r *rankedGroups) inOrder(s *mpc.Session, rows *Sampled, first rss.Vec) *ranked {
	low, high := r.value.Codes()
	return newRanked(s, rows.Chunked, keyBits(low, high), func(s *mpc.Session, i int) (key, group, member rss.Vec) {
		of := rows.chunk(s, i)
		group = of.Value[levelName(0)]
		if k := first.Len(); k > 1 {
			var levels []rss.Vec
			for level := range k {
				levels = append(levels, of.Value[levelName(level)])
			}
			group = rss.MatMul(s.Step("group"), first, rss.Concat(s, levels...), 1, k, of.N)
		}
		return columnKey(s, r.value, of).Column, group, of.Member
	})
}

// pairsAndCubes returns pairsWon, and the sum of the cubes of the sizes of all runs of
// equal values, that of rows which are no members included.
func (r *ranked) pairsAndCubes(s *mpc.Session) (pairs rss.Vec, cubes rss.Vec128) {
	sum := rss.Zero[ring.Vec64](1)
	cubes = rss.Zero[ring.Vec128](1)
	r.eachRun(s.Step("runs"), func(s *mpc.Session, rows, group extent) {
		sum = rss.Add(s, sum, rankSum(s.Step("ranks"), rows, group))
		size := rss.Lift(s.Step("sizes"), rows.size(s))
		square := rss.Mul(s.Step("squares"), size, size)
		cubes = rss.Add(s, cubes, rss.Dot(s.Step("cubes"), square, size))
	})
	return rss.Sub(s, sum, r.leastSum(s.Step("least"))), cubes
}

// distance returns z^2, for twice U and pairsAndCubes' sum of t^3, and whether no
// values differ, so that it does not exist. With d = 2 (U - n1 n2 / 2) -+ 1 and
//
//	v = n^3 - n - sum of (t^3 - t) = n^3 - sum of t^3
//
// it is 3 d^2 n (n - 1) / (n1 n2 v).
func (r *rankedGroups) distance(s *mpc.Session, order *ranked, pairs rss.Vec, cubes rss.Vec128) (rss.Float, rss.Vec) {
	n, n1 := order.members, order.group
	strangers := rss.AddConst(s, rss.Neg(s, n), int64(order.rows.Rows()))
	products := elements(s, rss.Mul(s.Step("products"), rss.Concat(s, n1, n), rss.Concat(s, rss.Sub(s, n, n1), n)))
	both, square := products[0], products[1] // n1 n2, n^2

	d := r.deviation(s.Step("deviation"), rss.Sub(s, pairs, both))
	lifted := rss.Lift(s.Step("lift"), rss.Concat(s, d, both, rss.Sub(s, square, n), n, strangers))
	sizes := rss.Slice(s, lifted, 3, 5)
	own := elements(s, rss.Mul(s.Step("cubes"), rss.Mul(s.Step("squares"), sizes, sizes), sizes))
	v := rss.Sub(s, rss.Add(s, own[0], own[1]), cubes)
	constant := rss.ToArith(s.Step("constant"), rss.EqualPublic(s.Step("flat"), v, 0, 3*r.size+3))

	of := elements(s, lifted)
	numbers := rss.Concat(s, of[0], of[1], of[0], v, rss.Scale(s, of[2], 3))
	f := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, numbers, 0, 3*r.size+2))
	f = rss.ConcatFloats(s,
		f.Slice(s, 0, 2).Mul(s.Step("first"), f.Slice(s, 2, 4)), // d^2 and n1 n2 v
		f.Slice(s, 4, 5))
	above := f.Slice(s, 0, 1).Mul(s.Step("above"), f.Slice(s, 2, 3))
	return above.Div(s.Step("quotient"), f.Slice(s, 1, 2)), constant
}

// deviation returns the magnitude of twice the deviation of U from its mean, less 1
// if it is corrected and not 0.
func (r *rankedGroups) deviation(s *mpc.Session, twice rss.Vec) rss.Vec {
	if !r.correct {
		return twice
	}
	signs := rss.ToArith(s.Step("arith"), rss.LessPublic(s.Step("sign"), rss.Concat(s, twice, rss.AddConst(s, twice, -1)), 0, 2*r.size+3))
	below, notAbove := rss.Slice(s, signs, 0, 1), rss.Slice(s, signs, 1, 2)
	// 1 above 0, 0 at 0, -1 below.
	sign := subtractFrom(s, 1, rss.Add(s, below, notAbove))
	return rss.Sub(s, twice, sign)
}

// Finish implements Analysis.
func (MannWhitney) Finish(p *Plan, opened Opened) (*Result, error) {
	r := p.Detail.(*rankedGroups)
	n, err := counts(p, opened[rankedCount])
	if err != nil {
		return nil, err
	}
	distance, err := readReals(opened[rankedDistance])
	if err != nil || distance[0] < 0 {
		return nil, errImpossible
	}
	pairs := opened[rankedPairs][0]
	if pairs.Sign() < 0 || pairs.Cmp(big.NewInt(n[0]*n[0]/2)) > 0 {
		return nil, errImpossible
	}
	u := float64(pairs.Int64()) / 2
	z := math.Sqrt(distance[0])
	tail := twoSided(z)
	first := "the first group's value"
	if len(r.group.levels) == 2 {
		first = "the value of " + r.group.column.Name + " " + r.group.key(0)
	}
	method := "U: pairs in which " + first + " is the greater, ties one half. p two-sided by normal approximation with tie correction"
	if r.correct {
		method += " and continuity correction"
	}
	table := Table{
		Title:  fmt.Sprintf("Mann-Whitney test of %s by %s", r.value.Name, r.group.column.Name),
		Header: []string{"n", "U", "|z|", "p"},
		Rows:   [][]string{{strconv.FormatInt(n[0], 10), strconv.FormatFloat(u, 'f', -1, 64), printedStatistic(z), printedP(tail)}},
		Notes: []string{
			filterNote(p),
			fmt.Sprintf("Rows with a missing value in %s or %s are left out, as are groups that no row is in.", r.value.Name, r.group.column.Name),
			method + ".",
		},
	}
	return &Result{Status: statusOK, Value: map[string]any{"u": u, "p": tail}, Tables: []Table{table}}, nil
}
