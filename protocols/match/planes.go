package match

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// local applies a linear map of bits to both components of shared planes.
func local(b rss.Bits, f func(ring.Planes) ring.Planes) rss.Bits {
	return rss.Bits{A: f(b.A), B: f(b.B)}
}

// transpose returns bit i of plane j as bit j of plane i. Local.
func transpose(b rss.Bits) rss.Bits { return local(b, ring.Planes.Transpose) }

// widen returns planes of n bits, those that b lacks being zero, or the first n of
// those that it has. Local.
func widen(b rss.Bits, n int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(n, p.W)
		for j := range p.W {
			copy(z.Plane(j), p.Plane(j))
			if last := p.N / 64; p.N%64 != 0 && last < z.Stride() {
				z.Plane(j)[last] &= 1<<(p.N%64) - 1
			}
		}
		return z
	})
}

// spread returns one plane w times. Local.
func spread(b rss.Bits, w int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(p.N, w)
		for j := range w {
			copy(z.Plane(j), p.Words)
		}
		return z
	})
}

// fill returns planes of n bits, each of them filled with one bit of a plane. Local.
func fill(b rss.Bits, n int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(n, p.N)
		for j := range p.N {
			word := -(p.Words[j/64] >> (j % 64) & 1)
			for i := range z.Plane(j) {
				z.Plane(j)[i] = word
			}
		}
		return z
	})
}

// gather returns planes of which bit i is bit from[i] of b, and zero where from[i]
// is negative: from is public. Local.
func gather(b rss.Bits, from []int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(len(from), p.W)
		for j := range p.W {
			source, target := p.Plane(j), z.Plane(j)
			for i, k := range from {
				if k >= 0 {
					target[i/64] |= source[k/64] >> (k % 64) & 1 << (i % 64)
				}
			}
		}
		return z
	})
}

// pick returns the planes at public places, one after the other. Local.
func pick(b rss.Bits, from []int) rss.Bits {
	planes := make([]rss.Bits, len(from))
	for i, j := range from {
		planes[i] = b.Plane(j)
	}
	return rss.ConcatPlanes(planes...)
}

// keep clears the bits of which holds, for plane j and bit i, is false. Local.
func keep(b rss.Bits, holds func(j, i int) bool) rss.Bits {
	mask := ring.MakePlanes(b.Len(), b.Width())
	for j := range mask.W {
		for i := range mask.N {
			mask.SetBit(j, i, holds(j, i))
		}
	}
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(p.N, p.W)
		z.Words.And(p.Words, mask.Words)
		return z
	})
}

// reshape returns the planes' bits as planes of n bits. Local.
func reshape(b rss.Bits, n int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		flat := p.Flat()
		z := ring.MakePlanes(n, flat.N/n)
		for i := range flat.N {
			z.Plane(i / n)[i%n/64] |= flat.Words[i/64] >> (i % 64) & 1 << (i % n % 64)
		}
		return z
	})
}

// fold returns the XOR of planes of which holds is true. Local.
func fold(b rss.Bits, holds func(j int) bool) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(p.N, 1)
		for j := range p.W {
			if holds(j) {
				z.Words.Xor(z.Words, p.Plane(j))
			}
		}
		return z
	})
}

// choose returns x where b is 1 and y where it is 0. 1 round.
func choose(s *mpc.Session, b, x, y rss.Bits) rss.Bits {
	return rss.Xor(s, y, rss.And(s, b, rss.Xor(s, x, y)))
}

// less returns x < y for numbers in bits, plane 0 the lowest, by halves: 1 round and
// one more for each doubling of the bits.
func less(s *mpc.Session, x, y rss.Bits) rss.Bits {
	below := rss.And(s.Step("bits"), rss.Not(s, x), y)
	same := rss.Not(s, rss.Xor(s, x, y))
	for level := 0; below.Width() > 1; level++ {
		w := below.Width()
		lows, highs := make([]int, w/2), make([]int, w/2)
		for i := range lows {
			lows[i], highs[i] = 2*i, 2*i+1
		}
		high := pick(same, highs)
		low := rss.ConcatPlanes(pick(below, lows), pick(same, lows))
		both := rss.And(s.Step("level", level), rss.ConcatPlanes(high, high), low)
		odd := w - w%2
		below = rss.ConcatPlanes(rss.Xor(s, pick(below, highs), both.Planes(0, w/2)), below.Planes(odd, w))
		same = rss.ConcatPlanes(both.Planes(w/2, w/2*2), same.Planes(odd, w))
	}
	return below
}

// numbers returns the numbers of given widths whose bits planes are, one number
// after the other and its lowest bit first. 2 rounds, 1 element a bit.
func numbers(s *mpc.Session, b rss.Bits, widths ...int) []rss.Vec {
	n, bits := b.Len(), rss.ToArith(s, b)
	out, at := make([]rss.Vec, len(widths)), 0
	for i, w := range widths {
		out[i] = rss.Zero[ring.Vec64](n)
		for j := range w {
			out[i] = rss.Add(s, out[i], rss.Scale(s, rss.Slice(s, bits, at*n, (at+1)*n), 1<<j))
			at++
		}
	}
	return out
}
