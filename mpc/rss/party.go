package rss

import (
	"errors"
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// roles is the number of compute parties.
const roles = 3

// party is where a compute party stands on the ring of three: next holds B of
// what this party holds as B's A, prev holds this party's A as its B.
type party struct {
	role       int
	next, prev mpc.PartyID
}

// trio checks that the session has three compute parties.
func trio(s *mpc.Session) bool {
	if n := len(s.Compute()); n != roles {
		s.Fail(fmt.Errorf("replicated sharing needs %d compute parties, not %d", roles, n))
		return false
	}
	return true
}

// self returns this participant's place. It fails at one that is no party.
func self(s *mpc.Session) (party, bool) {
	if s.Err() != nil || !trio(s) {
		return party{}, false
	}
	role := s.Role()
	if role < 0 {
		s.Fail(errors.New("not a compute party"))
		return party{}, false
	}
	return party{role, at(s, role+1), at(s, role+2)}, true
}

// at returns the compute party of a role, modulo 3.
func at(s *mpc.Session, role int) mpc.PartyID { return s.Compute()[role%roles] }

// begin claims the step of an operation that talks: its channel is used once.
func begin(s *mpc.Session) bool { return s.Err() == nil && s.Claim("channel") }

// positive checks a public length.
func positive(s *mpc.Session, n int) bool {
	if n <= 0 {
		s.Fail(fmt.Errorf("vector of %d elements", n))
	}
	return n > 0
}

// whole checks that both components of every operand have the length of the
// first operand, and that this is not zero.
func whole[V ring.Vector[V]](s *mpc.Session, operands ...Share[V]) bool {
	n := operands[0].Len()
	for _, x := range operands {
		for _, m := range []int{x.A.Len(), x.B.Len()} {
			if m != n {
				s.Fail(fmt.Errorf("vectors of %d and %d elements meet", n, m))
				return false
			}
		}
	}
	return positive(s, n)
}
