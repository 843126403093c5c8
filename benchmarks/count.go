package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"consilium/mpc"
)

// event is the first frame that a party sends to, or has received from, a peer at
// a step.
type event struct {
	Received bool
	Peer     mpc.PartyID
	Step     string
}

// recorder is a Transport that notes the events of one run, in order.
type recorder struct {
	transport

	mu     sync.Mutex
	prefix string // steps of the run begin so
	seen   map[event]bool
	events []event
}

// transport is what the production links offer to a session.
type transport interface {
	mpc.Transport
	mpc.Recycler
}

// record forgets what was noted and notes events of steps below path.
func (r *recorder) record(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prefix, r.seen, r.events = path+"/", make(map[event]bool), nil
}

// Send notes and passes on.
func (r *recorder) Send(ctx context.Context, to mpc.PartyID, ch mpc.Channel, frame []byte) error {
	r.note(event{false, to, ch.Step})
	return r.transport.Send(ctx, to, ch, frame)
}

// Recv passes on and notes.
func (r *recorder) Recv(ctx context.Context, from mpc.PartyID, ch mpc.Channel) ([]byte, error) {
	frame, err := r.transport.Recv(ctx, from, ch)
	if err == nil {
		r.note(event{true, from, ch.Step})
	}
	return frame, err
}

func (r *recorder) note(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prefix != "" && strings.HasPrefix(e.Step, r.prefix) && !r.seen[e] {
		r.seen[e] = true
		r.events = append(r.events, e)
	}
}

// message is all frames of a step from one party to another.
type message struct {
	from, to mpc.PartyID
	step     string
}

// rounds returns the longest chain of messages in the events of all parties.
func rounds(logs [][]event) (int, error) {
	depth := make(map[message]int) // of messages sent so far
	heard := make([]*history, len(logs))
	for p := range heard {
		heard[p] = &history{scopes: make(map[string]int), strands: make(map[string]int)}
	}
	position := make([]int, len(logs)) // how many of its events are done
	longest := 0
	for moved := true; moved; {
		moved = false
		for p, events := range logs {
			for ; position[p] < len(events); position[p]++ {
				e := events[position[p]]
				if e.Received {
					d, sent := depth[message{e.Peer, mpc.PartyID(p), e.Step}]
					if !sent {
						break
					}
					heard[p].add(e.Step, d)
				} else {
					d := heard[p].before(e.Step) + 1
					depth[message{mpc.PartyID(p), e.Peer, e.Step}] = d
					longest = max(longest, d)
				}
				moved = true
			}
		}
	}
	for p, events := range logs {
		if position[p] < len(events) {
			return 0, fmt.Errorf("party %d received at step %s what nobody sent", p+1, events[position[p]].Step)
		}
	}
	return longest, nil
}

// history is the longest chain that has reached a party: scope by scope, and for
// each of a scope's strands. The strands of one vector run side by side, so that
// none waits for what another has received.
type history struct{ scopes, strands map[string]int }

// concurrent begins the name of steps that run side by side.
const concurrent = "strand."

// parts returns a step's scope, which is its path before the first strand, and
// the path up to and with that strand. The scope of others is their whole path.
func parts(step string) (scope, strand string) {
	i := strings.Index(step, "/"+concurrent)
	if i < 0 {
		return step, step
	}
	end := i + 1 + len(concurrent)
	if rest := strings.IndexByte(step[end:], '/'); rest >= 0 {
		return step[:i], step[:end+rest]
	}
	return step[:i], step
}

// add notes a received message of this depth.
func (h *history) add(step string, depth int) {
	scope, strand := parts(step)
	h.scopes[scope] = max(h.scopes[scope], depth)
	h.strands[strand] = max(h.strands[strand], depth)
}

// before returns the longest chain on which a message of this step can depend.
func (h *history) before(step string) int {
	scope, strand := parts(step)
	longest := h.strands[strand]
	for other, depth := range h.scopes {
		if other != scope {
			longest = max(longest, depth)
		}
	}
	return longest
}
