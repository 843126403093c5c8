package mhe

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/schemes/bgv"
)

// errGarbage is what a total shows that lacks a share or a seed, or has a wrong one:
// its noise is larger than any noise of honest sites can be.
var errGarbage = errors.New("the total does not open with these seeds: a share or a seed is missing or wrong")

// Open is the recipient's part: it takes the masks off the total and decodes the
// sums. There is one seed of each site that answered, in any order.
func (l *Layout) Open(total []byte, seeds [][]byte) ([]*big.Int, error) {
	residues, err := l.residues(total, seeds)
	if err != nil {
		return nil, err
	}
	return l.combine(residues)
}

// residues takes the masks off the total and decodes what each ciphertext holds
// modulo its prime.
func (l *Layout) residues(total []byte, seeds [][]byte) ([][]uint64, error) {
	if len(total) != l.TotalSize() {
		return nil, fmt.Errorf("a total of %d bytes, want %d", len(total), l.TotalSize())
	}
	if len(seeds) != l.Need {
		return nil, fmt.Errorf("%d seeds for %d sites", len(seeds), l.Need)
	}
	masks := make([]stream, len(seeds))
	for i, seed := range seeds {
		if len(seed) != SeedSize {
			return nil, fmt.Errorf("a seed of %d bytes, want %d", len(seed), SeedSize)
		}
		masks[i] = newStream(seed, "mask")
	}
	residues := make([][]uint64, l.Ciphertexts)
	err := parallel(l.Ciphertexts, func() func(k int) error {
		o := newOpener(l)
		return func(k int) (err error) {
			residues[k], err = o.open(total, masks, k)
			return err
		}
	})
	return residues, err
}

// opener is what one goroutine opens with.
type opener struct {
	*Layout
	encoders []*bgv.Encoder
	q0, q1   uint64
	inverse  uint64    // of q0 modulo q1
	half     [2]uint64 // of the whole modulus, high word first
	worst    []float64 // by prime: the largest that a plaintext with its noise can be
}

func newOpener(l *Layout) *opener {
	o := &opener{Layout: l, q0: l.rings.modulus[0], q1: l.rings.modulus[1]}
	o.inverse = inverse(o.q0, o.q1)
	high, low := bits.Mul64(o.q0, o.q1)
	o.half = [2]uint64{high >> 1, high<<63 | low>>1}
	for i, p := range l.rings.bgv {
		o.encoders = append(o.encoders, bgv.NewEncoder(p))
		t := float64(l.rings.plain[i])
		o.worst = append(o.worst, t*l.noise.worst(l.Sigma)+t)
	}
	return o
}

// open returns the residues of the values in the k-th ciphertext modulo its prime.
func (o *opener) open(total []byte, masks []stream, k int) ([]uint64, error) {
	c := o.rings.half
	p := ring.NewPoly(c.n, len(c.moduli)-1)
	if err := c.get(p, total[k*c.size():][:c.size()]); err != nil {
		return nil, err
	}
	for _, m := range masks {
		o.mask(m, k, subMod, p)
	}
	lo, hi, prime := o.block(k)
	t := o.rings.plain[prime]
	o.rings.q.MulScalar(p, t, p)
	plain := ring.NewPoly(c.n, 0)
	for j := range plain.Coeffs[0] {
		x, size := o.lift(p.Coeffs[0][j], p.Coeffs[1][j], t)
		if size > o.worst[prime] {
			return nil, errGarbage
		}
		plain.Coeffs[0][j] = x
	}
	if o.folded {
		return collected(plain.Coeffs[0], hi, t), nil
	}
	residues := make([]uint64, hi-lo)
	return residues, o.encoders[prime].DecodeRingT(plain, o.rings.bgv[prime].DefaultScale(), residues)
}

// lift takes a number from its residues modulo q0 and q1 as the one nearest to zero,
// and returns it modulo t, with its absolute value.
func (o *opener) lift(x0, x1, t uint64) (uint64, float64) {
	high, low := bits.Mul64(subMod(x1, x0%o.q1, o.q1), o.inverse)
	digit := bits.Rem64(high, low, o.q1)
	high, low = bits.Mul64(digit, o.q0)
	low, carry := bits.Add64(low, x0, 0)
	high += carry
	if high < o.half[0] || high == o.half[0] && low <= o.half[1] {
		return bits.Rem64(high, low, t), float64(high)*0x1p64 + float64(low)
	}
	qHigh, qLow := bits.Mul64(o.q0, o.q1)
	low, borrow := bits.Sub64(qLow, low, 0)
	high, _ = bits.Sub64(qHigh, high, borrow)
	return subMod(0, bits.Rem64(high, low, t), t), float64(high)*0x1p64 + float64(low)
}

// combine puts the numbers, and so the sums, together from their residues modulo all primes (Garner).
func (l *Layout) combine(residues [][]uint64) ([]*big.Int, error) {
	primes := l.rings.plain[:l.Primes]
	product := big.NewInt(1)
	for _, t := range primes {
		product.Mul(product, new(big.Int).SetUint64(t))
	}
	half := new(big.Int).Rsh(product, 1)
	sums, digits := make([]*big.Int, 0, l.Values), make([]uint64, l.Primes)
	step := new(big.Int)
	for v := range l.numbers() {
		for i, t := range primes {
			digits[i] = digit(residues[i*l.blocks()+v/l.Slots][v%l.Slots], digits[:i], primes[:i], t)
		}
		x := new(big.Int)
		for i := l.Primes - 1; i >= 0; i-- {
			x.Mul(x, step.SetUint64(primes[i]))
			x.Add(x, step.SetUint64(digits[i]))
		}
		if x.Cmp(half) > 0 {
			x.Sub(x, product)
		}
		var err error
		if sums, err = l.unpack(sums, x); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// digit returns the next mixed-radix digit of a number with residue r modulo t,
// whose digits to the primes before are known.
func digit(r uint64, digits, primes []uint64, t uint64) uint64 {
	value, weight := uint64(0), uint64(1)
	for i, d := range digits {
		value = addMod(value, mulMod(d%t, weight, t), t)
		weight = mulMod(weight, primes[i]%t, t)
	}
	if len(digits) == 0 {
		return r
	}
	return mulMod(subMod(r, value, t), inverse(weight, t), t)
}

func mulMod(x, y, q uint64) uint64 {
	high, low := bits.Mul64(x, y)
	return bits.Rem64(high, low, q)
}

// inverse returns 1/x modulo a prime.
func inverse(x, q uint64) uint64 { return ring.ModExp(x%q, q-2, q) }
