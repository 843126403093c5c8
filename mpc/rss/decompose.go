package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Decompose returns the low k bits of x, k from 1 to the ring's number of bits, as
// k planes: an adder whose groups' carries are joined by Sklansky's prefix tree. 8
// rounds and 222 bits an element for k = 64, on average over the parties; leaks
// nothing.
func Decompose[V ring.Vector[V]](s *mpc.Session, x Share[V], k int) Bits {
	if !ready(s, x) || !width(s, k, ringBits[V]()) {
		return ZeroBits(x.Len(), max(k, 0))
	}
	d := difference[V]{x: x}
	return perElement(s, x.Len(), k, chunkElements, func(l *strand, lo, hi int) Bits {
		known := spare[V](l, slotKnown, hi-lo)
		d.known(l, known, lo, hi)
		if k == 1 {
			return l.dealBits(knownBits(l, known, 0, 1))
		}
		return newAdder(l, knownBits(l, known, 0, k), k-1, true).sum()
	})
}
