package mhe

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/schemes/bgv"
)

// vault are the parameters of encrypted datasets, whose ciphertexts are multiplied
// before they are summed. Five limbs of 60 bits: a product of two columns under
// plaintext primes of 41 bits needs one to shed its noise, a product with a third
// column another, one is shed with the noise of folding before every opening, and two
// stay for the smudging, as in sums. Two more limbs keep the noise of relinearisation below all that. At degree
// 2^14 the table allows 430 bits.
var vault = struct {
	logN             int
	modulus, special []uint64
	plain            []uint64
}{
	logN:    14,
	modulus: []uint64{0xffffffffffe8001, 0xffffffffffd8001, 0xffffffffffc0001, 0xffffffffff28001, 0xfffffffffe38001},
	special: []uint64{0xfffffffff9b8001, 0xfffffffff898001},
	plain:   []uint64{0x1ffffff0001, 0x1fffffb0001, 0x1ffffed8001},
}

const (
	// answerLimbs are left of the modulus when a result is opened.
	answerLimbs = 2
	// MaxFactors is how many columns a sum of products has in one term at most.
	MaxFactors = 3
	// residual is a bound in terms of rounding errors, for the noise of an evaluated
	// ciphertext: its own rounding, and what is left of all before, which is less.
	residual = 2
)

// answers are the parameters of what is opened: the vault's, with the limbs that are
// left and one special one.
func answers() parameters {
	return parameters{logN: vault.logN, modulus: vault.modulus[:answerLimbs], special: vault.special[0], plain: vault.plain}
}

// checkVault holds the vault's parameters against the table, and reckons the worst
// noise of its products.
func checkVault(sites int) error {
	logQP := 0.0
	all := slices.Concat(vault.modulus, vault.special, vault.plain)
	for i, q := range all {
		if i < len(vault.modulus)+len(vault.special) {
			logQP += math.Log2(float64(q))
		}
		if q >= 1<<60 || q%(1<<(vault.logN+1)) != 1 || slices.Contains(all[:i], q) || !new(big.Int).SetUint64(q).ProbablyPrime(20) {
			return fmt.Errorf("modulus %#x cannot be used at degree 2^%d, or is there twice", q, vault.logN)
		}
	}
	if limit := maxLogQP(vault.logN); logQP > limit {
		return fmt.Errorf("moduli of %.1f bits at degree 2^%d: 128-bit security allows %.0f", logQP, vault.logN, limit)
	}
	if left := worstResidual(sites); left > 1 {
		return fmt.Errorf("products over %d sites leave noise of 2^%.1f beyond rounding", sites, math.Log2(left))
	}
	return nil
}

// maxBlocks is how many ciphertexts a column has at most, of all sites together.
const maxBlocks = 256

// worstResidual bounds what is left, besides the last rounding, of the noise of sums of
// products of three columns that were folded, as many as can be. A product of m + t e and m' + t e' has the noise
// m e' + m' e + t e e', whose coefficients are sums over the degree.
func worstResidual(sites int) float64 {
	n := float64(int(1) << vault.logN)
	t, limb := float64(vault.plain[0]), float64(vault.modulus[0])
	rounding := 1 + n*float64(sites)/2
	fresh := rounding + 1
	relinearised := 3 * n * n * float64(sites) * 2 * freshBound * freshBound * float64(sites)
	once := (n*t*(fresh+fresh+fresh*fresh)+relinearised)/limb + rounding
	inThree := rounding + n*n*float64(sites)*float64(sites)/2 // of a product that is in three parts
	twice := n*t*(once+fresh+once*fresh)/limb + inThree
	return (twice*maxBlocks + relinearised + worstFolding(sites, MaxTerms)) / limb
}

// vaulted are the parameters of what is stored, but for the second special limb.
func vaulted() parameters {
	return parameters{logN: vault.logN, modulus: vault.modulus, special: vault.special[0], plain: vault.plain}
}

// newVault returns the arithmetic of a vault for so many plaintext primes, in the form
// of a layout of one block, of which only what does not concern sums is used.
func newVault(sites, primes int) (*Layout, error) {
	if err := checkVault(sites); err != nil {
		return nil, err
	}
	p := vaulted()
	r, err := vaultTables.rings[primes-1]()
	return &Layout{Values: 1, Bits: p.bits(primes), Sites: sites, Need: sites, Primes: primes, Packed: 1, Slots: p.slots(), Ciphertexts: primes, rings: r}, err
}

// vaultRings are those of a vault.
func vaultRings(primes int) (*rings, error) {
	p := vaulted()
	r := &rings{parameters: p, ziggurat: newZiggurat()}
	for _, t := range vault.plain[:primes] {
		b, err := bgv.NewParametersFromLiteral(bgv.ParametersLiteral{LogN: vault.logN, Q: vault.modulus, P: vault.special, PlaintextModulus: t})
		if err != nil {
			return nil, err
		}
		r.bgv = append(r.bgv, b)
	}
	r.q = r.bgv[0].RingQ()
	r.half = codec{p.n(), vault.modulus}
	r.key = codec{p.n(), slices.Concat(vault.modulus, vault.special)}
	r.turn = codec{p.n(), slices.Concat(vault.modulus[:foldLimbs], vault.special)}
	return r, nil
}

// StoredBits is how many bits sums over stored columns have at most.
func StoredBits() int {
	p := answers()
	return p.bits(len(p.plain))
}

// StoredSize is the length in bytes of one stored ciphertext.
func StoredSize() int { return 2 * storedHalf().size() }

// storedHalf is the wire form of one half of a stored ciphertext.
func storedHalf() codec { return codec{1 << vault.logN, vault.modulus} }

// StoredCiphertexts is how many ciphertexts a column is, by the sites' numbers of rows,
// under an epoch for sums below 2^bits. It refuses what is too long to be summed.
func StoredCiphertexts(rows []int, bits int) ([]int, error) {
	p := answers()
	primes, blocks, total := p.primesFor(bits), make([]int, len(rows)), 0
	if primes == 0 {
		return nil, fmt.Errorf("sums of %d bits over stored columns: at most %d", bits, StoredBits())
	}
	for i, n := range rows {
		if n < 1 {
			return nil, fmt.Errorf("a column of %d rows: at least 1", n)
		}
		blocks[i] = (n-1)/p.slots() + 1
		total += blocks[i]
		blocks[i] *= primes
	}
	if total > maxBlocks {
		return nil, fmt.Errorf("columns of %d blocks of %d rows over all sites: at most %d blocks can be stored", total, p.slots(), maxBlocks)
	}
	return blocks, nil
}

// columns is the layout of a column of so many rows, all of one site.
func (l *Layout) columns(rows int) (*Layout, error) {
	c := *l
	c.Values = rows
	if rows < 1 || c.blocks() > maxBlocks {
		return nil, fmt.Errorf("a column of %d rows: from 1 to %d can be stored", rows, maxBlocks*l.Slots)
	}
	c.Ciphertexts = c.Primes * c.blocks()
	return &c, nil
}

// answerKey is the epoch's public key modulo what is left when results are opened.
func answerKey(k *PublicKey) *PublicKey {
	short := &rlwe.PublicKey{}
	short.Value = make(rlwe.VectorQP, len(k.key.Value))
	for i, half := range k.key.Value {
		short.Value[i].Q = ring.Poly{Coeffs: half.Q.Coeffs[:answerLimbs]}
		short.Value[i].P = ring.Poly{Coeffs: half.P.Coeffs[:1]}
	}
	return &PublicKey{short}
}

// answerSecret is a share of the epoch's key modulo the same.
func answerSecret(k *Secret) *Secret {
	short := &rlwe.SecretKey{}
	short.Value.Q = ring.Poly{Coeffs: k.key.Value.Q.Coeffs[:answerLimbs]}
	short.Value.P = ring.Poly{Coeffs: k.key.Value.P.Coeffs[:1]}
	return &Secret{short}
}
