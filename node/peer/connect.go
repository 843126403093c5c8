package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxHandshakes is how many accepted connections may be in their handshake
	// at once; further ones wait in the kernel.
	maxHandshakes = 64

	redialFirst = 100 * time.Millisecond
	redialMost  = 5 * time.Second
)

// keepDialling keeps a link to a node of higher index.
func (n *Net) keepDialling(r *remote) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = redialFirst, redialMost
	wait.Reset()
	log := n.cfg.Log.With("peer", r.name)
	var last string
	for n.ctx.Err() == nil {
		l, err := n.dial(r)
		if err != nil {
			r.setTrouble(err)
			if why := reason(err); why != last && n.ctx.Err() == nil { // each reason once
				last = why
				log.Warn("peer cannot be reached, trying on", "error", err)
			}
		} else {
			last = ""
			started := time.Now()
			n.serve(l)
			// A peer that drops each new link is not dialled in a tight loop.
			if time.Since(started) > n.cfg.Idle {
				wait.Reset()
			}
		}
		pause(n.ctx, wait.NextBackOff())
	}
}

// reason is an error's text without the ports that differ at each try.
func reason(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + op.Err.Error()
	}
	return err.Error()
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (n *Net) dial(r *remote) (*link, error) {
	ctx, cancel := n.handshake("link")
	defer cancel()
	if n.cfg.Carrier != nil {
		return n.dialCarrier(ctx, r)
	}
	config, err := n.cfg.clientTLS(r.id)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	tcp, err := d.DialContext(ctx, "tcp", n.cfg.Peers[r.id].Address)
	if err != nil {
		return nil, err
	}
	timed := &timedConn{tcp, n.cfg.Idle, &r.bytesSent, &r.bytesReceived}
	raw := &burst{Conn: timed}
	conn := tls.Client(raw, config)
	if err := n.shake(ctx, conn, func() (*remote, error) { return r, nil }); err != nil {
		_ = tcp.Close() // the error above says more
		return nil, fmt.Errorf("%s: %w", n.cfg.Peers[r.id].Address, err)
	}
	return newLink(r, raw, conn), nil
}

// handshake bounds the time until a connection is a link.
func (n *Net) handshake(lacks string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(n.ctx, n.cfg.Handshake, fmt.Errorf("no %s within %v", lacks, n.cfg.Handshake))
}

// shake does the TLS handshake and the hello, all before ctx ends. who names
// the peer once TLS has verified it.
func (n *Net) shake(ctx context.Context, conn *tls.Conn, who func() (*remote, error)) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	err := conn.HandshakeContext(ctx)
	if err == nil {
		var r *remote
		if r, err = who(); err == nil {
			err = greet(conn, n.hello(r.id), r.name)
		}
	}
	if !stop() {
		return context.Cause(ctx) // the connection is closed
	}
	return err
}

// accept serves the nodes of lower index.
func (n *Net) accept() {
	slots := make(chan struct{}, maxHandshakes)
	for {
		select {
		case slots <- struct{}{}:
		case <-n.ctx.Done():
			return
		}
		raw, err := n.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-slots
			n.cfg.Log.Error("cannot accept connections, trying on", "error", err)
			pause(n.ctx, redialFirst)
			continue
		}
		n.work.Go(func() {
			l, err := n.answer(raw)
			<-slots
			if err != nil {
				_ = raw.Close() // refused
				n.cfg.Log.Warn("connection refused", "from", raw.RemoteAddr().String(), "error", err)
				return
			}
			n.serve(l)
		})
	}
}

func (n *Net) answer(tcp net.Conn) (*link, error) {
	ctx, cancel := n.handshake("handshake")
	defer cancel()
	timed := &timedConn{Conn: tcp, limit: n.cfg.Idle, sent: &n.unknown, received: &n.unknown}
	raw := &burst{Conn: timed}
	conn := tls.Server(raw, n.server)
	var r *remote
	err := n.shake(ctx, conn, func() (*remote, error) {
		id, err := n.cfg.identify(conn.ConnectionState())
		if err != nil {
			return nil, err
		}
		r = n.remotes[id]
		timed.sent, timed.received = &r.bytesSent, &r.bytesReceived
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return newLink(r, raw, conn), nil
}

// serve runs a link and logs its two ends.
func (n *Net) serve(l *link) {
	log := n.cfg.Log.With("peer", l.r.name, "address", l.raw.RemoteAddr().String())
	log.Info("link up")
	err := l.run(n.ctx, n.cfg.Heartbeat)
	if n.ctx.Err() != nil {
		log.Info("link closed")
		return
	}
	log.Warn("link lost", "error", err)
}
