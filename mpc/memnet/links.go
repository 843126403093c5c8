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

// enter opens the present session at p and returns its transport, and what closes
// it.
func (w *World) enter(net *Network, p mpc.PartyID) (transport mpc.Transport, leave func(), err error) {
	if w.cfg.Links == nil {
		return net.Transport(p), func() { net.End(p, w.id) }, nil
	}
	link := w.cfg.Links[p]
	if err := link.Admit(w.id); err != nil {
		return nil, nil, err
	}
	return &tap{Link: link, net: net, self: p, sent: make(map[mpc.Channel]map[mpc.PartyID]int)}, func() { link.Release(w.id) }, nil
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
