package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// reshare makes a replicated share of z = z0 + z1 + z2 when each party can
// compute its z_i. Every multiplication passes here and nowhere else: this is
// where a check against parties that deviate can note z with its step.
//
// local sets part to elements lo to hi-1 of this party's z_i, which is computed
// once and nowhere else. The zero share F(i,i+1) - F(i-1,i) of pair coins makes
// it uniformly random, so that the one neighbour who gets it, i-1, learns
// nothing. 1 round, n elements, leaks nothing.
func reshare[V ring.Vector[V]](s *mpc.Session, n int, local func(part V, lo, hi int)) Share[V] {
	me, ok := self(s)
	if !ok || !begin(s) {
		return zero[V](n)
	}
	z := zero[V](n)
	plus, minus := s.PairCoins(me.next), s.PairCoins(me.prev)
	buf := scratch(z.A)
	emit := func(lo, hi int) {
		part := z.A.Slice(lo, hi)
		local(part, lo, hi)
		buf = buf[:part.Size()]
		plus.Fill(buf)
		part.AddBytes(buf)
		minus.Fill(buf)
		part.SubBytes(buf)
		s.Send(me.prev, part.Append(buf[:0]))
	}
	absorb := func(lo, hi int) {
		part := z.B.Slice(lo, hi)
		if frame := receive(s, me.next, part); frame != nil {
			part.SetBytes(frame)
		}
	}
	// One frame ahead: the next is computed and sent while this one travels.
	last, waiting := [2]int{}, false
	for lo, hi := range frames(n) {
		emit(lo, hi)
		if waiting {
			absorb(last[0], last[1])
		}
		last, waiting = [2]int{lo, hi}, true
		if s.Err() != nil {
			return zero[V](n)
		}
	}
	if absorb(last[0], last[1]); s.Err() != nil {
		return zero[V](n)
	}
	return z
}
