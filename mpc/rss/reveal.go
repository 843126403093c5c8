package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// RevealTo tells the shared vector x of public length n to one participant, in
// the step's child "reveal". The receiver gets every component from both of its
// holders (its own count, if it is a party) and copies that differ end the
// session. All participants may call it; those that are neither a party nor the
// receiver do nothing, and pass as x what Input gave them. It returns the vector
// at the receiver and an empty one elsewhere. 1 round, 2 n elements. Leaks x to
// the receiver and nothing to the others.
func RevealTo[V ring.Vector[V]](s *mpc.Session, to mpc.PartyID, n int, x Share[V]) V {
	var none V
	if s.Self() == to {
		none = none.Make(max(n, 0))
	}
	if !trio(s) || !positive(s, n) || !participant(s, to) || !begin(s) {
		return none
	}
	if s.Role() >= 0 && (!whole(s, x) || !length(s, x.Len(), n)) {
		return none
	}
	s = s.Step("reveal")
	switch {
	case !begin(s):
	case s.Self() == to:
		return gather(s, n, x)
	case s.Role() >= 0:
		buf := scratch(x.A)
		for lo, hi := range frames(n) {
			s.Send(to, x.A.Slice(lo, hi).Append(buf))
			s.Send(to, x.B.Slice(lo, hi).Append(buf))
		}
	}
	return none
}

// gather receives both copies of all components and adds them up.
func gather[V ring.Vector[V]](s *mpc.Session, n int, own Share[V]) V {
	var none V
	none = none.Make(n)
	value := none.Make(n)
	for lo, hi := range frames(n) {
		part := value.Slice(lo, hi)
		var a, b [roles][]byte
		for role, p := range s.Compute() {
			if p == s.Self() {
				mine := own.slice(lo, hi)
				a[role], b[role] = mine.A.Append(nil), mine.B.Append(nil)
			} else {
				a[role], b[role] = receive(s, p, part), receive(s, p, part)
			}
		}
		if s.Err() != nil {
			return none
		}
		for role := range roles {
			before := (role + roles - 1) % roles
			if !sameCopies(s, a[role], b[before], at(s, role), at(s, before)) {
				return none
			}
			part.AddBytes(a[role])
		}
	}
	return value
}

// participant checks that p takes part in the session.
func participant(s *mpc.Session, p mpc.PartyID) bool {
	ok := p >= 0 && int(p) < s.N()
	if !ok {
		s.Fail(fmt.Errorf("participant %d of %d", p, s.N()))
	}
	return ok
}

// length checks the length of what a caller passed against the public one.
func length(s *mpc.Session, got, want int) bool {
	if got != want {
		s.Fail(fmt.Errorf("vector of %d elements, announced with %d", got, want))
	}
	return got == want
}
