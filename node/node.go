package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"consilium/api"
	"consilium/daemon"
	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/spool"
	"consilium/node/overlay"
	"consilium/node/peer"
	"consilium/node/sharestore"
	"consilium/node/vault"
	"consilium/protocols"
)

// Node is a running daemon.
type Node struct {
	*setup
	log     *slog.Logger
	store   *store
	vaults  *vault.Store      // nil without a key
	shares  *sharestore.Store // likewise
	rows    *rowStore
	spool   *spool.Dir
	net     *peer.Net
	metrics *metrics
	monitor *daemon.Monitor
	decider *decider
	link    *link
	runs    *runs
	offers  *offers

	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	closed error // of the shutdown; read after done
}

// errStopped is the cause of an ordinary end.
var errStopped = errors.New("the node is stopped")

// restarted is what becomes of jobs that ran when the process ended.
const restarted = "node restarted during the job; sign it again"

// Start checks the whole configuration, opens the store, listens for peers and
// for health checks, and keeps the node attached to the coordinator. The node
// works until Close, the end of ctx, or a failure of its store. It waits
// neither for peers nor for the coordinator.
func Start(ctx context.Context, c *Config, log *slog.Logger) (*Node, error) {
	log = log.With("node", c.Name)
	s, err := checkSetup(c, log)
	if err != nil {
		return nil, err
	}
	n := &Node{setup: s, log: log, runs: newRuns(c.Jobs), offers: newOffers(), done: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancelCause(ctx)
	if err := n.open(); err != nil {
		n.cancel(err)
		return nil, errors.Join(err, n.release())
	}
	var tasks sync.WaitGroup
	tasks.Go(func() { n.link.run(n.ctx) })
	tasks.Go(func() { n.data.check(n.ctx, n.log) })
	go func() {
		defer close(n.done)
		<-n.ctx.Done()
		tasks.Wait()
		n.offers.group.Wait() // no message comes any more
		n.runs.group.Wait()
		n.closed = n.release()
		log.Info("node stopped")
	}()
	log.Info("node started", "study", s.roster.Roster.Study, "roster", s.roster.Hash, "version", s.roster.Roster.Version,
		"listen", n.net.Addr(), "metrics", n.monitor.Addr(), "party", n.isParty(), "datasets", s.data.names(), "models", c.modelNames(), "vault", n.vaults != nil)
	return n, nil
}

// open makes everything that release closes.
func (n *Node) open() (err error) {
	c := n.config
	if n.store, err = openStore(n.ctx, c.State); err != nil {
		return err
	}
	if err := n.failInterrupted(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := n.openVaults(); err != nil {
		return err
	}
	if n.rows, err = openRows(n.config.State, n.vaultKey, n.log); err != nil {
		return err
	}
	if err := n.openShares(); err != nil {
		return err
	}
	if n.spool, err = spool.Open(filepath.Join(c.State, "spool")); err != nil {
		return fmt.Errorf("temporary files: %w", err)
	}
	n.decider = &decider{identity: n.identity, roster: n.roster, policy: c.Policy, data: n.data, models: n.models, vaults: n.vaults, shares: n.shares, store: n.store, log: n.log}
	n.link = n.newLink()
	// The links outlive the runs, which take leave of their peers over them.
	if n.net, err = n.listen(context.WithoutCancel(n.ctx)); err != nil {
		return err
	}
	n.metrics = newMetrics(n.link.attached)
	n.metrics.registry.MustRegister(&peerCollector{net: n.net, self: n.index(), names: n.roster.Roster.Names()},
		&vaultCollector{vaults: n.vaults, datasets: n.roster.Roster.DatasetNames()})
	n.monitor, err = daemon.StartMonitor(c.Metrics, n.metrics.registry, map[string]daemon.Check{
		"/healthz": func() []string { return nil }, // a node that answers is alive
		"/readyz":  n.unready,
	}, n.log)
	return err
}

// failInterrupted fails the jobs that ran when the last process ended: they must not
// run again, and their sessions are gone.
func (n *Node) failInterrupted() error {
	interrupted, err := n.store.ids(n.ctx, Running)
	if err != nil {
		return err
	}
	for _, id := range interrupted {
		n.log.Warn("job failed", "job", id.Short(), "error", restarted)
		if err := n.store.finish(n.ctx, Failed, &api.Outcome{JobId: id[:], Error: restarted}, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) newLink() *link {
	coordinator := n.roster.Roster.Coordinator
	return &link{
		address: coordinator.Address,
		tls:     job.ClientTLS(n.identity, coordinator.Name, coordinator.Certificate),
		log:     n.log,
		hello:   n.hello,
		pending: n.store.unacknowledged,
		handle:  n.handle,
	}
}

// listen starts the links in the study's way.
func (n *Node) listen(ctx context.Context) (*peer.Net, error) {
	if n.roster.Roster.Overlay == job.OverlayOnet {
		return overlay.Listen(ctx, n.peerConfig(), filepath.Join(n.config.State, "onet"))
	}
	return peer.Listen(ctx, n.peerConfig())
}

func (n *Node) peerConfig() peer.Config {
	c := peer.Config{
		Self: n.index(), Identity: n.identity.TLS(), Listen: n.config.Listen,
		Protocol: job.ProtocolVersion, Roster: n.roster.Hash, Log: n.log,
	}
	for _, p := range n.roster.Roster.Nodes {
		c.Peers = append(c.Peers, peer.Peer{Name: p.Name, Address: p.Address, Certificate: p.Certificate})
	}
	return c
}

func (n *Node) index() mpc.PartyID {
	return mpc.PartyID(n.roster.Roster.NodeIndex(n.identity.Name))
}

func (n *Node) isParty() bool {
	for _, i := range n.roster.Roster.PartyIndexes() {
		if mpc.PartyID(i) == n.index() {
			return true
		}
	}
	return false
}

// unready lists what keeps this node from taking part in a job.
func (n *Node) unready() []string {
	var why []string
	if !n.link.attached() {
		why = append(why, "not attached to the coordinator")
	}
	for i, name := range n.roster.Roster.Names() {
		if p := mpc.PartyID(i); p != n.index() && !n.net.Connected(p) {
			why = append(why, "no link to "+name)
		}
	}
	return why
}

// begin stores that an accepted job runs, and runs it. A job that has expired
// since it was accepted fails.
func (n *Node) begin(ctx context.Context, record *Record, task *protocols.Task, confirm, session mpc.SessionID) error {
	j, err := record.Signed.Verify()
	if err != nil {
		return refuse("a start of job %s: %v", record.Job.Short(), err)
	}
	plan, err := protocols.PlanJob(j, n.roster.Roster)
	if err != nil {
		return refuse("a start of job %s: %v", record.Job.Short(), err)
	}
	now := time.Now()
	if err := j.CheckFresh(now); err != nil {
		outcome := &api.Outcome{JobId: record.Job[:], Error: line(err.Error())}
		if err := n.store.finish(ctx, Failed, outcome, now); err != nil {
			return err
		}
		n.link.tell(outcomeMessage(outcome))
		return nil
	}
	if err := n.store.begin(ctx, record.Job, task.Decisions, session, now); err != nil {
		return err
	}
	task.Vault, task.Shares = vaultOf(n.vaults, j.Dataset), sharesOf(n.shares, j.Dataset)
	if task.Scored, err = n.scored(ctx, record.Job, plan); err != nil {
		return err
	}
	log := n.log.With("job", record.Job.Short(), "session", session)
	log.Info("job started", "signer", record.Signer, "analysis", j.Analysis, "dataset", j.Dataset)
	n.launch(&run{
		id: record.Job, task: task, confirm: confirm, session: session, dataset: j.Dataset, reads: plan.ReadsRows(),
		lists: n.data.holdsAny(plan.ListsAt(n.identity.Name)), site: plan.MatchesAt(n.identity.Name), began: now, log: log,
	})
	return nil
}

// fail ends the node because it cannot keep its promises any more.
func (n *Node) fail(err error) {
	n.log.Error("the node stops", "error", err)
	n.cancel(err)
}

// Done is closed when the node has ended, by itself or after Close.
func (n *Node) Done() <-chan struct{} { return n.done }

// Wait waits for the node's end and returns why it ended: nil after Close or
// the end of Start's context.
func (n *Node) Wait() error {
	<-n.done
	cause := context.Cause(n.ctx)
	if errors.Is(cause, errStopped) || errors.Is(cause, context.Canceled) {
		cause = nil
	}
	return errors.Join(cause, n.closed)
}

// Close ends the node: running jobs fail, and their outcome is told after the
// next start. It waits until everything that Start made has ended.
func (n *Node) Close() error {
	n.cancel(errStopped)
	return n.Wait()
}

// release closes what open made, the last first.
func (n *Node) release() error {
	var errs []error
	if n.monitor != nil {
		errs = append(errs, n.monitor.Close())
	}
	if n.net != nil {
		errs = append(errs, n.net.Close())
	}
	if n.shares != nil {
		errs = append(errs, n.shares.Close())
	}
	if n.vaults != nil {
		errs = append(errs, n.vaults.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.close())
	}
	return errors.Join(errs...)
}
