package peer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
)

// intruder holds a roster node's key and speaks as it likes.
type intruder struct {
	*tls.Conn
	t testing.TB
}

// dialAs connects to a running node with the identity of another.
func (w *world) dialAs(id tls.Certificate, to int, adjust func(*tls.Config)) (*tls.Conn, error) {
	pool, err := poolOf(w.peers[to])
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{id}, RootCAs: pool, ServerName: w.peers[to].Name}
	if adjust != nil {
		adjust(config)
	}
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", w.nets[to].Addr().String(), config)
}

// intrude connects as node from and passes the hello.
func (w *world) intrude(from, to int) *intruder {
	w.t.Helper()
	conn, err := w.dialAs(w.ids[from], to, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	x := &intruder{conn, w.t}
	x.hello(hello{protocol: 1, from: uint16(from), to: uint16(to), roster: [32]byte{1, 2, 3}})
	return x
}

func (x *intruder) hello(h hello) {
	x.t.Helper()
	if _, err := x.Write(h.encode()); err != nil {
		x.t.Fatal(err)
	}
	if _, err := io.ReadFull(x, make([]byte, helloSize)); err != nil {
		x.t.Fatal(err)
	}
}

// put writes what the victim may already have refused to read.
func (x *intruder) put(b []byte) { _, _ = x.Write(b) }

func (x *intruder) head(h header) {
	var b [headerSize]byte
	h.encode(b[:])
	x.put(b[:])
}

func (x *intruder) frame(id mpc.SessionID, step string, payload []byte) {
	x.head(header{kind: kindFrame, size: uint32(len(payload)), step: uint16(len(step)), session: id})
	x.put([]byte(step))
	x.put(payload)
}

// closed waits until the victim hangs up.
func (x *intruder) closed() {
	x.t.Helper()
	if err := x.SetReadDeadline(time.Now().Add(patience)); err != nil {
		x.t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, x)
	if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
		x.t.Fatal("the victim keeps the link")
	}
}

// TestHostilePeer has a roster node misbehave after a proper hello. The link is
// closed with one clear line, and the session with another node goes on.
func TestHostilePeer(t *testing.T) {
	id := session(9)
	for _, c := range []struct {
		name, want string
		attack     func(x *intruder)
	}{
		{"oversized frame", "frame of 4194305 bytes, at most 4194304", func(x *intruder) {
			x.head(header{kind: kindFrame, size: mpc.MaxFrame + 1, session: id})
		}},
		{"huge frame", "frame of 4294967295 bytes", func(x *intruder) {
			x.head(header{kind: kindFrame, size: 1<<32 - 1, session: id})
		}},
		{"overlong step name", "step name of 513 bytes, at most 512", func(x *intruder) {
			x.frame(id, strings.Repeat("s", maxStep+1), nil)
		}},
		{"cut header", "the connection was cut", func(x *intruder) {
			x.put(make([]byte, 20))
			_ = x.CloseWrite()
		}},
		{"cut step", "the connection was cut", func(x *intruder) {
			x.head(header{kind: kindFrame, size: 10, step: 5, session: id})
			_ = x.CloseWrite()
		}},
		{"cut frame", "the connection was cut", func(x *intruder) {
			x.head(header{kind: kindFrame, size: 1000, step: 1, session: id})
			x.put([]byte("sonly a part"))
			_ = x.CloseWrite()
		}},
		{"garbage", "protocol broken: message of unknown kind", func(x *intruder) {
			x.put(bytes.Repeat([]byte("garbage!"), 1000))
		}},
		{"another multiplexer", "protocol broken", func(x *intruder) {
			x.put(append([]byte{0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 0, 0}, make([]byte, 64)...))
		}},
		{"more than the credit", "more frames than the credit given allows", func(x *intruder) {
			x.frame(id, "x", make([]byte, earlyWindow))
		}},
		{"many small frames", "more frames than the credit given allows", func(x *intruder) {
			for range 1 + earlyWindow/frameOverhead {
				x.frame(id, "", nil)
			}
		}},
		{"thousands of sessions", "more than 256 sessions started", func(x *intruder) {
			for i := range 5000 {
				var s mpc.SessionID
				binary.BigEndian.PutUint32(s[:], uint32(i)+1)
				x.frame(s, "x", make([]byte, 100))
			}
		}},
		{"endless credit", "credit of more than", func(x *intruder) {
			for range 300 {
				x.head(header{kind: kindCredit, size: 1<<32 - 1, session: id})
			}
		}},
		{"hangs up", "the peer has closed it", func(x *intruder) { _ = x.CloseWrite() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 3, nil)
			w.start(2)
			w.start(1)
			good := session(1)
			w.admit(good, 1, 2)
			x := w.intrude(0, 1)
			defer x.Close()
			c.attack(x)
			x.closed()
			eventually(t, "the loss is logged", func() bool { return len(w.logs[1].with("link lost")) > 0 })
			lines := w.logs[1].with("level=WARN")
			if len(lines) != 1 || !strings.Contains(lines[0], "peer=hospital-1") || !strings.Contains(lines[0], c.want) {
				t.Fatalf("want one line with %q, got %q", c.want, lines)
			}
			checkBounded(t, w.nets[1].remotes[0])
			send(t, w.nets[1], 2, good, "x", []byte("still here"))
			recv(t, w.nets[2], 1, good, "x")
		})
	}
}

// checkBounded checks that a lost peer left no frame and few sessions.
func checkBounded(t testing.TB, r *remote) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lanes) > 1+maxEarly { // one is admitted
		t.Fatalf("%d sessions kept, want at most %d", len(r.lanes), 1+maxEarly)
	}
	for _, l := range r.lanes {
		if len(l.steps) != 0 {
			t.Fatalf("session %v keeps frames of a lost link", l.id)
		}
	}
}

// TestEarlyMemoryIsBounded spends all early credit and measures what is held.
func TestEarlyMemoryIsBounded(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.start(1)
	x := w.intrude(0, 1)
	defer x.Close()
	payload := make([]byte, 60_000)
	for i := range maxEarly {
		for range 4 {
			x.frame(mpc.SessionID{0: byte(i), 1: 1}, "x", payload)
		}
	}
	r := w.nets[1].remotes[0]
	eventually(t, "all has arrived", func() bool { return r.framesReceived.Load() == 4*maxEarly })
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for _, l := range r.lanes {
		for _, frame := range l.steps["x"].frames {
			total += len(frame)
		}
	}
	if total != 4*maxEarly*len(payload) || total > maxEarly*earlyWindow {
		t.Fatalf("%d bytes held for early sessions", total)
	}
}

// TestHelloMismatch checks that both ends refuse and that both say why.
func TestHelloMismatch(t *testing.T) {
	for _, c := range []struct {
		name, atLower, atHigher string
		adjust                  func(self int, c *Config)
	}{
		{
			"version", "hospital-2 speaks protocol version 1, this node 2", "hospital-1 speaks protocol version 2, this node 1",
			func(self int, c *Config) { c.Protocol = 2 - self },
		},
		{
			"roster", "hospital-2 holds the roster 0100000000000000…, this node 0000000000000000…: approve the same", "hospital-1 holds the roster",
			func(self int, c *Config) { c.Roster = [32]byte{byte(self)} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := runWorld(t, 2, c.adjust)
			eventually(t, "both ends say why", func() bool {
				return len(w.logs[0].with(c.atLower)) > 0 && len(w.logs[1].with(c.atHigher)) > 0
			})
			mustFail(t, w.nets[0].Status(1), "hospital-2 is unreachable", c.atLower)
			if w.nets[1].Connected(0) {
				t.Fatal("connected in spite of the mismatch")
			}
		})
	}
}

// TestRefusedConnections lets strangers and confused nodes try.
func TestRefusedConnections(t *testing.T) {
	for _, c := range []struct {
		name, want string
		attempt    func(t *testing.T, w *world)
	}{
		{"unknown certificate", "certificate", func(t *testing.T, w *world) {
			w.refused(t, identity(t, "hospital-1"), nil)
		}},
		{"second certificate over a pinned key", "certificate", func(t *testing.T, w *world) {
			key := w.ids[0].PrivateKey.(ed25519.PrivateKey)
			w.refused(t, certify(t, "hospital-1", key.Public().(ed25519.PublicKey), key), nil)
		}},
		{"no certificate", "certificate", func(t *testing.T, w *world) {
			w.refused(t, tls.Certificate{}, nil)
		}},
		{"higher node dials", "only lower nodes dial higher ones", func(t *testing.T, w *world) {
			w.refused(t, w.ids[2], nil)
		}},
		{"node dials itself", "only lower nodes dial higher ones", func(t *testing.T, w *world) {
			w.refused(t, w.ids[1], nil)
		}},
		{"TLS 1.2", "version", func(t *testing.T, w *world) {
			w.refused(t, w.ids[0], func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
		}},
		{"certificate of one node, index of another", "calls itself node 2 and this one 1, the roster says 0 and 1", func(t *testing.T, w *world) {
			conn, err := w.dialAs(w.ids[0], 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			x := &intruder{conn, t}
			x.hello(hello{protocol: 1, from: 2, to: 1, roster: [32]byte{1, 2, 3}})
			x.closed()
		}},
		{"no hello", "not a consilium node", func(t *testing.T, w *world) {
			conn, err := w.dialAs(w.ids[0], 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			x := &intruder{conn, t}
			x.put([]byte("GET / HTTP/1.1\r\nHost: hospital-2\r\n\r\n" + strings.Repeat("x", helloSize)))
			x.closed()
		}},
		{"plain TCP", "first record does not look like a TLS handshake", func(t *testing.T, w *world) {
			conn, err := net.Dial("tcp", w.nets[1].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("hello, is anybody there?\n")); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, conn)
		}},
		{"silence", "no handshake within 200ms", func(t *testing.T, w *world) {
			conn, err := net.Dial("tcp", w.nets[1].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 3, func(_ int, cfg *Config) {
				if c.name == "silence" {
					cfg.Handshake = 200 * time.Millisecond
				}
			})
			w.start(1)
			c.attempt(t, w)
			const refusal = `msg="connection refused"`
			eventually(t, "the refusal is logged", func() bool { return len(w.logs[1].with(refusal)) > 0 })
			lines := w.logs[1].with(refusal)
			if len(lines) != 1 || !strings.Contains(lines[0], c.want) {
				t.Fatalf("want one line with %q, got %q", c.want, lines)
			}
			if w.nets[1].Connected(0) || w.nets[1].Connected(2) {
				t.Fatal("a refused connection counts as a link")
			}
		})
	}
}

// refused checks that node 1 turns an identity away.
func (w *world) refused(t *testing.T, id tls.Certificate, adjust func(*tls.Config)) {
	t.Helper()
	conn, err := w.dialAs(id, 1, adjust)
	if err != nil {
		return // the handshake itself failed
	}
	defer conn.Close()
	x := &intruder{conn, t}
	x.put(hello{protocol: 1, from: 0, to: 1, roster: [32]byte{1, 2, 3}}.encode())
	if err := x.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := io.ReadFull(x, make([]byte, helloSize)); err == nil {
		t.Fatalf("node answered with %d bytes of hello", n)
	}
}

// TestDiallerRefusesFalsePeer puts a server with the right name and another
// key, or with another node's certificate, at a peer's address.
func TestDiallerRefusesFalsePeer(t *testing.T) {
	for _, c := range []struct {
		name   string
		server func(w *world) tls.Certificate
	}{
		{"right name, other key", func(w *world) tls.Certificate { return identity(w.t, "hospital-2") }},
		{"another node's certificate", func(w *world) tls.Certificate { return w.ids[2] }},
		{"second certificate over the pinned key", func(w *world) tls.Certificate {
			key := w.ids[1].PrivateKey.(ed25519.PrivateKey)
			return certify(w.t, "hospital-2", key.Public().(ed25519.PublicKey), key)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 3, nil)
			listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{c.server(w)}})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_ = conn.(*tls.Conn).Handshake()
					_ = conn.Close()
				}
			}()
			t.Cleanup(func() { _ = listener.Close(); <-done })
			w.peers[1].Address = listener.Addr().String()
			w.start(0)
			eventually(t, "the false peer is refused", func() bool {
				return strings.Contains(w.nets[0].Status(1).Error(), "certificate")
			})
			id := session(1)
			w.admit(id, 0)
			err = w.nets[0].Send(shortly(t, 10*time.Millisecond), 1, mpc.Channel{Session: id}, nil)
			mustFail(t, err, "hospital-2 is unreachable", "certificate")
		})
	}
}

// TestRandomBytesAfterHello checks that no noise keeps a link or a node down.
func TestRandomBytesAfterHello(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.start(1)
	for range 20 {
		x := w.intrude(0, 1)
		noise := make([]byte, 4096)
		if _, err := rand.Read(noise); err != nil {
			t.Fatal(err)
		}
		noise[4] = 200 // never a known kind
		x.put(noise)
		x.closed()
		_ = x.Close()
	}
	// A session admitted while the bad link still stands would break with it.
	eventually(t, "the last bad link is gone", func() bool { return !w.nets[1].Connected(0) })
	w.start(0)
	warm(t, w, session(1))
}
