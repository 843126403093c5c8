package overlay_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"consilium/mpc"
	"consilium/node/linktest"
	"consilium/node/linktest/proxy"
	"consilium/node/overlay"
	"consilium/node/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; none is expected to last so long.
const patience = 20 * time.Second

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// logLines collects a node's log.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logLines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), text)
}

// brisk are links that notice silence soon.
func brisk(cfg peer.Config) peer.Config {
	cfg.Heartbeat, cfg.Idle, cfg.Handshake = 50*time.Millisecond, 400*time.Millisecond, 2*time.Second
	return cfg
}

// patient are links that notice a loss and never silence, in a test's time.
func patient(cfg peer.Config) peer.Config {
	cfg.Heartbeat, cfg.Idle = 20*time.Second, time.Minute
	return cfg
}

// two starts two nodes; the first reaches the second through a proxy.
func two(t *testing.T, adjust func(peer.Config) peer.Config) (nets []*peer.Net, between *proxy.Proxy) {
	t.Helper()
	roster := linktest.Roster(t, 2)
	second, err := overlay.Listen(t.Context(), adjust(linktest.Config(roster, 1)), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	between = proxy.New(t, second.Addr().String())
	roster[1].Peer.Address = between.Addr()
	first, err := overlay.Listen(t.Context(), adjust(linktest.Config(roster, 0)), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Close() })
	eventually(t, "both are linked", func() bool { return first.Connected(1) && second.Connected(0) })
	return []*peer.Net{first, second}, between
}

// admit opens a session at both nodes and returns a channel of it.
func admit(t *testing.T, nets []*peer.Net, id byte) mpc.Channel {
	t.Helper()
	session := mpc.SessionID{31: id}
	for _, n := range nets {
		if err := n.Admit(session); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Release(session) })
	}
	return mpc.Channel{Session: session, Step: "step"}
}

// talk sends a frame each way.
func talk(nets []*peer.Net, ch mpc.Channel) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, n := range nets {
		to := mpc.PartyID(1 - i)
		if err := n.Send(ctx, to, ch, []byte("frame")); err != nil {
			return err
		}
		if frame, err := nets[to].Recv(ctx, mpc.PartyID(i), ch); err != nil || string(frame) != "frame" {
			return fmt.Errorf("got %q, %w", frame, err)
		}
	}
	return nil
}

// TestFramesOfEverySize sends what needs several messages of onet, and many small
// frames that nobody reads meanwhile: more than a channel of onet would hold.
func TestFramesOfEverySize(t *testing.T) {
	nets, _ := two(t, patient)
	ch := admit(t, nets, 1)
	ctx := t.Context()
	for _, size := range []int{0, 1, 20_000, mpc.MaxFrame} {
		frame := bytes.Repeat([]byte{7}, size)
		for i, n := range nets {
			to := mpc.PartyID(1 - i)
			if err := n.Send(ctx, to, ch, frame); err != nil {
				t.Fatal(err)
			}
			if got, err := nets[to].Recv(ctx, mpc.PartyID(i), ch); err != nil || !bytes.Equal(got, frame) {
				t.Fatalf("%d bytes: %v, or other bytes", size, err)
			}
		}
	}
	if err := nets[0].Send(ctx, 1, ch, make([]byte, mpc.MaxFrame+1)); err == nil {
		t.Error("a frame above the limit was sent")
	}
	for i := range 5000 {
		if err := nets[0].Send(ctx, 1, ch, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5000 {
		if got, err := nets[1].Recv(ctx, 0, ch); err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("frame %d: got %q, %v", i, got, err)
		}
	}
}

// TestAKilledPeerIsNoticedAtOnce resets the connection, as the end of a process
// does: onet tells its router, and the session must hear of it.
func TestAKilledPeerIsNoticedAtOnce(t *testing.T) {
	nets, between := two(t, patient) // nothing here may be a deadline's work
	ch := admit(t, nets, 1)
	if err := talk(nets, ch); err != nil {
		t.Fatal(err)
	}
	between.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, n := range nets {
		if _, err := n.Recv(ctx, mpc.PartyID(1-i), ch); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("link to hospital-%d lost", 2-i)) {
			t.Errorf("got %v", err)
		}
	}
}

// TestAStoppedPeerIsNoticedByADeadline holds all bytes back: onet would go on
// sending for a minute.
func TestAStoppedPeerIsNoticedByADeadline(t *testing.T) {
	nets, between := two(t, brisk)
	ch := admit(t, nets, 1)
	if err := talk(nets, ch); err != nil {
		t.Fatal(err)
	}
	between.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, n := range nets {
		if _, err := n.Recv(ctx, mpc.PartyID(1-i), ch); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("hospital-%d", 2-i)) {
			t.Errorf("got %v", err)
		}
	}
}

// TestASilentLinkStaysUp says nothing for many times the idle limit: heartbeats
// keep the connection, and its session, alive.
func TestASilentLinkStaysUp(t *testing.T) {
	nets, _ := two(t, brisk)
	ch := admit(t, nets, 1)
	if err := talk(nets, ch); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * 400 * time.Millisecond)
	if err := talk(nets, ch); err != nil {
		t.Error(err)
	}
}

func TestALostLinkComesAgain(t *testing.T) {
	nets, between := two(t, patient)
	for i := range byte(3) {
		if err := talk(nets, admit(t, nets, i)); err != nil {
			t.Fatal(err)
		}
		between.Cut()
		eventually(t, "the loss is noticed", func() bool { return !nets[0].Connected(1) || !nets[1].Connected(0) })
		eventually(t, "both are linked again", func() bool { return nets[0].Connected(1) && nets[1].Connected(0) })
	}
	if err := talk(nets, admit(t, nets, 9)); err != nil {
		t.Error(err)
	}
}

// listening returns the ports on which this process listens, from the kernel's
// tables of its own sockets.
func listening(t *testing.T) []string {
	t.Helper()
	mine := make(map[string]bool)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal("the listening ports are read from /proc: ", err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			if inode, ok := strings.CutPrefix(to, "socket:["); ok {
				mine[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	var ports []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			const local, state, inode, listen = 1, 3, 9, "0A"
			if w := strings.Fields(lines.Text()); len(w) > inode && w[state] == listen && mine[w[inode]] {
				ports = append(ports, w[local])
			}
		}
		_ = f.Close()
	}
	slices.Sort(ports)
	return ports
}

// TestNoOtherPortListens: a server of onet that is started has a websocket without
// authentication on the next port of all interfaces.
func TestNoOtherPortListens(t *testing.T) {
	before := listening(t)
	roster := linktest.Roster(t, 1)
	n, err := overlay.Listen(t.Context(), linktest.Config(roster, 0), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	time.Sleep(100 * time.Millisecond) // whatever would start in the background
	after := listening(t)
	if len(after) != len(before)+1 {
		t.Fatalf("listens on %v, before on %v", after, before)
	}
	want := fmt.Sprintf(":%04X", n.Addr().(*net.TCPAddr).Port)
	for _, port := range after {
		if !slices.Contains(before, port) && port != "0100007F"+want {
			t.Errorf("listens on %s, want 127.0.0.1%s", port, want)
		}
	}
}

// TestEveryNodeHasItsOwnDatabase and leaves the environment as it was.
func TestEveryNodeHasItsOwnDatabase(t *testing.T) {
	t.Setenv("CONODE_SERVICE_PATH", "/nowhere")
	roster := linktest.Roster(t, 2)
	for i := range 2 {
		dir := filepath.Join(t.TempDir(), "onet")
		cfg := linktest.Config(roster, i)
		n, err := overlay.Listen(t.Context(), cfg, dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 || filepath.Ext(files[0].Name()) != ".db" {
			t.Errorf("%s holds %v, %v", dir, files, err)
		}
	}
	if got := os.Getenv("CONODE_SERVICE_PATH"); got != "/nowhere" {
		t.Errorf("the environment is left with %s", got)
	}
}

func TestWhatCannotStart(t *testing.T) {
	roster := linktest.Roster(t, 2)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*peer.Config)
		dir    string
		want   string
	}{
		"a taken port":        {func(c *peer.Config) { c.Listen = taken.Addr().String() }, t.TempDir(), "address already in use"},
		"a file in the way":   {func(*peer.Config) {}, file, "not a directory"},
		"a strange identity":  {func(c *peer.Config) { c.Identity = roster[1].Identity }, t.TempDir(), "not the one that the roster holds"},
		"a roster without us": {func(c *peer.Config) { c.Self = 2 }, t.TempDir(), "self is node 2"},
	} {
		cfg := linktest.Config(roster, 0)
		c.change(&cfg)
		n, err := overlay.Listen(t.Context(), cfg, c.dir)
		if err == nil {
			_ = n.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestClosingIsQuickAndComplete(t *testing.T) {
	nets, between := two(t, brisk)
	between.Hold()
	closed := make(chan error)
	go func() { closed <- errors.Join(nets[0].Close(), nets[1].Close()) }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("closing waits for the peer")
	}
}

// TestOnetsWordsGoToTheLog: onet prints what goes wrong, and here a node's log has it.
func TestOnetsWordsGoToTheLog(t *testing.T) {
	log := &logLines{}
	roster := linktest.Roster(t, 1)
	cfg := linktest.Config(roster, 0)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	o := start(t, cfg)
	o.Router().RegisterProcessorFunc(overlayType(t), func(*envelope) error { return errors.New("strange words") })
	if err := o.Router().Dispatch(&envelope{MsgType: overlayType(t)}); err != nil {
		t.Fatal(err)
	}
	if !log.has("strange words") {
		t.Error("the log does not have it")
	}
}
