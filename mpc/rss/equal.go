package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Equal returns x = y modulo 2^k as one plane, k from 1 to the ring's number of
// bits: for k-bit numbers, signed or not, that are equal when they are equal modulo
// 2^k. x - y is u + t, where one party knows u and the other two t: it is 0 when
// all bits of u are those of -t, which are the complements of those of t - 1. The
// party deals u's bits, and an AND tree follows. k = 64: 7 rounds, 85 bits an
// element on average over the parties; k = 16: 5 rounds, 21 bits. Leaks nothing.
func Equal[V ring.Vector[V]](s *mpc.Session, x, y Share[V], k int) Bits {
	if !ready(s, x, y) || !width(s, k, ringBits[V]()) {
		return ZeroBits(x.Len(), 1)
	}
	return isZero(s, difference[V]{x: x, y: y}, k)
}

// EqualPublic returns x = c modulo 2^k as one plane for a public constant: see
// Equal.
func EqualPublic[V ring.Vector[V]](s *mpc.Session, x Share[V], c int64, k int) Bits {
	if !ready(s, x) || !width(s, k, ringBits[V]()) {
		return ZeroBits(x.Len(), 1)
	}
	return isZero(s, difference[V]{x: x, shift: ring.U128{}.Sub(ring.Int128(c))}, k)
}

// isZero returns d = 0 modulo 2^k.
func isZero[V ring.Vector[V]](s *mpc.Session, d difference[V], k int) Bits {
	d.shift = d.shift.Sub(ring.Int128(1))
	return perElement(s, d.x.Len(), 1, chunkElements, func(l *strand, lo, hi int) Bits {
		known := spare[V](l, slotKnown, hi-lo)
		d.known(l, known, lo, hi)
		return l.andAll(l.dealBits(knownBits(l, known, 0, k)))
	})
}
