package coordinator

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

const (
	// helloWithin is how long a node may take to say who it is and what it holds.
	helloWithin = 10 * time.Second
	// maxRunning caps the jobs that a node names in its hello.
	maxRunning = 256
)

// rendezvous is the service to nodes.
type rendezvous struct {
	api.UnimplementedRendezvousServer
	roster    *job.RosterFile
	desk      *desk
	stopping  <-chan struct{}
	receivers *sync.WaitGroup // one goroutine a stream; the server waits for them
}

type nodeStream = grpc.BidiStreamingServer[api.FromNode, api.ToNode]

// Attach is a node's one stream. It sends what the desk puts on the link, until
// either side ends it.
func (r *rendezvous) Attach(stream nodeStream) error {
	l := newLink(callerOf(stream.Context()).node.Name)
	defer r.desk.detach(l)
	greeted, received := make(chan struct{}), make(chan error, 1)
	r.receivers.Go(func() { received <- r.receive(stream, l, greeted) }) // ends with the stream, which ends with this call

	hello := time.NewTimer(helloWithin)
	defer hello.Stop()
	late := hello.C
	for {
		select {
		case m := <-l.out:
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-greeted:
			greeted, late = nil, nil
		case <-late:
			return status.Errorf(codes.DeadlineExceeded, "no hello within %v; a node begins with it", helloWithin)
		case <-l.gone:
			return l.cause
		case err := <-received:
			return err
		case <-r.stopping:
			return errStopping
		}
	}
}

// receive takes the node's messages until the stream ends.
func (r *rendezvous) receive(stream nodeStream, l *link, greeted chan<- struct{}) error {
	m, err := stream.Recv()
	if err != nil {
		return hangUp(err)
	}
	running, err := r.greet(m.GetHello())
	if err != nil {
		return err
	}
	if err := r.desk.attach(l, running); err != nil {
		return err
	}
	close(greeted)
	for {
		m, err := stream.Recv()
		if err != nil {
			return hangUp(err)
		}
		if err := r.take(l, m); err != nil {
			return err
		}
	}
}

// hangUp makes a node's leaving no error.
func hangUp(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// greet checks that node and coordinator speak of the same study.
func (r *rendezvous) greet(h *api.Hello) ([]job.Hash, error) {
	switch {
	case h == nil:
		return nil, status.Error(codes.InvalidArgument, "the first message of a node must be its hello")
	case h.GetProtocol() != job.ProtocolVersion:
		return nil, status.Errorf(codes.FailedPrecondition, "the node has protocol version %d, the coordinator %d; use the same version of consilium everywhere", h.GetProtocol(), job.ProtocolVersion)
	case !bytes.Equal(h.GetRoster(), r.roster.Hash[:]):
		return nil, status.Errorf(codes.FailedPrecondition, "the node pins another roster than the coordinator serves, which is %s; approve one roster everywhere", r.roster.Hash)
	case len(h.GetRunning()) > maxRunning:
		return nil, status.Errorf(codes.InvalidArgument, "the node names %d running jobs, at most %d are allowed", len(h.GetRunning()), maxRunning)
	}
	running := make([]job.Hash, len(h.GetRunning()))
	for i, b := range h.GetRunning() {
		id, err := wire.HashFrom("hello: job id", b)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		running[i] = id
	}
	return running, nil
}

// take handles one message. An error ends the stream: the message is malformed,
// or could not be stored and must be sent again.
func (r *rendezvous) take(l *link, m *api.FromNode) error {
	switch body := m.GetBody().(type) {
	case *api.FromNode_Decision:
		d, err := wire.DecisionFrom(body.Decision)
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		return r.desk.decision(l.node, d)
	case *api.FromNode_Progress:
		id, err := wire.HashFrom("progress: job id", body.Progress.GetJobId())
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		r.desk.progress(l.node, id, body.Progress.GetPhase(), body.Progress.GetDetail())
		return nil
	case *api.FromNode_Outcome:
		return r.outcome(l, body.Outcome)
	}
	return status.Error(codes.InvalidArgument, "unknown message of a node; use the same version of consilium everywhere")
}

// outcome hands over how a job ended at the node. A share of a wrong form counts
// as a failure of the node's, since it would send the same again.
func (r *rendezvous) outcome(l *link, m *api.Outcome) error {
	id, err := wire.HashFrom("outcome: job id", m.GetJobId())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	out := &outcome{id: id, node: l.node, error: m.GetError()}
	if m.GetShare() != nil && out.error == "" {
		if out.share, err = wire.ShareFrom(m.GetShare()); err != nil {
			out.error = err.Error()
		}
	}
	return r.desk.outcome(l, out)
}
