package mpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// abortStep is the channel on which a failing participant tells the others.
	abortStep = "abort"
	// maxAbortText caps, in bytes, what an abort frame says.
	maxAbortText = 400
	// abortPatience bounds the telling: a peer that does not read must not hold
	// up a participant that has failed.
	abortPatience = 2 * time.Second
)

// Err returns the error that ended the session, or nil.
func (s *Session) Err() error {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if s.run.err == nil && s.run.ctx.Err() != nil {
		return context.Cause(s.run.ctx)
	}
	return s.run.err
}

// Fail ends the session with err, which names a cause and never a value. The
// party and the step are added here, and the peers are told.
func (s *Session) Fail(err error) {
	err = fmt.Errorf("%s: %w", s.run.at(s.path), err)
	s.run.fail(err, err.Error())
}

// at says who and where.
func (r *run) at(path string) string {
	if path == "" {
		return r.cfg.Names[r.cfg.Self]
	}
	return r.cfg.Names[r.cfg.Self] + ", step " + path
}

// whereabouts is at for who does not know the step: it takes the latest one.
func (r *run) whereabouts() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest == "" {
		return r.at("") + ", before the first step"
	}
	return r.at(r.latest)
}

// fail records the first error of the session, stops its operations and sends
// text to the peers. Later errors follow from the first and are dropped.
func (r *run) fail(err error, text string) {
	r.mu.Lock()
	first := r.err == nil && !r.closed
	if first {
		r.err = err
	}
	r.mu.Unlock()
	if first {
		r.cancel(err)
		r.sendAborts(text)
	}
}

// sendAborts tells every peer, side by side. A peer that cannot be told finds
// out by its own deadline.
func (r *run) sendAborts(text string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), min(r.cfg.Timeout, abortPatience))
	defer cancel()
	frame := []byte(text[:min(len(text), maxAbortText)])
	var wg sync.WaitGroup
	for _, p := range r.peers() {
		wg.Go(func() { _ = r.cfg.Transport.Send(ctx, p, Channel{r.cfg.ID, abortStep}, frame) })
	}
	wg.Wait()
}

// watchAbort waits for the abort of one peer or the loss of its link. A peer's
// abort is passed on with its own words, so that everybody hears the first
// cause even where a link is slow.
func (r *run) watchAbort(from PartyID) {
	defer close(r.heard[from])
	frame, err := r.cfg.Transport.Recv(r.ctx, from, Channel{r.cfg.ID, abortStep})
	name := r.cfg.Names[from]
	switch {
	case r.ctx.Err() != nil || errors.Is(err, ErrEnded):
	case err != nil:
		err = fmt.Errorf("%s: link to %s: %w", r.whereabouts(), name, err)
		r.fail(err, err.Error())
	default:
		text := printable(frame)
		r.fail(fmt.Errorf("%s aborted: %s", name, text), text)
	}
}

// printable keeps a peer's text from breaking logs: ASCII, one line, capped.
func printable(frame []byte) string {
	out := []byte(string(frame[:min(len(frame), maxAbortText)]))
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}
