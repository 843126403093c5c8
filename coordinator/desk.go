package coordinator

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/job"
)

// desk holds the jobs that are not over and the nodes that are attached, and
// decides what happens when. Everything goes through its lock in this order:
// check, store, then act. What a node must be told follows from the store, so
// that an attaching node is told all of it again, and a restart loses nothing.
//
// A write that fails ends the process (broken): what is on disk is then the
// truth, and the next start takes it up.
type desk struct {
	cfg     *Config
	roster  *job.Roster
	store   *store
	log     *slog.Logger
	monitor *monitor

	wake   chan struct{} // capacity 1: the clock shall look again
	broken chan error    // capacity 1: the store failed

	mu    sync.Mutex
	dead  error // what went to broken
	open  map[job.Hash]*openJob
	line  []*openJob // the same, in order of arrival
	nodes map[string]*link
	away  map[string]time.Time // since when a node is not attached
}

// newDesk takes up all jobs that are not over.
func newDesk(cfg *Config, s *store, m *monitor) (*desk, error) {
	d := &desk{
		cfg: cfg, roster: cfg.Roster.Roster, store: s, log: cfg.Log, monitor: m,
		wake: make(chan struct{}, 1), broken: make(chan error, 1),
		open: make(map[job.Hash]*openJob), nodes: make(map[string]*link), away: make(map[string]time.Time),
	}
	now := time.Now()
	for _, name := range d.roster.Names() {
		d.away[name] = now
	}
	records, err := s.openRecords()
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if err := d.takeUp(r, now); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// takeUp continues a job after a restart. Its deadline stands, but nodes get
// the usual grace to come back.
func (d *desk) takeUp(r *record, now time.Time) error {
	o, err := restore(d.store, r, d.roster)
	if err != nil {
		return err
	}
	o.since, o.deadline = now, d.deadline(r.state, r.changed)
	if back := now.Add(d.cfg.Grace); o.begun() && o.deadline.Before(back) {
		o.deadline = back
	}
	d.open[r.id] = o
	d.line = append(d.line, o)
	d.log.Info("job taken up", jobAttrs(r)...)

	j, err := r.signed.Verify()
	if err != nil {
		return err
	}
	if j.Roster != d.cfg.Roster.Hash {
		return d.end(o, api.State_STATE_FAILED, "the study's roster has changed since the job was signed; sign it again", change{})
	}
	return nil
}

// errBroken is what callers hear once the store has failed.
var errBroken = status.Error(codes.Unavailable, "the coordinator cannot write its store and stops; try again when it is back")

// fail ends the coordinator's work. The caller holds the lock.
func (d *desk) fail(err error) error {
	if d.dead == nil {
		d.dead = err
		d.log.Error("store failed", "error", err)
		d.broken <- err
	}
	return errBroken
}

func (d *desk) stir() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// submit queues a job whose form is checked, with what it brings along. Known says that
// it was submitted before, in which case nothing happens.
func (d *desk) submit(client string, signed *job.Signed, j *job.Job, attachment []byte) (known bool, err error) {
	id := signed.ID()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead != nil {
		return false, errBroken
	}
	if r, err := d.store.record(id); err != nil {
		return false, d.fail(err)
	} else if r != nil {
		return true, nil
	}
	if err := d.room(signed.Signer, j.Attached()); err != nil {
		return false, err
	}
	now := time.Now()
	r := &record{
		id: id, signed: signed, client: client, study: j.Study, dataset: j.Dataset, analysis: j.Analysis,
		recipient: j.Recipient, expires: j.Expires, submitted: now, changed: now, state: api.State_STATE_QUEUED,
	}
	o := newOpenJob(r, d.roster.Participants(j), j.Attached())
	o.since = now
	events := o.numbered(now, []*api.Event{{State: r.state, Phase: "queued", Detail: ahead(len(d.line))}})
	if err := d.store.insert(r, attachment, events); err != nil {
		return false, d.fail(err)
	}
	o.stored(events)
	d.open[id] = o
	d.line = append(d.line, o)
	d.log.Info("job queued", jobAttrs(r)...)
	d.stir()
	return false, nil
}

// maxAttached caps the jobs of one client that are not over and bring something along:
// their attachments lie in the store meanwhile.
const maxAttached = 8

// room refuses a job when its client or the study has too many open ones.
func (d *desk) room(signer []byte, attached bool) error {
	if len(d.line) >= d.cfg.QueueCap {
		return status.Errorf(codes.ResourceExhausted, "the queue is full with %d jobs; submit again when some are done", len(d.line))
	}
	own, with := 0, 0
	for _, o := range d.line {
		if bytes.Equal(o.signed.Signer, signer) {
			own++
			if o.attached {
				with++
			}
		}
	}
	if own >= d.cfg.ClientCap {
		return status.Errorf(codes.ResourceExhausted, "you have %d jobs that are not over, no more are allowed; wait or cancel some", own)
	}
	if attached && with >= maxAttached {
		return status.Errorf(codes.ResourceExhausted, "you have %d jobs with attachments that are not over, no more are allowed; wait or cancel some", with)
	}
	return nil
}

// cancelJob ends a job at its signer's signed wish. A job that is over stays as
// it is.
func (d *desk) cancelJob(id job.Hash, signature []byte) (*api.JobStatus, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead != nil {
		return nil, errBroken
	}
	o := d.open[id]
	if o == nil {
		r, err := d.store.record(id)
		if err != nil {
			return nil, d.fail(err)
		}
		if r == nil {
			return nil, errNoJob
		}
		return r.status(), nil
	}
	err := d.end(o, api.State_STATE_CANCELLED, "cancelled by "+o.client, change{cancel: signature})
	return o.status(), err
}

// news returns what is closed with a job's next event, or nil when it is over.
func (d *desk) news(id job.Hash) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.open[id]; o != nil {
		return o.news
	}
	return nil
}

// connected returns the attached nodes by name.
func (d *desk) connected() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := make([]string, 0, len(d.nodes))
	for name := range d.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// queued counts the jobs that wait for their turn.
func (d *desk) queued() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, o := range d.line {
		if !o.begun() {
			n++
		}
	}
	return n
}

// jobAttrs is all that logs say of a job: never its arguments or filter.
func jobAttrs(r *record) []any {
	return []any{
		"job", r.id.Short(), "client", r.client, "study", r.study, "dataset", r.dataset, "analysis", r.analysis,
		"state", stateWord(r.state),
	}
}
