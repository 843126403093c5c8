package rss_test

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// segmentSums is the oracle of SegmentedSum.
func segmentSums(start, x []int64) []int64 {
	out := slices.Clone(x)
	for i := 1; i < len(x); i++ {
		if start[i] == 0 {
			out[i] += out[i-1]
		}
	}
	return out
}

func TestPrefixAndSegmentedSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "rows")
		start := rapid.SliceOfN(rapid.Int64Range(0, 1), n, n).Draw(t, "start")
		x, y := rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "x"), rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "y")
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			sums := rss.SegmentedSum(s.Step("segments"), v[0], v[1], v[2])
			return append(sums, rss.PrefixSum(s, v[1]), rss.Differences(s, rss.PrefixSum(s, v[1])))
		}, start, x, y)
		for i, want := range [][]int64{segmentSums(start, x), segmentSums(start, y), segmentSums(make([]int64, n), x), x} {
			if !slices.Equal(got[i], want) {
				t.Fatalf("result %d: got %v, want %v", i, got[i], want)
			}
		}
	})
}

func TestSegmentedSumOfWideNumbers(t *testing.T) {
	start, x := ring.Vec128{{}, {}, {Lo: 1}, {}, {}}, ring.Vec128{{Hi: 1}, {Lo: 2}, {Hi: 3}, {Lo: ^uint64(0)}, {Lo: 1}}
	out, err := memnet.Collect(memnet.New(memnet.Config{}), func(s *mpc.Session) (ring.Vec128, error) {
		sums := rss.SegmentedSum(s.Step("sums"), rss.Public(s, start), rss.Public(s, x))
		prefix := rss.PrefixSum(s, rss.Public(s, x))
		return rss.Open(s.Step("out"), rss.Concat(s, sums[0], rss.Slice(s, prefix, 4, 5))), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	want := ring.Vec128{{Hi: 1}, {Lo: 2, Hi: 1}, {Hi: 3}, {Lo: ^uint64(0), Hi: 3}, {Hi: 4}, {Lo: 2, Hi: 5}}
	if !slices.Equal(out[0], want) {
		t.Errorf("got %v, want %v", out[0], want)
	}
}

// The doc comment promises about 2 log2 n rounds and 3 n elements for one column.
func TestSegmentedSumCosts(t *testing.T) {
	for _, n := range []int{1, 2, 3, 1000, 1024} {
		w := memnet.New(memnet.Config{})
		if err := w.Run(func(s *mpc.Session) error {
			x := rss.Public(s, ramp(n, 3))
			rss.SegmentedSum(s.Step("sums"), x, x)
			return s.Err()
		}); err != nil {
			t.Fatal(err)
		}
		if got, most := w.Rounds(), 2*bits.Len(uint(n)); got > most {
			t.Errorf("%d rows take %d rounds", n, got)
		}
		if got := w.Transcript().Bytes(0); got > 8*3*n {
			t.Errorf("%d rows: %d bytes sent", n, got)
		}
	}
}

func TestCompact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "rows")
		flags := rapid.SliceOfN(rapid.Int64Range(0, 1), n, n).Draw(t, "flags")
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			return rss.Compact(s, v[0], v...)
		}, flags, upTo(n))
		order := sortedRows([]keySpec{{bits: 1, descending: true}}, [][]int64{flags})
		if want := at(upTo(n), order); !slices.Equal(got[1], want) {
			t.Fatalf("flags %v: got %v, want %v", flags, got[1], want)
		}
	})
}

func TestTournaments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 33).Draw(t, "rows")
		k := rapid.SampledFrom([]int{2, 3, 16, 33, 64}).Draw(t, "bits")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 1))
		edge := int64(1) << (k - 2) // differences have k bits
		x := column(rng, rapid.SampledFrom(columnShapes).Draw(t, "shape"), n, -edge, edge-1)
		got := evaluate(t, rapid.Uint64().Draw(t, "seed"), func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			out := []rss.Vec{rss.Max(s.Step("max"), v[0], k), rss.Min(s.Step("min"), v[0], k)}
			a, b := rss.ArgMax(s.Step("argmax"), v[0], k)
			c, d := rss.ArgMin(s.Step("argmin"), v[0], k)
			return append(out, a, b, c, d)
		}, x)
		most, least := slices.Max(x), slices.Min(x)
		want := []int64{most, least, most, int64(slices.Index(x, most)), least, int64(slices.Index(x, least))}
		for i := range want {
			if got[i][0] != want[i] {
				t.Fatalf("%v: result %d is %d, want %d", x, i, got[i][0], want[i])
			}
		}
	})
}
