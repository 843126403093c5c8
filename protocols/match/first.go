package match

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// segments is in how many interleaved segments a long row lies: of every sixteen
// neighbours in order, one is in each segment, so that a layer of the search within
// sixteen is one operation on whole words.
const segments = 16

// interleaved returns which place in order lies at each bit of a row of so many
// segments of n bits, or -1 beyond the places that there are.
func interleaved(places, n int) []int {
	order := make([]int, segments*n)
	for at := range order {
		if order[at] = at%n*segments + at/n; order[at] >= places {
			order[at] = -1
		}
	}
	return order
}

// firstOf finds the first 1 of each row, a plane each, and returns rows with that
// bit alone, and no bit where there is none. Rows of long are interleaved segments of
// the length of a row of short: neighbours are joined first, then both are searched
// together, in the steps of a prefix OR.
//
// 5 + ceil(log2 n) rounds for segments of n bits; 3 bits a bit of long, and
// log2 n / 16 more; log2 n bits a bit of short. Leaks nothing.
func firstOf(s *mpc.Session, long, short rss.Bits) (firstLong, firstShort rss.Bits) {
	n, rows := short.Len(), long.Width()
	segment := make([]rss.Bits, segments) // all rows' bits of a segment
	for i := range segment {
		segment[i] = within(long, i, n)
	}
	for width := 1; width < segments; width *= 2 {
		var from, to []rss.Bits
		for i := range segment {
			if i&width != 0 {
				from, to = append(from, segment[i-i%width-1]), append(to, segment[i])
			}
		}
		joined := rss.Or(s.Step("within", width), rss.ConcatPlanes(from...), rss.ConcatPlanes(to...))
		for i, k := 0, 0; i < segments; i++ {
			if i&width != 0 {
				segment[i] = joined.Planes(k*rows, (k+1)*rows)
				k++
			}
		}
	}
	seen := prefixOr(s.Step("across"), rss.ConcatPlanes(segment[segments-1], short))
	before := shift(seen, 1)
	firstShort = rss.Xor(s, seen, before).Planes(rows, seen.Width())
	var steps, none []rss.Bits
	fresh := rss.Not(s, before.Planes(0, rows))
	for i := range segment {
		step := segment[i]
		if i > 0 {
			step = rss.Xor(s, step, segment[i-1])
		}
		steps, none = append(steps, step), append(none, fresh)
	}
	return joinSegments(rss.And(s.Step("first"), rss.ConcatPlanes(steps...), rss.ConcatPlanes(none...)), rows), firstShort
}

// prefixOr returns planes of which bit i is the OR of bits 0 to i. ceil(log2 n)
// rounds of n bits a plane.
func prefixOr(s *mpc.Session, b rss.Bits) rss.Bits {
	for d := 1; d < b.Len(); d *= 2 {
		b = rss.Or(s.Step("or", d), b, shift(b, d))
	}
	return b
}

// shift moves bits d places on. Local.
func shift(b rss.Bits, d int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes { return p.Shift(d) })
}

// within returns segment i, of n bits, of each plane. n is a multiple of 64. Local.
func within(b rss.Bits, i, n int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(n, p.W)
		for j := range p.W {
			copy(z.Plane(j), p.Plane(j)[i*n/64:])
		}
		return z
	})
}

// joinSegments undoes within: of planes that hold the segments one after the other,
// each of all rows, it makes rows. Local.
func joinSegments(b rss.Bits, rows int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(p.N*segments, rows)
		for k := range p.W {
			copy(z.Plane(k % rows)[k/rows*p.N/64:], p.Plane(k))
		}
		return z
	})
}
