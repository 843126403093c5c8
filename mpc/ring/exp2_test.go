package ring_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"consilium/mpc/ring"
)

// exp2Series returns 2^t for 0 <= t < 1 by another way than Exp2: the square root
// of two taken again and again.
func exp2Series(frac uint64) *big.Float {
	const prec = 120
	product, root := big.NewFloat(1).SetPrec(prec), big.NewFloat(2).SetPrec(prec)
	for bit := 63; bit >= 0; bit-- {
		root = new(big.Float).SetPrec(prec).Sqrt(root)
		if frac>>bit&1 == 1 {
			product.Mul(product, root)
		}
	}
	return product
}

func TestExp2(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		frac := rng.Uint64()
		if i < 5 {
			frac = []uint64{0, 1, 1 << 63, math.MaxUint64, math.MaxUint64 - 1}[i]
		}
		want := exp2Series(frac)
		got := new(big.Float).SetMantExp(new(big.Float).SetUint64(ring.Exp2(frac)), -63)
		if d, _ := new(big.Float).Sub(got, want).Float64(); math.Abs(d) > 0x1p-45 {
			t.Fatalf("Exp2(%#x) is off by %g", frac, d)
		}
	}
}

// The two halves of any split of an exponent make up its power.
func TestSplitExp2(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 4000
	u, a, b := make(ring.Vec64, n), make(ring.Vec64, n), make(ring.Vec64, n)
	for i := range u {
		u[i] = rng.Uint64() >> 1 >> (rng.Uint64() % 64)
		switch i % 4 {
		case 0:
			u[i] = 1<<63 - 1 - u[i]>>40
		case 1:
			a[i] = uint64(i) << 58 // whole octaves, all signs
		}
		if a[i] == 0 {
			a[i] = rng.Uint64()
		}
		b[i] = u[i] - a[i]
	}
	p, q, e, f := make(ring.Vec128, n), make(ring.Vec128, n), make(ring.Vec128, n), make(ring.Vec128, n)
	ring.SetLoneExp2(p, q, a)
	ring.SetPairExp2(e, f, b)
	for i, got := range p.Mul(e).Add(q.Mul(f)).Big() {
		want := new(big.Float).SetMantExp(exp2Series(u[i]<<6), int(u[i]>>58)+ring.Exp2Frac)
		ratio, _ := new(big.Float).Quo(new(big.Float).SetInt(got), want).Float64()
		if math.Abs(ratio-1) > 0x1p-29 {
			t.Fatalf("2^%#x split at %#x is off by a factor of 1%+g", u[i], a[i], ratio-1)
		}
	}
}
