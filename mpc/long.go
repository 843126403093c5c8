package mpc

import (
	"fmt"
	"time"
)

// A payload longer than MaxFrame travels in pieces, all but the last of them
// full. Its size is public and known at both ends.

// pieces returns in how many frames a payload of size bytes travels.
func pieces(size int) int { return max(1, (size+MaxFrame-1)/MaxFrame) }

// bounds returns where a piece of a payload of size bytes begins and ends.
func bounds(piece, size int) (from, to int) {
	return piece * MaxFrame, min((piece+1)*MaxFrame, size)
}

// sendLong sends a payload, which must have size bytes.
func (s *Session) sendLong(to PartyID, payload []byte, size int, patience time.Duration) {
	if len(payload) != size {
		s.Fail(fmt.Errorf("payload for %s has %d bytes, want %d", s.Name(to), len(payload), size))
	}
	for piece := range pieces(size) {
		if s.Err() != nil {
			return
		}
		from, end := bounds(piece, size)
		s.send(to, payload[from:end], patience)
	}
}

// recvLong returns a payload of size bytes, or nil when the session has failed.
func (s *Session) recvLong(from PartyID, size int, patience time.Duration) []byte {
	if pieces(size) == 1 {
		return s.recvSized(from, size, patience)
	}
	payload := make([]byte, 0, size)
	for piece := range pieces(size) {
		begin, end := bounds(piece, size)
		frame := s.recvSized(from, end-begin, patience)
		if s.Err() != nil {
			return nil
		}
		payload = append(payload, frame...)
		s.Recycle(frame)
	}
	return payload
}
