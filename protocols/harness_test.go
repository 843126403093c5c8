package protocols

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/rss"
	"consilium/node/linktest"
	"consilium/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trial is one job on its way through a study in one process.
type trial struct {
	*study
	signed    *job.Signed
	decisions []job.Decision
	analysis  Analysis // instead of the registry's, if not nil
	timeout   time.Duration
	chunkRows int             // of what parties compute on
	worlds    linktest.Worlds // memnet.New, or others over links
	hooks     memnet.Hooks
	absent    int                                        // index of a node that never starts, or -1
	task      func(int, *Task)                           // changes a node's task, if not nil
	context   func(int, context.Context) context.Context // of a node, if not nil

	net    *memnet.Network
	shares []job.SealedShare
	errs   []error
}

func (s *study) trial(a ask) *trial {
	s.t.Helper()
	return s.try(s.sign(s.job(a)))
}

// try is a trial of a signed job, with new decisions of all nodes.
func (s *study) try(signed *job.Signed) *trial {
	s.t.Helper()
	return &trial{study: s, signed: signed, decisions: s.decide(signed), timeout: 20 * time.Second, chunkRows: rss.ChunkRows, worlds: memnet.New, absent: -1}
}

// over has the trial's frames go over another transport than memory.
func (tr *trial) over(worlds linktest.Worlds) *trial {
	tr.worlds = worlds
	return tr
}

// tasks makes every node's part of the job.
func (tr *trial) tasks(net *memnet.Network) []*Task {
	tr.t.Helper()
	j, err := tr.signed.Verify()
	tr.must(err)
	var out []*Task
	for i, node := range tr.nodes {
		task := &Task{
			Signed: tr.signed, Roster: tr.roster, Decisions: tr.decisions,
			Self: node.Name, Key: node.Key, Transport: net.Transport(mpc.PartyID(i)),
			Data: tr.data[j.Dataset][i], Timeout: tr.timeout, Spill: testkit.NewSpill(tr.t, tr.chunkRows),
		}
		if tr.task != nil {
			tr.task(i, task)
		}
		out = append(out, task)
	}
	return out
}

// binding binds the job, with the trial's own analysis if it has one.
func (tr *trial) binding(t *Task) (*binding, error) {
	if tr.analysis == nil {
		return bind(PlanJob, t.Signed, t.Roster, t.Decisions)
	}
	plan := func(j *job.Job, r *job.Roster) (*Plan, error) { return planFor(tr.analysis, j, r) }
	return bind(plan, t.Signed, t.Roster, t.Decisions)
}

// run runs all nodes that take part to their ends.
func (tr *trial) run() {
	tr.t.Helper()
	tr.net = tr.worlds(memnet.Config{N: studyNodes, Hooks: tr.hooks}).Network()
	tr.shares, tr.errs = nil, make([]error, studyNodes)
	shares := make([]*job.SealedShare, studyNodes)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i, task := range tr.tasks(tr.net) {
		ctx := ctx
		if tr.context != nil {
			ctx = tr.context(i, ctx)
		}
		if i != tr.absent && tr.takesPart(tr.signed, i) {
			wg.Go(func() { shares[i], tr.errs[i] = tr.node(ctx, i, task) })
		}
	}
	wg.Wait()
	for _, share := range shares {
		if share != nil {
			tr.shares = append(tr.shares, *share)
		}
	}
}

// node does what a node's daemon does around a task.
func (tr *trial) node(ctx context.Context, i int, task *Task) (*job.SealedShare, error) {
	b, err := tr.binding(task)
	if err != nil {
		return nil, err
	}
	for _, session := range []mpc.SessionID{b.session, b.confirmSession()} {
		if err := tr.net.Begin(mpc.PartyID(i), session); err != nil {
			return nil, err
		}
		defer tr.net.End(mpc.PartyID(i), session)
	}
	w, err := task.work(b)
	if err != nil {
		return nil, err
	}
	return w.do(ctx)
}

// succeed runs the job and finishes it at the recipient.
func (tr *trial) succeed() *Result {
	tr.t.Helper()
	tr.run()
	tr.must(errors.Join(tr.errs...))
	b, err := tr.binding(tr.tasks(tr.net)[0])
	tr.must(err)
	opened, err := b.open(tr.shares, tr.recipient)
	tr.must(err)
	result, err := b.plan.Finish(opened)
	tr.must(err)
	return result
}

// result runs a job that the study must answer.
func (s *study) result(a ask) *Result {
	s.t.Helper()
	return s.trial(a).succeed()
}

// leakFree checks that a test leaves no goroutine.
func leakFree(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
}

// fixedPlan is a plan over a dataset of n rows and nothing else.
func fixedPlan(n int64) *Plan {
	return &Plan{Dataset: &job.Dataset{Name: "ward", Sites: []job.Site{{Node: "hospital-1", Rows: int(n)}}}}
}
