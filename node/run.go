package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/protocols"
)

// runs are the jobs that this node is at work on.
type runs struct {
	mu     sync.Mutex
	active map[job.Hash]context.CancelCauseFunc
	turns  *turns
	group  sync.WaitGroup
}

func newRuns(limit int) *runs {
	return &runs{active: make(map[job.Hash]context.CancelCauseFunc), turns: newTurns(limit)}
}

// stop ends a running job with a cause, and reports whether there was one.
func (r *runs) stop(id job.Hash, cause error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	cancel, ok := r.active[id]
	if ok {
		cancel(cause)
	}
	return ok
}

// ended says that a job was ended from outside: by its signer or, if it says
// so, by the coordinator.
type ended struct{ reason string }

func (e *ended) Error() string { return e.reason }

// run is one started job.
type run struct {
	id               job.Hash
	task             *protocols.Task
	confirm, session mpc.SessionID
	dataset          string
	reads            bool // whether a site's file is read
	lists            bool // whether lists are read here
	site             bool // whether this node is a site of a match
	began            time.Time
	log              *slog.Logger
}

// launch runs a job that the store already holds as running. It returns at once.
func (n *Node) launch(r *run) {
	ctx, timeout := context.WithTimeoutCause(n.ctx, n.config.Deadline,
		fmt.Errorf("the job did not end within %v, the deadline of %s", n.config.Deadline, n.identity.Name))
	ctx, cancel := context.WithCancelCause(ctx)
	n.runs.mu.Lock()
	n.runs.active[r.id] = cancel
	n.runs.mu.Unlock()
	n.metrics.running.Inc()
	turn := n.runs.turns.join() // here, so that turns come in the order of starts
	n.runs.group.Go(func() {
		defer timeout()
		defer cancel(nil)
		share, err := n.perform(ctx, r, turn)
		turn.leave()
		n.conclude(ctx, r, share, err)
		n.runs.mu.Lock()
		delete(n.runs.active, r.id)
		n.runs.mu.Unlock()
	})
}

// perform waits for the job's turn and does this node's part. Its sessions are
// open at the links meanwhile, so that frames of faster nodes find their place.
func (n *Node) perform(ctx context.Context, r *run, turn *place) (_ *job.SealedShare, err error) {
	for _, s := range []mpc.SessionID{r.confirm, r.session} {
		if err := n.net.Admit(s); err != nil {
			return nil, err
		}
		defer n.net.Release(s)
	}
	if err := turn.wait(ctx); err != nil {
		return nil, err
	}
	steps := &progress{log: r.log, tell: func(phase, detail string) {
		n.link.hint(progressMessage(r.id, phase, line(detail)))
	}}
	defer steps.end()
	r.task.Progress = steps.report
	if r.reads {
		if data := n.data.open(r.dataset, r.log); data != nil {
			defer data.close()
			r.task.Data = data
		}
	}
	if r.lists {
		r.task.List = newSiteLists(n.data, r.log)
	}
	if r.site {
		r.task.Runs = siteRuns{matchRuns(n.config.State), r.log}
	}
	r.task.Rows = n.rows
	spill := rss.NewSpill(n.spool, rss.ChunkRows)
	defer func() { err = errors.Join(err, spill.Close()) }()
	r.task.Spill = spill
	return r.task.Run(ctx)
}

// conclude stores how the job ended and tells the coordinator. A share once
// sealed is stored as it was made: it is never made twice.
func (n *Node) conclude(ctx context.Context, r *run, share *job.SealedShare, err error) {
	state, outcome := Done, &api.Outcome{JobId: r.id[:]}
	switch {
	case err != nil:
		state, outcome.Error = failure(ctx, err)
	case share != nil: // of a node that seals
		outcome.Share = wire.ShareTo(share)
	}
	now := time.Now()
	took := now.Sub(r.began)
	n.metrics.running.Dec()
	n.metrics.ended(state, took)
	r.log.Info("job ended", "state", state, "error", outcome.Error, "took", rounded(took))
	if err := n.store.finish(context.WithoutCancel(ctx), state, outcome, now); err != nil {
		n.fail(fmt.Errorf("store: the end of job %s cannot be stored: %w; mend the state directory and start again", r.id.Short(), err))
		return
	}
	n.link.tell(outcomeMessage(outcome))
}

// failure tells what ended a run: the cause of its context's end rather than
// what the protocol met on that way.
func failure(ctx context.Context, err error) (State, string) {
	cause := context.Cause(ctx)
	if cause == nil {
		return Failed, line(err.Error())
	}
	var by *ended
	if errors.As(cause, &by) {
		return Cancelled, line(cause.Error())
	}
	return Failed, line(cause.Error())
}
