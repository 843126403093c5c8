package coordinator

import (
	"fmt"
	"slices"
	"time"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// What a node's refused message is counted as.
const (
	refusedDecision = "decision"
	refusedProgress = "progress"
	refusedOutcome  = "outcome"
)

// refuse drops a node's message; the link stays.
func (d *desk) refuse(kind, node string, id job.Hash, why error) {
	d.monitor.refused.WithLabelValues(kind).Inc()
	d.log.Warn("message of a node refused", "kind", kind, "node", node, "job", id.Short(), "error", why)
}

// decision takes a node's answer to an offer. A forged one is dropped; one that
// repeats an answer, or comes too late, changes nothing.
func (d *desk) decision(node string, a *job.Decision) error {
	if a.Node != node {
		d.refuse(refusedDecision, node, a.Job, fmt.Errorf("it is of node %q", job.Printable(a.Node, maxPhase)))
		return nil
	}
	if err := a.Verify(d.roster.NodeKey(d.roster.NodeIndex(node))); err != nil {
		d.refuse(refusedDecision, node, a.Job, err)
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.open[a.Job]
	if o == nil || o.state != api.State_STATE_DECIDING || !o.needs(node) {
		return nil
	}
	if _, answered := o.decisions[node]; answered {
		return nil
	}
	c := change{decision: a}
	if !a.Accept {
		c.events = []*api.Event{{State: o.state, Node: node, Phase: "rejected", Detail: said(node, a.Reason)}}
		return d.end(o, api.State_STATE_REJECTED, blame(node, a.Reason), c)
	}
	c.events = []*api.Event{{State: o.state, Node: node, Phase: "accepted"}}
	if len(o.decisions)+1 < len(o.nodes) {
		return d.commit(o, c)
	}
	return d.startJob(o, c)
}

// startJob follows the last acceptance.
func (d *desk) startJob(o *openJob, c change) error {
	c.state, c.offered = api.State_STATE_RUNNING, true
	c.events = append(c.events, &api.Event{State: c.state, Phase: stateWord(c.state), Detail: "every node accepted"})
	if err := d.commit(o, c); err != nil {
		return err
	}
	answers := wire.DecisionsTo(o.answers())
	for node, l := range d.nodes {
		if o.needs(node) {
			l.send(start(o.record, answers))
		}
	}
	return nil
}

// progress takes what a node tells watchers. It is stored with the next write.
func (d *desk) progress(node string, id job.Hash, phase, detail string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.open[id]
	if o == nil || !o.begun() {
		return
	}
	d.note(o, node, job.Printable(phase, maxPhase), job.Printable(detail, maxDetail))
}

func (d *desk) note(o *openJob, node, phase, detail string) {
	if !o.note(time.Now(), node, phase, detail) {
		d.monitor.refused.WithLabelValues(refusedProgress).Inc()
		return
	}
	d.stir()
}

// outcome takes how a job ended at a node and acknowledges it once the store
// has it; until then the node keeps it and tells it at its next attachment. A
// share that is not what it must be fails the job: the node would repeat it
// forever.
func (d *desk) outcome(l *link, out *outcome) error {
	var forged error
	if out.error == "" && out.share != nil {
		forged = out.share.Verify(out.id, d.roster.NodeKey(d.roster.NodeIndex(out.node)))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	due, err := d.awaited(out)
	if err != nil {
		return err
	}
	if !due {
		d.unexpected(l, out)
		return nil
	}
	if err := d.keepOutcome(out, forged); err != nil {
		return err
	}
	l.send(acknowledge(out.id[:]))
	return nil
}

// awaited says whether a job has begun here, and so can have an outcome. One that
// has not, and ended at a node, is of a coordinator whose store is older than what
// it did: the node then holds the only copy of what it sealed, and sends it again
// when the job is started.
func (d *desk) awaited(out *outcome) (bool, error) {
	if d.dead != nil {
		return false, errBroken
	}
	if o := d.open[out.id]; o != nil {
		return o.state == api.State_STATE_RUNNING, nil
	}
	r, err := d.store.record(out.id)
	if err != nil {
		return false, d.fail(err)
	}
	return r != nil, nil
}

// unexpected drops an outcome without an acknowledgement. A node may hold many:
// one line in the log tells of all that come over a link.
func (d *desk) unexpected(l *link, out *outcome) {
	d.monitor.refused.WithLabelValues(refusedOutcome).Inc()
	if l.astray {
		return
	}
	l.astray = true
	d.log.Warn("a node holds outcomes of jobs that have not begun here; was the state directory restored from an older copy? The node keeps them until the same jobs are submitted again",
		"node", out.node, "job", out.id.Short())
}

// keepOutcome stores an outcome with what follows from it.
func (d *desk) keepOutcome(out *outcome, forged error) error {
	o := d.open[out.id]
	if o == nil {
		return d.lateOutcome(out)
	}
	if o.reported[out.node] || !o.needs(out.node) {
		return nil
	}
	if out.error == "" {
		if err := d.checkOutcome(o, out, forged); err != nil {
			d.refuse(refusedOutcome, out.node, out.id, err)
			out.error, out.share = err.Error(), nil
		}
	}
	c := change{outcome: out}
	if out.error != "" {
		out.share = nil
		c.events = []*api.Event{{State: o.state, Node: out.node, Phase: "failed", Detail: said(out.node, out.error)}}
		return d.end(o, api.State_STATE_FAILED, blame(out.node, out.error), c)
	}
	c.events = []*api.Event{{State: o.state, Node: out.node, Phase: "done"}}
	if len(o.reported)+1 < len(o.nodes) {
		return d.commit(o, c)
	}
	return d.end(o, api.State_STATE_DONE, "", c) // every sealer's outcome came with its share
}

// checkOutcome checks a report of success: the nodes that seal the result, and
// they alone, come with a share, which is theirs and of this session. The recipient
// checks all of that again; here it serves to name who failed.
func (d *desk) checkOutcome(o *openJob, out *outcome, forged error) error {
	j, err := job.Decode(o.signed.Bytes)
	if err != nil {
		return err
	}
	role := slices.Index(d.roster.Sealers(j), out.node)
	switch {
	case role >= 0 && out.share == nil:
		return fmt.Errorf("is to seal a share of the result and sent none")
	case role < 0 && out.share != nil:
		return fmt.Errorf("is to seal nothing of the result but sent a share")
	case role < 0:
		return nil
	}
	// All shares must fit into one reply.
	if n := wire.Size(out.share); j.Engine == job.EngineMHE && role > 0 && n > wire.MaxPart {
		return fmt.Errorf("sent a share of %d bytes, at most %d are allowed to it", n, wire.MaxPart)
	}
	if out.share.Party != out.node {
		return fmt.Errorf("sent a share under the name of another party")
	}
	if forged != nil {
		return forged
	}
	session, err := job.SessionID(o.id, j, d.roster, o.answers())
	if err != nil {
		return err
	}
	if out.share.Session != session {
		return fmt.Errorf("sent a share of another session")
	}
	return nil
}

// lateOutcome is of a job that is over.
func (d *desk) lateOutcome(out *outcome) error {
	r, err := d.store.record(out.id)
	if err != nil {
		return d.fail(err)
	}
	if err := d.store.late(r.number, out); err != nil {
		return d.fail(err)
	}
	return nil
}
