package coordinator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"consilium/api"
)

// commit stores a change of an open job, and only then makes it so. The caller
// holds the lock.
func (d *desk) commit(o *openJob, c change) error {
	if d.dead != nil {
		return errBroken
	}
	now := time.Now()
	c.events = o.numbered(now, c.events)
	if err := d.store.apply(o.number, now, &c); err != nil {
		return d.fail(err)
	}
	if c.decision != nil {
		o.decisions[c.decision.Node] = *c.decision
	}
	if c.outcome != nil {
		o.reported[c.outcome.node] = true
	}
	if c.state != api.State_STATE_UNSPECIFIED {
		o.state, o.reason, o.changed, o.cancel = c.state, c.reason, now, c.cancel
		o.offered = o.offered || c.offered
		o.since, o.deadline = now, d.deadline(c.state, now)
		d.log.Info("job "+stateWord(o.state), append(jobAttrs(o.record), cause(&c)...)...)
	}
	o.stored(c.events)
	if over(o.state) {
		delete(d.open, o.id)
		d.line = slices.DeleteFunc(d.line, func(other *openJob) bool { return other == o })
	}
	d.stir()
	return nil
}

// deadline is when a job that came into a state must have left it.
func (d *desk) deadline(s api.State, since time.Time) time.Time {
	switch s {
	case api.State_STATE_DECIDING:
		return since.Add(d.cfg.DecideTimeout)
	case api.State_STATE_RUNNING:
		return since.Add(d.cfg.RunTimeout)
	}
	return time.Time{}
}

// cause is what logs say of why a job changed: the node that brought it about,
// or the coordinator's own words. A node's words may quote the job's arguments.
func cause(c *change) []any {
	switch {
	case c.decision != nil:
		return []any{"node", c.decision.Node}
	case c.outcome != nil:
		return []any{"node", c.outcome.node}
	case c.reason != "":
		return []any{"reason", c.reason}
	}
	return nil
}

// end brings a job to a terminal state and tells the nodes that may hold
// something for it. What else ends with it comes in c.
func (d *desk) end(o *openJob, state api.State, reason string, c change) error {
	begun := o.begun()
	c.state, c.reason = state, reason
	c.events = append(c.events, &api.Event{State: state, Phase: stateWord(state), Detail: reason})
	if err := d.commit(o, c); err != nil {
		return err
	}
	if !begun {
		return nil
	}
	for node, l := range d.nodes {
		if !o.needs(node) {
			continue
		}
		if decision, ok := o.decisions[node]; !o.reported[node] && (!ok || decision.Accept) {
			l.send(ended(o.end()))
		}
	}
	return nil
}

// offerJob takes a job from the queue to the nodes.
func (d *desk) offerJob(o *openJob, now time.Time) error {
	deadline := now.Add(d.cfg.DecideTimeout)
	c := change{state: api.State_STATE_DECIDING, offered: true}
	c.events = append(c.events, &api.Event{State: c.state, Phase: stateWord(c.state), Detail: "offered to every node"})
	for _, name := range o.nodes {
		if d.nodes[name] == nil {
			c.events = append(c.events, &api.Event{State: c.state, Phase: phaseWaiting, Detail: waitingFor(name, deadline)})
		}
	}
	attachment, err := d.store.attachment(o.number)
	if err != nil {
		return d.fail(err)
	}
	if err := d.commit(o, c); err != nil {
		return err
	}
	for node, l := range d.nodes {
		if o.needs(node) {
			l.send(offer(o.record, attachment))
		}
	}
	return nil
}

// Phases that the coordinator itself reports, beside the words of states.
const (
	phaseWaiting   = "waiting"
	phaseConnected = "connected"
)

func waitingFor(node string, until time.Time) string {
	return fmt.Sprintf("%s is not connected; waiting for it until %s", node, clock(until))
}

// run is the desk's clock. It ends with the context.
func (d *desk) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		next, err := d.settle(time.Now())
		if err != nil {
			return // broken; the server stops
		}
		timer.Reset(time.Until(next))
	}
}

// idle is how long the clock sleeps when nothing is due.
const idle = time.Hour

// settle does all that time has brought about and returns when to look again.
func (d *desk) settle(now time.Time) (next time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next = now.Add(idle)
	busy := 0
	for _, o := range slices.Clone(d.line) {
		due, err := d.settleJob(o, now, &busy)
		if err != nil {
			return next, err
		}
		if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next, nil
}

// settleJob does it for one job. Busy counts the jobs, in order of arrival,
// that are past the queue.
func (d *desk) settleJob(o *openJob, now time.Time, busy *int) (due time.Time, err error) {
	state, reason, due := d.verdict(o, now)
	if state != api.State_STATE_UNSPECIFIED {
		return due, d.end(o, state, reason, change{})
	}
	if !o.begun() && *busy >= d.cfg.Parallel {
		return due, nil
	}
	*busy++
	if !o.begun() {
		return due, d.offerJob(o, now) // the commit stirs the clock: it has a deadline now
	}
	if !o.flush.IsZero() {
		if !o.flush.After(now) {
			return due, d.commit(o, change{})
		}
		due = earlier(due, o.flush)
	}
	return due, nil
}

// verdict says whether a job's time is up, and else when it might be.
func (d *desk) verdict(o *openJob, now time.Time) (state api.State, reason string, due time.Time) {
	switch o.state {
	case api.State_STATE_QUEUED, api.State_STATE_DECIDING:
		if !now.Before(o.expires) {
			return api.State_STATE_EXPIRED, "the job expired before all nodes had accepted it; sign it again with a later expiry", due
		}
		if due = o.expires; o.state == api.State_STATE_QUEUED {
			return 0, "", due
		}
		if !now.Before(o.deadline) {
			return api.State_STATE_FAILED, d.undecided(o), due
		}
		return 0, "", earlier(due, o.deadline)
	default:
		if !now.Before(o.deadline) {
			return api.State_STATE_FAILED, d.unreported(o), due
		}
		lost, due := d.lost(o, now)
		if len(lost) > 0 {
			return api.State_STATE_FAILED, fmt.Sprintf("%s not connected any more and did not come back within %v; start it again and sign the job anew",
				are(lost), d.cfg.Grace), due
		}
		return 0, "", earlier(due, o.deadline)
	}
}

// lost returns the nodes that are away from a running job for too long, and
// when there might be another.
func (d *desk) lost(o *openJob, now time.Time) (names []string, due time.Time) {
	for _, name := range o.nodes {
		since, away := d.away[name]
		if !away || o.reported[name] {
			continue
		}
		if since.Before(o.since) {
			since = o.since
		}
		if until := since.Add(d.cfg.Grace); until.After(now) {
			due = earlier(due, until)
		} else {
			names = append(names, name)
		}
	}
	return names, due
}

// undecided names the nodes that a job waited for in vain.
func (d *desk) undecided(o *openJob) string {
	var absent, silent []string
	for _, name := range o.nodes {
		if _, ok := o.decisions[name]; ok {
			continue
		}
		if d.nodes[name] == nil {
			absent = append(absent, name)
		} else {
			silent = append(silent, name)
		}
	}
	if len(absent) > 0 {
		return fmt.Sprintf("%s not connected; ask for the node to be started and sign the job anew", are(absent))
	}
	return fmt.Sprintf("%s connected but did not answer within %v; look into the node's log and sign the job anew", are(silent), d.cfg.DecideTimeout)
}

// unreported names the nodes that a running job waited for in vain.
func (d *desk) unreported(o *openJob) string {
	var missing []string
	for _, name := range o.nodes {
		if !o.reported[name] {
			missing = append(missing, name)
		}
	}
	return fmt.Sprintf("%s not done within %v; look into the node's log and sign the job anew", are(missing), d.cfg.RunTimeout)
}

// earlier takes the zero time as never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
