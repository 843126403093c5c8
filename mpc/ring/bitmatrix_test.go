package ring_test

import (
	"math/rand/v2"
	"testing"

	"consilium/mpc/ring"
)

// noisy returns random planes, with ones beyond their ends too.
func noisy(rng *rand.Rand, n, w int) ring.Planes {
	p := ring.MakePlanes(n, w)
	for i := range p.Words {
		p.Words[i] = rng.Uint64()
	}
	return p
}

func TestTransposePlanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][2]int{{1, 1}, {63, 2}, {64, 64}, {65, 130}, {200, 7}, {3, 300}} {
		p := noisy(rng, c[0], c[1])
		z := p.Transpose()
		if z.N != p.W || z.W != p.N || !z.Whole() {
			t.Fatalf("%d planes of %d become %d of %d", p.W, p.N, z.W, z.N)
		}
		checkPlanes(t, z, 0, func(i, j int) bool { return p.Bit(i, j) })
	}
}

func TestShiftPlanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 64, 65, 200} {
		p := noisy(rng, n, 3)
		for _, d := range []int{0, 1, 63, 64, 65, 128, 199, 300} {
			checkPlanes(t, p.Shift(d), 0, func(i, j int) bool { return i >= d && p.Bit(j, i-d) })
		}
	}
}

func TestAddCrossRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const k, stride, lo = 70, 5, 1
	a, b, c, d := noisy(rng, k, 1), noisy(rng, k, 1), noisy(rng, 64*stride, k), noisy(rng, 64*stride, k)
	both := ring.MakePlanes(64*stride, k)
	both.Words.Xor(c.Words, d.Words)
	v := noisy(rng, 64*3, 1)
	was := append(ring.Words(nil), v.Words...)
	v.Words.AddCrossRows(a.Words, b.Words, k, both.Words, c.Words, lo, stride)
	checkPlanes(t, v, 0, func(i, _ int) bool {
		bit := was[i/64]>>(i%64)&1 == 1
		for r := range k {
			x, y := a.Bit(0, r), b.Bit(0, r)
			z, u := c.Bit(r, 64*lo+i), d.Bit(r, 64*lo+i)
			bit = bit != (x && (z != u)) != (y && z)
		}
		return bit
	})
}
