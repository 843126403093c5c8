package coordinator

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// callsPerCaller bounds how many calls a client or node has open at once.
const callsPerCaller = 64

// caller is who makes a call: exactly one of the two, by its certificate.
type caller struct {
	client *job.Client
	node   *job.Node
}

func (c caller) name() string {
	if c.node != nil {
		return c.node.Name
	}
	return c.client.Name
}

type callerKey struct{}

// callerOf returns who the gate let in.
func callerOf(ctx context.Context) caller { return ctx.Value(callerKey{}).(caller) }

// gate lets roster clients into Coordination and roster nodes into Rendezvous,
// nobody else into anything, and each only so many calls at once.
type gate struct {
	roster *job.Roster

	mu    sync.Mutex
	calls map[string]int // by certificate
}

func newGate(r *job.Roster) *gate { return &gate{roster: r, calls: make(map[string]int)} }

// enter says who calls and returns what must follow the call.
func (g *gate) enter(ctx context.Context, method string) (context.Context, func(), error) {
	leaf, err := leafOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	var c caller
	if client, ok := g.roster.ClientByCert(leaf); ok {
		c.client = client
	} else if node, ok := g.roster.NodeByCert(leaf); ok {
		c.node = node
	} else {
		return nil, nil, status.Errorf(codes.PermissionDenied, "your certificate is not in the roster of study %s; ask its administrator", g.roster.Study)
	}
	switch {
	case strings.HasPrefix(method, "/"+api.Coordination_ServiceDesc.ServiceName+"/") && c.client == nil:
		return nil, nil, status.Errorf(codes.PermissionDenied, "%s is a node of the study; this call is for clients", c.name())
	case strings.HasPrefix(method, "/"+api.Rendezvous_ServiceDesc.ServiceName+"/") && c.node == nil:
		return nil, nil, status.Errorf(codes.PermissionDenied, "%s is a client of the study; this call is for nodes", c.name())
	}
	leave, err := g.count(string(leaf), c.name())
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, callerKey{}, c), leave, nil
}

func (g *gate) count(key, name string) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls[key] >= callsPerCaller {
		return nil, status.Errorf(codes.ResourceExhausted, "%s has %d calls open, no more are allowed; end some", name, callsPerCaller)
	}
	g.calls[key]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.calls[key]--; g.calls[key] == 0 {
			delete(g.calls, key)
		}
	}, nil
}

func leafOf(ctx context.Context) ([]byte, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			return info.State.PeerCertificates[0].Raw, nil
		}
	}
	return nil, status.Error(codes.Unauthenticated, "no certificate was shown; connect with mutual TLS")
}

func (g *gate) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, leave, err := g.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer leave()
	if n := requestSize(request); n > wire.MaxRequest {
		return nil, status.Errorf(codes.ResourceExhausted, "the request has %d bytes, at most %d are allowed", n, wire.MaxRequest)
	}
	return handle(ctx, request)
}

// requestSize is the size of a request without an attachment, which has a cap of its
// own.
func requestSize(request any) int {
	m, ok := request.(proto.Message)
	if !ok {
		return 0
	}
	size := proto.Size(m)
	if j, ok := m.(*api.SignedJob); ok {
		size -= len(j.GetAttachment())
	}
	return size
}

func (g *gate) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, leave, err := g.enter(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer leave()
	return handle(server, calledStream{stream, ctx})
}

// calledStream carries the caller in its context.
type calledStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s calledStream) Context() context.Context { return s.ctx }
