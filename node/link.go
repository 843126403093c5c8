package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"consilium/api"
	"consilium/api/wire"
)

// link keeps this node attached to the coordinator over one gRPC stream and
// attaches again, with backoff, whenever the stream is lost. Nothing that
// matters depends on a message getting through: decisions are asked for again,
// outcomes are told at every attachment until they are acknowledged.
type link struct {
	address string
	tls     *tls.Config
	log     *slog.Logger

	// hello makes the first message of an attachment.
	hello func(ctx context.Context) (*api.FromNode, error)
	// pending lists the outcomes that are not acknowledged.
	pending func(ctx context.Context) ([]*api.Outcome, error)
	// handle takes one message; what it returns, if anything, is the answer.
	// Messages come one after the other. Its error ends the attachment.
	handle func(ctx context.Context, m *api.ToNode) (*api.FromNode, error)

	current atomic.Pointer[attachment]
}

// attachment is one stream's outgoing side.
type attachment struct {
	out  chan *api.FromNode
	done <-chan struct{} // closed when the stream has ended
}

const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 15 * time.Second
	outDepth   = 64 // messages that wait to be written
)

// run attaches again and again until ctx ends.
func (l *link) run(ctx context.Context) {
	delays := &backoff.ExponentialBackOff{
		InitialInterval: firstDelay, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: lastDelay,
	}
	delays.Reset()
	for {
		heard, err := l.attach(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard {
			delays.Reset()
		}
		delay := delays.NextBackOff()
		l.log.Warn("not attached to the coordinator", "error", err, "again_in", rounded(delay))
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// attached says whether the stream stands.
func (l *link) attached() bool { return l.current.Load() != nil }

// tell sends a message if the node is attached, waiting while the coordinator
// is slow to read.
func (l *link) tell(m *api.FromNode) {
	if a := l.current.Load(); a != nil {
		select {
		case a.out <- m:
		case <-a.done:
		}
	}
}

// hint sends a message if that needs no waiting, and else drops it.
func (l *link) hint(m *api.FromNode) {
	if a := l.current.Load(); a != nil {
		select {
		case a.out <- m:
		default:
		}
	}
}

// attach holds one stream from hello to its end, and reports whether the
// coordinator said anything on it.
func (l *link) attach(ctx context.Context) (heard bool, err error) {
	conn, err := grpc.NewClient("passthrough:///"+l.address,
		grpc.WithTransportCredentials(credentials.NewTLS(l.tls)), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxOffer)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: wire.PingEvery, Timeout: wire.PingWithin}))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := api.NewRendezvousClient(conn).Attach(ctx)
	if err != nil {
		return false, err
	}
	hello, err := l.hello(ctx)
	if err != nil {
		return false, err
	}
	if err := stream.Send(hello); err != nil {
		return false, drain(stream)
	}
	a := &attachment{out: make(chan *api.FromNode, outDepth), done: ctx.Done()}
	// From here on an outcome is told, and those stored before are read by write:
	// none falls between.
	l.current.Store(a)
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer cancel() // what cannot be written to is lost
		l.write(ctx, stream, a.out)
	}()
	l.log.Info("attached to the coordinator", "address", l.address)
	heard, err = l.read(ctx, stream)
	l.current.Store(nil)
	cancel()
	<-written
	return heard, err
}

// drain returns the status with which the coordinator ended a stream that took
// no message.
func drain(stream grpc.BidiStreamingClient[api.FromNode, api.ToNode]) error {
	_, err := stream.Recv()
	return err
}

// read handles incoming messages until the stream ends.
func (l *link) read(ctx context.Context, stream grpc.BidiStreamingClient[api.FromNode, api.ToNode]) (heard bool, err error) {
	for {
		m, err := stream.Recv()
		if err != nil {
			return heard, err
		}
		heard = true
		answer, err := l.handle(ctx, m)
		if err != nil {
			return heard, fmt.Errorf("a message could not be handled: %w", err)
		}
		if answer != nil {
			l.tell(answer)
		}
	}
}

// write sends the unacknowledged outcomes, and then what is told.
func (l *link) write(ctx context.Context, stream grpc.BidiStreamingClient[api.FromNode, api.ToNode], out <-chan *api.FromNode) {
	if !l.sendPending(ctx, stream) {
		return
	}
	for {
		select {
		case m := <-out:
			if stream.Send(m) != nil {
				return // Recv tells why
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *link) sendPending(ctx context.Context, stream grpc.BidiStreamingClient[api.FromNode, api.ToNode]) bool {
	outcomes, err := l.pending(ctx)
	if err != nil {
		l.log.Error("unacknowledged outcomes cannot be read", "error", err)
		return false
	}
	for _, o := range outcomes {
		if stream.Send(outcomeMessage(o)) != nil {
			return false
		}
	}
	return true
}
