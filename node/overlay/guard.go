package overlay

import (
	"errors"
	"sync/atomic"

	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
)

// guard stands between onet's router and its overlay. It lets the protocol's own
// messages pass when they come from the other end of the tree that they name, and
// nothing else: onet would fetch trees that it does not know from whoever names
// them, keep messages and configurations for them without limit, and does not look
// for parts that are missing.
type guard struct {
	o       *Overlay
	inner   network.Processor
	refused atomic.Uint64 // messages
}

// guarded are the messages that onet's overlay takes from the network.
func guarded() []network.MessageTypeID {
	return []network.MessageTypeID{
		onet.ProtocolMsgID, onet.ConfigMsgID,
		onet.RequestTreeMsgID, onet.ResponseTreeMsgID, onet.SendTreeMsgID,
		onet.RequestRosterMsgID, onet.SendRosterMsgID,
	}
}

// Process implements network.Processor.
func (g *guard) Process(env *network.Envelope) {
	from, err := g.check(env)
	if err != nil {
		g.refused.Add(1)
		g.o.cfg.Log.Warn("message refused", "error", err)
		return
	}
	g.o.keep(from)
	g.inner.Process(env)
}

// check returns the sender of a message that may pass.
func (g *guard) check(env *network.Envelope) (mpc.PartyID, error) {
	if env.ServerIdentity == nil {
		return 0, errors.New("a message of nobody")
	}
	from, ok := g.o.members.find(env.ServerIdentity.Public)
	if !ok {
		return 0, errors.New("a message of a key that is not in the roster")
	}
	m, ok := env.Msg.(*onet.ProtocolMsg)
	if !ok {
		return 0, errors.New("a message that belongs to no protocol from " + g.o.cfg.Peers[from].Name)
	}
	if err := g.belongs(m, from); err != nil {
		return 0, errors.New(err.Error() + " from " + g.o.cfg.Peers[from].Name)
	}
	return from, nil
}

// belongs checks a protocol's message against the one tree that this node shares
// with its sender.
func (g *guard) belongs(m *onet.ProtocolMsg, from mpc.PartyID) error {
	tree := g.o.trees[from]
	if tree == nil || m.To == nil || m.From == nil || m.Config != nil {
		return errors.New("a message without address or with a configuration")
	}
	want := onet.Token{
		RosterID: g.o.roster, TreeID: tree.ID,
		ProtoID: onet.ProtocolNameToID(protocolName), RoundID: m.To.RoundID,
		TreeNodeID: nodeIn(tree, g.o.members.identities[g.o.cfg.Self]),
	}
	sender := want
	sender.TreeNodeID = nodeIn(tree, g.o.members.identities[from])
	if *m.To != want || *m.From != sender {
		return errors.New("a message that is not addressed as the pipe's")
	}
	if kind, err := typeOf(m.MsgSlice); err != nil || kind != g.o.message {
		return errors.New("a message that is not the pipe's")
	}
	return nil
}

// nodeIn returns a node's place in a tree of two.
func nodeIn(tree *onet.Tree, si *network.ServerIdentity) onet.TreeNodeID {
	if tree.Root.ServerIdentity.Equal(si) {
		return tree.Root.ID
	}
	return tree.Root.Children[0].ID
}
