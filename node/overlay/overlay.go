package overlay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
	"consilium/node/peer"
)

// maxWaiting is how many pipes of one node may wait to be accepted.
const maxWaiting = 2

var errClosing = errors.New("this node is closing its connections")

// Overlay is this node in onet. It is the carrier of a peer.Net.
type Overlay struct {
	cfg     peer.Config
	members *members
	message network.MessageTypeID
	roster  onet.RosterID
	trees   []*onet.Tree // by roster index: the tree of the pipes with that node; nil at Self

	host   *host
	server *onet.Server
	onet   *onet.Overlay
	guard  *guard

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	pipes    map[*pipe]bool
	count    []int // of pipes, by roster index
	waiting  []int // by roster index: pipes not yet accepted
	accepted chan *pipe
}

var _ peer.Carrier = (*Overlay)(nil)

// Listen starts links with all nodes of the roster as peer.Listen does, but over
// onet. dir is where onet keeps its database; no other process may use it.
func Listen(ctx context.Context, cfg peer.Config, dir string) (*peer.Net, error) {
	cfg, err := cfg.Prepared()
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	o, err := start(ctx, cfg, dir)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	cfg.Carrier = o
	links, err := peer.Listen(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return links, nil
}

// start makes this node's end of the overlay and listens.
func start(ctx context.Context, cfg peer.Config, dir string) (*Overlay, error) {
	all, err := newMembers(cfg.Peers)
	if err != nil {
		return nil, err
	}
	o := &Overlay{
		cfg: cfg, members: all, message: register(), pipes: make(map[*pipe]bool),
		count: make([]int, len(cfg.Peers)), waiting: make([]int, len(cfg.Peers)), accepted: make(chan *pipe, maxWaiting*len(cfg.Peers)),
	}
	o.ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx)) // the links take leave of their peers before Close
	o.host = &host{cfg: &o.cfg, members: all, ctx: o.ctx, ended: make(chan struct{})}
	if err := o.plant(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if o.host.listener, err = lc.Listen(ctx, "tcp", cfg.Listen); err != nil {
		return nil, err
	}
	listeners.add(o, cfg.Log)
	if o.server, err = newServer(o.members.identities[cfg.Self], all.suite, dir); err != nil {
		listeners.remove(o)
		return nil, errors.Join(err, o.host.listener.Close())
	}
	o.server.Router = network.NewRouter(o.members.identities[cfg.Self], o.host)
	o.server.Quiet = true
	o.server.AddErrorHandler(o.lost)
	o.onet = onet.NewOverlay(o.server)
	o.guard = &guard{o: o, inner: o.onet}
	o.server.RegisterProcessor(o.guard, guarded()...)
	if _, err := o.server.ProtocolRegister(protocolName, o.newInstance); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	o.work.Go(o.server.Router.Start) // the router alone: Server.Start would listen on another port, too
	return o, nil
}

// plant makes the tree of the pipes with each node, the one that dials at its root.
func (o *Overlay) plant() (err error) {
	roster := onet.NewRoster(o.members.identities)
	if o.roster, err = roster.GetID(); err != nil {
		return err
	}
	node := func(p mpc.PartyID) *onet.TreeNode { return onet.NewTreeNode(int(p), o.members.identities[p]) }
	for i := range o.cfg.Peers {
		p := mpc.PartyID(i)
		if p == o.cfg.Self {
			o.trees = append(o.trees, nil)
			continue
		}
		root := node(min(p, o.cfg.Self))
		root.AddChild(node(max(p, o.cfg.Self)))
		o.trees = append(o.trees, onet.NewTree(roster, root))
	}
	return nil
}

// keep makes sure that onet knows the tree with a node, which it forgets ten
// minutes after the last pipe on it has ended, and would then ask others for.
func (o *Overlay) keep(with mpc.PartyID) {
	o.mu.Lock()
	inUse := o.count[with] > 0
	o.mu.Unlock()
	if !inUse {
		o.onet.RegisterTree(o.trees[with])
	}
}

// Dial opens a pipe to a node of higher index.
func (o *Overlay) Dial(ctx context.Context, to mpc.PartyID) (peer.Conn, error) {
	if to <= o.cfg.Self || int(to) >= len(o.trees) {
		return nil, fmt.Errorf("node %d does not dial node %d", o.cfg.Self, to)
	}
	type dialled struct {
		pipe *pipe
		err  error
	}
	done := make(chan dialled, 1)
	o.work.Go(func() { // onet knows no contexts; the host has a patience of its own
		p, err := o.dial(to)
		select {
		case <-ctx.Done():
			if p != nil {
				_ = p.Close() // nobody waits for it any more
			}
		default:
		}
		done <- dialled{p, err}
	})
	select {
	case d := <-done:
		if d.err != nil {
			return nil, d.err
		}
		return d.pipe, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (o *Overlay) dial(to mpc.PartyID) (*pipe, error) {
	made, err := o.onet.CreateProtocol(protocolName, o.trees[to], onet.NilServiceID)
	if err != nil {
		return nil, err
	}
	p := made.(*instance).pipe
	if err := p.message(Message{Kind: kindOpen}); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// Accept returns the next pipe that a node of lower index has opened.
func (o *Overlay) Accept(ctx context.Context) (peer.Conn, mpc.PartyID, error) {
	select {
	case p := <-o.accepted:
		o.mu.Lock()
		o.waiting[p.peer]--
		o.mu.Unlock()
		return p, p.peer, nil
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
}

// enter notes a new pipe, and offers it to Accept if another node has opened it.
func (o *Overlay) enter(p *pipe, foreign bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return errClosing
	}
	if foreign {
		if o.waiting[p.peer] >= maxWaiting {
			return errors.New("too many pipes of " + p.name + " wait to be accepted")
		}
		o.waiting[p.peer]++
		o.accepted <- p
	}
	o.pipes[p] = true
	o.count[p.peer]++
	return nil
}

// leave tells the peer that a pipe is closed and lets onet forget it. The telling
// may have to wait for a connection that is stuck, and nobody waits for that.
func (o *Overlay) leave(p *pipe, tni *onet.TreeNodeInstance) {
	o.mu.Lock()
	known := o.pipes[p]
	if known {
		delete(o.pipes, p)
		o.count[p.peer]--
	}
	o.mu.Unlock()
	if !known {
		return
	}
	o.work.Go(func() {
		_ = p.message(Message{Kind: kindReset}) // who does not hear it, finds out by a deadline
		tni.Done()
	})
}

// lost breaks the pipes of a node with which a connection was lost. onet tells it
// here, and to no protocol.
func (o *Overlay) lost(si *network.ServerIdentity) {
	from, ok := o.members.find(si.Public)
	if !ok {
		return
	}
	for _, p := range o.open() {
		if p.peer == from {
			p.fail(errors.New("onet has lost its connection with " + p.name))
		}
	}
}

func (o *Overlay) open() []*pipe {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]*pipe, 0, len(o.pipes))
	for p := range o.pipes {
		list = append(list, p)
	}
	return list
}

// Addr is the address on which this node listens.
func (o *Overlay) Addr() net.Addr { return o.host.listener.Addr() }

// Close ends all pipes and connections, and waits for everything that was started.
func (o *Overlay) Close() error {
	for _, p := range o.open() {
		_ = p.Close()
	}
	o.cancel()
	err := o.server.Close()
	o.onet.Close()
	o.work.Wait()
	listeners.remove(o)
	return err
}
