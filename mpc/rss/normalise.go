package rss

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// precision returns the fractional bits p of normalised numbers: as many as let a
// product of two of them and a factor of 30 be rounded.
func precision[V ring.Vector[V]]() int {
	if ringBits[V]() == 64 {
		return 28
	}
	return 56
}

// unit returns c in p fractional bits.
func unit[V ring.Vector[V]](c float64) int64 { return steps(c, precision[V]()) }

// widest is the widest number, in bits, whose leading bit is looked for.
const widest = 61

// normalised is a vector of numbers scaled by secret powers of two.
type normalised[V ring.Vector[V]] struct {
	c     Share[V] // the magnitude times 2^(t-width), in [1/2, 1], with p fractional bits; 0 for 0
	scale Share[V] // 2^t with the sign of the number; 0 for 0
	width int
}

// normalise scales signed numbers of magnitude at most 2^bits by their leading
// bit. 17 to 20 rounds.
func normalise[V ring.Vector[V]](s *mpc.Session, x Share[V], bits int) normalised[V] {
	n, width := x.Len(), bits+1
	if !ready(s, x) || !between(s, "bits to normalise", bits, 0, widest) {
		return normalised[V]{zero[V](n), zero[V](n), width}
	}
	magnitude, sign := doubled(s.Step("bits"), narrow(x), bits)
	zeros, some := leadingZeros(s.Step("leading"), magnitude)
	m := len(zeros)
	arith := parts(s, toArith[V](s.Step("arith"), ConcatPlanes(append(zeros, sign, some)...)), n)
	signed := Sub(s, arith[m+1], Scale(s, arith[m], 2)) // 1, -1 or 0
	scale := product(s.Step("scale"), append(powerFactors(s, arith[:m], 1), signed))
	return normalised[V]{scaleTo(s.Step("scaled"), x, scale, width), scale, width}
}

// doubled returns the signs of numbers of magnitude at most 2^bits, and planes of
// twice their magnitudes from the lowest: the bits of 2x, complemented where x is
// negative, which gives 2|x| - 1. Its leading bit is that of 2|x| but for powers of
// two, which come out as 1 instead of 1/2.
func doubled[V ring.Vector[V]](s *mpc.Session, x Share[V], bits int) (magnitude []Bits, sign Bits) {
	planes := Decompose(s, x, bits+2)
	sign = planes.Plane(bits + 1)
	magnitude = []Bits{sign}
	for j := range bits + 1 {
		magnitude = append(magnitude, Xor(s, planes.Plane(j), sign))
	}
	return magnitude, sign
}

// scaleTo returns x * scale, of magnitude at most 2^width, divided by 2^width,
// with p fractional bits.
func scaleTo[V ring.Vector[V]](s *mpc.Session, x, scale Share[V], width int) Share[V] {
	if f := width - precision[V](); f > 0 {
		return MulRound(s, x, scale, f)
	}
	return shiftLeft(s, Mul(s, x, scale), precision[V]()-width)
}

// leadingZeros returns how many of the planes above the leading one are zero, as
// planes from the lowest, and whether there is a one at all. If not, the number
// means nothing. ceil(log2 w) rounds, about 2 bits a plane.
//
// A block of planes knows whether it holds a one, and how many zeros are above
// it. Two neighbours make a block: the count is that of the high one if this
// holds a one, else its size plus that of the low one.
func leadingZeros(s *mpc.Session, planes []Bits) (zeros []Bits, some Bits) {
	type block struct {
		some  Bits
		zeros []Bits
	}
	blocks := make([]block, len(planes))
	for i, p := range planes {
		blocks[len(planes)-1-i].some = p // the highest first
	}
	for level := 0; len(blocks) > 1; level++ {
		var left, right []Bits
		for i := 1; i < len(blocks); i += 2 {
			high, low := blocks[i-1], blocks[i]
			left, right = append(left, high.some), append(right, low.some)
			for j, z := range high.zeros {
				left, right = append(left, high.some), append(right, Xor(s, z, low.zeros[j]))
			}
		}
		both := And(s.Step("level", level), ConcatPlanes(left...), ConcatPlanes(right...))
		next := make([]block, 0, (len(blocks)+1)/2)
		for i := 1; i < len(blocks); i += 2 {
			high, low := blocks[i-1], blocks[i]
			merged := block{some: Xor(s, Xor(s, high.some, low.some), both.Plane(0))}
			for j, z := range low.zeros {
				merged.zeros = append(merged.zeros, Xor(s, z, both.Plane(j+1)))
			}
			merged.zeros = append(merged.zeros, Not(s, high.some))
			both = both.Planes(level+1, both.Width())
			next = append(next, merged)
		}
		if len(blocks)%2 == 1 { // a last block without a low neighbour
			last := blocks[len(blocks)-1]
			last.zeros = append(last.zeros, ZeroBits(last.some.Len(), 1))
			next = append(next, last)
		}
		blocks = next
	}
	return blocks[0].zeros, blocks[0].some
}

// powerFactors returns the factors 2^(step b_j 2^j) whose product is 2^(step b),
// for numbers b given by their bits b_j as elements 0 or 1. Local.
func powerFactors[V ring.Vector[V]](s *mpc.Session, bits []Share[V], step int) []Share[V] {
	factors := make([]Share[V], len(bits))
	for j, b := range bits {
		factors[j] = AddConst(s, Sub(s, shiftLeft(s, b, step<<j), b), 1)
	}
	return factors
}

// parts returns the vectors of m elements that x is made of. Local.
func parts[V ring.Vector[V]](s *mpc.Session, x Share[V], m int) []Share[V] {
	out := make([]Share[V], x.Len()/m)
	for i := range out {
		out[i] = Slice(s, x, i*m, (i+1)*m)
	}
	return out
}

// product returns the product of the factors. ceil(log2 k) rounds and k-1
// elements for k factors.
func product[V ring.Vector[V]](s *mpc.Session, factors []Share[V]) Share[V] {
	n := factors[0].Len()
	for level := 0; len(factors) > 1; level++ {
		half := len(factors) / 2
		both := Mul(s.Step("level", level), Concat(s, factors[:half]...), Concat(s, factors[half:2*half]...))
		factors = append(parts(s, both, n), factors[2*half:]...)
	}
	return factors[0]
}

// narrow returns x modulo 2^64. Local.
func narrow[V ring.Vector[V]](x Share[V]) Vec {
	switch x := any(x).(type) {
	case Vec:
		return x
	case Vec128:
		return Vec{x.A.Narrow(), x.B.Narrow()}
	}
	panic("rss: a third ring")
}

// counterBits returns the number of bits of numbers up to n.
func counterBits(n int) int { return bits.Len(uint(n)) }
