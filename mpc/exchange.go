package mpc

import (
	"bytes"
	"fmt"
	"slices"
)

// Exchange gives every member what all others have, own of equal length, each
// over its own link: nobody in between can change anything, and it costs every
// member the bytes of all. The map has no entry for this participant. Exchange
// returns nil when the session has failed.
func Exchange(s *Session, members []PartyID, own []byte) map[PartyID][]byte {
	if s.Err() != nil || !s.Claim(upward) || !s.Claim(downward) || !s.participate(members) {
		return nil
	}
	at := slices.Index(members, s.Self())
	if at < 0 {
		s.Fail(fmt.Errorf("%s is not a member of the exchange", s.Name(s.Self())))
		return nil
	}
	// Everybody begins with the next member, so that not all talk to the same one.
	others := slices.Concat(members[at+1:], members[:at])
	patience := 2 * s.run.cfg.Timeout
	received := make(map[PartyID][]byte, len(others))
	for piece := range pieces(len(own)) {
		from, to := bounds(piece, len(own))
		for _, p := range others {
			s.send(p, own[from:to], patience)
		}
		for _, p := range others {
			frame := s.recvSized(p, to-from, patience)
			if s.Err() != nil {
				return nil
			}
			if to-from == len(own) {
				received[p] = frame
				continue
			}
			received[p] = append(received[p], frame...)
			s.Recycle(frame)
		}
	}
	return received
}

// Echo compares a digest with that of every other member over their own links. A
// difference ends the session; the error names the first such member and what it
// is a digest of.
func Echo(s *Session, members []PartyID, digest []byte, what string) bool {
	theirs := Exchange(s, members, digest)
	if s.Err() != nil {
		return false
	}
	for _, p := range members {
		if p != s.Self() && !bytes.Equal(theirs[p], digest) {
			s.Fail(fmt.Errorf("%s has seen other %s than %s", s.Name(p), what, s.Name(s.Self())))
			return false
		}
	}
	return true
}
