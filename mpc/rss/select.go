package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Select returns x where b is 1 and y where it is 0: y + b (x - y). b holds
// elements 0 or 1. 1 round, n elements, leaks nothing.
func Select[V ring.Vector[V]](s *mpc.Session, b, x, y Share[V]) Share[V] {
	n := b.Len()
	if !ready(s, b, x, y) {
		return zero[V](n)
	}
	d := Sub(s, x, y)
	return reshare(s, n, func(part V, lo, hi int) {
		b, d := b.slice(lo, hi), d.slice(lo, hi)
		part.SetCross(b.A, b.B, d.A, d.B)
		part.SetAdd(part, y.A.Slice(lo, hi))
	})
}

// SelectBit is Select by one plane of bits. 3 rounds, 2 n elements, leaks nothing.
func SelectBit[V ring.Vector[V]](s *mpc.Session, b Bits, x, y Share[V]) Share[V] {
	if !ready(s, x, y) || !readyBits(s, b) || !matching(s, x.Len(), b.Len()*b.Width()) {
		return zero[V](x.Len())
	}
	return Select(s.Step("select"), toArith[V](s.Step("bit"), b), x, y)
}
