package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"consilium/mpc"
)

// noLeaks checks at the very end of a test that no goroutine of it is left. It
// must be the test's first call.
func noLeaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// identity makes a self-signed certificate as nodes have it.
func identity(t testing.TB, name string) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certify(t, name, public, private)
}

func certify(t testing.TB, name string, public ed25519.PublicKey, private ed25519.PrivateKey) tls.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// world is a roster whose nodes run in one process.
type world struct {
	t      testing.TB
	ids    []tls.Certificate
	peers  []Peer
	nets   []*Net
	logs   []*logLines
	adjust func(self int, c *Config)
}

// newWorld makes a roster of n nodes and starts none of them.
func newWorld(t testing.TB, n int, adjust func(self int, c *Config)) *world {
	t.Helper()
	noLeaks(t)
	w := &world{t: t, nets: make([]*Net, n), logs: make([]*logLines, n), adjust: adjust}
	for i := range n {
		name := fmt.Sprintf("hospital-%d", i+1)
		w.ids = append(w.ids, identity(t, name))
		w.peers = append(w.peers, Peer{Name: name, Address: "127.0.0.1:1", Certificate: w.ids[i].Certificate[0]})
		w.logs[i] = &logLines{}
	}
	return w
}

// runWorld starts all nodes.
func runWorld(t testing.TB, n int, adjust func(self int, c *Config)) *world {
	t.Helper()
	w := newWorld(t, n, adjust)
	for i := n - 1; i >= 0; i-- { // lower nodes dial higher ones, whose ports must be known
		w.start(i)
	}
	return w
}

// start starts node i, at its former address if it ran before.
func (w *world) start(i int) *Net {
	w.t.Helper()
	cfg := w.config(i)
	n, err := Listen(context.Background(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = n.Close() })
	w.nets[i] = n
	w.peers[i].Address = n.Addr().String()
	return n
}

func (w *world) config(i int) Config {
	listen := w.peers[i].Address
	if listen == "127.0.0.1:1" {
		listen = "127.0.0.1:0"
	}
	cfg := Config{
		Self: mpc.PartyID(i), Peers: slices.Clone(w.peers), Identity: w.ids[i], Listen: listen,
		Protocol: 1, Roster: [32]byte{1, 2, 3}, Log: slog.New(slog.NewTextHandler(w.logs[i], nil)),
	}
	if w.adjust != nil {
		w.adjust(i, &cfg)
	}
	return cfg
}

// admit opens a session at the given nodes.
func (w *world) admit(id mpc.SessionID, nodes ...int) {
	w.t.Helper()
	for _, i := range nodes {
		if err := w.nets[i].Admit(id); err != nil {
			w.t.Fatal(err)
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

// with returns the lines that contain text.
func (l *logLines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			out = append(out, line)
		}
	}
	return out
}

// patience bounds every wait of a test; none is expected to last so long.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func shortly(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

func session(b byte) mpc.SessionID { return mpc.SessionID{31: b} }

func send(t testing.TB, n *Net, to mpc.PartyID, id mpc.SessionID, step string, frame []byte) {
	t.Helper()
	if err := n.Send(within(t), to, mpc.Channel{Session: id, Step: step}, frame); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func recv(t testing.TB, n *Net, from mpc.PartyID, id mpc.SessionID, step string) []byte {
	t.Helper()
	frame, err := n.Recv(within(t), from, mpc.Channel{Session: id, Step: step})
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return frame
}

// mustFail checks an error's text.
func mustFail(t testing.TB, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Fatalf("error %q lacks %q", err, text)
		}
	}
}
