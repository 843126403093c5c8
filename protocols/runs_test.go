package protocols

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// TestRuns: sums through and before runs of any lengths.
func TestRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		starts := rapid.SliceOfN(rapid.Int64Range(0, 1), n, n).Draw(t, "starts")
		starts[0] = 1
		x := rapid.SliceOfN(rapid.Int64Range(-1000, 1000), n, n).Draw(t, "x")
		opened, _ := openedOf(t, func(s *mpc.Session) rss.Vec128 {
			r := newRuns(s.Step("runs"), shared(s, starts))
			wide := rss.Lift(s.Step("wide"), shared(s, x))
			ends, before := r.sums(s.Step("sums"), []rss.Vec128{wide}, []rss.Vec128{wide, wide})
			totals := rss.Lift(s.Step("lift"), r.totals(s.Step("totals"), shared(s, x)))
			return rss.Concat(s, append(slices.Concat(ends, before), totals)...)
		})
		var through, before, totals []int64
		for i := range x {
			first, last := i, i+1
			for starts[first] == 0 {
				first--
			}
			for last < n && starts[last] == 0 {
				last++
			}
			through, before = append(through, total(x[:last])), append(before, total(x[:first]))
			totals = append(totals, starts[i]*total(x[first:last]))
		}
		want := slices.Concat(through, before, before, totals)
		for i, got := range opened {
			if got.Big().Int64() != want[i] {
				t.Fatalf("element %d is %v, want %d", i, got, want[i])
			}
		}
	})
}

func total(x []int64) int64 {
	sum := int64(0)
	for _, e := range x {
		sum += e
	}
	return sum
}
