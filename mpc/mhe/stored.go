package mhe

import (
	"crypto/sha256"
	"hash"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// add adds what is stored to ciphertexts: to the second halves everywhere, and to the
// first ones, which only the root uses afterwards.
func (c *Ciphertexts) add(l *Layout, stored *Ciphertexts) {
	for k := range c.C0 {
		l.rings.q.Add(c.C0[k], stored.C0[k], c.C0[k])
		l.rings.q.Add(c.C1[k], stored.C1[k], c.C1[k])
	}
}

// digest is a hash of the ciphertexts' wire form.
func (c *Ciphertexts) digest(l *Layout) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte("consilium mhe ciphertexts v1\x00"))
	frame := make([]byte, l.HalfSize())
	for k := range c.C0 {
		for _, half := range []ring.Poly{c.C0[k], c.C1[k]} {
			h.Write(l.rings.half.put(frame, half))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// write writes both halves of the key to a hash.
func (k *PublicKey) write(l *Layout, h hash.Hash) {
	frame := make([]byte, l.rings.key.size())
	for _, half := range k.key.Value {
		h.Write(l.rings.key.put(frame, joined(half)))
	}
}
