package peer

import (
	"testing"
	"time"

	"consilium/mpc"
	"consilium/node/linktest/proxy"
)

// proxied runs two nodes whose link passes a proxy.
func proxied(t *testing.T, adjust func(self int, c *Config)) (*world, *proxy.Proxy) {
	t.Helper()
	w := newWorld(t, 2, adjust)
	w.start(1)
	p := proxy.New(t, w.peers[1].Address)
	real := w.peers[1].Address
	w.peers[1].Address = p.Addr()
	w.start(0)
	w.peers[1].Address = real
	return w, p
}

// warm passes a frame in both directions of a new session.
func warm(t *testing.T, w *world, id mpc.SessionID) {
	t.Helper()
	w.admit(id, 0, 1)
	send(t, w.nets[0], 1, id, "warm", nil)
	send(t, w.nets[1], 0, id, "warm", nil)
	recv(t, w.nets[0], 1, id, "warm")
	recv(t, w.nets[1], 0, id, "warm")
}

// await starts a Recv and returns where its error will come.
func await(t *testing.T, n *Net, from mpc.PartyID, id mpc.SessionID) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	ctx := within(t)
	go func() {
		_, err := n.Recv(ctx, from, mpc.Channel{Session: id, Step: "x"})
		result <- err
	}()
	return result
}

func TestKilledPeerIsNamedAtOnce(t *testing.T) {
	w, p := proxied(t, nil)
	id := session(1)
	warm(t, w, id)
	atLower, atHigher := await(t, w.nets[0], 1, id), await(t, w.nets[1], 0, id)
	p.Cut()
	mustFail(t, <-atLower, "link to hospital-2 lost")
	mustFail(t, <-atHigher, "link to hospital-1 lost")
}

func TestSilentPeerIsNoticedByTheHeartbeat(t *testing.T) {
	w, p := proxied(t, func(_ int, c *Config) {
		c.Heartbeat, c.Idle = 50*time.Millisecond, 500*time.Millisecond
	})
	id := session(1)
	warm(t, w, id)
	atLower, atHigher := await(t, w.nets[0], 1, id), await(t, w.nets[1], 0, id)
	p.Hold()
	mustFail(t, <-atLower, "link to hospital-2 lost: nothing heard for 500ms")
	mustFail(t, <-atHigher, "link to hospital-1 lost: nothing heard for 500ms")
}

// TestPeerThatStopsReadingEndsTheWriter fills the connection until writes stall.
func TestPeerThatStopsReadingEndsTheWriter(t *testing.T) {
	w, p := proxied(t, func(_ int, c *Config) {
		c.Heartbeat, c.Idle = 50*time.Millisecond, 500*time.Millisecond
	})
	id := session(1)
	warm(t, w, id)
	p.Hold()
	var err error
	for err == nil {
		err = w.nets[0].Send(within(t), 1, mpc.Channel{Session: id, Step: "x"}, make([]byte, mpc.MaxFrame))
	}
	mustFail(t, err, "link to hospital-2 lost: nothing")
}

// TestHeartbeatsFillSilence: with nothing to say, both ends still hear each other.
func TestHeartbeatsFillSilence(t *testing.T) {
	w := runWorld(t, 2, func(_ int, c *Config) {
		c.Heartbeat, c.Idle = 20*time.Millisecond, 2*time.Second
	})
	id := session(1)
	warm(t, w, id)
	for self, other := range []mpc.PartyID{1, 0} {
		before := w.nets[self].Stats(other).BytesReceived
		eventually(t, "pings have come", func() bool { return w.nets[self].Stats(other).BytesReceived > before+20*headerSize })
	}
	if !w.nets[0].Connected(1) || len(w.logs[0].with("link lost")) > 0 {
		t.Fatal("a quiet link was lost")
	}
}

// TestRestartedPeerServesLaterSessions also checks that the session that lost
// its link stays broken, at both ends of it.
func TestRestartedPeerServesLaterSessions(t *testing.T) {
	w := runWorld(t, 3, nil)
	old := session(1)
	w.admit(old, 2)
	warm(t, w, old)
	waiting := await(t, w.nets[0], 1, old)
	if err := w.nets[1].Close(); err != nil {
		t.Fatal(err)
	}
	mustFail(t, <-waiting, "link to hospital-2 lost")

	w.start(1)
	warm(t, w, session(2))
	err := w.nets[0].Send(within(t), 1, mpc.Channel{Session: old, Step: "x"}, nil)
	mustFail(t, err, "link to hospital-2 lost")
	send(t, w.nets[0], 2, old, "x", []byte("others go on"))
	recv(t, w.nets[2], 0, old, "x")
	w.nets[0].Release(old)
	if n := lanes(w.nets[0], 1); n != 1 {
		t.Fatalf("%d sessions remembered with the restarted node, want the running one", n)
	}
}

// TestOneSidedLossIsTold cuts a link while one end has admitted the session
// and the other has not: when they meet again the other must hear of it.
func TestOneSidedLossIsTold(t *testing.T) {
	w, p := proxied(t, nil)
	warm(t, w, session(1))
	id := session(2)
	w.admit(id, 0)
	p.Cut()
	_, err := w.nets[0].Recv(within(t), 1, mpc.Channel{Session: id, Step: "x"})
	mustFail(t, err, "link to hospital-2 lost")
	_, err = w.nets[1].Recv(within(t), 0, mpc.Channel{Session: session(1), Step: "x"})
	mustFail(t, err, "link to hospital-1 lost")
	w.admit(id, 1)
	_, err = w.nets[1].Recv(within(t), 0, mpc.Channel{Session: id, Step: "x"})
	mustFail(t, err, "hospital-1", "session")
}

// TestNewerConnectionReplacesOlder lets a node connect twice, as after a crash
// that its peer has not noticed.
func TestNewerConnectionReplacesOlder(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.start(1)
	id := session(1)
	w.admit(id, 1)
	first := w.intrude(0, 1)
	defer first.Close()
	eventually(t, "the first connection is up", func() bool { return w.nets[1].Connected(0) })
	waiting := await(t, w.nets[1], 0, id)
	r := w.nets[1].remotes[0]
	eventually(t, "Recv waits", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.lanes[id].steps) == 1
	})
	second := w.intrude(0, 1)
	defer second.Close()
	mustFail(t, <-waiting, "link to hospital-1 lost: replaced by a newer connection")
	later := session(2)
	w.admit(later, 1)
	second.frame(later, "x", []byte("new"))
	if got := recv(t, w.nets[1], 0, later, "x"); string(got) != "new" {
		t.Fatalf("got %q", got)
	}
}

// TestCloseDoesNotWaitForASilentPeer closes a node whose peer answers nothing and
// whose connection takes nothing more.
func TestCloseDoesNotWaitForASilentPeer(t *testing.T) {
	w, p := proxied(t, func(_ int, c *Config) { c.Heartbeat, c.Idle = time.Minute, time.Hour })
	id := session(1)
	warm(t, w, id)
	r := w.nets[0].remotes[1]
	eventually(t, "the peer has given its credit", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.lanes[id].credit > mpc.MaxFrame
	})
	p.Hold()
	stuck := make(chan error, 1)
	ctx := within(t)
	go func() {
		for {
			if err := w.nets[0].Send(ctx, 1, mpc.Channel{Session: id, Step: "x"}, make([]byte, mpc.MaxFrame)); err != nil {
				stuck <- err
				return
			}
		}
	}()
	eventually(t, "a frame is being written", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.link != nil && len(r.link.lock) == 1
	})
	closed := make(chan error, 1)
	go func() { closed <- w.nets[0].Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-ctx.Done():
		t.Fatal("Close waits for a peer that answers nothing")
	}
	if err := <-stuck; err == nil {
		t.Fatal("Send passed after Close")
	}
}
