package coordinator

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// Caps of what an attaching node is told of jobs that ended without it.
const (
	endsTold   = 500
	endsWithin = 24 * time.Hour // a job's longest life
)

// attach makes a link a node's one link and puts all on it that the node must
// know: offers it has not answered, starts of jobs it has not reported on, ends
// of jobs it may still hold. Running is what the node says it is at work on.
func (d *desk) attach(l *link, running []job.Hash) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead != nil {
		return errBroken
	}
	if l.closed {
		return nil
	}
	if err := d.tellEnds(l, running); err != nil {
		return d.fail(err)
	}
	if old := d.nodes[l.node]; old != nil {
		old.end(status.Errorf(codes.Aborted, "%s attached again; one process alone may use a node's identity", l.node))
	}
	d.nodes[l.node] = l
	delete(d.away, l.node)
	d.log.Info("node attached", "node", l.node)
	for _, o := range d.line {
		if err := d.tellOpen(l, o); err != nil {
			return d.fail(err)
		}
	}
	d.stir()
	return nil
}

// tellOpen tells an attaching node of a job that is not over.
func (d *desk) tellOpen(l *link, o *openJob) error {
	_, answered := o.decisions[l.node]
	switch {
	case !o.needs(l.node):
		return nil
	case o.state == api.State_STATE_DECIDING && !answered:
		attachment, err := d.store.attachment(o.number)
		if err != nil {
			return err
		}
		l.send(offer(o.record, attachment))
	case o.state == api.State_STATE_RUNNING && !o.reported[l.node]:
		l.send(start(o.record, wire.DecisionsTo(o.answers())))
	default:
		return nil
	}
	d.note(o, "", phaseConnected, l.node+" is connected")
	return nil
}

// tellEnds tells an attaching node of the jobs that ended without it.
func (d *desk) tellEnds(l *link, running []job.Hash) error {
	records, err := d.store.endedUnheard(l.node, time.Now().Add(-endsWithin), endsTold)
	if err != nil {
		return err
	}
	told := make(map[job.Hash]bool)
	for _, r := range records {
		j, err := job.Decode(r.signed.Bytes)
		if err != nil {
			return err
		}
		if told[r.id] = true; slices.Contains(d.roster.Participants(j), l.node) {
			l.send(ended(r.end()))
		}
	}
	for _, id := range running {
		if told[id] || d.open[id] != nil {
			continue
		}
		told[id] = true
		r, err := d.store.record(id)
		switch {
		case err != nil:
			return err
		case r == nil:
			l.send(ended(&api.JobEnd{JobId: id[:], Reason: "the coordinator does not know this job"}))
		default:
			l.send(ended(r.end()))
		}
	}
	return nil
}

// detach ends a link. Jobs that need the node get their grace.
func (d *desk) detach(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.end(nil)
	if d.nodes[l.node] != l {
		return
	}
	now := time.Now()
	delete(d.nodes, l.node)
	d.away[l.node] = now
	d.log.Info("node detached", "node", l.node)
	for _, o := range d.line {
		_, answered := o.decisions[l.node]
		switch {
		case !o.needs(l.node):
		case o.state == api.State_STATE_DECIDING && !answered:
			d.note(o, "", phaseWaiting, waitingFor(l.node, o.deadline))
		case o.state == api.State_STATE_RUNNING && !o.reported[l.node]:
			d.note(o, "", phaseWaiting, waitingFor(l.node, now.Add(d.cfg.Grace)))
		}
	}
	d.stir()
}
