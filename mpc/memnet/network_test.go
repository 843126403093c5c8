package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ch = mpc.Channel{Session: mpc.SessionID{1}, Step: "a"}

func send(t *testing.T, tr mpc.Transport, to mpc.PartyID, ch mpc.Channel, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if err := tr.Send(t.Context(), to, ch, []byte(f)); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, tr mpc.Transport, from mpc.PartyID, ch mpc.Channel, frames ...string) {
	t.Helper()
	for _, want := range frames {
		got, err := tr.Recv(t.Context(), from, ch)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestChannelsAreFIFOAndApart(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{})
	other := mpc.Channel{Session: ch.Session, Step: "b"}
	later := mpc.Channel{Session: mpc.SessionID{2}, Step: "a"}
	send(t, net.Transport(0), 1, ch, "1", "2", "3")
	send(t, net.Transport(0), 1, other, "b")
	send(t, net.Transport(0), 1, later, "later")
	send(t, net.Transport(2), 1, ch, "from 2")
	expect(t, net.Transport(1), 0, later, "later")
	expect(t, net.Transport(1), 2, ch, "from 2")
	expect(t, net.Transport(1), 0, other, "b")
	expect(t, net.Transport(1), 0, ch, "1", "2", "3")
	if peak := net.Peak(); peak != (memnet.Load{Frames: 6, Bytes: 15}) {
		t.Errorf("peak %+v", peak)
	}
}

func TestSendKeepsNoFrame(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	frame := []byte("before")
	if err := net.Transport(0).Send(t.Context(), 1, ch, frame); err != nil {
		t.Fatal(err)
	}
	copy(frame, "after!")
	expect(t, net.Transport(1), 0, ch, "before")
}

func TestEndDeliversFirst(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	send(t, net.Transport(0), 1, ch, "1", "2")
	net.End(0, ch.Session)
	expect(t, net.Transport(1), 0, ch, "1", "2")
	if _, err := net.Transport(1).Recv(t.Context(), 0, ch); !errors.Is(err, mpc.ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
	other := mpc.Channel{Session: mpc.SessionID{2}, Step: "a"}
	send(t, net.Transport(0), 1, other, "another session goes on")
	expect(t, net.Transport(1), 0, other, "another session goes on")
}

// wait runs f in a goroutine, does then, and returns f's error.
func wait(f func() error, then func()) error {
	done := make(chan error)
	go func() { done <- f() }()
	then()
	return <-done
}

func TestWaitingReceiverHears(t *testing.T) {
	pulled := errors.New("cable pulled")
	for name, c := range map[string]struct {
		event func(*memnet.Network, context.CancelFunc)
		want  error
	}{
		"a frame": {func(n *memnet.Network, _ context.CancelFunc) { send(t, n.Transport(0), 1, ch, "x") }, nil},
		"the end": {func(n *memnet.Network, _ context.CancelFunc) { n.End(0, ch.Session) }, mpc.ErrEnded},
		"a cut":   {func(n *memnet.Network, _ context.CancelFunc) { n.Cut(1, 0, pulled) }, pulled},
		"cancel":  {func(_ *memnet.Network, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			net := memnet.NewNetwork(2, 0, memnet.Hooks{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := wait(func() error {
				_, err := net.Transport(1).Recv(ctx, 0, ch)
				return err
			}, func() { c.event(net, cancel) })
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	net := memnet.NewNetwork(2, 2, memnet.Hooks{})
	send(t, net.Transport(0), 1, ch, "1", "2")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := net.Transport(0).Send(ctx, 1, ch, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third frame: %v", err)
	}
	other := mpc.Channel{Session: ch.Session, Step: "b"}
	send(t, net.Transport(0), 1, other, "another channel has its own window")
	err := wait(func() error { return net.Transport(0).Send(t.Context(), 1, ch, []byte("3")) },
		func() { expect(t, net.Transport(1), 0, ch, "1") })
	if err != nil {
		t.Fatal(err)
	}
	expect(t, net.Transport(1), 0, ch, "2", "3")
	send(t, net.Transport(0), 1, ch, "4", "5")
	if err := wait(func() error { return net.Transport(0).Send(t.Context(), 1, ch, nil) },
		func() { net.End(1, ch.Session) }); err != nil {
		t.Errorf("send to a peer that has left: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	net := memnet.NewNetwork(2, 0, memnet.Hooks{})
	tr := net.Transport(0)
	if err := tr.Send(t.Context(), 1, ch, make([]byte, mpc.MaxFrame+1)); err == nil {
		t.Error("a frame above MaxFrame is sent")
	}
	for _, p := range []mpc.PartyID{0, -1, 2} {
		if err := tr.Send(t.Context(), p, ch, nil); err == nil {
			t.Errorf("sent to %d", p)
		}
		if _, err := tr.Recv(t.Context(), p, ch); err == nil {
			t.Errorf("received from %d", p)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Send(ctx, 1, ch, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("sent after the context's end: %v", err)
	}
	net.Cut(0, 1, errors.New("cut"))
	if err := tr.Send(t.Context(), 1, ch, nil); err == nil {
		t.Error("sent over a cut link")
	}
	if len(net.Transcript()) != 0 {
		t.Error("what was refused is in the transcript")
	}
}

func TestHooks(t *testing.T) {
	var delayed time.Time
	const hold = 5 * time.Millisecond
	net := memnet.NewNetwork(2, 0, memnet.Hooks{
		Delay: func(m memnet.Message) time.Duration {
			if m.Index == 0 {
				delayed = time.Now()
				return hold
			}
			return 0
		},
		Tamper: func(m memnet.Message) ([]byte, bool) {
			switch string(m.Frame) {
			case "lose":
				return nil, false
			case "change":
				return bytes.ToUpper(m.Frame), true
			}
			return m.Frame, true
		},
	})
	send(t, net.Transport(0), 1, ch, "slow", "lose", "change", "keep")
	expect(t, net.Transport(1), 0, ch, "slow")
	if took := time.Since(delayed); took < hold {
		t.Errorf("came after %v", took)
	}
	expect(t, net.Transport(1), 0, ch, "CHANGE", "keep")
	if got, want := net.Transcript().Shape(), "a 0>1 4\na 0>1 4\na 0>1 6\na 0>1 4\n"; got != want {
		t.Errorf("the transcript has what was sent: got\n%s", got)
	}
}

func TestTranscript(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{})
	at := func(step string) mpc.Channel { return mpc.Channel{Session: mpc.SessionID{9}, Step: step} }
	send(t, net.Transport(2), 1, at("b/open"), "xyz")
	send(t, net.Transport(0), 1, at("b"), "")
	send(t, net.Transport(2), 0, at("b/open"), "abc", "d")
	send(t, net.Transport(1), 0, at("ba/reveal"), "1")
	send(t, net.Transport(1), 0, at("reveal/x"), "1")
	tr := net.Transcript()
	want := "b 0>1 0\nb/open 2>0 3\nb/open 2>0 1\nb/open 2>1 3\nba/reveal 1>0 1\nreveal/x 1>0 1\n"
	if got := tr.Shape(); got != want {
		t.Errorf("shape: got\n%s", got)
	}
	if got := tr.At("b").Shape(); got != want[:len("b 0>1 0\nb/open 2>0 3\nb/open 2>0 1\nb/open 2>1 3\n")] {
		t.Errorf("at b: got\n%s", got)
	}
	if got := fmt.Sprint(tr.Openings()); got != "[b/open ba/reveal]" {
		t.Errorf("openings %s", got)
	}
	if got := tr.Bytes(2); got != 7 {
		t.Errorf("participant 2 sent %d bytes", got)
	}
	// SHA-256("abc") begins with these bytes (FIPS 180-4, example).
	if got := tr[1].Hash; got != [8]byte{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea} {
		t.Errorf("hash %x", got)
	}
}

func TestRounds(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{})
	send(t, net.Transport(0), 1, ch, "a", "b")
	expect(t, net.Transport(1), 0, ch, "a")
	send(t, net.Transport(1), 2, ch, "c")
	expect(t, net.Transport(1), 0, ch, "b")
	expect(t, net.Transport(2), 1, ch, "c")
	if got := net.Rounds(); got != 2 {
		t.Errorf("%d rounds, want 2", got)
	}
}
