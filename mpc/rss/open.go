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
	n := x.Len()
	none := x.A.Make(n)
	me, ok := self(s)
	if !ok || !whole(s, x) || !begin(s) {
		return none
	}
	s = s.Step("open")
	if !begin(s) {
		return none
	}
	value := x.A.Add(x.B)
	buf := scratch(x.A)
	for lo, hi := range frames(n) {
		part := value.Slice(lo, hi)
		s.Send(me.prev, x.B.Slice(lo, hi).Append(buf))
		s.Send(me.next, x.A.Slice(lo, hi).Append(buf))
		missing := receive(s, me.next, part)
		second := receive(s, me.prev, part)
		if s.Err() != nil || !sameCopies(s, missing, second, me.next, me.prev) {
			return none
		}
		part.AddBytes(missing)
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
