package memnet

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"consilium/mpc"
)

// Link is one participant's end of a real transport.
type Link interface {
	mpc.Transport
	Admit(mpc.SessionID) error
	Release(mpc.SessionID)
}

// Over returns a network whose frames go over real links, of which ends[p] is
// participant p's. It records what is sent, and tampers with it, as one in memory
// does; it cannot delay frames or cut links, and counts no rounds and no queues.
func Over(ends []Link, hooks Hooks) *Network {
	net := NewNetwork(len(ends), 0, hooks)
	for p, end := range ends {
		net.taps = append(net.taps, &tap{Link: end, net: net, self: mpc.PartyID(p), sent: make(map[mpc.Channel]map[mpc.PartyID]int)})
	}
	return net
}

// freshSession returns an id that no session has had.
func freshSession() (id mpc.SessionID) {
	if _, err := rand.Read(id[:]); err != nil {
		panic("memnet: no random session: " + err.Error())
	}
	return id
}

// tap is a link on which a network records and tampers.
type tap struct {
	Link
	net  *Network
	self mpc.PartyID

	mu   sync.Mutex
	sent map[mpc.Channel]map[mpc.PartyID]int
}

// Send records the frame, lets the hooks have it, and sends what they leave of it.
func (t *tap) Send(ctx context.Context, to mpc.PartyID, ch mpc.Channel, frame []byte) error {
	if to == t.self {
		return fmt.Errorf("memnet: participant %d has no link to itself", to)
	}
	m := Message{From: t.self, To: to, Channel: ch, Index: t.number(to, ch), Frame: append([]byte{}, frame...)}
	t.net.record(m)
	if changed, arrives := t.net.hooks.tamper(m); arrives {
		return t.Link.Send(ctx, to, ch, changed)
	}
	return nil
}

// number counts the frames of a channel.
func (t *tap) number(to mpc.PartyID, ch mpc.Channel) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent[ch] == nil {
		t.sent[ch] = make(map[mpc.PartyID]int)
	}
	t.sent[ch][to]++
	return t.sent[ch][to] - 1
}

// Recycle passes memory on to a link that can use it.
func (t *tap) Recycle(frame []byte) {
	if r, ok := t.Link.(mpc.Recycler); ok {
		r.Recycle(frame)
	}
}
