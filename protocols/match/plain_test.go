package match

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// drawPlain draws a pool in the clear, with weights of arcs or without.
func drawPlain(rng *rand.Rand, n, maxCycle int) *PlainPool {
	q := &PlainPool{maxCycle: maxCycle}
	arc, weighs := graph(rng, n), rng.IntN(2) == 1
	for i := range n {
		arcs, weight := make([]bool, n), make([]int64, n)
		for j := range n {
			arcs[j], weight[j] = arc(i, j), rng.Int64N(3)
		}
		if q.names, q.arcs = append(q.names, int64(i)+100), append(q.arcs, arcs); weighs {
			q.weight = append(q.weight, weight)
		}
	}
	return q
}

// choices lists all choices of disjoint cycles.
func choices(n int, cycles []cycle) [][]cycle {
	if len(cycles) == 0 {
		return [][]cycle{nil}
	}
	first, all := cycles[0], choices(n, cycles[1:])
	for _, c := range choices(n, slices.DeleteFunc(slices.Clone(cycles[1:]), first.meets)) {
		all = append(all, append([]cycle{first}, c...))
	}
	return all
}

// greedy tells whether going through cycles by score can end with that choice, by trying
// every order of equal ones that matters: at each point any cycle of the lowest score that
// is left may be the next.
func greedy(score func(c cycle) int64, left, choice []cycle) bool {
	if len(left) == 0 {
		return len(choice) == 0
	}
	lowest := slices.MinFunc(left, func(c, d cycle) int { return int(score(c) - score(d)) })
	for _, c := range left {
		if score(c) != score(lowest) {
			continue
		}
		k := slices.IndexFunc(choice, func(d cycle) bool { return slices.Equal(c, d) })
		if k >= 0 && greedy(score, slices.DeleteFunc(slices.Clone(left), c.meets), slices.Delete(slices.Clone(choice), k, k+1)) {
			return true
		}
	}
	return false
}

func toOf(n int, cycles []cycle) []int {
	to := filled(n)
	for _, c := range cycles {
		for i, v := range c {
			to[v] = c[(i+1)%len(c)]
		}
	}
	return to
}

// TestCheckGreedy: of all choices of disjoint cycles those pass that greedy can make with
// some order among equal scores, and no others.
func TestCheckGreedy(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	passed, refused := 0, 0
	for i := range 300 {
		n := 2 + rng.IntN(5)
		q := drawPlain(rng, n, 2+i%2)
		cycles := cyclesOf(n, q.maxCycle, q.arc)
		if len(cycles) > 14 {
			continue
		}
		score := q.score(cycles)
		for _, choice := range choices(n, cycles) {
			err, want := q.CheckGreedy(toOf(n, choice)), greedy(score, cycles, choice)
			if (err == nil) != want {
				t.Fatalf("cycles %v: choice %v: %v, want %v", cycles, choice, err, want)
			}
			if want {
				passed++
			} else {
				refused++
			}
		}
	}
	if passed < 300 || refused < 300 {
		t.Errorf("%d choices passed and %d were refused", passed, refused)
	}
}

// TestCheckMost: those of the greatest worth pass, and no others.
func TestCheckMost(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for i := range 100 {
		n := 2 + rng.IntN(5)
		q := drawPlain(rng, n, 2+i%2)
		q.heaviest = q.weight != nil
		cycles, of := cyclesOf(n, q.maxCycle, q.arc), worth(transplant)
		if len(cycles) > 14 {
			continue
		}
		if q.heaviest {
			of = q.sum
		}
		all, most := choices(n, cycles), 0
		for _, choice := range all {
			most = max(most, of.of(choice))
		}
		for _, choice := range all {
			if err := q.CheckMost(t.Context(), toOf(n, choice)); (err == nil) != (of.of(choice) == most) {
				t.Fatalf("choice %v is worth %d of %d: %v", choice, of.of(choice), most, err)
			}
		}
	}
}

// TestPlainCycles: what is no disjoint cycles within the limit is refused.
func TestPlainCycles(t *testing.T) {
	q := &PlainPool{names: []int64{10, 11, 12, 13}, maxCycle: 3}
	for i := range 4 {
		q.arcs = append(q.arcs, []bool{i != 0, i != 1, i != 2, i != 3 && i != 2})
	}
	for _, c := range []struct {
		to   []int
		n    int
		want string
	}{
		{[]int{-1, -1, -1, -1}, 0, ""},
		{[]int{1, 0, -1, -1}, 2, ""},
		{[]int{1, 2, 0, -1}, 3, ""},
		{[]int{1, 2, -1, -1}, 0, "donor of pair 12 does not suit"},
		{[]int{1, 0, 3, 2}, 0, "donor of pair 12 does not suit"},
		{[]int{3, 0, 1, 2}, 0, "pair 10 is in no cycle of at most 3 pairs"},
		{[]int{1, 0, 0, -1}, 0, "pair 12 is in no cycle"},
		{[]int{1, 2, 1, -1}, 0, "pair 10 is in no cycle"},
	} {
		n, err := q.Cycles(c.to)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) || err == nil && n != c.n {
			t.Errorf("%v: %d transplants, %v, want %d, %q", c.to, n, err, c.n, c.want)
		}
	}
}
