package mhe

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/schemes/bgv"
)

// Ciphertexts are a vector of numbers under the collective key, or a sum of such,
// in two halves: C0[k] + C1[k] s encodes what the layout's k-th block holds modulo
// its prime. Coefficients are in their plain order, not transformed.
type Ciphertexts struct{ C0, C1 []ring.Poly }

// errRange does not say which value it was: the error goes to the peers.
var errRange = errors.New("a value is outside the range that the layout was made for")

// Encrypt encrypts a site's vector, on all processors.
func Encrypt(l *Layout, key *PublicKey, own []*big.Int) (*Ciphertexts, error) {
	if len(own) != l.Values {
		return nil, fmt.Errorf("%d values for a layout of %d", len(own), l.Values)
	}
	for _, x := range own {
		if x == nil || !l.within(x) {
			return nil, errRange
		}
	}
	c := &Ciphertexts{make([]ring.Poly, l.Ciphertexts), make([]ring.Poly, l.Ciphertexts)}
	return c, parallel(l.Ciphertexts, func() func(k int) error {
		e := newEncrypter(l, key)
		return func(k int) (err error) {
			c.C0[k], c.C1[k], err = e.encrypt(own, k)
			return err
		}
	})
}

// encrypter is what one goroutine encrypts with.
type encrypter struct {
	*Layout
	encryptor *rlwe.Encryptor
	encoders  []*bgv.Encoder
	residues  []uint64
}

func newEncrypter(l *Layout, key *PublicKey) *encrypter {
	e := &encrypter{Layout: l, encryptor: rlwe.NewEncryptor(l.rings.bgv[0], key.key), residues: make([]uint64, l.Slots)}
	for _, p := range l.rings.bgv {
		e.encoders = append(e.encoders, bgv.NewEncoder(p))
	}
	return e
}

// encrypt returns the two halves of the k-th ciphertext.
func (e *encrypter) encrypt(own []*big.Int, k int) (c0, c1 ring.Poly, err error) {
	lo, hi, prime := e.block(k)
	residues := e.residues[:hi-lo]
	for i := range residues {
		residues[i] = e.residue(own, lo+i, e.rings.plain[prime])
	}
	if e.folded {
		residues = spread(residues, e.rings.plain[prime])
	}
	return e.encryptResidues(residues, prime)
}

// encryptResidues encrypts numbers modulo a plaintext prime, in slots or, if the
// layout is that of what was folded, as coefficients.
func (e *encrypter) encryptResidues(residues []uint64, prime int) (c0, c1 ring.Poly, err error) {
	p := e.rings.bgv[prime]
	plain, sealed := bgv.NewPlaintext(p, p.MaxLevel()), bgv.NewCiphertext(p, 1, p.MaxLevel())
	plain.IsNTT, plain.IsBatched = false, !e.folded
	if err = e.encoders[prime].Encode(residues, plain); err == nil {
		err = e.encryptor.Encrypt(plain, sealed)
	}
	return sealed.Value[0], sealed.Value[1], err
}

// residue returns x modulo t, without memory of its own.
func residue(x *big.Int, t uint64) uint64 {
	r, words := uint64(0), x.Bits()
	for i := len(words) - 1; i >= 0; i-- {
		r = bits.Rem64(r, uint64(words[i]), t)
	}
	if x.Sign() < 0 {
		r = subMod(0, r, t)
	}
	return r
}

// The words of a big.Int have to be of 64 bits.
const _ = uint(bits.UintSize - 64)
