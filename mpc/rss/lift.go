package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Lift returns x, -2^62 <= x < 2^62, over Z_2^128. The low halves are the
// components of x + 2^62 as they are; the high halves share how often their sum
// wraps, which is found as in Trunc. 2 rounds, 4/3 elements of 64 bits on average
// over the parties. Leaks nothing. Derived here, checked by simulation, not
// reviewed.
func Lift(s *mpc.Session, x Vec) Vec128 {
	n := x.Len()
	z := zero[ring.Vec128](n)
	if !ready(s, x) {
		return z
	}
	const offset = 62
	y := difference[ring.Vec64]{x: x, shift: power(offset)}
	ok := strands(s, n, wordBits, func(l *strand) {
		for lo, hi := range l.chunks(chunkElements) {
			known := spare[ring.Vec64](l, slotKnown, hi-lo)
			y.known(l, known, lo, hi)
			high := wraps(l, known, x.slice(lo, hi))
			low, part := x.slice(lo, hi), z.slice(lo, hi)
			if l.seat() != dealer {
				low = Vec{outside(l, known, low.A), outside(l, low.B, known)}
			}
			part.A.SetHalves(low.A, high.A)
			part.B.SetHalves(low.B, high.B)
			if l.seat() != dealer {
				outside(l, part.A, part.B).Shift(ring.U128{}.Sub(power(offset)))
			}
		}
	})
	if !ok {
		return zero[ring.Vec128](n)
	}
	return z
}

// wraps returns minus the number of times that the components of y wrap, modulo
// 2^64: known is what difference.known gives of y, 0 <= y < 2^63, and x has y's
// components at the dealer.
func wraps(l *strand, known ring.Vec64, x Vec) Vec {
	n := known.Len()
	value := spare[ring.Vec64](l, slotShifted, 2*n)
	unsigned, signed := value.Slice(0, n), value.Slice(n, 2*n)
	if l.seat() == dealer {
		unsigned.SetWraps(x.A, x.B)
		signed.SetSar(known, 63)
		signed.SetAdd(signed, unsigned)
	}
	dealValue(l, l.gate("wraps"), value)
	z := Vec{spare[ring.Vec64](l, slotA, n), spare[ring.Vec64](l, slotB, n)}
	if l.seat() != dealer {
		v, term := inside(l, z.A, z.B), spare[ring.Vec64](l, slotTerm, n)
		v.SetPick(known, unsigned, signed)
		if l.seat() == after {
			term.SetSar(known, 63)
			v.SetAdd(v, term)
		}
	}
	reply(l, l.gate("result"), z.A, z.B)
	return z
}
