package mpc

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Send sends frame to a participant on the current step's channel. A failure
// ends the session. The frame may be used again when Send returns.
func (s *Session) Send(to PartyID, frame []byte) { s.send(to, frame, s.run.cfg.Timeout) }

// send is Send with a patience of its own.
func (s *Session) send(to PartyID, frame []byte, patience time.Duration) {
	if s.Err() != nil {
		return
	}
	if len(frame) > MaxFrame {
		s.Fail(fmt.Errorf("frame to %s has %d bytes, at most %d travel in one", s.Name(to), len(frame), MaxFrame))
		return
	}
	ctx, cancel := s.within(patience, "takes nothing", to)
	defer cancel()
	if err := s.run.cfg.Transport.Send(ctx, to, Channel{s.ID(), s.path}, frame); err != nil {
		s.Fail(fmt.Errorf("send to %s: %w", s.Name(to), explain(ctx, err)))
	}
}

// Recv returns the next frame of the current step from a participant and
// checks its length: size bytes exactly. A failure, including a frame of
// another length, ends the session and yields nil.
func (s *Session) Recv(from PartyID, size int) []byte {
	return s.recvSized(from, size, s.run.cfg.Timeout)
}

// recvSized is Recv with a patience of its own.
func (s *Session) recvSized(from PartyID, size int, patience time.Duration) []byte {
	frame := s.recv(from, patience)
	if frame != nil && len(frame) != size {
		s.Fail(fmt.Errorf("frame from %s has %d bytes, want %d", s.Name(from), len(frame), size))
		return nil
	}
	return frame
}

// RecvAtMost is Recv for the few frames whose length is not known beforehand.
func (s *Session) RecvAtMost(from PartyID, limit int) []byte {
	frame := s.recv(from, s.run.cfg.Timeout)
	if len(frame) > limit {
		s.Fail(fmt.Errorf("frame from %s has %d bytes, want at most %d", s.Name(from), len(frame), limit))
		return nil
	}
	return frame
}

// Recycle gives the memory of a frame that Recv returned back for frames to
// come. Who forgets it loses speed alone; who still uses the frame, or a part of
// it, reads other participants' bytes.
func (s *Session) Recycle(frame []byte) {
	if t, ok := s.run.cfg.Transport.(Recycler); ok && frame != nil {
		t.Recycle(frame)
	}
}

// recv returns nil exactly when the session has failed.
func (s *Session) recv(from PartyID, patience time.Duration) []byte {
	if s.Err() != nil {
		return nil
	}
	ctx, cancel := s.within(patience, "sends nothing", from)
	defer cancel()
	frame, err := s.run.cfg.Transport.Recv(ctx, from, Channel{s.ID(), s.path})
	if errors.Is(err, ErrEnded) && s.run.heard[from] != nil {
		// The peer may have said why on its abort channel, which a goroutine of
		// ours is about to read: its words are the better cause.
		select {
		case <-s.run.heard[from]:
		case <-ctx.Done():
		}
	}
	if err != nil {
		s.Fail(fmt.Errorf("receive from %s: %w", s.Name(from), explain(ctx, err)))
		return nil
	}
	if frame == nil {
		frame = []byte{}
	}
	return frame
}

// within bounds one wait for a peer, and says what the peer does when time is up.
func (s *Session) within(patience time.Duration, what string, peer PartyID) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(s.run.ctx, patience, &overdue{what, s.Name(peer), patience})
}

// overdue says which peer let a deadline pass, and how.
type overdue struct {
	what, peer string
	after      time.Duration
}

func (o *overdue) Error() string {
	return fmt.Sprintf("%s %s for %v", o.peer, o.what, o.after)
}

// explain prefers the deadline's own words over "context deadline exceeded".
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}
