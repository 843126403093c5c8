package node

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// office is a coordinator that does what a test says, over real gRPC.
type office struct {
	api.UnimplementedRendezvousServer
	study  *study
	server *grpc.Server

	mu    sync.Mutex
	desks map[string]*desk
	heard []byte // everything that nodes sent
}

// desk is the office's side of one node, over all its attachments.
type desk struct {
	name string
	in   chan *api.FromNode // all but progress

	mu     sync.Mutex
	stream grpc.BidiStreamingServer[api.FromNode, api.ToNode]
	cut    context.CancelFunc
	phases map[string]bool
}

func openOffice(t *testing.T, s *study) *office {
	t.Helper()
	o := &office{study: s, desks: make(map[string]*desk)}
	var accept [][]byte
	for _, id := range s.nodes {
		accept = append(accept, id.Certificate)
		o.desks[id.Name] = &desk{name: id.Name, in: make(chan *api.FromNode, 1000), phases: make(map[string]bool)}
	}
	o.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(job.ServerTLS(s.coordinator, accept...))))
	api.RegisterRendezvousServer(o.server, o)
	listener, err := net.Listen("tcp", s.roster.Roster.Coordinator.Address)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := o.server.Serve(listener); err != nil {
			t.Errorf("office: %v", err)
		}
	}()
	t.Cleanup(func() {
		o.server.Stop()
		<-served
	})
	return o
}

func (o *office) Attach(stream grpc.BidiStreamingServer[api.FromNode, api.ToNode]) error {
	p, _ := peer.FromContext(stream.Context())
	var leaf *x509.Certificate = p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0]
	node, ok := o.study.roster.Roster.NodeByCert(leaf.Raw)
	if !ok {
		return fmt.Errorf("unknown node")
	}
	d := o.desks[node.Name]
	ctx, cut := context.WithCancel(stream.Context())
	defer cut()
	d.mu.Lock()
	d.stream, d.cut = stream, cut
	d.mu.Unlock()
	received := make(chan struct{})
	go func() {
		defer close(received)
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			o.hear(d, m)
		}
	}()
	select {
	case <-ctx.Done():
	case <-received:
	}
	return nil
}

func (o *office) hear(d *desk, m *api.FromNode) {
	b, _ := proto.Marshal(m)
	o.mu.Lock()
	o.heard = append(o.heard, b...)
	o.mu.Unlock()
	if p := m.GetProgress(); p != nil {
		d.mu.Lock()
		d.phases[p.Phase] = true
		d.mu.Unlock()
		return
	}
	d.in <- m
}

func (o *office) allHeard() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.heard)
}

func (o *office) desk(hospital int) *desk { return o.desks[o.study.nodes[hospital-1].Name] }

func (d *desk) send(t *testing.T, m *api.ToNode) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.stream.Send(m); err != nil {
		t.Fatalf("send to %s: %v", d.name, err)
	}
}

// lose ends the node's stream.
func (d *desk) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
}

func (d *desk) next(t *testing.T) *api.FromNode {
	t.Helper()
	select {
	case m := <-d.in:
		return m
	case <-time.After(patience):
		t.Fatalf("nothing from %s within %v", d.name, patience)
		return nil
	}
}

func (d *desk) hello(t *testing.T) *api.Hello {
	t.Helper()
	m := d.next(t)
	if m.GetHello() == nil {
		t.Fatalf("%s sent %v, want a hello", d.name, m)
	}
	return m.GetHello()
}

func (d *desk) decision(t *testing.T) *api.Decision {
	t.Helper()
	m := d.next(t)
	if m.GetDecision() == nil {
		t.Fatalf("%s sent %v, want a decision", d.name, m)
	}
	return m.GetDecision()
}

// outcome returns the next outcome, passing over hellos of new attachments.
func (d *desk) outcome(t *testing.T) *api.Outcome {
	t.Helper()
	for {
		m := d.next(t)
		if m.GetOutcome() != nil {
			return m.GetOutcome()
		}
		if m.GetHello() == nil {
			t.Fatalf("%s sent %v, want an outcome", d.name, m)
		}
	}
}

func (d *desk) waitPhase(t *testing.T, phase string) {
	t.Helper()
	eventually(t, "phase "+phase+" of "+d.name, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.phases[phase]
	})
}

// hellos waits until all three nodes are attached.
func (o *office) hellos(t *testing.T) {
	t.Helper()
	for i := range o.study.nodes {
		o.desk(i + 1).hello(t)
	}
}

// atWork starts a study's three nodes, attached to a coordinator of the test's.
func atWork(t *testing.T) (*study, *office, []*Node) {
	t.Helper()
	s := newStudy(t)
	o := openOffice(t, s)
	nodes := s.startAll(t)
	o.hellos(t)
	return s, o, nodes
}

// outcomes waits for those of a job at all nodes.
func (o *office) outcomes(t *testing.T) []*api.Outcome {
	t.Helper()
	var all []*api.Outcome
	for i := range o.study.nodes {
		all = append(all, o.desk(i+1).outcome(t))
	}
	return all
}

// offer asks every node and returns the answers in roster order.
func (o *office) offer(t *testing.T, signed *job.Signed) []*api.Decision {
	t.Helper()
	var answers []*api.Decision
	for i := range o.study.nodes {
		o.desk(i+1).send(t, offerMessage(signed))
		answers = append(answers, o.desk(i+1).decision(t))
	}
	return answers
}

// accepted is offer for a job that every node must accept.
func (o *office) accepted(t *testing.T, signed *job.Signed) []*api.Decision {
	t.Helper()
	answers := o.offer(t, signed)
	for _, a := range answers {
		if !a.Accept {
			t.Fatalf("%s rejected: %s", a.Node, a.Reason)
		}
	}
	return answers
}

func (o *office) start(t *testing.T, signed *job.Signed, answers []*api.Decision, hospitals ...int) {
	t.Helper()
	for _, h := range hospitals {
		o.desk(h).send(t, startMessage(signed, answers))
	}
}

func (o *office) acknowledge(t *testing.T, hospital int, id []byte) {
	t.Helper()
	o.desk(hospital).send(t, &api.ToNode{Body: &api.ToNode_Acknowledge{Acknowledge: &api.JobRef{Id: id}}})
}

func offerMessage(s *job.Signed) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Offer{Offer: wire.SignedTo(s)}}
}

func startMessage(s *job.Signed, answers []*api.Decision) *api.ToNode {
	id := s.ID()
	return &api.ToNode{Body: &api.ToNode_Start{Start: &api.Start{JobId: id[:], Decisions: answers}}}
}

func endMessage(id job.Hash, reason string, signature []byte) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Cancel{Cancel: &api.JobEnd{JobId: id[:], Reason: reason, Signature: signature}}}
}
