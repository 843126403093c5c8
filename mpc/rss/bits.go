package rss

import (
	"fmt"
	"io"
	"log/slog"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Bits is one party's part of shared bit planes: of b = b0 XOR b1 XOR b2 the
// party of role i holds A = b_i and B = b_{i+1}. All Boolean work is bit-sliced:
// a vector of n numbers of k bits is k planes of n bits. It prints as "redacted".
type Bits struct{ A, B ring.Planes }

// Len returns the public number of bits of a plane.
func (b Bits) Len() int { return b.A.N }

// Width returns the public number of planes.
func (b Bits) Width() int { return b.A.W }

// Plane returns plane j, in the same memory.
func (b Bits) Plane(j int) Bits { return b.Planes(j, j+1) }

// Planes returns planes lo to hi-1, in the same memory.
func (b Bits) Planes(lo, hi int) Bits { return Bits{b.A.Planes(lo, hi), b.B.Planes(lo, hi)} }

// Across returns the n bits of one plane as n planes of one bit: what is counted
// along a vector becomes what circuits combine. Local.
func (b Bits) Across() Bits {
	out := ZeroBits(1, b.Len())
	for i := range b.Len() {
		out.A.SetBit(i, 0, b.A.Bit(0, i))
		out.B.SetBit(i, 0, b.B.Bit(0, i))
	}
	return out
}

// ZeroBits returns the trivial share of w planes of n zero bits. Local.
func ZeroBits(n, w int) Bits {
	n, w = max(n, 0), max(w, 0)
	return Bits{ring.MakePlanes(n, w), ring.MakePlanes(n, w)}
}

// ConcatPlanes returns all planes of vectors of one length, those of the first
// argument lowest. Local. Of vectors of different lengths it makes something that
// every operation refuses.
func ConcatPlanes(bs ...Bits) Bits {
	var out Bits
	if len(bs) == 0 {
		return out
	}
	var a, b []ring.Words
	for _, x := range bs {
		out.A.W, out.B.W = out.A.W+x.A.W, out.B.W+x.B.W
		a, b = append(a, x.A.Words), append(b, x.B.Words)
	}
	out.A.N, out.A.Words = bs[0].A.N, slices.Concat(a...)
	out.B.N, out.B.Words = bs[0].B.N, slices.Concat(b...)
	return out
}

// PublicBits returns the trivial share of planes that all parties know: component
// 0 is p, the others are zero. Local.
func PublicBits(s *mpc.Session, p ring.Planes) Bits {
	x := ZeroBits(p.N, p.W)
	me, ok := self(s)
	if !ok || !wholeBits(s, Bits{p, p}) {
		return x
	}
	switch me.role {
	case 0:
		copy(x.A.Words, p.Words)
	case roles - 1:
		copy(x.B.Words, p.Words)
	}
	return x
}

// Xor returns x XOR y. Local.
func Xor(s *mpc.Session, x, y Bits) Bits {
	z := ZeroBits(x.Len(), x.Width())
	if readyBits(s, x, y) {
		z.A.Words.Xor(x.A.Words, y.A.Words)
		z.B.Words.Xor(x.B.Words, y.B.Words)
	}
	return z
}

// Not returns the complement of x. Local.
func Not(s *mpc.Session, x Bits) Bits {
	z := ZeroBits(x.Len(), x.Width())
	me, ok := self(s)
	if !ok || !wholeBits(s, x) {
		return z
	}
	copy(z.A.Words, x.A.Words)
	copy(z.B.Words, x.B.Words)
	z.complement(me)
	return z
}

// complement flips component 0, where this party holds it.
func (b Bits) complement(me party) {
	switch me.role {
	case 0:
		b.A.Words.Not()
	case roles - 1:
		b.B.Words.Not()
	}
}

// readyBits is ready for planes.
func readyBits(s *mpc.Session, operands ...Bits) bool {
	_, ok := self(s)
	return ok && wholeBits(s, operands...)
}

// wholeBits checks that both components of every operand have the shape of the
// first operand, and that there is something in it.
func wholeBits(s *mpc.Session, operands ...Bits) bool {
	n, w := operands[0].Len(), operands[0].Width()
	for _, x := range operands {
		for _, p := range []ring.Planes{x.A, x.B} {
			if p.N != n || p.W != w || !p.Whole() {
				s.Fail(fmt.Errorf("%d planes of %d bits meet %d planes of %d bits in %d words", w, n, p.W, p.N, len(p.Words)))
				return false
			}
		}
	}
	if n > 0 && w <= 0 {
		s.Fail(fmt.Errorf("vector of %d planes", w))
		return false
	}
	return positive(s, n)
}

// String keeps shared bits out of logs.
func (Bits) String() string { return redacted }

// GoString keeps shared bits out of %#v.
func (Bits) GoString() string { return redacted }

// Format keeps shared bits out of every verb: %d would print their components.
func (Bits) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps shared bits out of structured logs.
func (Bits) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps shared bits out of JSON, also as a field of something else.
func (Bits) MarshalText() ([]byte, error) { return []byte(redacted), nil }
