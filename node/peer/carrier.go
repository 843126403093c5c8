package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"consilium/mpc"
)

// Carrier is another way to the nodes of the roster than a TCP connection each.
// Its connections encrypt, and their ends are those that it says: it has checked
// them against the roster.
type Carrier interface {
	// Dial connects with a node of higher index.
	Dial(ctx context.Context, to mpc.PartyID) (Conn, error)
	// Accept waits for a connection from a node of lower index until ctx ends.
	Accept(ctx context.Context) (Conn, mpc.PartyID, error)
	// Addr is the address on which this node listens.
	Addr() net.Addr
	// Close ends what the connections have left behind.
	Close() error
}

// Conn is a connection whose two directions end by themselves.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// DialTLS connects with a node over TCP and mutual TLS 1.3, in which both ends
// show exactly the certificates that the roster holds. A read or a write that
// does not move for Idle fails.
func (c *Config) DialTLS(ctx context.Context, to mpc.PartyID) (*tls.Conn, error) {
	config, err := c.clientTLS(to)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	tcp, err := d.DialContext(ctx, "tcp", c.Peers[to].Address)
	if err != nil {
		return nil, err
	}
	return secure(ctx, tls.Client(c.timed(tcp), config))
}

// AnswerTLS is the other end of DialTLS: it returns who has dialled.
func (c *Config) AnswerTLS(ctx context.Context, tcp net.Conn) (*tls.Conn, mpc.PartyID, error) {
	config, err := c.serverTLS()
	if err != nil {
		return nil, 0, err
	}
	conn, err := secure(ctx, tls.Server(c.timed(tcp), config))
	if err != nil {
		return nil, 0, err
	}
	from, err := c.identify(conn.ConnectionState())
	return conn, from, err
}

// timed limits every read and write of a connection whose bytes nobody counts.
func (c *Config) timed(tcp net.Conn) net.Conn {
	return &timedConn{tcp, c.Idle, new(atomic.Uint64), new(atomic.Uint64)}
}

// secure does a handshake; its connection is closed when that fails.
func secure(ctx context.Context, conn *tls.Conn) (*tls.Conn, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.NetConn().Close() // the error above says more
		return nil, err
	}
	return conn, nil
}

// dialCarrier makes a link over the carrier.
func (n *Net) dialCarrier(ctx context.Context, r *remote) (*link, error) {
	conn, err := n.cfg.Carrier.Dial(ctx, r.id)
	if err != nil {
		return nil, err
	}
	return n.meet(ctx, r, conn)
}

// meet exchanges hellos over a carrier's connection.
func (n *Net) meet(ctx context.Context, r *remote, carried Conn) (*link, error) {
	timed := &timedConn{carried, n.cfg.Idle, &r.bytesSent, &r.bytesReceived}
	stop := context.AfterFunc(ctx, func() { _ = carried.Close() })
	err := greet(timed, n.hello(r.id), r.name)
	if !stop() {
		return nil, context.Cause(ctx) // the connection is closed
	}
	if err != nil {
		_ = carried.Close() // the error above says more
		return nil, err
	}
	return newLink(r, &burst{Conn: timed}, carriedConn{timed, carried}), nil
}

// carriedConn reads and writes with limits of time and ends its writing side.
type carriedConn struct {
	*timedConn
	carried Conn
}

func (c carriedConn) CloseWrite() error { return c.carried.CloseWrite() }

// acceptCarrier serves the nodes of lower index that come over the carrier.
func (n *Net) acceptCarrier() {
	for {
		conn, from, err := n.cfg.Carrier.Accept(n.ctx)
		if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			n.cfg.Log.Error("cannot accept connections, trying on", "error", err)
			pause(n.ctx, redialFirst)
			continue
		}
		n.work.Go(func() {
			ctx, cancel := n.handshake("hello")
			defer cancel()
			l, err := n.meet(ctx, n.remotes[from], conn)
			if err != nil {
				n.cfg.Log.Warn("connection refused", "from", n.remotes[from].name, "error", err)
				return
			}
			n.serve(l)
		})
	}
}
