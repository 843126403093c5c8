package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// countRounds is how many times Count puts three bits of one weight together before the
// rest become numbers: each leaves two thirds of the bits.
const countRounds = 6

// Count returns the number of ones in each of w planes of n bits. Words of bits of one
// weight are added up in threes, bit by bit, to words of that weight and of twice it (a
// carry-save adder: Wallace, 1964); the few bits that are left become numbers, which are
// added with their weights. At most 8 rounds; 7 bits a bit and party on average for many
// bits, where ToArith takes 64. Leaks nothing.
func Count(s *mpc.Session, b Bits) Vec {
	w := b.Width()
	if !readyBits(s, b) {
		return zero[ring.Vec64](w)
	}
	c := newCounter(b)
	for round := range countRounds {
		c.reduce(s, round)
	}
	return c.total(s.Step("rest"), w)
}

// counter has, of each weight 2^k and each plane, words of bits whose ones count 2^k.
type counter struct {
	w       int
	weights [][]Bits // by weight and plane: a plane of whole words
}

func newCounter(b Bits) *counter {
	c := &counter{w: b.Width(), weights: make([][]Bits, 1)}
	for _, plane := range b.each() {
		plane = Bits{wholeWords(plane.A), wholeWords(plane.B)}
		c.weights[0] = append(c.weights[0], plane)
	}
	return c
}

// wholeWords copies a plane and fills its last word up with zeros.
func wholeWords(p ring.Planes) ring.Planes {
	out := ring.MakePlanes(p.N, p.W)
	copy(out.Words, p.Words)
	out.Mask()
	return flatWords(out.Words)
}

func flatWords(words ring.Words) ring.Planes {
	return ring.Planes{N: wordBits * len(words), W: 1, Words: words}
}

// third is a third of the words of one weight and plane, and what is left of them.
type third struct {
	weight, plane int
	x, y, z       Bits
	rest          Bits
}

// reduce replaces three words by two wherever there are three. 1 round, a bit for each
// three bits.
func (c *counter) reduce(s *mpc.Session, round int) {
	var thirds []third
	var left, right []Bits
	for k, planes := range c.weights {
		for j, b := range planes {
			n := len(b.A.Words) / 3
			if n == 0 {
				continue
			}
			part := func(lo, hi int) Bits { return Bits{flatWords(b.A.Words[lo:hi]), flatWords(b.B.Words[lo:hi])} }
			t := third{k, j, part(0, n), part(n, 2*n), part(2*n, 3*n), part(3*n, len(b.A.Words))}
			thirds = append(thirds, t)
			left, right = append(left, Xor(s, t.x, t.y)), append(right, Xor(s, t.x, t.z))
		}
	}
	if len(thirds) == 0 {
		return
	}
	// The majority of three bits is x + (x + y)(x + z), modulo 2.
	both := And(s.Step("carry", round), joined(left), joined(right))
	next := make([][]Bits, len(c.weights)+1)
	for k := range next {
		next[k] = make([]Bits, c.w)
		if k < len(c.weights) {
			copy(next[k], c.weights[k])
		}
	}
	for i, t := range thirds {
		n := len(t.x.A.Words)
		carry := Xor(s, t.x, Bits{flatWords(both.A.Words[:n]), flatWords(both.B.Words[:n])})
		both = Bits{flatWords(both.A.Words[n:]), flatWords(both.B.Words[n:])}
		next[t.weight][t.plane] = joined([]Bits{Xor(s, left[i], t.z), t.rest})
		thirds[i].x = carry
	}
	for _, t := range thirds {
		next[t.weight+1][t.plane] = joined([]Bits{next[t.weight+1][t.plane], t.x})
	}
	c.weights = next
}

// joined puts planes of whole words one after the other.
func joined(bs []Bits) Bits {
	var out Bits
	for _, b := range bs {
		out.A.Words, out.B.Words = append(out.A.Words, b.A.Words...), append(out.B.Words, b.B.Words...)
	}
	return Bits{flatWords(out.A.Words), flatWords(out.B.Words)}
}

// total adds up what is left of each plane. Costs of ToArith.
func (c *counter) total(s *mpc.Session, w int) Vec {
	var all []Bits
	for _, planes := range c.weights {
		all = append(all, planes...)
	}
	ones := ToArith(s, joined(all))
	out := zero[ring.Vec64](w)
	for k, planes := range c.weights {
		for j, b := range planes {
			n := b.Len()
			if n == 0 {
				continue
			}
			part := Scale(s, Sum(s, ones.slice(0, n)), 1<<k)
			ones = ones.slice(n, ones.Len())
			out.A[j] += part.A[0]
			out.B[j] += part.B[0]
		}
	}
	return out
}
