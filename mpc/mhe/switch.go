package mhe

import (
	"github.com/tuneinsight/lattigo/v5/ring"
)

// Switch makes this site's shares of the key switch for summed second halves: s c1 of
// its secret s, with smudging noise, under a one-time mask that follows from the
// seed. The shares take the place of c1. Whoever has the total of all sites' shares,
// the first halves and all seeds, and nobody else, can open.
//
// The caller has added c1 up itself, or decided to trust who did, and asks once: a
// second share for one ciphertext, under new noise, would halve the noise's power.
func Switch(l *Layout, own *Secret, c1 []ring.Poly) (Seed, error) {
	seed := newSeed()
	masks, noise := newStream(seed, "mask"), newStream(newSeed(), "smudging")
	return seed, parallel(len(c1), func() func(k int) error {
		return func(k int) error {
			q := l.rings.q
			q.NTT(c1[k], c1[k])
			q.MulCoeffsMontgomery(c1[k], own.key.Value.Q, c1[k])
			q.INTT(c1[k], c1[k])
			newGaussian(&l.rings.ziggurat, l.Sigma, noise.at(k)).addTo(c1[k], l.rings.modulus)
			l.mask(masks, k, func(x, m, q uint64) uint64 { return addMod(x, m, q) }, c1[k])
			return nil
		}
	})
}

// mask puts the k-th uniform polynomial of a stream on p, or takes it off.
func (l *Layout) mask(masks stream, k int, put func(x, m, q uint64) uint64, p ring.Poly) {
	coins := masks.at(k)
	for i, q := range l.rings.modulus {
		limb := p.Coeffs[i]
		for j := range limb {
			limb[j] = put(limb[j], coins.below(q), q)
		}
	}
}
