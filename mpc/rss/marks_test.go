package rss_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// carried is the oracle: the value at the nearest mark, or beyond.
func carried(marks, x []int64, beyond int64, up bool) []int64 {
	out, at := make([]int64, len(x)), beyond
	if up {
		marks, x = slices.Clone(marks), slices.Clone(x)
		slices.Reverse(marks)
		slices.Reverse(x)
	}
	for i := range x {
		if marks[i] == 1 {
			at = x[i]
		}
		out[i] = at
	}
	if up {
		slices.Reverse(out)
	}
	return out
}

// TestMarks: columns of both widths, downward and upward, with no mark and with all.
func TestMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(t, "rows")
		most := rapid.SampledFrom([]int64{0, 1, 1, 1}).Draw(t, "most")
		draw := func(name string, lo, hi int64) []int64 {
			return rapid.SliceOfN(rapid.Int64Range(lo, hi), n, n).Draw(t, name)
		}
		marks, x, y := draw("marks", 0, most), draw("x", -1<<40, 1<<40), draw("y", -9, 9)
		beyond := rapid.SliceOfN(rapid.Int64Range(-99, 99), 2, 2).Draw(t, "beyond")
		up := rapid.Bool().Draw(t, "up")
		if err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
			of := func(v ...int64) rss.Vec { return rss.Public(s, ring.FromInt64(v)) }
			make := rss.NewMarks
			if up {
				make = rss.NewMarksUp
			}
			m := make(s.Step("marks"), of(marks...))
			got := m.Carry(s.Step("carry"), []rss.Vec{of(beyond[0]), of(beyond[1])}, []rss.Vec{of(x...), of(y...)})
			wide := rss.Lift(s.Step("lift"), rss.Concat(s, of(beyond[0]), of(x...)))
			far := m.CarryWide(s.Step("wide"), []rss.Vec128{rss.Slice(s, wide, 0, 1)}, []rss.Vec128{rss.Slice(s, wide, 1, n+1)})
			all := rss.Open(s.Step("open"), rss.Concat(s, append(got, rss.Narrow(s, far[0]))...)).Int64()
			if s.Err() != nil {
				return s.Err()
			}
			want := slices.Concat(carried(marks, x, beyond[0], up), carried(marks, y, beyond[1], up), carried(marks, x, beyond[0], up))
			if !slices.Equal(all, want) {
				return fmt.Errorf("%v, want %v", all, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
