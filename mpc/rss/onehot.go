package rss

import "consilium/mpc/ring"

// digitBits is the width of the digits that digits expands, digitSize the number
// of their values.
const (
	digitBits = 4
	digitSize = 1 << digitBits
)

// digit is a shared four-bit number of each row of a chunk, ready to be written as
// one-hot. Of its two upper and its two lower bits it has the indicators of the
// values 1 to 3, and of these the products: what indicators of 16 values are sums
// of.
type digit struct {
	high, low [3]Bits
	both      Bits // 9 planes: high[i] AND low[j] is plane 3 i + j
}

// digits splits a chunk's planes, the lowest first and as many as fill digits, into
// digits of four bits. 2 rounds, 11 bits a digit and row, leaks nothing.
func (l *strand) digits(b Bits) []digit {
	n, bits := b.Len(), b.each()
	pairs := l.and(l.gate("pairs"), n, len(bits)/2, func(j int, part ring.Words) {
		setAnd(part, bits[2*j], bits[2*j+1])
	})
	out := make([]digit, len(bits)/digitBits)
	for q := range out {
		d := bits[digitBits*q:]
		out[q].low = l.indicators(d[0], d[1], pairs.Plane(2*q))
		out[q].high = l.indicators(d[2], d[3], pairs.Plane(2*q+1))
	}
	both := l.and(l.gate("both"), n, 9*len(out), func(j int, part ring.Words) {
		d := &out[j/9]
		setAnd(part, d.high[j%9/3], d.low[j%3])
	})
	for q := range out {
		out[q].both = both.Planes(9*q, 9*q+9)
	}
	return out
}

// indicators returns which rows hold 1, 2 and 3 in two bits, a below b, whose AND
// is ab.
func (l *strand) indicators(a, b, ab Bits) [3]Bits {
	one, two := l.bits(ab.Len(), 1), l.bits(ab.Len(), 1)
	one.A.Words.Xor(a.A.Words, ab.A.Words)
	one.B.Words.Xor(a.B.Words, ab.B.Words)
	two.A.Words.Xor(b.A.Words, ab.A.Words)
	two.B.Words.Xor(b.B.Words, ab.B.Words)
	return [3]Bits{one, two, ab}
}

// side is one component of planes.
type side func(Bits) ring.Planes

func sideA(b Bits) ring.Planes { return b.A }
func sideB(b Bits) ring.Planes { return b.B }

// expand sets block to word i of the planes of the digit's 16 indicators, of one
// component. ones is all ones in the component that holds the constant 1.
func (d *digit) expand(block []uint64, of side, i int, ones uint64) {
	block = block[:digitSize]
	block[0] = ones
	for k := range 3 {
		h := of(d.high[k]).Words[i]
		block[0] ^= h
		block[digitBits*(k+1)] = h
		block[1+k] = of(d.low[k]).Words[i]
	}
	both := of(d.both)
	for k := range 3 {
		for j := range 3 {
			p := both.Plane(3*k + j)[i]
			block[digitBits*(k+1)+1+j] = p
			block[digitBits*(k+1)] ^= p // high is k+1, low is 0
			block[1+j] ^= p             // high is 0, low is j+1
		}
	}
	block[0] ^= block[1] ^ block[2] ^ block[3] // high is 0, low is none of 1 to 3
}
