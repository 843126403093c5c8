package memnet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"consilium/mpc"
)

// Network connects n participants. Queues are unbounded unless a window is
// set, and counted; no goroutine of its own runs.
type Network struct {
	hooks Hooks
	links [][]*link // [from][to]
	taps  []*tap    // by participant, on real links; none in memory

	mu      sync.Mutex
	records []Record
	depth   []int // by participant: rounds behind what it has received
	peak    Load
	load    Load
}

// Load is what waits in a network's queues.
type Load struct{ Frames, Bytes int }

// NewNetwork returns a network of n participants. A window above zero makes
// Send block while so many frames of one channel are unread.
func NewNetwork(n, window int, hooks Hooks) *Network {
	net := &Network{hooks: hooks, links: make([][]*link, n), depth: make([]int, n)}
	for from := range net.links {
		net.links[from] = make([]*link, n)
		for to := range n {
			if from != to {
				net.links[from][to] = newLink(window)
			}
		}
	}
	return net
}

// Transport returns the end of the network at p.
func (net *Network) Transport(p mpc.PartyID) mpc.Transport {
	if net.taps != nil {
		return net.taps[p]
	}
	return &endpoint{net, p}
}

// Begin says that p enters the session. In memory nobody needs to be told.
func (net *Network) Begin(p mpc.PartyID, id mpc.SessionID) error {
	if net.taps != nil {
		return net.taps[p].Admit(id)
	}
	return nil
}

// End says that p has left the session: its peers receive what it has sent and
// then mpc.ErrEnded; what they still send to it is not read.
func (net *Network) End(p mpc.PartyID, id mpc.SessionID) {
	if net.taps != nil {
		net.taps[p].Release(id)
		return
	}
	for q := range net.links {
		if l := net.links[p][q]; l != nil {
			l.change(func() { l.ended[id] = true })
		}
		if l := net.links[q][p]; l != nil {
			l.change(func() { l.gone[id] = true })
		}
	}
}

// Cut loses the link between a and b in both directions, and what is queued on
// it. Sending and receiving on it fail with cause.
func (net *Network) Cut(a, b mpc.PartyID, cause error) {
	for _, l := range []*link{net.links[a][b], net.links[b][a]} {
		l.change(func() { l.cut = cause })
	}
}

// Transcript returns what was sent so far, sorted.
func (net *Network) Transcript() Transcript {
	net.mu.Lock()
	defer net.mu.Unlock()
	t := Transcript(slices.Clone(net.records))
	slices.SortFunc(t, Record.compare)
	return t
}

// Rounds returns the length of the longest chain of messages, each sent after
// its sender had received the one before. It is exact when no participant does
// two things at once, and otherwise an upper bound.
func (net *Network) Rounds() int {
	net.mu.Lock()
	defer net.mu.Unlock()
	return slices.Max(net.depth)
}

// Peak returns the most that ever waited in the queues.
func (net *Network) Peak() Load {
	net.mu.Lock()
	defer net.mu.Unlock()
	return net.peak
}

// unread describes frames that nobody received, sorted; empty when all were.
func (net *Network) unread() []string {
	var out []string
	for from := range net.links {
		for to, l := range net.links[from] {
			if l == nil {
				continue
			}
			for ch, n := range l.unread() {
				out = append(out, fmt.Sprintf("%d of step %s from %d to %d", n, ch.Step, from, to))
			}
		}
	}
	slices.Sort(out)
	return out
}

// endpoint is one participant's Transport.
type endpoint struct {
	net  *Network
	self mpc.PartyID
}

func (e *endpoint) link(from, to mpc.PartyID) (*link, error) {
	peer := from + to - e.self
	if peer == e.self || peer < 0 || int(peer) >= len(e.net.links) {
		return nil, fmt.Errorf("memnet: participant %d has no link to %d", e.self, peer)
	}
	return e.net.links[from][to], nil
}

// Send records the frame, lets the hooks have it, and queues a copy.
func (e *endpoint) Send(ctx context.Context, to mpc.PartyID, ch mpc.Channel, frame []byte) error {
	l, err := e.link(e.self, to)
	if err != nil {
		return err
	}
	if len(frame) > mpc.MaxFrame {
		return fmt.Errorf("memnet: frame of %d bytes, at most %d", len(frame), mpc.MaxFrame)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	index, err := l.number(ctx, ch)
	if err != nil {
		return err
	}
	m := Message{From: e.self, To: to, Channel: ch, Index: index, Frame: slices.Clone(frame)}
	p := parcel{depth: e.net.record(m)}
	if d := e.net.hooks.delay(m); d > 0 {
		p.ready = time.Now().Add(d)
	}
	arrives := false
	if p.frame, arrives = e.net.hooks.tamper(m); arrives {
		e.net.count(1, len(p.frame))
		l.put(ch, p)
	}
	return nil
}

// Recv returns the next frame of ch that from sent.
func (e *endpoint) Recv(ctx context.Context, from mpc.PartyID, ch mpc.Channel) ([]byte, error) {
	l, err := e.link(from, e.self)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := l.take(ctx, ch)
	if err != nil {
		return nil, err
	}
	e.net.count(-1, -len(p.frame))
	e.net.receive(e.self, p.depth)
	return p.frame, nil
}

// Recycle spoils the frame, so that a protocol that still reads it fails its
// tests.
func (e *endpoint) Recycle(frame []byte) {
	for i := range frame {
		frame[i] = 0xdb
	}
}

// record notes a message and returns its depth.
func (net *Network) record(m Message) int {
	r := newRecord(m)
	net.mu.Lock()
	defer net.mu.Unlock()
	net.records = append(net.records, r)
	return net.depth[m.From] + 1
}

// receive notes that a participant has a frame of this depth.
func (net *Network) receive(self mpc.PartyID, depth int) {
	net.mu.Lock()
	defer net.mu.Unlock()
	net.depth[self] = max(net.depth[self], depth)
}

// count follows what waits in the queues.
func (net *Network) count(frames, bytes int) {
	net.mu.Lock()
	defer net.mu.Unlock()
	net.load.Frames += frames
	net.load.Bytes += bytes
	net.peak.Frames = max(net.peak.Frames, net.load.Frames)
	net.peak.Bytes = max(net.peak.Bytes, net.load.Bytes)
}
