package match

import (
	"consilium/mpc"
	"consilium/mpc/rss"
)

// direct returns to whom each pair gives, bit u of plane v for v to u, in cycles of
// the partners that each has. Where three pairs can give both ways round, they give
// in the order of their weights. About 20 rounds, (2 log2 n + 7) n^2 bits.
func direct(s *mpc.Session, partners, arcs rss.Bits) rss.Bits {
	n := partners.Len()
	next := nextOf(s.Step("next"), partners)
	// Whether the pair can give to the next one; in a cycle of two it can.
	can := fold(transpose(rss.And(s.Step("can"), next, arcs)), func(int) bool { return true })
	stuck := rss.And(s.Step("stuck"), partners, fill(rss.Not(s, can), n))
	round := none(s.Step("round"), stuck, rss.Not(s, can))
	// Next where all can, and otherwise the other of the partners.
	return rss.Xor(s, rss.Xor(s, partners, next), rss.And(s.Step("ways"), partners, fill(round, n)))
}

// nextOf returns for each pair, a plane each, the first of its partners after it,
// and the first of them if there is none.
func nextOf(s *mpc.Session, partners rss.Bits) rss.Bits {
	n := partners.Len()
	after := keep(partners, func(v, u int) bool { return u > v })
	seen := prefixOr(s.Step("first"), rss.ConcatPlanes(after, rss.Xor(s, partners, after)))
	first := rss.Xor(s, seen, shift(seen, 1))
	any := fold(transpose(first.Planes(0, n)), func(int) bool { return true })
	later := rss.And(s.Step("later"), first.Planes(n, 2*n), fill(rss.Not(s, any), n))
	return rss.Xor(s, first.Planes(0, n), later)
}
