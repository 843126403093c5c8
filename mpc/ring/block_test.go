package ring_test

import (
	"math/rand/v2"
	"testing"

	"consilium/mpc/ring"
)

func TestTranspose64(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var b [64]uint64
	for i := range b {
		b[i] = rng.Uint64()
	}
	was := b
	ring.Transpose64(&b)
	for i := range 64 {
		for j := range 64 {
			if b[i]>>j&1 != was[j]>>i&1 {
				t.Fatalf("bit %d of word %d is wrong", j, i)
			}
		}
	}
}
