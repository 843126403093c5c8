package ring_test

import (
	"math/rand/v2"
	"testing"

	"consilium/mpc/ring"
)

// Each group is tried on all u and t of its bits, with the products split at
// random into two parts, as two parties hold them.
func TestGroupsOfBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	carry := []func(g ring.Words, m, t []ring.Words){1: ring.SetCarry1, 2: ring.SetCarry2, 3: ring.SetCarry3}
	pass := []func(p ring.Words, m, t []ring.Words, constant bool){2: ring.SetPass2, 3: ring.SetPass3}
	for k := 1; k <= ring.GroupBits; k++ {
		for repeat := range 8 {
			u, add := bitsOf(k, func(i int) int { return i % (1 << k) }), bitsOf(k, func(i int) int { return i >> k % (1 << k) })
			one, two := make([]ring.Words, ring.Products(k)), make([]ring.Words, ring.Products(k))
			for j := range one {
				one[j], two[j] = make(ring.Words, 1), ring.Words{rng.Uint64()}
			}
			ring.SetProducts(one, u)
			for j := range one {
				one[j].Xor(one[j], two[j])
			}
			sum := func(set func(v ring.Words, m []ring.Words, first bool)) uint64 {
				x, y := make(ring.Words, 1), make(ring.Words, 1)
				set(x, one, true)
				set(y, two, false)
				return x[0] ^ y[0]
			}
			g := sum(func(v ring.Words, m []ring.Words, _ bool) { carry[k](v, m, add) })
			for i := range 64 {
				a, b := i%(1<<k), i>>k%(1<<k)
				if got, want := g>>i&1 == 1, a+b >= 1<<k; got != want {
					t.Errorf("try %d: %d + %d in %d bits carries: %v", repeat, a, b, k, got)
				}
			}
			if k == 1 {
				continue
			}
			p := sum(func(v ring.Words, m []ring.Words, first bool) { pass[k](v, m, add, first) })
			for i := range 64 {
				a, b := i%(1<<k), i>>k%(1<<k)
				if got, want := p>>i&1 == 1, a+b == 1<<k-1; got != want {
					t.Errorf("try %d: %d + %d in %d bits hands on a carry: %v", repeat, a, b, k, got)
				}
			}
		}
	}
}

// bitsOf returns the k lowest bits of f(0), …, f(63) as planes.
func bitsOf(k int, f func(i int) int) []ring.Words {
	out := make([]ring.Words, k)
	for j := range out {
		out[j] = make(ring.Words, 1)
		for i := range 64 {
			out[j][0] |= uint64(f(i)>>j&1) << i
		}
	}
	return out
}
