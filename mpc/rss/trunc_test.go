package rss_test

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

func testTrunc[V ring.Vector[V]](t *testing.T, kd kind[V], exact, fast func(*mpc.Session, rss.Share[V], int) rss.Share[V], shifts []int) {
	rng := rand.New(rand.NewPCG(1, uint64(kd.bits)))
	for _, f := range shifts {
		x := inRange(rng, soak(300), kd.bits-1)
		got := opened(t, func(s *mpc.Session, x ...rss.Share[V]) rss.Share[V] {
			return rss.Concat(s, exact(s.Step("exact"), x[0], f), fast(s.Step("fast"), x[0], f))
		}, kd.enter(x))
		z := kd.leave(got)
		for i, v := range x {
			want := new(big.Int).Rsh(v, uint(f))
			if z[i].Cmp(want) != 0 {
				t.Fatalf("exact: %v / 2^%d = %v", v, f, z[i])
			}
			if off := want.Sub(want, z[len(x)+i]); off.Sign() < 0 || off.Cmp(big.NewInt(1)) > 0 || f == 0 && off.Sign() != 0 {
				t.Fatalf("fast: %v / 2^%d = %v", v, f, z[len(x)+i])
			}
		}
	}
}

func TestTrunc64(t *testing.T) {
	testTrunc(t, kind64, rss.Trunc, rss.TruncFast, []int{0, 1, 2, 3, 4, 16, 31, 32, 33, 60, 61})
}

func TestTrunc128(t *testing.T) {
	testTrunc(t, kind128, rss.Trunc128, rss.TruncFast128, []int{0, 1, 16, 48, 63, 64, 65, 96, 124, 125})
}

func TestLift(t *testing.T) {
	x := inRange(rand.New(rand.NewPCG(3, 3)), soak(300), 63)
	got := opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec128 { return rss.Lift(s.Step("lift"), x[0]) }, kind64.enter(x))
	for i, v := range x {
		if z := got[i].Big(); z.Cmp(v) != 0 {
			t.Fatalf("%v is lifted to %v", v, z)
		}
	}
}

func TestLongTruncations(t *testing.T) {
	for _, n := range []int{8192, 8193, 130_000} {
		x, want, wide := make(ring.Vec64, n), make(ring.Vec64, n), make(ring.Vec128, n)
		for i := range x {
			x[i] = uint64(int64(i)*0x9e3779b97 - int64(n)<<34)
			want[i], wide[i] = uint64(int64(x[i])>>11), ring.Int128(int64(x[i]))
		}
		got := opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec { return rss.Trunc(s.Step("trunc"), x[0], 11) }, x)
		if !slices.Equal(got, want) {
			t.Errorf("Trunc of %d elements is wrong", n)
		}
		if got := opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec128 { return rss.Lift(s.Step("lift"), x[0]) }, x); !slices.Equal(got, wide) {
			t.Errorf("Lift of %d elements is wrong", n)
		}
	}
}
