package mpc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config is what a Session is made of.
type Config struct {
	ID      SessionID
	Self    PartyID
	Names   []string  // participants in roster order; names appear in errors
	Compute []PartyID // the compute parties among them, in the order of their roles
	// Among, if not nil, are those who take part, this participant included: only of
	// them is an abort or a lost link heard, and only they are told.
	Among     []PartyID
	Transport Transport
	Seeds     Seeds
	// Timeout bounds every single receive and send. The context bounds the whole.
	Timeout time.Duration
	// Progress, if not nil, hears the path of each step that begins. It must not
	// block, and it may be called from several goroutines.
	Progress func(step string)
	// Products, if not nil, hears of all products that are about to be made, at
	// this participant. It must not block, and it may be called from several
	// goroutines.
	Products func(Products)
}

// Products are some secret products that participants make at one step: what a
// check of those who might deviate has to look at before anything is opened.
type Products struct {
	Step string
	Form string // how they are made, in the protocol's words
	N    int    // how many elements come out: numbers, or words of bits
}

// check refuses what no session can be made of.
func (c *Config) check() error {
	switch {
	case c.Self < 0 || int(c.Self) >= len(c.Names):
		return fmt.Errorf("session %v: self is %d of %d participants", c.ID, c.Self, len(c.Names))
	case c.Transport == nil:
		return fmt.Errorf("session %v: no transport", c.ID)
	case c.Timeout <= 0:
		return fmt.Errorf("session %v: no timeout", c.ID)
	case c.Seeds.Own == Seed{}:
		return fmt.Errorf("session %v: the own seed is zero; Agree makes seeds", c.ID)
	}
	for i, p := range c.Compute {
		if p < 0 || int(p) >= len(c.Names) {
			return fmt.Errorf("session %v: compute party %d of %d participants", c.ID, p, len(c.Names))
		}
		if slices.Contains(c.Compute[:i], p) {
			return fmt.Errorf("session %v: %s is a compute party twice", c.ID, c.Names[p])
		}
	}
	if c.Among != nil && !slices.Contains(c.Among, c.Self) {
		return fmt.Errorf("session %v: %s does not take part in it", c.ID, c.Names[c.Self])
	}
	for p, seed := range c.Seeds.Pair {
		if seed == (Seed{}) {
			return fmt.Errorf("session %v: the seed shared with participant %d is zero; Agree makes seeds", c.ID, p)
		}
	}
	return nil
}

// Session is one participant's view of one run at one step. Step narrows it.
// Errors stick to it: after the first one every operation is a no-op that
// returns zero vectors of the right (public) length, and the abort has been
// sent to the peers; only revealing, and Err, tell the error. A Session is safe
// for concurrent use by operations on different steps.
type Session struct {
	run  *run
	path string
}

// run is what all steps of one session share.
type run struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  sync.WaitGroup
	heard  []chan struct{} // by peer: closed when its abort channel has nothing more to say
	own    root            // of coins
	pair   map[PartyID]root

	mu     sync.Mutex
	used   map[claim]struct{} // of steps: their coins, their channel
	latest string             // the path of the step that began last
	err    error
	closed bool
}

// claim stands for a use of a step: long jobs have millions of them, which would take
// more memory by their names than their rows do.
type claim [16]byte

func newClaim(path, use string) claim {
	sum := sha256.Sum256([]byte(path + "\x00" + use))
	return claim(sum[:16])
}

// ErrStepReused says that a protocol claimed the same step twice, which would
// make two masks cancel. It ends the session.
var ErrStepReused = errors.New("step used twice")

// errClosed is what a session says that ended well.
var errClosed = errors.New("the session is closed")

// NewSession starts a session and listens for aborts of its peers until Close.
func NewSession(ctx context.Context, cfg Config) (*Session, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.Names, cfg.Compute, cfg.Among = slices.Clone(cfg.Names), slices.Clone(cfg.Compute), slices.Clone(cfg.Among)
	r := &run{cfg: cfg, used: make(map[claim]struct{}), heard: make([]chan struct{}, len(cfg.Names))}
	r.own, r.pair = newRoot(cfg.Seeds.Own, cfg.ID), make(map[PartyID]root)
	for p, seed := range cfg.Seeds.Pair {
		r.pair[p] = newRoot(seed, cfg.ID)
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	for _, p := range r.peers() {
		r.heard[p] = make(chan struct{})
		r.watch.Go(func() { r.watchAbort(p) })
	}
	return &Session{run: r}, nil
}

// peers are those with whom the session is.
func (r *run) peers() []PartyID {
	var peers []PartyID
	for i := range r.cfg.Names {
		p := PartyID(i)
		if p != r.cfg.Self && (r.cfg.Among == nil || slices.Contains(r.cfg.Among, p)) {
			peers = append(peers, p)
		}
	}
	return peers
}

// Close ends the session and its goroutines; an abort that is under way is
// sent first. Frames not yet received are lost. Tell the transport that the
// session has ended only after Close.
func (s *Session) Close() {
	s.run.mu.Lock()
	s.run.closed = true
	s.run.mu.Unlock()
	s.run.cancel(errClosed)
	s.run.watch.Wait()
}

// ID returns the session's identity.
func (s *Session) ID() SessionID { return s.run.cfg.ID }

// Self returns this participant.
func (s *Session) Self() PartyID { return s.run.cfg.Self }

// N returns the number of participants.
func (s *Session) N() int { return len(s.run.cfg.Names) }

// Name returns the roster name of p.
func (s *Session) Name(p PartyID) string { return s.run.cfg.Names[p] }

// Compute returns the compute parties in the order of their roles.
func (s *Session) Compute() []PartyID { return s.run.cfg.Compute }

// Role returns this participant's index among the compute parties, or -1.
func (s *Session) Role() int { return slices.Index(s.run.cfg.Compute, s.run.cfg.Self) }

// Path returns the path of the current step.
func (s *Session) Path() string { return s.path }

// Context ends when the session does.
func (s *Session) Context() context.Context { return s.run.ctx }

// Step narrows the session to a named step, with an index where a protocol
// repeats: s.Step("round", 3) is "…/round.3". Names are public constants without
// a slash. The path is at once the message channel, the randomness domain and
// the trace label of what happens in it. Sites and parties that meet at a step
// must use the same path.
func (s *Session) Step(name string, index ...int) *Session {
	path := name
	for _, i := range index {
		path += "." + strconv.Itoa(i)
	}
	if s.path != "" {
		path = s.path + "/" + path
	}
	child := &Session{run: s.run, path: path}
	s.run.mu.Lock()
	s.run.latest = path
	s.run.mu.Unlock()
	switch {
	case name == "" || strings.Contains(name, "/"):
		child.Fail(fmt.Errorf("%q cannot name a step", name))
	case path == abortStep || path == agreeStep:
		child.Fail(errors.New("the session keeps this name for itself"))
	}
	if p := s.run.cfg.Progress; p != nil {
		p(path)
	}
	return child
}

// Made tells Config.Products that n products of a form are made at the current
// step. A protocol calls it wherever it multiplies by messages.
func (s *Session) Made(form string, n int) {
	if hear := s.run.cfg.Products; hear != nil {
		hear(Products{s.path, form, n})
	}
}

// Claim marks use ("coins", "channel", …) of the current step as taken and
// reports whether this was the first time. A second claim is ErrStepReused.
func (s *Session) Claim(use string) bool {
	key := newClaim(s.path, use)
	s.run.mu.Lock()
	_, taken := s.run.used[key]
	s.run.used[key] = struct{}{}
	s.run.mu.Unlock()
	if taken {
		s.Fail(fmt.Errorf("%w: %s", ErrStepReused, use))
	}
	return !taken
}
