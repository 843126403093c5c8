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
	d.log.Warn("message of a node refused", "kind", kind, "node", node, "job", id.String(), "error", why)
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
	if o == nil || o.state != api.State_STATE_DECIDING {
		return nil
	}
	if _, answered := o.decisions[node]; answered {
		return nil
	}
	c := change{decision: a}
	if !a.Accept {
		c.events = []*api.Event{{State: o.state, Node: node, Phase: "rejected", Detail: job.Printable(a.Reason, maxDetail)}}
		return d.end(o, api.State_STATE_REJECTED, blame(node, a.Reason), c)
	}
	c.events = []*api.Event{{State: o.state, Node: node, Phase: "accepted"}}
	if len(o.decisions)+1 < len(d.roster.Nodes) {
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
	answers := wire.DecisionsTo(o.answers(d.roster))
	for _, l := range d.nodes {
		l.send(start(o.record, answers))
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
// has it; until then the node tells it again. A share that is not what it must be fails the job: the node would
// repeat it forever.
func (d *desk) outcome(l *link, out *outcome) error {
	var forged error
	if out.error == "" && out.share != nil {
		forged = out.share.Verify(out.id, d.roster.NodeKey(d.roster.NodeIndex(out.node)))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.keepOutcome(out, forged); err != nil {
		return err
	}
	l.send(acknowledge(out.id[:]))
	return nil
}

// keepOutcome stores an outcome with what follows from it.
func (d *desk) keepOutcome(out *outcome, forged error) error {
	o := d.open[out.id]
	if o == nil {
		return d.lateOutcome(out)
	}
	if o.reported[out.node] {
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
		c.events = []*api.Event{{State: o.state, Node: out.node, Phase: "failed", Detail: job.Printable(out.error, maxDetail)}}
		return d.end(o, api.State_STATE_FAILED, blame(out.node, out.error), c)
	}
	c.events = []*api.Event{{State: o.state, Node: out.node, Phase: "done"}}
	if len(o.reported)+1 < len(d.roster.Nodes) {
		return d.commit(o, c)
	}
	return d.end(o, api.State_STATE_DONE, "", c) // every party's outcome came with its share
}

// checkOutcome checks a report of success: compute parties, and they alone,
// come with a share, which is theirs and of this session. The recipient checks
// all of that again; here it serves to name who failed.
func (d *desk) checkOutcome(o *openJob, out *outcome, forged error) error {
	switch party := slices.Contains(d.roster.Parties, out.node); {
	case o.state != api.State_STATE_RUNNING:
		return fmt.Errorf("reported an outcome before the job began")
	case party && out.share == nil:
		return fmt.Errorf("is a compute party and sent no share of the result")
	case !party && out.share != nil:
		return fmt.Errorf("is no compute party but sent a share of the result")
	case !party:
		return nil
	}
	if out.share.Party != out.node {
		return fmt.Errorf("sent a share under the name of another party")
	}
	if forged != nil {
		return forged
	}
	session, err := job.SessionID(o.id, d.cfg.Roster.Hash, d.roster, o.answers(d.roster))
	if err != nil {
		return err
	}
	if out.share.Session != session {
		return fmt.Errorf("sent a share of another session")
	}
	return nil
}

// lateOutcome is of a job that is over or was never here.
func (d *desk) lateOutcome(out *outcome) error {
	if d.dead != nil {
		return errBroken
	}
	r, err := d.store.record(out.id)
	if err != nil {
		return d.fail(err)
	}
	if r == nil {
		d.refuse(refusedOutcome, out.node, out.id, errNoJob)
		return nil
	}
	if err := d.store.late(r.number, out); err != nil {
		return d.fail(err)
	}
	return nil
}
