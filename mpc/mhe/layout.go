package mhe

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
)

// MaxSites is how many sites one sum can have; MaxBits bounds its size.
const (
	MaxSites = 100
	MaxBits  = 126
)

// TreeOnlyAbove is the size, in bytes that every site sends to the others, above
// which a sum may be made with Options.TreeOnly: see Layout.ExchangeSize.
const TreeOnlyAbove = 1 << 30

// Layout says in public how a vector of sums travels: in how many ciphertexts, over
// which plaintext primes, under how much smudging. It follows from the three
// numbers of NewLayout alone and is the same at every site and at the recipient. It
// is not changed and may be used by many goroutines.
type Layout struct {
	Values int // sums in the vector
	Bits   int // every sum, and every site's part, is smaller than 2^Bits in absolute value
	Sites  int // who hold the key
	Need   int // how many of them open together: all, unless the key is dealt to a Quorum

	Primes      int     // plaintext primes, by whose remainders a sum is put together
	Packed      int     // sums in one number: small ones share
	Slots       int     // numbers in one ciphertext
	Ciphertexts int     // of each site: Primes for every Slots numbers
	Sigma       float64 // standard deviation of the smudging noise of one site
	Room        float64 // bits left between the worst noise that can be and what decoding bears

	folded bool  // numbers are coefficients, as folding leaves them, and not in slots
	noise  noise // that it reckons with
	rings  *rings
}

// NewLayout returns the layout of so many signed sums below 2^bits in absolute
// value over so many sites. It refuses what no layout can carry: the check of the
// parameters against the table of 128-bit security, the rule of smudging, and the
// room for noise are made here, before any key exists.
func NewLayout(values, bits, sites int) (*Layout, error) {
	return newLayout(sums, values, bits, sites, 0)
}

// newLayout is NewLayout for a set of parameters and a smudging of their own; zero
// is the least smudging that the rule allows.
func newLayout(p parameters, values, bits, sites int, sigma float64) (*Layout, error) {
	l := &Layout{Values: values, Bits: bits, Sites: sites, Need: sites, Sigma: sigma, noise: noiseOf(p, sites, 0)}
	return l.complete()
}

// complete checks what a layout begins with, and finds the rest.
func (l *Layout) complete() (*Layout, error) {
	p := l.noise.parameters
	if err := p.check(); err != nil {
		return nil, err
	}
	switch {
	case l.Values < 1:
		return nil, fmt.Errorf("a sum of %d values: at least 1 is needed", l.Values)
	case l.Bits < 1 || l.Bits > MaxBits:
		return nil, fmt.Errorf("sums of %d bits: from 1 to %d can be had", l.Bits, MaxBits)
	case l.Sites < 2 || l.Sites > MaxSites:
		return nil, fmt.Errorf("a sum over %d sites: from 2 to %d can hold a key together", l.Sites, MaxSites)
	}
	l.Slots, l.Primes = p.slots(), p.primesFor(l.Bits)
	if l.Primes == 0 {
		return nil, fmt.Errorf("sums of %d bits: the plaintext primes hold no more than %d", l.Bits, p.bits(len(p.plain)))
	}
	l.Packed = packing(l.Bits, p.bits(l.Primes))
	l.Ciphertexts = l.Primes * l.blocks()
	l.noise.openings = max(l.noise.openings, l.Ciphertexts)
	if l.Sigma == 0 {
		l.Sigma = math.Ceil(l.noise.leastSigma())
	}
	if err := l.noise.check(l.Sigma); err != nil {
		return nil, err
	}
	l.Room = l.noise.room(l.Sigma)
	var err error
	l.rings, err = newRings(p, l.Primes)
	return l, err
}

// blocks is how many ciphertexts the numbers fill over one prime.
func (l *Layout) blocks() int { return (l.numbers()-1)/l.Slots + 1 }

// block returns the bounds of the numbers in the k-th ciphertext, and its prime.
func (l *Layout) block(k int) (lo, hi, prime int) {
	b := k % l.blocks()
	return b * l.Slots, min((b+1)*l.Slots, l.numbers()), k / l.blocks()
}

// TotalSize is the length in bytes of Part.Total.
func (l *Layout) TotalSize() int { return l.Ciphertexts * l.rings.half.size() }

// HalfSize is the length in bytes of one half, c0 or c1, of one ciphertext.
func (l *Layout) HalfSize() int { return l.rings.half.size() }

// ExchangeSize is how many bytes each site sends so that all others can add up all
// second halves themselves: what Options.TreeOnly saves.
func (l *Layout) ExchangeSize() int { return (l.Sites - 1) * l.TotalSize() }

// String says in one line what the layout is.
func (l *Layout) String() string {
	p := l.rings.parameters
	return fmt.Sprintf("%d sums below 2^%d over %d sites: %d in a number, %d ciphertexts of each site, degree 2^%d, modulus %.0f bits (%.0f with the factor divided away), %d plaintext primes of %.0f bits, smudging 2^%.1f, room %.1f bits",
		l.Values, l.Bits, l.Sites, l.Packed, l.Ciphertexts, p.logN, p.logQ(), p.logQP(), l.Primes, math.Log2(float64(p.plain[0])), math.Log2(l.Sigma), l.Room)
}

// digest binds what is hashed to the layout: sites that reckon with different ones
// notice at the first commitment.
func (l *Layout) digest() [sha256.Size]byte {
	p := l.rings.parameters
	b := []byte("consilium mhe layout v1\x00")
	for _, x := range []uint64{uint64(l.Values), uint64(l.Bits), uint64(l.Sites), uint64(l.Need), uint64(p.logN), math.Float64bits(l.Sigma), p.special, uint64(len(p.modulus)), uint64(l.Primes)} {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	for _, x := range append(p.modulus[:len(p.modulus):len(p.modulus)], p.plain[:l.Primes]...) {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return sha256.Sum256(b)
}

// within reports whether x is smaller than 2^Bits in absolute value.
func (l *Layout) within(x *big.Int) bool { return x.BitLen() <= l.Bits }
