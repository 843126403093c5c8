package mhe

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"math/bits"

	"consilium/mpc"
)

// HidingBits is how much longer a mask of a conversion is than all values together
// that it hides: what is opened then differs from what the masks alone would give by
// a statistical distance of at most 2^-(HidingBits+1), for the whole vector.
const HidingBits = 40

// conversionParties is how many parties share what is converted back.
const conversionParties = 3

// Conversion says in public how sums under a collective key become additive shares
// of sites, and back. The shares are integers that add up to the sums exactly, so
// that nothing wraps: what they are modulo 2^64 or 2^128 adds up modulo that.
//
// Every site that answers adds a mask r of its own, uniform between -2^w and 2^w,
// with w = Within + HidingBits + log2 of the number of values, and the masked sums
// are opened to the root. For a value below 2^Within in absolute value, value plus r
// and r alone have the distance 2^(Within-w-1), hence at most 2^-41 over all values:
// so much learns who knows all masks but one, and no more. The layout's own Bits
// hold the masked sums, which is what limits Within: to 58 bits for a million values
// over 100 sites, to 82 for one value over five.
type Conversion struct {
	*Layout
	Within int // every sum is smaller than 2^Within in absolute value
	mask   int // w
}

// NewConversion returns the conversion of so many sums below 2^within under the
// quorum's key, of which so many openings of one ciphertext each are made while the
// key lasts. What is converted has been encrypted by its Layout.
func NewConversion(values, within int, q *Quorum, openings int) (*Conversion, error) {
	if values < 1 || within < 1 {
		return nil, fmt.Errorf("a conversion of %d values below 2^%d: both must be at least 1", values, within)
	}
	sites, mask := len(q.holders), maskBits(values, within)
	wide := ConversionBits(values, within, sites)
	if wide > MaxBits {
		return nil, fmt.Errorf("%d sums below 2^%d over %d sites need %d bits with their masks, there are %d", values, within, sites, wide, MaxBits)
	}
	l := &Layout{Values: values, Bits: wide, Sites: sites, Need: q.need, noise: noiseOf(sums, sites, q.exposed(openings))}
	l.noise.terms += conversionParties + q.need // see Together and answer
	l, err := l.complete()
	return &Conversion{l, within, mask}, err
}

// NewStoredConversion returns the conversion of so many sums below 2^within that are
// computed on what is stored under an epoch of that quorum, for sums below 2^bits with
// their masks, and of so many openings.
func NewStoredConversion(values, within, bits int, q *Quorum, openings int) (*Conversion, error) {
	a, err := NewAnswers(values, bits, q, openings)
	if err != nil {
		return nil, err
	}
	if wide := ConversionBits(values, within, len(q.holders)); within < 1 || wide > a.Bits {
		return nil, fmt.Errorf("%d sums below 2^%d need %d bits with their masks, the keys are for %d", values, within, wide, a.Bits)
	}
	return &Conversion{a.Layout, within, maskBits(values, within)}, nil
}

// ConversionBits is how many bits so many sums below 2^within have together with the
// masks of so many sites.
func ConversionBits(values, within, sites int) int {
	return maskBits(values, within) + bits.Len(uint(max(sites, conversionParties)-1)) + 1
}

// maskBits is w of Conversion.
func maskBits(values, within int) int { return within + HidingBits + bits.Len(uint(values-1)) }

// Masks draws a fresh mask for every value.
func (c *Conversion) Masks() ([]*big.Int, error) {
	lowest := new(big.Int).Lsh(big.NewInt(1), uint(c.mask))
	width := new(big.Int).Lsh(lowest, 1)
	masks := make([]*big.Int, c.Values)
	for i := range masks {
		r, err := rand.Int(rand.Reader, width)
		if err != nil {
			return nil, err
		}
		masks[i] = r.Sub(r, lowest)
	}
	return masks, nil
}

// Split turns stored sums into additive shares of the active sites, who are those of
// the tree: secret is this site's share of the key among them. It goes as
// RevealStored, with masks in the place of zeros and the root in that of a recipient.
// The root learns the masked sums, nobody else learns anything. Split returns nil
// when the session has failed.
func (c *Conversion) Split(s *mpc.Session, o Options, key *PublicKey, secret *Secret, stored *Ciphertexts) []*big.Int {
	masks, err := c.Masks()
	if err != nil {
		s.Fail(err)
		return nil
	}
	sealed, err := Encrypt(c.Layout, key, masks)
	if err != nil {
		s.Fail(err)
		return nil
	}
	part := revealStored(s, c.Layout, o, key, secret, sealed, stored)
	if s = s.Step("seed"); s.Err() != nil {
		return nil
	}
	root, shares := o.Tree.Root(), make([]*big.Int, c.Values)
	for i := range shares {
		shares[i] = new(big.Int).Neg(masks[i])
	}
	if s.Self() != root {
		s.Send(root, part.Seed)
		return shares
	}
	seeds := [][]byte{part.Seed}
	for _, p := range without(o.Tree.Members(), root) {
		seed := s.Recv(p, SeedSize)
		if seed == nil {
			return nil
		}
		seeds = append(seeds, seed)
	}
	masked, err := c.Open(part.Total, seeds)
	if err != nil {
		s.Fail(err)
		return nil
	}
	for i := range shares {
		shares[i].Add(shares[i], masked[i])
	}
	return shares
}

// Convert is Answer for sums that nobody opens: they become additive shares of the
// active sites, of whom this is one. See Split for what the root learns. Convert
// returns nil when the session has failed.
func (e *Epoch) Convert(s *mpc.Session, o Options, b *Budget, v *Conversion, c Circuit, inputs []Input) []*big.Int {
	if !v.folded || v.Values != len(c) {
		s.Fail(fmt.Errorf("a conversion of %d sums, the circuit has %d", v.Values, len(c)))
		return nil
	}
	sums, secret, err := e.compute(s, o, b, v.Layout, v.Within, c, inputs)
	if err != nil {
		s.Fail(err)
	}
	if sums == nil {
		return nil
	}
	defer secret.Erase()
	return v.Split(s, o, answerKey(e.public), answerSecret(secret), sums)
}

// Together encrypts every member's vector under the key and adds them up, so that
// each member holds the sum of all: how additive shares become stored sums again, or
// vectors such ones in the first place. Of the members no more than Layout.Sites and
// the three parties; who adds nothing has a vector of zeros, nil for short.
//
// Commitments and echoes are those of RevealSum. Together returns nil when the
// session has failed.
func Together(s *mpc.Session, l *Layout, t *mpc.Tree, key *PublicKey, own []*big.Int) *Ciphertexts {
	if own == nil {
		own = zeros(l.Values)
	}
	sum, err := together(s, l, t, key, own)
	if err != nil {
		s.Fail(err)
	}
	if s.Err() != nil {
		return nil
	}
	return sum
}

func together(s *mpc.Session, l *Layout, t *mpc.Tree, key *PublicKey, own []*big.Int) (*Ciphertexts, error) {
	if len(t.Members()) > l.noise.terms-l.Need {
		return nil, fmt.Errorf("%d members add ciphertexts, the layout reckons with %d", len(t.Members()), l.noise.terms-l.Need)
	}
	seen := NewSeen(s, l)
	key.write(l, seen)
	sealed, err := Encrypt(l, key, own)
	if err != nil {
		return nil, err
	}
	commitments := Commit(s.Step("commit"), l, t, sealed, seen)
	if s.Err() != nil || !echo(s.Step("echo"), t.Members(), seen, "key or commitments") {
		return nil, nil
	}
	if !SumAlong(s.Step("c0"), l, t, sealed.C0) || !SumExchanged(s.Step("c1"), l, t.Members(), sealed.C1, commitments, seen) {
		return nil, nil
	}
	digest := sealed.digest(l)
	seen.Write(digest[:])
	echo(s.Step("same"), t.Members(), seen, "summed ciphertexts")
	return sealed, nil
}

// zeros returns so many of them.
func zeros(n int) []*big.Int {
	v := make([]*big.Int, n)
	for i := range v {
		v[i] = new(big.Int)
	}
	return v
}
