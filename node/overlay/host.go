package overlay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"go.dedis.ch/onet/v3/network"

	"consilium/node/peer"
)

// maxHandshakes is how many accepted connections may be in their handshake at
// once; further ones wait in the kernel.
const maxHandshakes = 64

// host gives onet's router its connections: TCP with mutual TLS by the roster.
type host struct {
	cfg      *peer.Config
	members  *members
	listener net.Listener
	ctx      context.Context // ends when the overlay closes
	ended    chan struct{}   // closed when Listen has returned

	mu        sync.Mutex
	listening bool
	stopped   bool
}

var _ network.Host = (*host)(nil)

// Listen hands the connections of nodes of lower index to the router, until Stop.
func (h *host) Listen(serve func(network.Conn)) error {
	if !h.begin() {
		return nil
	}
	defer close(h.ended)
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, maxHandshakes)
	for {
		slots <- struct{}{}
		tcp, err := h.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			<-slots
			h.cfg.Log.Error("cannot accept connections, trying on", "error", err)
			continue
		}
		work.Go(func() {
			defer func() { <-slots }()
			c, err := h.answer(tcp)
			if err != nil {
				_ = tcp.Close() // refused
				h.cfg.Log.Warn("connection refused", "from", tcp.RemoteAddr().String(), "error", err)
				return
			}
			serve(c)
		})
	}
}

// begin notes that Listen runs, unless Stop came first.
func (h *host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listening = !h.stopped
	return h.listening
}

func (h *host) answer(tcp net.Conn) (*conn, error) {
	ctx, cancel := h.patience("handshake")
	defer cancel()
	secured, from, err := h.cfg.AnswerTLS(ctx, tcp)
	if err != nil {
		return nil, because(ctx, err)
	}
	return newConn(secured, h, from, true), nil
}

// Connect reaches a node of higher index. Those of lower index come by themselves.
func (h *host) Connect(to *network.ServerIdentity) (network.Conn, error) {
	id, ok := h.members.find(to.Public)
	if !ok || id <= h.cfg.Self {
		return nil, fmt.Errorf("%w: there is no connection, and nodes dial those behind them in the roster", network.ErrClosed)
	}
	ctx, cancel := h.patience("connection")
	defer cancel()
	secured, err := h.cfg.DialTLS(ctx, id)
	if err != nil {
		return nil, because(ctx, err)
	}
	return newConn(secured, h, id, false), nil
}

func (h *host) patience(lacks string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(h.ctx, h.cfg.Handshake, fmt.Errorf("no %s within %v", lacks, h.cfg.Handshake))
}

// because prefers a deadline's own words.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Stop ends Listen and waits for it.
func (h *host) Stop() error {
	h.mu.Lock()
	again, listening := h.stopped, h.listening
	h.stopped = true
	h.mu.Unlock()
	if again {
		return network.ErrClosed
	}
	err := h.listener.Close()
	if listening {
		<-h.ended
	}
	return err
}

// Address is what onet calls this node.
func (h *host) Address() network.Address { return address }

// Listening tells whether Listen has begun.
func (h *host) Listening() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listening && !h.stopped
}
