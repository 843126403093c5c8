package rss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// numbers shares integers of magnitude at most 2^bits that count in steps of
// 2^-frac, and returns what op makes of them, in steps of its result.
func numbers(t *testing.T, frac, bits int, op func(s *mpc.Session, x ...rss.Fixed) rss.Fixed, xs ...[]int64) []int64 {
	t.Helper()
	vs := make([]ring.Vec64, len(xs))
	for i, x := range xs {
		vs[i] = ring.FromInt64(x)
	}
	return opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec {
		in := make([]rss.Fixed, len(x))
		for i, v := range x {
			in[i] = rss.NewFixed(s, v, frac, bits)
		}
		return op(s, in...).Share
	}, vs...).Int64()
}

// span returns n integers between lo and hi: both ends and their neighbours, powers
// of two and theirs, and random ones of every size.
func span(rng *rand.Rand, n int, lo, hi int64) []int64 {
	out := []int64{lo, hi}
	add := func(x int64) {
		if x >= lo && x <= hi {
			out = append(out, x)
		}
	}
	for d := int64(1); d < 4; d++ {
		add(lo + d)
		add(hi - d)
	}
	for k := range 62 {
		for d := int64(-1); d < 2; d++ {
			add(1<<k + d)
			add(-(1<<k + d))
		}
	}
	for len(out) < n {
		add(lo + rng.Int64N(hi-lo+1))
		add((lo + rng.Int64N(hi-lo+1)) >> rng.IntN(62))
	}
	return out
}

// near checks got / 2^frac against want: |got - want| <= rel |want| + abs. It
// returns the largest error as a part of what is allowed.
func near(t *testing.T, what string, x, got []int64, frac int, rel, abs float64, want func(x int64) float64) {
	t.Helper()
	worst, at := 0.0, 0
	for i, e := range got {
		w := want(x[i])
		if part := math.Abs(math.Ldexp(float64(e), -frac)-w) / (rel*math.Abs(w) + abs); !(part <= worst) {
			worst, at = part, i
		}
	}
	t.Logf("%s: %.2f of the error allowed, at %d", what, worst, x[at])
	if !(worst <= 1) {
		t.Errorf("%s of %d is %v, want %v", what, x[at], math.Ldexp(float64(got[at]), -frac), want(x[at]))
	}
}
