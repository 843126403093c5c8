package match

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// A cycle of an exchange: the donor of each pair gives to the recipient of the next,
// that of the last to the first.
type cycle []int

// cyclesOf lists all cycles of at most limit arcs, each once, from its first pair on.
func cyclesOf(n, limit int, arc func(i, j int) bool) []cycle {
	var list []cycle
	for i := range n {
		for j := i + 1; j < n; j++ {
			if arc(i, j) && arc(j, i) {
				list = append(list, cycle{i, j})
			}
		}
		for j := i + 1; j < n && limit >= 3; j++ {
			for k := i + 1; k < n && arc(i, j); k++ {
				if k != j && arc(j, k) && arc(k, i) {
					list = append(list, cycle{i, j, k})
				}
			}
		}
	}
	return list
}

// worth is what a cycle counts for.
type worth func(c cycle) int

// transplant counts each pair for one.
func transplant(c cycle) int { return len(c) }

// of sums over disjoint cycles.
func (w worth) of(cycles []cycle) int {
	sum := 0
	for _, c := range cycles {
		sum += w(c)
	}
	return sum
}

// search is a branch and bound for the disjoint cycles of the greatest worth: a 0-1
// programme with a variable for each cycle and a constraint for each pair (Abraham,
// Blum, Sandholm: "Clearing algorithms for barter exchange markets", EC 2007).
type search struct {
	ctx   context.Context
	n     int
	worth worth
	scale int // the greatest worth of a pair in a cycle, rounded up: 1 in the relaxation
	best  []cycle
	most  int // worth of the best
}

// mostTransplants returns disjoint cycles among the given ones with the most
// transplants. Of several such choices it always returns the same one. Where all are
// of two arcs it is a matching.
func mostTransplants(ctx context.Context, n int, cycles []cycle) ([]cycle, error) {
	if !slices.ContainsFunc(cycles, func(c cycle) bool { return len(c) > 2 }) {
		return newPairing(n, cycles).most(), nil
	}
	return mostWorth(ctx, n, cycles, transplant)
}

// mostWorth returns disjoint cycles among the given ones of the greatest worth in sum, of
// several such choices always the same one. Cycles of no worth are left out.
func mostWorth(ctx context.Context, n int, cycles []cycle, w worth) ([]cycle, error) {
	b := &search{ctx: ctx, n: n, worth: w, scale: 1}
	cycles = slices.DeleteFunc(slices.Clone(cycles), func(c cycle) bool { return w(c) <= 0 })
	for _, c := range cycles {
		b.scale = max(b.scale, (w(c)+len(c)-1)/len(c))
	}
	if err := b.branch(nil, cycles); err != nil {
		return nil, err
	}
	return b.best, nil
}

// branch looks for a better choice that has the cycles taken and others of those
// left.
func (b *search) branch(taken, left []cycle) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	scale := float64(b.scale)
	r := relax(b.n, left, func(c cycle) float64 { return float64(b.worth(c)) / scale })
	b.try(taken, left, r.part)
	sure := b.worth.of(taken)
	if sure+int(math.Floor(scale*(r.bound+tolerance))) <= b.most {
		return nil
	}
	// What a cycle falls short of its pairs' prices is lost with it.
	var worth []cycle
	var part []float64
	for k, c := range left {
		if float64(sure)+float64(scale*(r.bound+r.gain(c)+tolerance)) > float64(b.most+1) {
			worth, part = append(worth, c), append(part, r.part[k])
		}
	}
	for _, half := range halves(b.n, worth, part) {
		if err := b.branch(append(slices.Clone(taken), half.taken...), half.left); err != nil {
			return err
		}
	}
	return nil
}

// half is a part of the choices: some cycles are taken, and others are left.
type half struct{ taken, left []cycle }

// halves splits the choices in two by an arc that the relaxation uses nearest to half:
// all cycles of its two pairs have it, or none has. Where the first is no less than the
// whole, a cycle that the relaxation uses most is taken, or it is not.
func halves(n int, cycles []cycle, part []float64) []half {
	if len(cycles) == 0 {
		return nil
	}
	from, to := splittingArc(n, cycles, part)
	if with := slices.DeleteFunc(slices.Clone(cycles), func(c cycle) bool {
		return !c.has(from, to) && (slices.Contains(c, from) || slices.Contains(c, to))
	}); len(with) < len(cycles) {
		without := slices.DeleteFunc(slices.Clone(cycles), func(c cycle) bool { return c.has(from, to) })
		return []half{{nil, with}, {nil, without}}
	}
	k := 0
	for l := range part {
		if part[l] > part[k]+tolerance {
			k = l
		}
	}
	return []half{
		{[]cycle{cycles[k]}, slices.DeleteFunc(slices.Clone(cycles), cycles[k].meets)},
		{nil, slices.Delete(slices.Clone(cycles), k, k+1)},
	}
}

// splittingArc returns the arc that is used nearest to half.
func splittingArc(n int, cycles []cycle, part []float64) (from, to int) {
	used := make([]float64, n*n)
	for k, c := range cycles {
		for i, v := range c {
			used[v*n+c[(i+1)%len(c)]] += part[k]
		}
	}
	arc, nearest := cycles[0][0]*n+cycles[0][1], math.Inf(1)
	for k, u := range used {
		if d := math.Abs(u - 0.5); u > tolerance && d < nearest-tolerance {
			arc, nearest = k, d
		}
	}
	return arc / n, arc % n
}

// try completes what is taken by cycles that are left, those of which the
// relaxation uses most first.
func (b *search) try(taken, left []cycle, part []float64) {
	order := make([]int, len(left))
	for k := range order {
		order[k] = k
	}
	// Parts are compared in steps, so that rounding does not order them.
	step := func(k int) float64 { return math.Round(part[k] / 1e-4) }
	slices.SortStableFunc(order, func(k, l int) int { return cmp.Compare(step(l), step(k)) })
	chosen, used := slices.Clone(taken), make([]bool, b.n)
	for _, k := range order {
		if slices.ContainsFunc(left[k], func(v int) bool { return used[v] }) {
			continue
		}
		for _, v := range left[k] {
			used[v] = true
		}
		chosen = append(chosen, left[k])
	}
	if n := b.worth.of(chosen); n > b.most {
		b.best, b.most = chosen, n
	}
}

// meets reports whether two cycles have a pair in common.
func (c cycle) meets(d cycle) bool {
	return slices.ContainsFunc(c, func(v int) bool { return slices.Contains(d, v) })
}

// has reports whether pair i gives to pair j.
func (c cycle) has(i, j int) bool {
	k := slices.Index(c, i)
	return k >= 0 && c[(k+1)%len(c)] == j
}
