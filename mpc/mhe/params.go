package mhe

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sync"

	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/schemes/bgv"
)

// parameters are a set of BGV parameters. A ciphertext lives modulo the product of
// modulus; encryption works modulo that and special, and divides special away
// again, by which the noise of a fresh ciphertext shrinks to that of rounding: it is
// born switched down by one limb. Secrets are ternary, errors have Lattigo's
// standard deviation of 3.2.
type parameters struct {
	logN    int
	modulus []uint64
	special uint64
	plain   []uint64 // plaintext primes; a layout uses as many as its sums need
}

// sums are the parameters of exact sums. Limbs of 60 bits, because smudging of up
// to 2^57 times six has to stay below every one of them; two, because smudging,
// plaintext and sites together need 118 bits; plaintext primes right above 2^52,
// because with these 100 sites at the largest smudging still decode. Counts need no
// set of their own: a smaller plaintext prime would save nothing, the two limbs
// being there for the smudging.
var sums = parameters{
	logN:    13,
	modulus: []uint64{0xfffffffffffc001, 0xffffffffffe8001},
	special: 0x3ffffffffc001,
	plain:   []uint64{0x10000000060001, 0x10000000068001, 0x1000000008c001},
}

const (
	// maxSigma: Lattigo's arithmetic and ours hold six deviations in a limb of 60 bits.
	maxSigma = 1 << 57
	// cut is where smudging noise ends, in standard deviations.
	cut = 6
	// freshError and freshBound are Lattigo's standard deviation and largest value
	// of an error.
	freshError = 3.2
	freshBound = 6 * freshError
	// smudgingBits is s of the rule sigma >= sqrt(12 t N) 2^(s/2) sigma_ct.
	smudgingBits = 64
)

// maxLogQP is the largest log2 of all moduli together that leaves 128 bits of
// security with a ternary secret, by degree (ePrint 2024/463).
func maxLogQP(logN int) float64 {
	switch logN {
	case 12:
		return 106
	case 13:
		return 214
	case 14:
		return 430
	case 15:
		return 868
	case 16:
		return 1747
	}
	return 0
}

func (p *parameters) n() int     { return 1 << p.logN }
func (p *parameters) slots() int { return p.n() }

func (p *parameters) logQ() float64 {
	sum := 0.0
	for _, q := range p.modulus {
		sum += math.Log2(float64(q))
	}
	return sum
}

func (p *parameters) logQP() float64 { return p.logQ() + math.Log2(float64(p.special)) }

// check refuses parameters that are not secure, or that the arithmetic cannot use.
func (p *parameters) check() error {
	if limit := maxLogQP(p.logN); p.logQP() > limit {
		return fmt.Errorf("moduli of %.1f bits at degree 2^%d: 128-bit security allows %.0f", p.logQP(), p.logN, limit)
	}
	if len(p.modulus) != 2 {
		return errors.New("a ciphertext modulus must have two limbs")
	}
	all := slices.Concat(p.modulus, []uint64{p.special}, p.plain)
	for i, q := range all {
		switch {
		case q >= 1<<60:
			return fmt.Errorf("modulus %#x has more than 60 bits", q)
		case q%uint64(2*p.n()) != 1 || !new(big.Int).SetUint64(q).ProbablyPrime(20):
			return fmt.Errorf("modulus %#x is not a prime that degree 2^%d can use", q, p.logN)
		case slices.Contains(all[:i], q):
			return fmt.Errorf("modulus %#x occurs twice", q)
		}
	}
	return nil
}

// bits returns below which power of two the absolute value of a sum over so many
// plaintext primes must stay.
func (p *parameters) bits(primes int) int {
	product := big.NewInt(1)
	for _, t := range p.plain[:primes] {
		product.Mul(product, new(big.Int).SetUint64(t))
	}
	return product.BitLen() - 2
}

// primesFor returns the number of plaintext primes for sums below 2^bits, or 0.
func (p *parameters) primesFor(bits int) int {
	for primes := range p.plain {
		if p.bits(primes+1) >= bits {
			return primes + 1
		}
	}
	return 0
}

// noise reckons with the noise of a sum of so many fresh ciphertexts under the key of
// the sites, openings of whose ciphertexts are made under it.
type noise struct {
	parameters
	sites, openings, terms int
}

// noiseOf is that of a sum of one ciphertext of each site.
func noiseOf(p parameters, sites, openings int) noise { return noise{p, sites, openings, sites} }

// sigmaCiphertext is the standard deviation of the noise of the ciphertext that is
// switched. Dividing by special leaves rounding errors r0 + r1 s, uniform of variance
// 1/12, in each site's ciphertext, where s sums the ternary secrets of all sites
// (variance 2/3 each). What the errors of key and encryption leave is next to
// nothing, and counted.
func (n noise) sigmaCiphertext() float64 {
	degree, sites := float64(n.n()), float64(n.sites)
	secret := degree * sites * 2 / 3
	rounding := (1 + secret) / 12
	fresh := freshError * freshError * (degree*sites*2/3 + 1 + secret) / (float64(n.special) * float64(n.special))
	return math.Sqrt(float64(n.terms) * (rounding + fresh))
}

// worstCiphertext bounds the noise of the ciphertext that is switched: every
// rounding error at its largest, every secret and error too.
func (n noise) worstCiphertext() float64 {
	degree, sites := float64(n.n()), float64(n.sites)
	rounding := (1 + degree*sites) / 2
	fresh := freshBound * (2*degree*sites + 1) / float64(n.special)
	return float64(n.terms) * (rounding + fresh)
}

// leastSigma is the rule of smudging: sqrt(12 t N) 2^(s/2) sigma_ct.
func (n noise) leastSigma() float64 {
	return math.Sqrt(12*float64(n.openings)*float64(n.n())) * math.Exp2(smudgingBits/2) * n.sigmaCiphertext()
}

// worst bounds the noise of the total: no coin can make it larger.
func (n noise) worst(sigma float64) float64 {
	return n.worstCiphertext() + float64(n.sites)*(cut*sigma+1)
}

// room is how many bits lie between the worst noise and what decoding bears. A
// total is (m + t e) modulo Q up to a public factor; t e + m must stay below Q/2.
func (n noise) room(sigma float64) float64 {
	t := float64(slices.Max(n.plain))
	return n.logQ() - 1 - math.Log2(t*n.worst(sigma)+t)
}

// check refuses smudging that hides too little or does not fit.
func (n noise) check(sigma float64) error {
	switch least := n.leastSigma(); {
	case !(sigma >= least):
		return fmt.Errorf("smudging of 2^%.2f is below the rule, which asks for 2^%.2f", math.Log2(sigma), math.Log2(least))
	case sigma > maxSigma:
		return fmt.Errorf("%d ciphertexts over %d sites under one key ask for smudging of 2^%.2f, at most 2^57 can be had: ask for fewer values at a time", n.openings, n.sites, math.Log2(sigma))
	case cut*sigma >= float64(slices.Min(n.modulus)):
		return fmt.Errorf("six deviations of smudging 2^%.2f do not fit a limb of the modulus", math.Log2(sigma))
	case n.room(sigma) <= 0:
		return fmt.Errorf("noise over %d sites with smudging of 2^%.2f leaves no room to decode", n.sites, math.Log2(sigma))
	}
	return nil
}

// rings are the arithmetic of a layout: tables that many goroutines may read.
type rings struct {
	parameters
	bgv  []bgv.Parameters // by plaintext prime
	q    *ring.Ring       // of ciphertexts
	half codec            // of a polynomial modulo the ciphertext modulus
	key  codec            // of one modulo special as well
	turn codec            // of a part of the key of a turn, in a vault
	ziggurat
}

// newRings returns the arithmetic of a set for so many plaintext primes. That of the
// sets which are in use is made once: a job is planned several times.
func newRings(p parameters, primes int) (*rings, error) {
	for _, t := range []*tables{&sumTables, &answerTables} {
		if t.of.equal(&p) {
			return t.rings[primes-1]()
		}
	}
	return p.rings(primes)
}

func (p parameters) rings(primes int) (*rings, error) {
	r := &rings{parameters: p, ziggurat: newZiggurat()}
	for _, t := range p.plain[:primes] {
		b, err := bgv.NewParametersFromLiteral(bgv.ParametersLiteral{LogN: p.logN, Q: p.modulus, P: []uint64{p.special}, PlaintextModulus: t})
		if err != nil {
			return nil, err
		}
		r.bgv = append(r.bgv, b)
	}
	r.q = r.bgv[0].RingQ()
	r.half = codec{p.n(), p.modulus}
	r.key = codec{p.n(), append(slices.Clone(p.modulus), p.special)}
	return r, nil
}

// tables are a set's arithmetic by the number of plaintext primes, each made when it
// is first asked for and never changed.
type tables struct {
	of    parameters
	rings []func() (*rings, error)
}

var (
	sumTables    = tablesOf(sums, sums.rings)
	answerTables = tablesOf(answers(), answers().rings)
	vaultTables  = tablesOf(vaulted(), vaultRings)
)

func tablesOf(p parameters, make func(primes int) (*rings, error)) tables {
	t := tables{of: p}
	for i := range p.plain {
		t.rings = append(t.rings, sync.OnceValues(func() (*rings, error) { return make(i + 1) }))
	}
	return t
}

func (p *parameters) equal(o *parameters) bool {
	return p.logN == o.logN && p.special == o.special && slices.Equal(p.modulus, o.modulus) && slices.Equal(p.plain, o.plain)
}
