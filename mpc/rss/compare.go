package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Msb returns the sign bit of x as one plane: x < 0. 7 rounds, 112 bits an element
// on average over the parties, leaks nothing.
func Msb[V ring.Vector[V]](s *mpc.Session, x Share[V]) Bits {
	if !ready(s, x) {
		return ZeroBits(x.Len(), 1)
	}
	return sign(s, difference[V]{x: x}, ringBits[V]())
}

// Less returns x < y as one plane, for signed numbers whose difference has k bits:
// -2^(k-1) <= x - y < 2^(k-1), where k is 1 to the ring's number of bits. Beyond
// that range the result is wrong. Only the low k bits of the components are looked
// at. k = 64: 7 rounds, 112 bits an element on average over the parties (which
// differ for a vector too short for several strands); k = 32: 6 rounds, 54 bits.
// Leaks nothing.
func Less[V ring.Vector[V]](s *mpc.Session, x, y Share[V], k int) Bits {
	if !ready(s, x, y) || !width(s, k, ringBits[V]()) {
		return ZeroBits(x.Len(), 1)
	}
	return sign(s, difference[V]{x: x, y: y}, k)
}

// LessPublic returns x < c as one plane for a public constant: see Less.
func LessPublic[V ring.Vector[V]](s *mpc.Session, x Share[V], c int64, k int) Bits {
	if !ready(s, x) || !width(s, k, ringBits[V]()) {
		return ZeroBits(x.Len(), 1)
	}
	return sign(s, difference[V]{x: x, shift: ring.U128{}.Sub(ring.Int128(c))}, k)
}

// sign returns bit k-1 of d.
func sign[V ring.Vector[V]](s *mpc.Session, d difference[V], k int) Bits {
	return perElement(s, d.x.Len(), 1, chunkElements, func(l *strand, lo, hi int) Bits {
		known := spare[V](l, slotKnown, hi-lo)
		d.known(l, known, lo, hi)
		if k == 1 {
			return l.dealBits(knownBits(l, known, 0, 1))
		}
		return newAdder(l, knownBits(l, known, 0, k), k-1, false).sign()
	})
}
