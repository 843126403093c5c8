package mpc

import (
	"slices"
	"time"
)

// unbounded is the patience of a wait that only the session's context bounds.
const unbounded = 100 * 365 * 24 * time.Hour

// Meet waits until all members have come to this step, however long their own work
// before it takes: beside their aborts and the loss of links, the session's context
// alone ends the wait, and the error names who did not come. Elsewhere a participant
// that is silent for the session's timeout is taken for gone.
func Meet(s *Session, members []PartyID) bool {
	if s.Err() != nil || !s.Claim(upward) || !s.Claim(downward) || !s.participate(members) {
		return false
	}
	others := slices.DeleteFunc(slices.Clone(members), func(p PartyID) bool { return p == s.Self() })
	for _, p := range others {
		s.Send(p, nil)
	}
	for _, p := range others {
		s.recvSized(p, 0, unbounded)
	}
	return s.Err() == nil
}
