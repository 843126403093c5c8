package rss_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// TestCompactChunked: marked rows come first in their order, in one chunk, in as many as
// memory holds, and in more; also if all are marked, or none.
func TestCompactChunked(t *testing.T) {
	spill := testkit.NewSpill(t, 64)
	for _, n := range []int{1, 64, 200, 321} {
		for _, share := range []float64{0, 0.3, 1} {
			flag, want := make([]int64, n), []int64{}
			for i := range n {
				if rand.Float64() < share {
					flag[i], want = 1, append(want, int64(i))
				}
			}
			marked := len(want)
			for i := range n {
				if flag[i] == 0 {
					want = append(want, int64(i))
				}
			}
			all, err := memnet.Collect(memnet.New(memnet.Config{Seed: 1}), func(s *mpc.Session) ([][]int64, error) {
				rows := chunked(s, spill, upTo(n), upTo(n), flag)
				compact := rss.CompactChunked(s.Step("compact"), rows)
				rows.Close()
				out := allRows(s, compact)
				compact.Close()
				return out, s.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := all[0]; len(got) != 2 || !slices.Equal(got[0], want) || !slices.Equal(got[1], want) {
				t.Errorf("%d of %d rows are marked: got %v, want %v", marked, n, got, want)
			}
		}
	}
}
