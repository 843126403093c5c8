package protocols

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/mpc/spool"
)

// TestRuns: sums through and before runs of any lengths, within chunks and over their
// borders.
func TestRuns(t *testing.T) {
	dir, err := spool.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 30, 64, 65, 128, 200, 300}).Draw(t, "n")
		often := rapid.SampledFrom([]int64{1, 10, 100, 1000}).Draw(t, "often")
		starts, x := make([]int64, n), make([]int64, n)
		for i := range starts {
			if i == 0 || rapid.Int64Range(1, often).Draw(t, "start") == 1 {
				starts[i] = 1
			}
			x[i] = rapid.Int64Range(-1000, 1000).Draw(t, "x")
		}
		withSpill(t, dir, func(spill *rss.Spill) {
			opened, _ := openedOf(t, func(s *mpc.Session) rss.Vec128 {
				rows := chunked(s, spill, starts, x)
				r := newRuns(s.Step("runs"), rows, 0)
				b := r.borders(1, 2)
				columns := func(s *mpc.Session, i int) (through, before []rss.Vec128) {
					wide := rss.Lift(s, rows.Get(s, i, 1)[0])
					return []rss.Vec128{wide}, []rss.Vec128{wide, rss.Scale(s, wide, 2)}
				}
				for i := range rows.Chunks() {
					through, before := columns(s.Step("lift", i), i)
					b.tell(s.Step("tell", i), i, through, before)
				}
				b.settle(s.Step("settle"))
				parts := make([][]rss.Vec128, 3)
				for i := range rows.Chunks() {
					through, before := columns(s.Step("again", i), i)
					ends, starts := b.sums(s.Step("sums", i), i, through, before)
					for k, part := range append(ends, starts...) {
						parts[k] = append(parts[k], part)
					}
				}
				return rss.Concat(s, slices.Concat(append(parts, b.all)...)...)
			})
			var through, before []int64
			for i := range x {
				first, last := i, i+1
				for starts[first] == 0 {
					first--
				}
				for last < n && starts[last] == 0 {
					last++
				}
				through, before = append(through, total(x[:last])), append(before, total(x[:first]))
			}
			want := slices.Concat(through, before, twice(before), []int64{total(x), total(x), 2 * total(x)})
			for i, got := range opened {
				if got.Big().Int64() != want[i] {
					t.Fatalf("element %d is %v, want %d", i, got, want[i])
				}
			}
		})
	})
}

// chunked puts columns that all parties know.
func chunked(s *mpc.Session, spill *rss.Spill, columns ...[]int64) *rss.Chunked {
	var shares []rss.Vec
	for _, x := range columns {
		shares = append(shares, shared(s, x))
	}
	return laidOut(s, spill, shares...)
}

func twice(x []int64) []int64 {
	var out []int64
	for _, e := range x {
		out = append(out, 2*e)
	}
	return out
}

func total(x []int64) int64 {
	sum := int64(0)
	for _, e := range x {
		sum += e
	}
	return sum
}
