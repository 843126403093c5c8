package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"consilium/mpc"
)

// Net connects this node with all others of its roster. It is an
// mpc.Transport for the sessions that the node admits, and safe for concurrent
// use.
type Net struct {
	cfg      Config
	listener net.Listener // nil with a carrier
	server   *tls.Config
	remotes  []*remote // by roster index; nil at Self

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	unknown atomic.Uint64 // bytes of connections before their peer is known
	shelf   shelf         // memory of frames, to be used again

	mu       sync.Mutex
	sessions map[mpc.SessionID]bool // admitted and not released
}

var (
	_ mpc.Transport = (*Net)(nil)
	_ mpc.Recycler  = (*Net)(nil)
)

// Listen starts to listen for the nodes of lower index and to dial those of
// higher index. It does not wait for them. The Net works until Close or the end
// of ctx; Close is needed in both cases.
func Listen(ctx context.Context, cfg Config) (*Net, error) {
	cfg, err := cfg.Prepared()
	if err != nil {
		return nil, fmt.Errorf("peer links: %w", err)
	}
	server, err := cfg.serverTLS()
	if err != nil {
		return nil, fmt.Errorf("peer links: %w", err)
	}
	n := &Net{
		cfg: cfg, server: server,
		remotes:  make([]*remote, len(cfg.Peers)),
		sessions: make(map[mpc.SessionID]bool),
	}
	if cfg.Carrier == nil {
		var lc net.ListenConfig
		if n.listener, err = lc.Listen(ctx, "tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("peer links: %w", err)
		}
	}
	n.ctx, n.cancel = context.WithCancel(ctx)
	for i := range cfg.Peers {
		if id := mpc.PartyID(i); id != cfg.Self {
			n.remotes[i] = newRemote(n, id)
		}
	}
	if cfg.Carrier == nil {
		n.work.Go(func() {
			<-n.ctx.Done()
			_ = n.listener.Close() // it only ends accept
		})
		n.work.Go(n.accept)
	} else {
		n.work.Go(n.acceptCarrier)
	}
	for _, r := range n.remotes[cfg.Self+1:] {
		n.work.Go(func() { n.keepDialling(r) })
	}
	return n, nil
}

// Close ends all links in good order, waits a short while for the peers to read
// what was sent, and waits for everything that Listen started.
func (n *Net) Close() error {
	n.cancel()
	n.work.Wait()
	if n.cfg.Carrier != nil {
		return n.cfg.Carrier.Close()
	}
	return nil
}

// Addr is the address on which this node listens.
func (n *Net) Addr() net.Addr {
	if n.cfg.Carrier != nil {
		return n.cfg.Carrier.Addr()
	}
	return n.listener.Addr()
}

// Admit opens a session for Send and Recv with every peer. What peers have sent
// of it before is kept for a while (Config.Early) and delivered. A session id
// is admitted once.
func (n *Net) Admit(id mpc.SessionID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[id] {
		return fmt.Errorf("session %v is admitted already", id)
	}
	n.sessions[id] = true
	for _, r := range n.remotes {
		if r != nil {
			r.admit(id)
		}
	}
	return nil
}

// Release ends a session here: peers receive what was sent to them and then
// mpc.ErrEnded; frames that still come in are discarded; a Send or Recv that
// still waits returns an error. It does not wait. Releasing twice does nothing.
func (n *Net) Release(id mpc.SessionID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.sessions[id] {
		return
	}
	delete(n.sessions, id)
	for _, r := range n.remotes {
		if r != nil {
			r.release(id)
		}
	}
}

// Send implements mpc.Transport. It waits for the link to come up and for the
// peer to have room. When ctx ends first, nothing was sent and the session goes
// on. Frames to a peer that has left the session are discarded.
func (n *Net) Send(ctx context.Context, to mpc.PartyID, ch mpc.Channel, frame []byte) error {
	r, err := n.remote(to)
	if err != nil {
		return err
	}
	if len(frame) > mpc.MaxFrame || len(ch.Step) > maxStep {
		return fmt.Errorf("frame of %d bytes on a step name of %d: at most %d and %d are allowed", len(frame), len(ch.Step), mpc.MaxFrame, maxStep)
	}
	h := header{kind: kindFrame, size: uint32(len(frame)), step: uint16(len(ch.Step)), session: ch.Session}
	link, lane, err := r.reserve(ctx, ch.Session, h.cost())
	if err != nil || link == nil {
		return err
	}
	written, err := link.send(ctx, h, ch.Step, frame)
	if !written {
		r.refund(lane, h.cost())
	}
	if err != nil {
		return err
	}
	r.framesSent.Add(1)
	return nil
}

// Recv implements mpc.Transport.
func (n *Net) Recv(ctx context.Context, from mpc.PartyID, ch mpc.Channel) ([]byte, error) {
	r, err := n.remote(from)
	if err != nil {
		return nil, err
	}
	return r.recv(ctx, ch)
}

// Recycle implements mpc.Recycler.
func (n *Net) Recycle(frame []byte) { n.shelf.put(frame) }

// Connected says whether the link to p is up.
func (n *Net) Connected(p mpc.PartyID) bool { return n.Status(p) == nil }

// Status returns nil while the link to p is up, and otherwise why it is not.
func (n *Net) Status(p mpc.PartyID) error {
	r, err := n.remote(p)
	if err != nil {
		return err
	}
	return r.status()
}

// Stats counts traffic with one peer since Listen, over all its links. Bytes
// are those on the wire, encryption included.
type Stats struct {
	FramesSent, FramesReceived uint64
	BytesSent, BytesReceived   uint64
}

// Stats returns the traffic with p; zero for this node itself.
func (n *Net) Stats(p mpc.PartyID) Stats {
	r, err := n.remote(p)
	if err != nil {
		return Stats{}
	}
	return Stats{
		FramesSent: r.framesSent.Load(), FramesReceived: r.framesReceived.Load(),
		BytesSent: r.bytesSent.Load(), BytesReceived: r.bytesReceived.Load(),
	}
}

func (n *Net) remote(p mpc.PartyID) (*remote, error) {
	if int(p) < 0 || int(p) >= len(n.remotes) {
		return nil, fmt.Errorf("node %d of %d", p, len(n.remotes))
	}
	if n.remotes[p] == nil {
		return nil, errors.New("a node has no link to itself")
	}
	return n.remotes[p], nil
}
