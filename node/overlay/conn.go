package overlay

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
)

// conn is onet's connection with one node, whom TLS has verified. Its reading end
// takes what the protocol sends and nothing else.
type conn struct {
	tls     *tls.Conn
	members *members
	peer    mpc.PartyID
	host    *host
	awaited bool // the peer's identity comes first; touched by Receive alone

	writing sync.Mutex
	closing sync.Once

	sent, received atomic.Uint64
}

var _ network.Conn = (*conn)(nil)

func newConn(secured *tls.Conn, h *host, peer mpc.PartyID, accepted bool) *conn {
	return &conn{tls: secured, members: h.members, peer: peer, host: h, awaited: accepted}
}

// Send writes a message. Too large a one is refused before anything of it is sent.
func (c *conn) Send(m network.Message) (uint64, error) {
	packet, err := encode(m)
	if err != nil {
		return 0, err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.tls.Write(packet)
	c.sent.Add(uint64(n))
	if err != nil {
		_ = c.Close() // what follows half a message would be misread
		return uint64(n), broken(err)
	}
	return uint64(n), nil
}

// Receive reads the next message. All its errors end the connection: onet goes on
// reading after those that it does not know.
func (c *conn) Receive() (*network.Envelope, error) {
	allowed := onet.ProtocolMsgID
	if c.awaited {
		allowed = network.ServerIdentityType
		ctx, cancel := c.host.patience("identity")
		defer cancel()
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	}
	b, err := c.packet()
	if err != nil {
		return nil, broken(err)
	}
	m, kind, err := decode(b, c.members.suite, allowed)
	if err != nil {
		return nil, broken(err)
	}
	if c.awaited {
		c.awaited = false
		if m, err = c.identified(m); err != nil {
			return nil, broken(err)
		}
	}
	return &network.Envelope{MsgType: kind, Msg: m, Size: network.Size(len(b))}, nil
}

// packet reads the bytes of a message.
func (c *conn) packet() ([]byte, error) {
	var length [lengthSize]byte
	if _, err := io.ReadFull(c.tls, length[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxPacket {
		return nil, fmt.Errorf("message of %d bytes announced, at most %d travel", size, maxPacket)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(c.tls, b)
	c.received.Add(uint64(lengthSize + len(b)))
	return b, err
}

// identified checks that the peer calls itself what TLS has verified, and returns
// the roster's own entry of it.
func (c *conn) identified(m network.Message) (network.Message, error) {
	claimed, ok := m.(*network.ServerIdentity)
	if !ok {
		return nil, errors.New("the peer does not say who it is")
	}
	if p, ok := c.members.find(claimed.Public); !ok || p != c.peer {
		return nil, errors.New("the peer claims another key than the one of its certificate")
	}
	return c.members.identities[c.peer], nil
}

// broken puts an error into the words after which onet gives a connection up.
func broken(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", network.ErrEOF, err)
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: %w", network.ErrClosed, err)
	}
	return fmt.Errorf("%w: %w", network.ErrUnknown, err)
}

// Close ends the connection.
func (c *conn) Close() error {
	err := network.ErrClosed
	c.closing.Do(func() {
		err = c.tls.NetConn().Close()
	})
	return err
}

// Type says what onet's own connections with TLS say.
func (c *conn) Type() network.ConnType { return network.TLS }

// Remote returns the other end.
func (c *conn) Remote() network.Address { return network.NewTLSAddress(c.tls.RemoteAddr().String()) }

// Local returns this end.
func (c *conn) Local() network.Address { return network.NewTLSAddress(c.tls.LocalAddr().String()) }

// Tx returns how many bytes were sent.
func (c *conn) Tx() uint64 { return c.sent.Load() }

// Rx returns how many bytes were received.
func (c *conn) Rx() uint64 { return c.received.Load() }
