package rss

import (
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// OpenBits tells x to all three parties, in the step's child "open", as Open does:
// both holders of the component that a party misses send it, and copies that
// differ end the session. 1 round, 2 n*w bits. Leaks x to the parties: a protocol
// that opens says why that is safe.
func OpenBits(s *mpc.Session, x Bits) ring.Planes {
	n, w := x.Len(), x.Width()
	if !readyBits(s, x) || !begin(s) {
		return ring.MakePlanes(max(n, 0), max(w, 0))
	}
	return ring.Planes{N: n, W: w, Words: openParts(s, masked(x.A), masked(x.B))}
}

// masked returns the words of p without the bits past its end, which may belong to
// something that is not to be opened.
func masked(p ring.Planes) ring.Words {
	if p.N%wordBits != 0 {
		p.Words = slices.Clone(p.Words)
		p.Mask()
	}
	return p.Words
}
