package overlay

import (
	"errors"
	"fmt"
	"slices"

	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
)

// instance is the pipe protocol at one end of a tree of two.
type instance struct {
	*onet.TreeNodeInstance
	pipe *pipe
}

var _ onet.ProtocolInstance = (*instance)(nil)

// newInstance is onet's constructor of the protocol: of a pipe that Dial asked for,
// or that another node has opened.
func (o *Overlay) newInstance(tni *onet.TreeNodeInstance) (onet.ProtocolInstance, error) {
	peer, err := o.otherEnd(tni.Tree())
	if err != nil {
		return nil, err
	}
	there := tni.Root()
	if tni.IsRoot() {
		there = tni.Children()[0]
	}
	p := newPipe(peer, o.cfg.Peers[peer].Name)
	p.send = func(m *Message) error { return tni.SendTo(there, m) }
	p.finish = func() { o.leave(p, tni) }
	if err := o.enter(p, !tni.IsRoot()); err != nil {
		return nil, err
	}
	return &instance{tni, p}, nil
}

// otherEnd checks that a tree is one of this study's pipes with this node at one
// end, and returns who is at the other. The roster is compared key by key: its
// name says nothing.
func (o *Overlay) otherEnd(tree *onet.Tree) (mpc.PartyID, error) {
	if tree == nil || tree.Roster == nil || tree.Root == nil || len(tree.Root.Children) != 1 || len(tree.Root.Children[0].Children) != 0 {
		return 0, errors.New("a tree that is no pipe")
	}
	if !slices.EqualFunc(tree.Roster.List, o.members.identities, (*network.ServerIdentity).Equal) {
		return 0, errors.New("a tree over another roster")
	}
	root, okRoot := o.members.find(tree.Root.ServerIdentity.Public)
	leaf, okLeaf := o.members.find(tree.Root.Children[0].ServerIdentity.Public)
	switch {
	case !okRoot || !okLeaf || root >= leaf:
		return 0, fmt.Errorf("a tree from node %d to node %d: nodes dial those behind them in the roster", root, leaf)
	case root == o.cfg.Self:
		return leaf, nil
	case leaf == o.cfg.Self:
		return root, nil
	}
	return 0, errors.New("a tree of others")
}

// Start does nothing: Dial sends the first message and sees whether that fails.
func (i *instance) Start() error { return nil }

// Dispatch does nothing: messages come to ProcessProtocolMsg.
func (i *instance) Dispatch() error { return nil }

// ProcessProtocolMsg takes a message that the guard has let pass. onet's own would
// put it into a channel that may be full.
func (i *instance) ProcessProtocolMsg(m *onet.ProtocolMsg) {
	if message, ok := m.Msg.(*Message); ok {
		i.pipe.deliver(message)
	}
}

// Shutdown ends the pipe with its instance.
func (i *instance) Shutdown() error {
	i.pipe.fail(errClosing)
	return nil
}
