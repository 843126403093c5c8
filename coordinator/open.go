package coordinator

import (
	"slices"
	"time"

	"consilium/api"
	"consilium/job"
)

// Caps of what nodes may report for people to read.
const (
	// noteEvery is how often a job's progress reaches the store, and so its
	// watchers: a write of its own for every step would slow the job down.
	noteEvery = 100 * time.Millisecond
	// notesPerFlush bounds one node's events of a job in that time. Events of one
	// phase merge, the last one stays.
	notesPerFlush = 8
	// notesPerNode bounds one node's events of a job.
	notesPerNode = 2000
)

// openJob is a job that is not over, with what has been heard of it. Its fields
// follow the store: they change after a commit, never before.
type openJob struct {
	*record
	nodes     []string                // who takes part
	attached  bool                    // it brings something along
	deadline  time.Time               // of deciding or running
	since     time.Time               // when it came into its state, or this process took it up
	sequence  int64                   // of the last stored event
	decisions map[string]job.Decision // by node
	reported  map[string]bool         // nodes whose outcome is stored
	news      chan struct{}           // closed with the next stored event

	notes  []*api.Event   // progress that is not stored yet
	flush  time.Time      // when it must be
	counts map[string]int // events by node
}

func newOpenJob(r *record, nodes []string, attached bool) *openJob {
	return &openJob{
		record:    r,
		nodes:     nodes,
		attached:  attached,
		decisions: make(map[string]job.Decision),
		reported:  make(map[string]bool),
		news:      make(chan struct{}),
		counts:    make(map[string]int),
	}
}

// restore takes up a job that was open when the last process ended.
func restore(s *store, r *record, roster *job.Roster) (*openJob, error) {
	j, err := r.signed.Verify()
	if err != nil {
		return nil, err
	}
	o := newOpenJob(r, roster.Participants(j), j.Attached())
	decisions, err := s.decisions(r)
	if err != nil {
		return nil, err
	}
	for _, d := range decisions {
		o.decisions[d.Node] = d
	}
	reported, err := s.reported(r.number)
	if err != nil {
		return nil, err
	}
	for _, node := range reported {
		o.reported[node] = true
	}
	if o.counts, err = s.eventCounts(r.number); err != nil {
		return nil, err
	}
	for _, n := range o.counts {
		o.sequence += int64(n) // sequences have no gaps
	}
	return o, nil
}

// needs tells whether a node takes part.
func (o *openJob) needs(node string) bool { return slices.Contains(o.nodes, node) }

// answers returns the decisions in the order of the roster.
func (o *openJob) answers() []job.Decision {
	var out []job.Decision
	for _, name := range o.nodes {
		if d, ok := o.decisions[name]; ok {
			out = append(out, d)
		}
	}
	return out
}

// begun says that nodes may hold something for this job.
func (o *openJob) begun() bool { return o.state != api.State_STATE_QUEUED }

// note keeps an event for the next write. It says whether there was room.
func (o *openJob) note(now time.Time, node, phase, detail string) bool {
	pending, last := 0, -1
	for i, e := range o.notes {
		if e.Node == node {
			pending, last = pending+1, i
		}
	}
	event := &api.Event{UnixMs: now.UnixMilli(), State: o.state, Node: node, Phase: phase, Detail: detail}
	switch {
	case last >= 0 && (pending >= notesPerFlush || node != "" && o.notes[last].Phase == phase):
		o.notes = append(slices.Delete(o.notes, last, last+1), event)
	case o.counts[node]+pending >= notesPerNode:
		return false
	default:
		o.notes = append(o.notes, event)
	}
	if o.flush.IsZero() {
		o.flush = now.Add(noteEvery)
	}
	return true
}

// numbered gives pending and new events their places in the job's history.
func (o *openJob) numbered(at time.Time, events []*api.Event) []*api.Event {
	all := slices.Concat(o.notes, events)
	for i, e := range all {
		e.Sequence = o.sequence + int64(i) + 1
		if e.UnixMs == 0 {
			e.UnixMs = at.UnixMilli()
		}
	}
	return all
}

// stored follows a commit of these events.
func (o *openJob) stored(events []*api.Event) {
	o.sequence += int64(len(events))
	for _, e := range events {
		o.counts[e.Node]++
	}
	o.notes, o.flush = nil, time.Time{}
	close(o.news)
	o.news = make(chan struct{})
}
