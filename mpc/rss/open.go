package rss

import (
	"bytes"
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Open tells x to all three parties, in the step's child "open". Both holders of
// the component that a party misses send it, and copies that differ end the
// session. 1 round, 2 n elements. Leaks x to the parties: a protocol that opens
// says why that is safe.
func Open[V ring.Vector[V]](s *mpc.Session, x Share[V]) V {
	if !ready(s, x) || !begin(s) {
		return x.A.Make(x.Len())
	}
	return openParts(s, x.A, x.B)
}

// openParts opens what this party holds a and b of.
func openParts[V ring.Group[V]](s *mpc.Session, a, b V) V {
	n := a.Len()
	s = s.Step("open")
	me, ok := self(s)
	if !ok || !begin(s) {
		return a.Make(n)
	}
	value, buf := a.Make(n), scratch(a)
	emit := func(lo, hi int) {
		buf = b.Slice(lo, hi).Append(buf[:0])
		s.Send(me.prev, buf)
		value.Slice(lo, hi).SetBytes(buf)
		buf = a.Slice(lo, hi).Append(buf[:0])
		s.Send(me.next, buf)
		value.Slice(lo, hi).AddBytes(buf)
	}
	absorb := func(lo, hi int) bool {
		part := value.Slice(lo, hi)
		missing, second := receive(s, me.next, part), receive(s, me.prev, part)
		if s.Err() != nil || !sameCopies(s, missing, second, me.next, me.prev) {
			return false
		}
		part.AddBytes(missing)
		s.Recycle(missing)
		s.Recycle(second)
		return true
	}
	// One frame ahead, as in reshareOn.
	last := [2]int{}
	for lo, hi := range frames(n) {
		if emit(lo, hi); lo > 0 && !absorb(last[0], last[1]) {
			return a.Make(n)
		}
		last = [2]int{lo, hi}
	}
	if !absorb(last[0], last[1]) {
		return a.Make(n)
	}
	return value
}

// sameCopies checks that two parties sent the same copy of a component.
func sameCopies(s *mpc.Session, first, second []byte, p, q mpc.PartyID) bool {
	if bytes.Equal(first, second) {
		return true
	}
	s.Fail(fmt.Errorf("the shares of %s and %s differ: one of them did not follow the protocol", s.Name(p), s.Name(q)))
	return false
}
