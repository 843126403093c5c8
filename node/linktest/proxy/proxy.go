// Package proxy stands between two nodes of a test and does to their connections
// what killed and stopped processes do. Only tests may import it.
package proxy

import (
	"net"
	"sync"
	"testing"
)

// Proxy passes bytes between one node and another until told otherwise.
type Proxy struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu    sync.Mutex
	thaw  *sync.Cond
	conns []net.Conn
	held  bool
	shut  bool
}

// New starts a proxy before target; it ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target}
	p.thaw = sync.NewCond(&p.mu)
	p.work.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// Addr is where the proxy is reached.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		p.work.Go(func() { p.pump(in, out) })
		p.work.Go(func() { p.pump(out, in) })
	}
}

func (p *Proxy) pump(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.held && !p.shut {
			p.thaw.Wait()
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Hold keeps all bytes back, as a stopped process does.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = true
}

// Cut resets all connections, as a killed process does.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	p.conns = nil
}

func (p *Proxy) stop() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.shut = true
	p.thaw.Broadcast()
	p.mu.Unlock()
	p.Cut()
	p.work.Wait()
}
