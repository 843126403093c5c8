package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
	"consilium/protocols"
)

// hello is the first message of every attachment.
func (n *Node) hello(ctx context.Context) (*api.FromNode, error) {
	hello := &api.Hello{Protocol: job.ProtocolVersion, Roster: n.roster.Hash[:]}
	running, err := n.store.ids(ctx, Running)
	if err != nil {
		return nil, err
	}
	for _, id := range running {
		hello.Running = append(hello.Running, id[:])
	}
	return &api.FromNode{Body: &api.FromNode_Hello{Hello: hello}}, nil
}

// handle takes one message of the coordinator and returns the answer, if it
// takes one. What does not fit is refused with a line in the log and nothing
// else. An error means that the store failed, which ends the node.
func (n *Node) handle(ctx context.Context, m *api.ToNode) (answer *api.FromNode, err error) {
	// A stream that is lost in the middle must not leave half of a change.
	ctx = context.WithoutCancel(ctx)
	switch body := m.GetBody().(type) {
	case *api.ToNode_Offer:
		answer, err = n.offered(ctx, body.Offer)
	case *api.ToNode_Start:
		answer, err = n.start(ctx, body.Start)
	case *api.ToNode_Cancel:
		err = n.end(ctx, body.Cancel)
	case *api.ToNode_Acknowledge:
		err = n.acknowledged(ctx, body.Acknowledge)
	default:
		err = refuse("an unknown message")
	}
	return answer, n.sort(err)
}

// sort logs a refusal, which is no error then, and stops the node after any other
// error: its store has failed.
func (n *Node) sort(err error) error {
	var refused *refusal
	if errors.As(err, &refused) {
		n.log.Warn("refused from the coordinator", "reason", line(refused.reason))
		return nil
	}
	if err != nil {
		n.fail(fmt.Errorf("store: %w; mend the state directory and start again", err))
	}
	return err
}

// refusal is a message that is not acted on.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// offered answers an offer, at once or when this site's file has been looked at.
func (n *Node) offered(ctx context.Context, m *api.SignedJob) (*api.FromNode, error) {
	signed, attachment, err := wire.SubmittedFrom(m)
	if err != nil {
		return nil, refuse("an offer: %v", err)
	}
	decision, o, err := n.decider.consider(ctx, signed, attachment)
	if err != nil {
		return nil, err
	}
	if o != nil {
		n.settle(o)
		return nil, nil
	}
	return n.answered(decision), nil
}

// answered counts and logs a decision, and makes the message of it.
func (n *Node) answered(d *job.Decision) *api.FromNode {
	n.metrics.decided(d.Accept)
	n.log.Info("offer answered", "job", d.Job.Short(), "accept", d.Accept, "reason", d.Reason)
	return decisionMessage(d)
}

// start begins a job that every node accepted, once. A coordinator that starts a
// job which has ended here, or never was, has lost what it knew: the answer is how
// the job stands, so that nobody waits for this node.
func (n *Node) start(ctx context.Context, m *api.Start) (*api.FromNode, error) {
	id, err := wire.HashFrom("job id", m.GetJobId())
	if err != nil {
		return nil, refuse("a start: %v", err)
	}
	record, err := n.store.record(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case record != nil && record.State == Accepted:
		return nil, n.startAccepted(ctx, record, m)
	case record != nil && record.State == Running:
		return nil, refuse("a start of job %s, which is running here", id.Short())
	}
	return n.startOver(ctx, id, record)
}

// startOver answers the start of a job that cannot begin any more.
func (n *Node) startOver(ctx context.Context, id job.Hash, record *Record) (*api.FromNode, error) {
	outcome, err := n.store.outcome(ctx, id)
	if err != nil {
		return nil, err
	}
	state := "unknown"
	if record != nil {
		state = string(record.State)
	}
	if outcome == nil {
		outcome = &api.Outcome{JobId: id[:], Error: fmt.Sprintf("the job is %s at this node and cannot begin; sign it again", state)}
	}
	n.log.Warn("a start of a job that cannot begin", "job", id.Short(), "state", state)
	return outcomeMessage(outcome), nil
}

// startAccepted begins a job if the decisions are those of all nodes.
func (n *Node) startAccepted(ctx context.Context, record *Record, m *api.Start) error {
	id := record.Job
	decisions, err := wire.DecisionsFrom(m.GetDecisions(), len(n.roster.Roster.Nodes))
	if err != nil {
		return refuse("a start of job %s: %v", id.Short(), err)
	}
	task := &protocols.Task{
		Signed: &record.Signed, Roster: n.roster, Decisions: decisions, Self: n.identity.Name, Key: n.identity.Key,
		Transport: n.net, Timeout: n.config.Timeout,
	}
	confirm, session, err := task.Sessions()
	if err != nil {
		return refuse("a start of job %s: %v", id.Short(), err)
	}
	return n.begin(ctx, record, task, confirm, session)
}

// end stops a job because its signer cancelled it or the coordinator gave it up.
func (n *Node) end(ctx context.Context, m *api.JobEnd) error {
	id, err := wire.HashFrom("job id", m.GetJobId())
	if err != nil {
		return refuse("an end of a job: %v", err)
	}
	if n.offers.hold(id, m) { // before the store is asked: it may be decided in between
		return nil
	}
	record, err := n.store.record(ctx, id)
	if err != nil {
		return err
	}
	if record == nil {
		return refuse("an end of job %s, which is unknown here", id.Short())
	}
	if record.State != Accepted && record.State != Running {
		return nil // it has ended here already
	}
	reason := "the coordinator ended the job: " + m.GetReason()
	if len(m.GetSignature()) > 0 {
		if err := job.VerifyCancel(id, record.Signed.Signer, m.GetSignature()); err != nil {
			return refuse("%v", err)
		}
		reason = "cancelled by its signer, " + record.Signer
	}
	if n.runs.stop(id, &ended{reason}) || record.State == Running {
		return nil // conclude stores the end
	}
	n.log.Info("job withdrawn before its start", "job", id.Short(), "reason", line(reason))
	return n.store.withdraw(ctx, id, line(reason), time.Now())
}

// acknowledged forgets an outcome that the coordinator has stored.
func (n *Node) acknowledged(ctx context.Context, m *api.JobRef) error {
	return n.store.acknowledge(ctx, m.GetId())
}
