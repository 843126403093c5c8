package rss_test

import (
	"math/rand/v2"
	"slices"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// tester is what *testing.T and *rapid.T share.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// evaluate shares columns, at the site, and returns what op makes of them, opened
// by the parties, who must agree.
func evaluate(t tester, seed uint64, op func(s *mpc.Session, x []rss.Vec) []rss.Vec, columns ...[]int64) [][]int64 {
	t.Helper()
	cfg := four(seed)
	cfg.Window = 2
	out, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) ([][]int64, error) {
		var in []rss.Vec
		for i, x := range columns {
			in = append(in, rss.Input(s.Step("x", i), site, len(x), only(s, site, ring.FromInt64(x))))
		}
		if s.Role() < 0 {
			return nil, s.Err()
		}
		var opened [][]int64
		for i, x := range op(s.Step("op"), in) {
			opened = append(opened, rss.Open(s.Step("result", i), x).Int64())
		}
		return opened, s.Err()
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for p := range out[:3] {
		if !slices.EqualFunc(out[p], out[0], slices.Equal) {
			t.Fatalf("parties 0 and %d disagree", p)
		}
	}
	return out[0]
}

// upTo returns 0, 1, …, n-1.
func upTo(n int) []int64 {
	x := make([]int64, n)
	for i := range x {
		x[i] = int64(i)
	}
	return x
}

// at returns the elements of x at the indices.
func at(x []int64, indices []int) []int64 {
	out := make([]int64, len(indices))
	for i, j := range indices {
		out[i] = x[j]
	}
	return out
}

// shapes of columns in which keys go wrong if anywhere.
var columnShapes = []string{"random", "few values", "all equal", "sorted", "backwards", "extremes"}

// column returns n values from lo to hi of a shape.
func column(rng *rand.Rand, shape string, n int, lo, hi int64) []int64 {
	span := uint64(hi) - uint64(lo) // the greatest distance; all values when 2^64-1
	value := func() int64 {
		if span == ^uint64(0) {
			return int64(rng.Uint64())
		}
		return lo + int64(rng.Uint64N(span+1))
	}
	x := make([]int64, n)
	first := value()
	for i := range x {
		switch shape {
		case "few values":
			x[i] = lo + int64(rng.Uint64N(min(span, 2)+1))
		case "all equal":
			x[i] = first
		case "extremes":
			x[i] = []int64{lo, hi, lo + int64(min(span, 1)), hi - int64(min(span, 1))}[rng.IntN(4)]
		default:
			x[i] = value()
		}
	}
	switch shape {
	case "sorted":
		slices.Sort(x)
	case "backwards":
		slices.SortFunc(x, func(a, b int64) int { return -cmpInt64(a, b) })
	}
	return x
}

func cmpInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// chiSquare returns the statistic of counts against equal frequencies.
func chiSquare(counts []int) float64 {
	total := 0
	for _, k := range counts {
		total += k
	}
	want := float64(total) / float64(len(counts))
	sum := 0.0
	for _, k := range counts {
		sum += (float64(k) - want) * (float64(k) - want) / want
	}
	return sum
}
