package match

import (
	"context"
	"fmt"
	"slices"

	"consilium/organ/policy"
)

// PlainPool is a pool in the clear, for replays of a run from what its sites put in.
type PlainPool struct {
	names    []int64
	arcs     [][]bool
	weight   [][]int64 // of arcs; nil without one
	maxCycle int
	heaviest bool
}

// NewPlainPool evaluates a policy of kind exchange over rows in the inputs' ranges, a pair
// each. Rows that are padding are in no arc.
func NewPlainPool(p *policy.Program, recipients, donors *policy.Rows, maxCycle int) *PlainPool {
	q := &PlainPool{maxCycle: maxCycle, heaviest: p.Heaviest}
	for i := range donors.N {
		arcs, weight := make([]bool, recipients.N), make([]int64, recipients.N)
		for j := range recipients.N {
			v := p.Run(recipients.Row(j), donors.Row(i))
			if arcs[j] = i != j && v[p.Eligible] == 1; p.Weight >= 0 {
				weight[j] = v[p.Weight]
			}
			if i == j {
				q.names = append(q.names, v[p.ID])
			}
		}
		if q.arcs = append(q.arcs, arcs); p.Weight >= 0 {
			q.weight = append(q.weight, weight)
		}
	}
	return q
}

func (q *PlainPool) arc(i, j int) bool { return q.arcs[i][j] }

// called names a cycle's pairs.
func (q *PlainPool) called(c cycle) []int64 {
	var names []int64
	for _, v := range c {
		names = append(names, q.names[v])
	}
	return names
}

// Cycles returns the number of transplants where pair i's donor gives to pair to[i]'s
// recipient, or to nobody where to[i] is negative. Anything but disjoint cycles of pairs
// that suit each other, within the limit, is an error.
func (q *PlainPool) Cycles(to []int) (int, error) {
	_, err := q.chosen(to)
	return len(to) - len(slices.DeleteFunc(slices.Clone(to), func(j int) bool { return j >= 0 })), err
}

func (q *PlainPool) chosen(to []int) ([]cycle, error) {
	var list []cycle
	seen := make([]bool, len(to))
	for i := range to {
		if to[i] < 0 || seen[i] {
			continue
		}
		c := cycle{i}
		for v := i; ; v = to[v] {
			next := to[v]
			if next < 0 || !q.arc(v, next) {
				return nil, fmt.Errorf("the donor of pair %d does not suit the recipient who gets the kidney", q.names[v])
			}
			if seen[v] = true; next == i {
				break
			}
			if seen[next] || len(c) == q.maxCycle {
				return nil, fmt.Errorf("pair %d is in no cycle of at most %d pairs", q.names[i], q.maxCycle)
			}
			c = append(c, next)
		}
		list = append(list, c)
	}
	return list, nil
}

// CheckGreedy refuses a choice of cycles that Exchange could not have made: each cycle
// that is not chosen must have a pair in common with a chosen one of a score that is
// equal or better.
//
// These are exactly the outcomes of going through all cycles in the order of their scores,
// equal ones in any order, and choosing each that has no pair in common with one before.
// What that chooses fulfils the condition: a cycle is passed over for one before it, whose
// score is not worse. And of a choice that fulfils it take the order by score, of equal ones
// the chosen first. By induction along it, what is taken up to any place are the chosen
// cycles there. A chosen cycle meets none of them, since chosen cycles are disjoint, and is
// taken; any other has a pair in common with a chosen one that comes before it, which is
// taken, and so is passed over.
func (q *PlainPool) CheckGreedy(to []int) error {
	chosen, err := q.chosen(to)
	if err != nil {
		return err
	}
	cycles := cyclesOf(len(q.arcs), q.maxCycle, q.arc)
	score := q.score(cycles)
	of := make([]cycle, len(to)) // the chosen cycle of a pair
	for _, c := range chosen {
		for _, v := range c {
			of[v] = c
		}
	}
	for _, c := range cycles {
		if !slices.ContainsFunc(c, func(v int) bool { return of[v] != nil && score(of[v]) <= score(c) }) {
			return fmt.Errorf("pairs %d are a cycle that no cycle of an equal or better score stands in the way of, and it was not chosen", q.called(c))
		}
	}
	return nil
}

// score returns 6 times the mean over a cycle of what Exchange goes by, the lowest first:
// the degrees of its pairs, or the weights of its arcs, negative.
func (q *PlainPool) score(cycles []cycle) func(c cycle) int64 {
	degree := make([]int64, len(q.arcs))
	for _, c := range cycles {
		for _, v := range c {
			degree[v]++
		}
	}
	return func(c cycle) int64 {
		sum := int64(0)
		for i, v := range c {
			if q.weight == nil {
				sum += degree[v]
			} else {
				sum -= q.weight[v][c[(i+1)%len(c)]]
			}
		}
		return sum * int64(6/len(c))
	}
}

// CheckMost refuses a choice of cycles that Exact could not have made: there are none with
// more transplants or, where the policy says so, of more weight. It takes as long as Exact.
func (q *PlainPool) CheckMost(ctx context.Context, to []int) error {
	chosen, err := q.chosen(to)
	if err != nil {
		return err
	}
	cycles := cyclesOf(len(q.arcs), q.maxCycle, q.arc)
	of, what := worth(transplant), "transplants"
	var best []cycle
	if q.heaviest {
		of, what = q.sum, "steps of weight"
		best, err = mostWorth(ctx, len(q.arcs), cycles, of)
	} else {
		best, err = mostTransplants(ctx, len(q.arcs), cycles)
	}
	if err != nil {
		return err
	}
	if got, most := of.of(chosen), of.of(best); got != most {
		return fmt.Errorf("the cycles have %d %s, and there can be %d", got, what, most)
	}
	return nil
}

// sum is the weight of a cycle's arcs.
func (q *PlainPool) sum(c cycle) int {
	sum := int64(0)
	for i, v := range c {
		sum += q.weight[v][c[(i+1)%len(c)]]
	}
	return int(sum)
}
