package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Trunc returns floor(x / 2^f) for -2^62 <= x < 2^62, 0 <= f <= 61, exactly.
//
// y = x + 2^62 is u + t modulo 2^64, where one party, the dealer, knows u, and the
// other two know t. Since 0 <= y < 2^63, u + t wraps exactly when the top bit of u
// or of t is set; so y = u + t over the integers with one of u and t taken as
// signed and the other as unsigned: t as signed, and u as unsigned if t is
// negative, otherwise as signed. The dealer deals u / 2^f both ways, and the others
// pick by t and add t / 2^f. What is missing is the carry of the low f bits, for
// which there is an adder.
//
// 4 + ceil(log2(f/3)) rounds; 5/3 elements and about 5/3 bits a cut bit on average
// over the parties (f = 16: 7 rounds, 133 bits). Leaks nothing. Derived here,
// checked by simulation, not reviewed.
func Trunc(s *mpc.Session, x Vec, f int) Vec { return trunc(s, x, f, true) }

// TruncFast is Trunc without the carry of the low bits: the result is exact or too
// small by 1. It never fails in Trunc's range. 2 rounds, 4/3 elements on average
// over the parties. Leaks nothing.
func TruncFast(s *mpc.Session, x Vec, f int) Vec { return trunc(s, x, f, false) }

// Trunc128 is Trunc for -2^126 <= x < 2^126, 0 <= f <= 125.
func Trunc128(s *mpc.Session, x Vec128, f int) Vec128 { return trunc(s, x, f, true) }

// TruncFast128 is TruncFast for -2^126 <= x < 2^126, 0 <= f <= 125.
func TruncFast128(s *mpc.Session, x Vec128, f int) Vec128 { return trunc(s, x, f, false) }

func trunc[V ring.Vector[V]](s *mpc.Session, x Share[V], f int, exact bool) Share[V] {
	n, bits := x.Len(), ringBits[V]()
	if !ready(s, x) || !between(s, "shift", f, 0, bits-3) {
		return zero[V](n)
	}
	if f == 0 {
		return x
	}
	z := zero[V](n)
	y := difference[V]{x: x, shift: power(bits - 2)}
	ok := strands(s, n, wordBits, func(l *strand) {
		for lo, hi := range l.chunks(chunkElements) {
			known := spare[V](l, slotKnown, hi-lo)
			y.known(l, known, lo, hi)
			truncChunk(l, z.slice(lo, hi), known, f, exact)
		}
	})
	if !ok {
		return zero[V](n)
	}
	return z
}

// truncChunk sets z to the quotients of a chunk, whose u or t this party knows.
func truncChunk[V ring.Vector[V]](l *strand, z Share[V], known V, f int, exact bool) {
	shifted := dealShifted(l, known, f)
	var low Bits
	var carry V
	if exact {
		low = newAdder(l, knownBits(l, known, 0, f), f, false).carry()
		carry = dealXor[V](l, low)
	}
	if l.seat() != dealer {
		v, term := inside(l, z.A, z.B), spare[V](l, slotTerm, known.Len())
		v.SetPick(known, shifted.A, shifted.B)
		if exact {
			flip(l, term, carry, low)
			v.SetAdd(v, term)
		}
		if l.seat() == after {
			term.SetSar(known, f)
			v.SetAdd(v, term)
			v.Shift(ring.U128{}.Sub(power(ringBits[V]() - 2 - f)))
		}
	}
	reply(l, l.gate("result"), z.A, z.B)
}

// power returns 2^k.
func power(k int) ring.U128 { return ring.U128{Lo: 1}.Shl(k) }

// dealShifted deals u / 2^f of unsigned elements u (A) and of signed ones (B), and
// returns this party's part of both.
func dealShifted[V ring.Vector[V]](l *strand, known V, f int) Share[V] {
	n := known.Len()
	value := spare[V](l, slotShifted, 2*n)
	both := Share[V]{value.Slice(0, n), value.Slice(n, 2*n)}
	if l.seat() == dealer {
		both.A.SetShr(known, f)
		both.B.SetSar(known, f)
	}
	dealValue(l, l.gate("shifted"), value)
	return both
}
