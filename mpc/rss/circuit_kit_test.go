package rss_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// soak is how many values a property test takes: few, or a million.
func soak(few int) int {
	if os.Getenv("CONSILIUM_SOAK") == "1" {
		return 1_000_000
	}
	return few
}

// inRange returns n signed integers of k bits, -2^(k-1) to 2^(k-1)-1: first those
// at which a sign, a carry or a wrap may go wrong, then random ones of all sizes.
func inRange(rng *rand.Rand, n int, k uint) []*big.Int {
	var out []*big.Int
	add := func(z *big.Int) {
		half := new(big.Int).Lsh(big.NewInt(1), k-1)
		if z.Cmp(half) < 0 && z.Cmp(half.Neg(half)) >= 0 {
			out = append(out, z)
		}
	}
	for shift := range k {
		for d := int64(-1); d <= 1; d++ {
			z := new(big.Int).Lsh(big.NewInt(1), shift)
			z.Add(z, big.NewInt(d))
			add(z)
			add(new(big.Int).Neg(z))
		}
	}
	add(big.NewInt(0))
	for len(out) < n {
		b := make([]byte, 16)
		for i := range b {
			b[i] = byte(rng.Uint64())
		}
		size := 1 + uint(rng.Uint64N(uint64(k)))
		z := new(big.Int).SetBytes(b)
		z.Mod(z, new(big.Int).Lsh(big.NewInt(1), size))
		add(z.Sub(z, new(big.Int).Lsh(big.NewInt(1), size-1)))
	}
	return out
}

// circuit shares numbers, at the site, and returns what op opens, on which the
// parties must agree.
func circuit[V ring.Vector[V]](t *testing.T, k kind[V], op func(s *mpc.Session, x ...rss.Share[V]) ring.Planes, xs ...[]*big.Int) ring.Planes {
	t.Helper()
	cfg := four(7)
	cfg.Window = 2 // as much as mpc.Transport promises
	out, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) (ring.Planes, error) {
		var in []rss.Share[V]
		for i, x := range xs {
			in = append(in, rss.Input(s.Step("x", i), site, len(x), only(s, site, k.enter(x))))
		}
		if s.Role() < 0 {
			return ring.Planes{}, s.Err()
		}
		return op(s.Step("op"), in...), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	for p := range out[:3] {
		if !slices.Equal(out[p].Words, out[0].Words) {
			t.Fatalf("parties 0 and %d disagree", p)
		}
	}
	return out[0]
}

// lengths are vectors of less than a word, of some words, and of several strands
// whose last one is shorter.
var lengths = []int{1, 63, 64, 130, 8193, 30011}

// drawPlanes returns random planes.
func drawPlanes(rng *rand.Rand, n, w int) ring.Planes {
	p := ring.MakePlanes(n, w)
	for i := range p.Words {
		p.Words[i] = rng.Uint64()
	}
	return p
}

// inputBits shares planes of the site's: as the low bits of numbers.
func inputBits(s *mpc.Session, p ring.Planes) rss.Bits {
	var all []rss.Bits
	for j := range p.W {
		v := make(ring.Vec64, p.N)
		v.SetBits(p.Plane(j))
		x := rss.Input(s.Step("bits", j), site, p.N, only(s, site, v))
		if s.Role() >= 0 {
			all = append(all, rss.Decompose(s.Step("low", j), x, 1))
		}
	}
	return rss.ConcatPlanes(all...)
}

// bitwise checks op on shared planes x and y against want, bit by bit.
func bitwise(t *testing.T, x, y ring.Planes, w int, op func(s *mpc.Session, x, y rss.Bits) rss.Bits, want func(i, j int) bool) {
	t.Helper()
	cfg := four(3)
	cfg.Window = 2
	out, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) (ring.Planes, error) {
		a, b := inputBits(s.Step("x"), x), inputBits(s.Step("y"), y)
		if s.Role() < 0 {
			return ring.Planes{}, nil
		}
		return rss.OpenBits(s.Step("out"), op(s.Step("op"), a, b)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p, got := range out[:3] {
		if got.N != x.N || got.W != w {
			t.Fatalf("party %d has %d planes of %d, want %d of %d", p, got.W, got.N, w, x.N)
		}
		for j := range w {
			for i := range x.N {
				if got.Bit(j, i) != want(i, j) {
					t.Fatalf("party %d, %d planes of %d: bit %d of plane %d is %v", p, x.W, x.N, i, j, got.Bit(j, i))
				}
			}
		}
	}
}

func name(parts ...any) string { return fmt.Sprint(parts...) }
