package coordinator

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
)

// linkRoom bounds what waits to be sent to a node. A node that reads nothing
// loses its link; when it is back, all that it must know is told anew.
const linkRoom = 1024

// link is a node's attached stream. Its fields but out and gone belong to the desk.
type link struct {
	node   string
	out    chan *api.ToNode
	gone   chan struct{} // closed when the link shall end
	cause  error         // why; set before gone is closed
	closed bool
	astray bool // it brought outcomes of jobs that have not begun here, which is logged once
}

func newLink(node string) *link {
	return &link{node: node, out: make(chan *api.ToNode, linkRoom), gone: make(chan struct{})}
}

// send never blocks.
func (l *link) send(m *api.ToNode) {
	if l.closed {
		return
	}
	select {
	case l.out <- m:
	default:
		l.end(status.Errorf(codes.ResourceExhausted, "%s reads nothing that it is sent; attach again", l.node))
	}
}

func (l *link) end(cause error) {
	if !l.closed {
		l.closed, l.cause = true, cause
		close(l.gone)
	}
}

func offer(r *record, attachment []byte) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Offer{Offer: wire.SubmittedTo(r.signed, attachment)}}
}

func start(r *record, answers []*api.Decision) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Start{Start: &api.Start{JobId: r.id[:], Decisions: answers}}}
}

func ended(e *api.JobEnd) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Cancel{Cancel: e}}
}

func acknowledge(id []byte) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Acknowledge{Acknowledge: &api.JobRef{Id: id}}}
}
