package main

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// wiretap is a TCP proxy in front of every member of a local study. It records
// all bytes in both directions, and can hold them back.
type wiretap struct {
	t      *testing.T
	mu     sync.Mutex
	cond   *sync.Cond
	seen   bytes.Buffer
	held   map[string]bool // members whose traffic waits
	conns  map[net.Conn]bool
	closed bool
	ends   sync.WaitGroup
	lists  []net.Listener
}

func newWiretap(t *testing.T) *wiretap {
	w := &wiretap{t: t, held: make(map[string]bool), conns: make(map[net.Conn]bool)}
	w.cond = sync.NewCond(&w.mu)
	t.Cleanup(w.close)
	return w
}

// front is a localnet.Spec's Proxy.
func (w *wiretap) front(member, listen string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	w.lists = append(w.lists, l)
	w.ends.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.ends.Go(func() { w.serve(member, listen, c) })
		}
	})
	return l.Addr().String(), nil
}

func (w *wiretap) serve(member, listen string, in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", listen)
	if err != nil {
		return // the member is down: the caller sees its connection end
	}
	defer out.Close()
	if !w.keep(in, out) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { w.copy(member, out, in); out.Close() })
	both.Go(func() { w.copy(member, in, out); in.Close() })
	both.Wait()
}

func (w *wiretap) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = true
	}
	return !w.closed
}

func (w *wiretap) copy(member string, to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		w.seen.Write(buf[:n])
		for w.held[member] && !w.closed {
			w.cond.Wait()
		}
		w.mu.Unlock()
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// hold keeps back all traffic to and from connections that others opened to a
// member, until release.
func (w *wiretap) hold(member string) { w.setHeld(member, true) }

func (w *wiretap) release(member string) { w.setHeld(member, false) }

func (w *wiretap) setHeld(member string, held bool) {
	w.mu.Lock()
	w.held[member] = held
	w.mu.Unlock()
	w.cond.Broadcast()
}

// capture returns everything that went over the wires so far.
func (w *wiretap) capture() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.seen.Bytes())
}

func (w *wiretap) close() {
	for _, l := range w.lists {
		l.Close()
	}
	w.mu.Lock()
	w.closed = true
	for c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.cond.Broadcast()
	w.ends.Wait()
}
