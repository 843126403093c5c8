package rss_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// TestPermutationTo moves rows to secret places, and back.
func TestPermutationTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		places := make([]int64, n)
		for i, k := range rand.New(rand.NewPCG(seed, 1)).Perm(n) {
			places[i] = int64(k)
		}
		x := rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "x")
		out := evaluate(t, seed, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
			p := rss.PermutationTo(s.Step("order"), v[0])
			moved := rss.Permute(s.Step("move"), p, v[1])
			return append(moved, rss.Unpermute(s.Step("back"), p, moved...)...)
		}, places, x)
		for i, k := range places {
			if out[0][k] != x[i] {
				t.Fatalf("row %d is not in place %d", i, k)
			}
		}
		if !slices.Equal(out[1], x) {
			t.Fatalf("back comes %v, want %v", out[1], x)
		}
	})
}

// TestTranspose transposes a matrix, and refuses what is none.
func TestTranspose(t *testing.T) {
	out := evaluate(t, 1, func(s *mpc.Session, v []rss.Vec) []rss.Vec {
		y := rss.Transpose(s, v[0], 2, 3)
		return []rss.Vec{y, rss.Transpose(s, y, 3, 2)}
	}, []int64{1, 2, 3, 4, 5, 6})
	if want := []int64{1, 4, 2, 5, 3, 6}; !slices.Equal(out[0], want) || !slices.Equal(out[1], upTo(7)[1:]) {
		t.Errorf("the transpose is %v, want %v", out[0], want)
	}
	err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
		rss.Transpose(s, rss.Zero[ring.Vec64](5), 2, 3)
		return s.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "matrix") {
		t.Errorf("got %v", err)
	}
}
