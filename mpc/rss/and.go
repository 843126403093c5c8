package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// And returns x AND y, plane by plane. With (a, b) = (x_i, x_{i+1}) and
// (c, d) = (y_i, y_{i+1}) party i computes z_i = ac XOR ad XOR bc (Araki et al.
// 2016, section 2, over Z_2). 1 round, n*w bits for w planes of n bits (a plane is
// rounded up to words of 64), leaks nothing.
func And(s *mpc.Session, x, y Bits) Bits {
	if !readyBits(s, x, y) {
		return ZeroBits(x.Len(), x.Width())
	}
	return reshareBits(s, x.Len(), x.Width(), func(part []uint64, lo, hi int) {
		a, b := x.words(lo, hi)
		c, d := y.words(lo, hi)
		ring.Words(part).SetCross(a, b, c, d)
	})
}

// Or returns x OR y, plane by plane: x XOR y XOR xy. 1 round, n*w bits, leaks
// nothing.
func Or(s *mpc.Session, x, y Bits) Bits {
	if !readyBits(s, x, y) {
		return ZeroBits(x.Len(), x.Width())
	}
	return reshareBits(s, x.Len(), x.Width(), func(part []uint64, lo, hi int) {
		a, b := x.words(lo, hi)
		c, d := y.words(lo, hi)
		ring.Words(part).SetCrossXor(a, b, c, d, a)
		ring.Words(part).Xor(part, c)
	})
}

// AndAll returns the AND over all planes, as one plane. ceil(log2 w) rounds,
// n*(w-1) bits for w planes of n bits, leaks nothing.
func AndAll(s *mpc.Session, x Bits) Bits { return overPlanes(s, x, false) }

// OrAll returns the OR over all planes, as one plane. ceil(log2 w) rounds,
// n*(w-1) bits for w planes of n bits, leaks nothing.
func OrAll(s *mpc.Session, x Bits) Bits { return overPlanes(s, x, true) }

// overPlanes is AndAll of x, or the complement of that of x's complement.
func overPlanes(s *mpc.Session, x Bits, or bool) Bits {
	if !readyBits(s, x) {
		return ZeroBits(x.Len(), 1)
	}
	return perElement(s, x.Len(), 1, planesAtOnce/x.Width(), func(l *strand, lo, hi int) Bits {
		part := l.cut(x, lo, hi)
		if or {
			part.complement(l.me)
		}
		part = l.andAll(part)
		if or {
			part.complement(l.me)
		}
		return part
	})
}

// andAll returns the AND over the planes of a chunk.
func (l *strand) andAll(x Bits) Bits {
	planes := x.each()
	for level := 0; len(planes) > 1; level++ {
		half := len(planes) / 2
		both := l.and(l.gate("all", level), x.Len(), half, func(j int, part ring.Words) {
			x, y := planes[j], planes[half+j]
			part.SetCross(x.A.Words, x.B.Words, y.A.Words, y.B.Words)
		})
		planes = append(both.each(), planes[2*half:]...)
	}
	return planes[0]
}

// and runs one layer of a chunk: w planes of n bits, of which local sets this
// party's part of plane j.
func (l *strand) and(g *gate, n, w int, local func(j int, part ring.Words)) Bits {
	z := l.bits(n, w)
	size := z.A.Stride()
	reshareOn(g, z.A.Words, z.B.Words, size, func(part ring.Words, lo, hi int) {
		for ; lo < hi; lo += size {
			local(lo/size, part.Slice(0, size))
			part = part.Slice(size, part.Len())
		}
	})
	return z
}

// words returns words lo to hi-1 of both components.
func (b Bits) words(lo, hi int) (x, y ring.Words) {
	return b.A.Words.Slice(lo, hi), b.B.Words.Slice(lo, hi)
}

// each returns the planes one by one, lowest first.
func (b Bits) each() []Bits {
	planes := make([]Bits, b.Width())
	for j := range planes {
		planes[j] = b.Plane(j)
	}
	return planes
}
