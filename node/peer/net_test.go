package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consilium/mpc"
)

func TestTwoNodesExchangeFrames(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	for _, frame := range [][]byte{{}, []byte("a"), bytes.Repeat([]byte("b"), recordSize), bytes.Repeat([]byte("c"), mpc.MaxFrame)} {
		send(t, w.nets[0], 1, id, "x", frame)
		send(t, w.nets[1], 0, id, "x", frame)
		for _, got := range [][]byte{recv(t, w.nets[1], 0, id, "x"), recv(t, w.nets[0], 1, id, "x")} {
			if got == nil || !bytes.Equal(got, frame) {
				t.Fatalf("frame of %d bytes arrived with %d", len(frame), len(got))
			}
		}
	}
	sent, received := w.nets[0].Stats(1), w.nets[1].Stats(0)
	if sent.FramesSent != 4 || received.FramesReceived != 4 || received.BytesReceived < mpc.MaxFrame || sent.BytesSent < mpc.MaxFrame {
		t.Fatalf("stats: %+v and %+v", sent, received)
	}
	if !w.nets[0].Connected(1) || !w.nets[1].Connected(0) {
		t.Fatal("link in use is not reported as up")
	}
}

// TestFiveNodesKeepOrder sends numbered frames of many lengths on every ordered
// pair, in several sessions and steps at once.
func TestFiveNodesKeepOrder(t *testing.T) {
	const nodes, sessions, frames = 5, 3, 40
	w := runWorld(t, nodes, nil)
	var work sync.WaitGroup
	for s := range byte(sessions) {
		w.admit(session(s), 0, 1, 2, 3, 4)
		for from := range nodes {
			for to := range nodes {
				if from == to {
					continue
				}
				for _, step := range []string{"mul/round.1", "sum"} {
					ch := mpc.Channel{Session: session(s), Step: step}
					work.Go(func() { sendNumbered(t, w.nets[from], mpc.PartyID(to), ch, frames) })
					work.Go(func() { recvNumbered(t, w.nets[to], mpc.PartyID(from), ch, frames) })
				}
			}
		}
	}
	work.Wait()
}

func numbered(i int) []byte {
	frame := bytes.Repeat([]byte{byte(i)}, 4+i*i*7)
	binary.BigEndian.PutUint32(frame, uint32(i))
	return frame
}

func sendNumbered(t *testing.T, n *Net, to mpc.PartyID, ch mpc.Channel, count int) {
	for i := range count {
		if err := n.Send(within(t), to, ch, numbered(i)); err != nil {
			t.Errorf("send %d: %v", i, err)
			return
		}
	}
}

func recvNumbered(t *testing.T, n *Net, from mpc.PartyID, ch mpc.Channel, count int) {
	for i := range count {
		frame, err := n.Recv(within(t), from, ch)
		if err != nil || !bytes.Equal(frame, numbered(i)) {
			t.Errorf("frame %d: %d bytes, error %v", i, len(frame), err)
			return
		}
	}
}

// TestSessionNobodyReadsBlocksNoOther fills one session until its sender waits.
func TestSessionNobodyReadsBlocksNoOther(t *testing.T) {
	w := runWorld(t, 2, func(_ int, c *Config) { c.Window = minWindow })
	full, other := session(1), session(2)
	w.admit(full, 0, 1)
	w.admit(other, 0, 1)
	frame := make([]byte, 1<<20)
	fit := minWindow / int(frameCost(1, len(frame)))
	for i := range fit {
		frame[0] = byte(i)
		send(t, w.nets[0], 1, full, "x", frame)
	}
	err := w.nets[0].Send(shortly(t, 100*time.Millisecond), 1, mpc.Channel{Session: full, Step: "x"}, frame)
	mustFail(t, err, "hospital-2 takes no more frames", "deadline")
	for range 50 {
		send(t, w.nets[0], 1, other, "y", frame)
		recv(t, w.nets[1], 0, other, "y")
		send(t, w.nets[1], 0, other, "y", frame[:10])
		recv(t, w.nets[0], 1, other, "y")
	}
	for i := range fit {
		if got := recv(t, w.nets[1], 0, full, "x"); got[0] != byte(i) || len(got) != len(frame) {
			t.Fatalf("frame %d arrived as %d", i, got[0])
		}
	}
	// The refused frame left nothing behind: the session goes on.
	send(t, w.nets[0], 1, full, "x", []byte("more"))
	if got := recv(t, w.nets[1], 0, full, "x"); string(got) != "more" {
		t.Fatalf("got %q", got)
	}
}

// TestCreditNeverRunsDry passes many times the window in the largest frames.
func TestCreditNeverRunsDry(t *testing.T) {
	w := runWorld(t, 2, func(_ int, c *Config) { c.Window = minWindow })
	id := session(1)
	w.admit(id, 0, 1)
	step := strings.Repeat("s", maxStep)
	frame := make([]byte, mpc.MaxFrame)
	var work sync.WaitGroup
	work.Go(func() {
		for range 20 {
			if err := w.nets[0].Send(within(t), 1, mpc.Channel{Session: id, Step: step}, frame); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		recv(t, w.nets[1], 0, id, step)
	}
	work.Wait()
}

func TestTooLargeIsRefusedBeforeSending(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	err := w.nets[0].Send(within(t), 1, mpc.Channel{Session: id, Step: "x"}, make([]byte, mpc.MaxFrame+1))
	mustFail(t, err, "4194305", "4194304")
	err = w.nets[0].Send(within(t), 1, mpc.Channel{Session: id, Step: strings.Repeat("s", maxStep+1)}, nil)
	mustFail(t, err, "513", "512")
	send(t, w.nets[0], 1, id, "x", []byte("fits"))
	recv(t, w.nets[1], 0, id, "x")
	if n := w.nets[0].Stats(1).FramesSent; n != 1 {
		t.Fatalf("%d frames sent, want 1", n)
	}
}

func TestSendDoesNotKeepTheFrame(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	frame := bytes.Repeat([]byte{7}, 100_000)
	send(t, w.nets[0], 1, id, "x", frame)
	clear(frame)
	if got := recv(t, w.nets[1], 0, id, "x"); !bytes.Equal(got, bytes.Repeat([]byte{7}, 100_000)) {
		t.Fatal("the frame changed after Send returned")
	}
}

// TestGivenUpSendCostsNothing lets a Send end while another one writes.
func TestGivenUpSendCostsNothing(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	r := w.nets[0].remotes[1]
	credit := func() int64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.lanes[id].credit
	}
	eventually(t, "the credit has come", func() bool { return credit() == r.window })
	send(t, w.nets[0], 1, id, "x", nil)
	recv(t, w.nets[1], 0, id, "x")
	r.link.lock <- struct{}{}
	err := w.nets[0].Send(shortly(t, 10*time.Millisecond), 1, mpc.Channel{Session: id, Step: "x"}, make([]byte, 1000))
	<-r.link.lock
	mustFail(t, err, "deadline exceeded")
	if got, want := credit(), r.window-frameCost(1, 0); got != want {
		t.Fatalf("credit is %d, want %d", got, want)
	}
}

func TestFramesWaitForAdmission(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0)
	for i := range 10 {
		send(t, w.nets[0], 1, id, "x", []byte{byte(i)})
	}
	ch := mpc.Channel{Session: id, Step: "x"}
	large := make([]byte, 1<<20)
	mustFail(t, w.nets[0].Send(shortly(t, 100*time.Millisecond), 1, ch, large), "takes no more frames")
	_, err := w.nets[1].Recv(within(t), 0, ch)
	mustFail(t, err, "not admitted")

	w.admit(id, 1)
	for i := range 10 {
		if got := recv(t, w.nets[1], 0, id, "x"); got[0] != byte(i) {
			t.Fatalf("frame %d arrived as %d", i, got[0])
		}
	}
	send(t, w.nets[0], 1, id, "x", large)
	recv(t, w.nets[1], 0, id, "x")
}

func TestSessionNeverAdmittedIsDropped(t *testing.T) {
	w := runWorld(t, 2, func(_ int, c *Config) {
		c.Heartbeat, c.Early = 10*time.Millisecond, 50*time.Millisecond
	})
	id := session(1)
	w.admit(id, 0)
	send(t, w.nets[0], 1, id, "x", []byte("early"))
	_, err := w.nets[0].Recv(within(t), 1, mpc.Channel{Session: id, Step: "x"})
	mustFail(t, err, "hospital-2 has lost or not admitted session")
	eventually(t, "the dropped session is forgotten", func() bool { return lanes(w.nets[1], 0) == 0 })
}

func TestAdmissionAfterDropTellsWhy(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0)
	send(t, w.nets[0], 1, id, "x", []byte("early"))
	eventually(t, "the early frame has arrived", func() bool { return lanes(w.nets[1], 0) == 1 })
	w.nets[1].remotes[0].sweep(time.Now().Add(2 * time.Minute))
	w.admit(id, 1)
	_, err := w.nets[1].Recv(within(t), 0, mpc.Channel{Session: id, Step: "x"})
	mustFail(t, err, "dropped before it was admitted", "hospital-1")
}

// lanes counts what node n remembers of sessions with p.
func lanes(n *Net, p mpc.PartyID) int {
	r := n.remotes[p]
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lanes)
}

func TestReleaseEndsTheSessionAfterItsFrames(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	ch := mpc.Channel{Session: id, Step: "x"}
	w.admit(id, 0, 1)
	send(t, w.nets[0], 1, id, "x", []byte("last"))
	w.nets[0].Release(id)
	w.nets[0].Release(id)
	if got := recv(t, w.nets[1], 0, id, "x"); string(got) != "last" {
		t.Fatalf("got %q", got)
	}
	if _, err := w.nets[1].Recv(within(t), 0, ch); !errors.Is(err, mpc.ErrEnded) {
		t.Fatalf("got %v, want ErrEnded", err)
	}
	// Nobody reads there any more: what is sent is discarded and never blocks.
	for range 30 {
		send(t, w.nets[1], 0, id, "x", make([]byte, mpc.MaxFrame))
	}
	if err := w.nets[0].Send(within(t), 1, ch, nil); err == nil {
		t.Fatal("Send in a released session passed")
	}
	w.nets[1].Release(id)
	eventually(t, "both ends have forgotten the session", func() bool {
		return lanes(w.nets[0], 1) == 0 && lanes(w.nets[1], 0) == 0
	})
}

// TestLateFramesAreDiscarded lets frames cross the release.
func TestLateFramesAreDiscarded(t *testing.T) {
	w := runWorld(t, 2, nil)
	for s := range byte(20) {
		id := session(s)
		w.admit(id, 0, 1)
		var work sync.WaitGroup
		work.Go(func() {
			for range 20 {
				send(t, w.nets[1], 0, id, "x", make([]byte, 10_000))
			}
			w.nets[1].Release(id)
		})
		w.nets[0].Release(id)
		work.Wait()
	}
	eventually(t, "both ends have forgotten the sessions", func() bool {
		return lanes(w.nets[0], 1) == 0 && lanes(w.nets[1], 0) == 0
	})
	if !w.nets[0].Connected(1) || len(w.logs[0].with("link lost")) != 0 {
		t.Fatal("late frames cost the link")
	}
}

func TestWaitersHearOfRelease(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0)
	result := make(chan error)
	go func() {
		_, err := w.nets[0].Recv(within(t), 1, mpc.Channel{Session: id, Step: "x"})
		result <- err
	}()
	r := w.nets[0].remotes[1]
	eventually(t, "Recv waits", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.lanes[id].steps) == 1
	})
	w.nets[0].Release(id)
	mustFail(t, <-result, "released")
}

// TestEndedSessionsSurviveTheExitOfANode sends much, ends the session and closes
// at once: everything must still arrive.
func TestEndedSessionsSurviveTheExitOfANode(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	var work sync.WaitGroup
	work.Go(func() { // traffic in the other direction must not reset the connection
		for range 100 {
			if w.nets[0].Send(within(t), 1, mpc.Channel{Session: id, Step: "back"}, make([]byte, 50_000)) != nil {
				return
			}
		}
	})
	for i := range 30 {
		send(t, w.nets[1], 0, id, "x", bytes.Repeat([]byte{byte(i)}, 200_000))
	}
	w.nets[1].Release(id)
	if err := w.nets[1].Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if got := recv(t, w.nets[0], 1, id, "x"); len(got) != 200_000 || got[0] != byte(i) {
			t.Fatalf("frame %d arrived as %d", i, got[0])
		}
	}
	if _, err := w.nets[0].Recv(within(t), 1, mpc.Channel{Session: id, Step: "x"}); !errors.Is(err, mpc.ErrEnded) {
		t.Fatalf("got %v, want ErrEnded", err)
	}
	work.Wait()
}

func TestWaitsEndWithTheirContext(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	send(t, w.nets[0], 1, id, "x", nil)
	recv(t, w.nets[1], 0, id, "x")
	cause := errors.New("the session's own deadline")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 30*time.Millisecond, cause)
	defer cancel()
	_, err := w.nets[1].Recv(ctx, 0, mpc.Channel{Session: id, Step: "x"})
	if !errors.Is(err, cause) {
		t.Fatalf("got %v, want the context's cause", err)
	}
	mustFail(t, err, "hospital-1 sends nothing")
	if r := w.nets[1].remotes[0]; len(r.lanes[id].steps) != 0 {
		t.Fatal("the wait left an inbox behind")
	}
}

func TestSendWaitsForTheLink(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.start(0)
	id := session(1)
	w.admit(id, 0)
	ch := mpc.Channel{Session: id, Step: "x"}
	eventually(t, "a dial has failed", func() bool { return strings.Contains(w.nets[0].Status(1).Error(), "refused") })
	err := w.nets[0].Send(shortly(t, 20*time.Millisecond), 1, ch, []byte("x"))
	mustFail(t, err, "hospital-2 is unreachable", "connection refused", "deadline exceeded")
	_, err = w.nets[0].Recv(shortly(t, 20*time.Millisecond), 1, ch)
	mustFail(t, err, "hospital-2 is unreachable", "connection refused")
	if w.nets[0].Connected(1) {
		t.Fatal("connected to nobody")
	}
}

func TestSendBeforeThePeerStarts(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.start(1)
	id := session(1)
	w.admit(id, 1)
	mustFail(t, w.nets[1].Status(0), "hospital-1 is unreachable", "not yet connected")
	sent := make(chan error)
	go func() { sent <- w.nets[1].Send(within(t), 0, mpc.Channel{Session: id, Step: "x"}, []byte("early")) }()
	w.start(0)
	w.admit(id, 0)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got := recv(t, w.nets[0], 1, id, "x"); string(got) != "early" {
		t.Fatalf("got %q", got)
	}
}

func TestMisuse(t *testing.T) {
	w := runWorld(t, 2, nil)
	n, ch := w.nets[0], mpc.Channel{Session: session(1), Step: "x"}
	w.admit(session(1), 0)
	mustFail(t, n.Admit(session(1)), "already")
	mustFail(t, n.Send(within(t), 0, ch, nil), "itself")
	mustFail(t, n.Send(within(t), 2, ch, nil), "node 2 of 2")
	mustFail(t, n.Send(within(t), 1, mpc.Channel{Session: session(2)}, nil), "not admitted")
	_, err := n.Recv(within(t), -1, ch)
	mustFail(t, err, "node -1 of 2")
}

func TestClosedNetAnswers(t *testing.T) {
	w := runWorld(t, 2, nil)
	id := session(1)
	w.admit(id, 0, 1)
	ch := mpc.Channel{Session: id, Step: "x"}
	send(t, w.nets[0], 1, id, "x", nil)
	recv(t, w.nets[1], 0, id, "x")
	result := make(chan error)
	go func() {
		_, err := w.nets[0].Recv(within(t), 1, ch)
		result <- err
	}()
	if err := w.nets[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err == nil {
		t.Fatal("Recv of a closed Net passed")
	}
	if err := w.nets[0].Send(within(t), 1, ch, nil); err == nil {
		t.Fatal("Send of a closed Net passed")
	}
	_, err := w.nets[1].Recv(within(t), 0, ch)
	mustFail(t, err, "link to hospital-1 lost", "peer has closed")
}

// TestContextStopsTheNet ends the context that Listen was given.
func TestContextStopsTheNet(t *testing.T) {
	w := newWorld(t, 2, nil)
	ctx, cancel := context.WithCancel(context.Background())
	n, err := Listen(ctx, w.config(0))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	n.work.Wait()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBadConfigs(t *testing.T) {
	w := newWorld(t, 3, nil)
	for _, c := range []struct {
		name, want string
		spoil      func(*Config)
	}{
		{"self", "node 3 of 3", func(c *Config) { c.Self = 3 }},
		{"protocol", "protocol version 0", func(c *Config) { c.Protocol = 0 }},
		{"idle", "at least twice", func(c *Config) { c.Idle = time.Second }},
		{"window", "window of 1 bytes", func(c *Config) { c.Window = 1 }},
		{"name", "no name", func(c *Config) { c.Peers[1].Name = "" }},
		{"same name", "repeats", func(c *Config) { c.Peers[1].Name = c.Peers[0].Name }},
		{"same certificate", "repeats", func(c *Config) { c.Peers[1].Certificate = c.Peers[0].Certificate }},
		{"garbage certificate", "certificate of hospital-2", func(c *Config) { c.Peers[1].Certificate = []byte("x") }},
		{"name not in certificate", "certificate of other", func(c *Config) { c.Peers[1].Name = "other" }},
		{"other identity", "not the one that the roster holds for hospital-1", func(c *Config) { c.Identity = w.ids[1] }},
		{"address", "peer links", func(c *Config) { c.Listen = "nowhere" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := w.config(0)
			c.spoil(&cfg)
			_, err := Listen(context.Background(), cfg)
			mustFail(t, err, c.want)
		})
	}
}

// agree starts a session of package mpc on all nodes, seeds agreed over the
// links.
func (w *world) agree(id mpc.SessionID) []*mpc.Session {
	w.t.Helper()
	var names []string
	var all []mpc.PartyID
	for i, p := range w.peers {
		names, all = append(names, p.Name), append(all, mpc.PartyID(i))
	}
	key := func(p mpc.PartyID) ed25519.PrivateKey { return w.ids[p].PrivateKey.(ed25519.PrivateKey) }
	sessions, errs := make([]*mpc.Session, len(all)), make([]error, len(all))
	var work sync.WaitGroup
	for i := range all {
		work.Go(func() {
			seeds, err := mpc.Agree(within(w.t), mpc.Agreement{
				ID: id, Self: all[i], Names: names, Peers: slices.Delete(slices.Clone(all), i, i+1), Transport: w.nets[i],
				Key: key(all[i]), Timeout: patience,
				PeerKey: func(p mpc.PartyID) ed25519.PublicKey { return key(p).Public().(ed25519.PublicKey) },
			})
			if err != nil {
				errs[i] = err
				return
			}
			sessions[i], errs[i] = mpc.NewSession(within(w.t), mpc.Config{
				ID: id, Self: all[i], Names: names, Compute: all, Transport: w.nets[i], Seeds: seeds, Timeout: patience,
			})
		})
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
	return sessions
}

// TestSessionAbortTravels runs sessions of package mpc over real links: frames
// pass, and the failure of one participant ends all with its words.
func TestSessionAbortTravels(t *testing.T) {
	const nodes = 3
	w := runWorld(t, nodes, nil)
	id := session(1)
	w.admit(id, 0, 1, 2)
	sessions := w.agree(id)
	defer func() {
		for _, s := range sessions {
			s.Close()
		}
	}()
	step := func(i int) *mpc.Session { return sessions[i].Step("exchange") }
	for i := range nodes {
		step(i).Send(mpc.PartyID((i+1)%nodes), fmt.Appendf(nil, "from %d", i))
	}
	for i := range nodes {
		from := (i + nodes - 1) % nodes
		if got := step(i).Recv(mpc.PartyID(from), 6); string(got) != fmt.Sprintf("from %d", from) {
			t.Fatalf("node %d got %q: %v", i, got, step(i).Err())
		}
	}
	sessions[2].Step("divide").Fail(errors.New("cannot go on"))
	for i := range 2 {
		step(i).Recv(2, 1) // waits until the abort comes
		// The other one may have heard it first and passed it on.
		mustFail(t, sessions[i].Err(), "aborted: hospital-3, step divide: cannot go on")
	}
}

// TestSessionsOfOthersPass runs many more sessions at one node than its peer may have
// early ones; the peer takes part in none, and the link lives on, also after a loss.
func TestSessionsOfOthersPass(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.start(1)
	pass := func(round byte) {
		t.Helper()
		for i := range 2 * maxEarly {
			id := mpc.SessionID{0: byte(i >> 8), 1: byte(i), 2: round}
			w.admit(id, 0)
			w.nets[0].Release(id)
		}
		warm(t, w, session(round)) // all before it has arrived, in order
		if lost := append(w.logs[0].with("link lost"), w.logs[1].with("protocol broken")...); len(lost) > 0 {
			t.Fatalf("sessions without the peer took the link along: %q", lost)
		}
	}
	w.start(0)
	eventually(t, "the link is up", func() bool { return w.nets[0].Connected(1) })
	pass(1)
	if err := w.nets[0].Close(); err != nil {
		t.Fatal(err)
	}
	w.start(0)
	eventually(t, "the link is up again", func() bool { return w.nets[0].Connected(1) })
	pass(2)
}
