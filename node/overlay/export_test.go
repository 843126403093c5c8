package overlay

import (
	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
)

// What the tests need of the package's inside.

var (
	Start  = start
	Encode = encode
	Decode = decode
)

type Pipe = pipe

const (
	Window    = window
	MaxPiece  = maxPiece
	MaxPacket = maxPacket

	KindOpen, KindData, KindCredit, KindEnd, KindReset = kindOpen, kindData, kindCredit, kindEnd, kindReset
)

func NewPipe(send func(*Message) error) *Pipe {
	p := newPipe(1, "hospital-2")
	p.send, p.finish = send, func() {}
	return p
}

func (p *pipe) Deliver(m *Message) { p.deliver(m) }

func (p *pipe) Over() <-chan struct{} { return p.over }

func (p *pipe) Cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (o *Overlay) Process(env *network.Envelope) { o.guard.Process(env) }

func (o *Overlay) Refused() int { return int(o.guard.refused.Load()) }

func (o *Overlay) Tree(p mpc.PartyID) *onet.Tree { return o.trees[p] }

func (o *Overlay) RosterID() onet.RosterID { return o.roster }

func (o *Overlay) Identity(p mpc.PartyID) *network.ServerIdentity { return o.members.identities[p] }

func (o *Overlay) OtherEnd(tree *onet.Tree) (mpc.PartyID, error) { return o.otherEnd(tree) }

func (o *Overlay) Pipes() int { return len(o.open()) }

func (o *Overlay) Router() *network.Router { return o.server.Router }
