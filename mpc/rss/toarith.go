package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// ToArith returns the bits of w planes of n as w*n elements 0 or 1, plane by plane.
// Each is the XOR of what one party knows, as two of the components, with the third
// component: the party deals the first as a number, and the others flip it. 2
// rounds, 1 element a bit on average over the parties, leaks nothing. Derived here,
// checked by simulation, not reviewed.
func ToArith(s *mpc.Session, b Bits) Vec { return toArith[ring.Vec64](s, b) }

// ToArith128 is ToArith over Z_2^128.
func ToArith128(s *mpc.Session, b Bits) Vec128 { return toArith[ring.Vec128](s, b) }

func toArith[V ring.Vector[V]](s *mpc.Session, b Bits) Share[V] {
	n := max(b.Len(), 0) * max(b.Width(), 0)
	z := zero[V](n)
	if !readyBits(s, b) {
		return z
	}
	b = Bits{b.A.Flat(), b.B.Flat()}
	ok := strands(s, n, wordBits, func(l *strand) {
		for lo, hi := range l.chunks(chunkElements) {
			arithmetic(l, z.slice(lo, hi), l.cut(b, lo, hi))
		}
	})
	if !ok {
		return zero[V](n)
	}
	return z
}

// arithmetic sets z to the bits of a chunk of one plane.
func arithmetic[V ring.Vector[V]](l *strand, z Share[V], b Bits) {
	dealt := dealXor[V](l, b)
	if l.seat() != dealer {
		flip(l, inside(l, z.A, z.B), dealt, b)
	}
	reply(l, l.gate("flip"), z.A, z.B)
}

// dealXor deals the XOR of the two components of a plane that the dealer knows, as
// numbers, and returns this party's part.
func dealXor[V ring.Vector[V]](l *strand, b Bits) V {
	part := spare[V](l, slotDealt, b.Len())
	if l.seat() == dealer {
		known := l.planes(b.Len(), 1)
		known.Words.Xor(b.A.Words, b.B.Words)
		part.SetBits(known.Words)
	}
	dealValue(l, l.gate("bit"), part)
	return part
}

// dealValue deals value, which the dealer knows, and sets it to this party's part.
func dealValue[V ring.Vector[V]](l *strand, g *gate, value V) {
	var none V
	if l.seat() == before {
		offer(l, g, none, value)
	} else {
		offer(l, g, value, none)
	}
}

// flip sets v, away from the dealer, to this party's part of the XOR of what
// dealXor dealt with the third component: x where that is 0 and 1 - x where it is
// 1.
func flip[V ring.Vector[V]](l *strand, v, x V, b Bits) {
	var one uint64
	if l.seat() == after {
		one = 1
	}
	v.SetFlip(x, outside(l, b.A, b.B).Words, one)
}
