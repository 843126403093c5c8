package coordinator

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

func TestForgedDecisionsAreDropped(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.Metrics = "127.0.0.1:0" })
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	for _, n := range nodes {
		n.offered(id)
	}
	send := func(n *node, d *api.Decision) {
		n.send(&api.FromNode{Body: &api.FromNode_Decision{Decision: d}})
	}
	forged := proto.CloneOf(nodes[0].answer(id, "")) // its signature does not fit
	forged.Nonce[0] ^= 1
	send(nodes[0], forged)
	turned := proto.CloneOf(nodes[0].answer(id, "")) // an acceptance made a rejection
	turned.Accept, turned.Nonce, turned.Reason = false, nil, "no"
	send(nodes[0], turned)
	send(nodes[0], nodes[1].answer(id, "")) // another node's, well signed
	elsewhere := job.Hash{9}
	send(nodes[0], nodes[0].answer(elsewhere, "")) // of another job
	// None of these counted: the true ones still bring the job to its start.
	for _, n := range nodes {
		n.decide(id, "")
	}
	session := w.allStarted(nodes, id)
	w.finished(nodes, id, session)
	alice.ends(id, api.State_STATE_DONE, "")
	if text := get(t, s, "/metrics"); !strings.Contains(text, `consilium_coordinator_messages_refused_total{kind="decision"} 3`) {
		t.Error("not 3 refused decisions in the metrics")
	}
}

func TestRepeatedDecisionsChangeNothing(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	for _, n := range nodes {
		n.offered(id)
	}
	first := nodes[0].answer(id, "")
	nodes[0].decide(id, "")
	nodes[0].decide(id, "")
	delete(nodes[0].answers, id)
	nodes[0].decide(id, "") // another nonce: the first answer stands
	delete(nodes[0].answers, id)
	nodes[0].decide(id, "changed my mind")
	for _, n := range nodes[1:] {
		n.decide(id, "")
	}
	m := nodes[0].next()
	for _, d := range m.GetStart().GetDecisions() {
		if d.GetNode() == "hospital-1" && !proto.Equal(d, first) {
			t.Error("another decision than the first one counts")
		}
	}
	session := w.sessionOf(id, m.GetStart().GetDecisions())
	w.allStarted(nodes[1:], id)
	nodes[1].decide(id, "") // after the start
	w.finished(nodes, id, session)
	alice.ends(id, api.State_STATE_DONE, "")
	accepted := 0
	for _, e := range alice.watch(id, 0) {
		if e.GetPhase() == "accepted" {
			accepted++
		}
	}
	if accepted != len(nodes) {
		t.Errorf("%d acceptances are told, want %d", accepted, len(nodes))
	}
}

func TestMalformedMessageEndsTheStream(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	for _, m := range []*api.FromNode{
		{},
		{Body: &api.FromNode_Hello{Hello: &api.Hello{}}},
		{Body: &api.FromNode_Decision{Decision: &api.Decision{}}},
		{Body: &api.FromNode_Progress{}},
		{Body: &api.FromNode_Outcome{Outcome: &api.Outcome{JobId: make([]byte, 31)}}},
	} {
		n := w.node("hospital-1", s.Addr())
		n.send(m)
		_, err := n.stream.Recv()
		wantCode(t, err, codes.InvalidArgument)
	}
	n := w.node("hospital-1", s.Addr())
	n.offered(alice.submit())
}

func TestFalseOutcomesFailTheJob(t *testing.T) {
	for _, c := range []struct {
		name string
		who  int
		make func(w *world, n *node, id job.Hash, session [32]byte) *api.SealedShare
		says string
	}{
		{"no share", 0, func(*world, *node, job.Hash, [32]byte) *api.SealedShare { return nil }, "hospital-1: is to seal a share of the result and sent none"},
		{"a site's share", 3, func(w *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			sealed := &job.SealedShare{Party: n.name, Session: session, Outputs: []job.SealedOutput{{Name: "n", Ciphertext: []byte{1}}}}
			sealed.Sign(id, w.ids[n.name].Key)
			return wire.ShareTo(sealed)
		}, "hospital-4: is to seal nothing of the result but sent a share"},
		{"altered", 1, func(_ *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			m := n.share(id, session)
			m.Outputs[0].Ciphertext = []byte("another")
			return m
		}, "hospital-2: "},
		{"another session", 1, func(_ *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			session[0] ^= 1
			return n.share(id, session)
		}, "hospital-2: sent a share of another session"},
		{"another job", 1, func(_ *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			id[0] ^= 1
			return n.share(id, session)
		}, "hospital-2: "},
		{"another party", 1, func(w *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			m := n.share(id, session)
			m.Party = "hospital-3"
			sealed := must(wire.ShareFrom(m))
			sealed.Sign(id, w.ids[n.name].Key)
			return wire.ShareTo(sealed)
		}, "hospital-2: sent a share under the name of another party"},
		{"no outputs", 1, func(_ *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			m := n.share(id, session)
			m.Outputs = nil
			return m
		}, "hospital-2: sealed share has 0 outputs"},
		{"too large", 2, func(_ *world, n *node, id job.Hash, session [32]byte) *api.SealedShare {
			m := n.share(id, session)
			m.Outputs[0].Ciphertext = make([]byte, wire.MaxShare+1)
			return m
		}, "hospital-3: sealed share has 20971532 bytes, at most 20971520"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.start()
			nodes := w.nodes(s.Addr())
			alice := w.client("alice", s.Addr())
			id := alice.submit()
			session := w.accepted(nodes, id)
			n := nodes[c.who]
			n.report(id, "", c.make(w, n, id, session))
			n.acknowledged(id) // it would come again and again
			alice.fails(id, c.says)
		})
	}
}

// TestOutcomesOfJobsThatHaveNotBegunStayAtTheNode plays a coordinator that was
// restored from a copy that is older than the job's run: every node holds how the
// job ended, and parties the only copy of their share.
func TestOutcomesOfJobsThatHaveNotBegunStayAtTheNode(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.Metrics = "127.0.0.1:0" })
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	signed, other := w.signed("alice"), w.signed("alice")
	id, unknown := signed.ID(), other.ID()
	var decisions []*api.Decision
	for _, n := range nodes {
		decisions = append(decisions, n.answer(id, ""))
	}
	session := w.sessionOf(id, decisions)
	for _, n := range nodes { // an acknowledgement would come before what follows
		n.report(id, "", n.share(id, session))
		n.report(unknown, "it failed", nil)
	}
	alice.send(signed)
	for i, n := range nodes {
		n.offered(id)
		n.report(id, "", n.share(id, session))
		if i > 0 {
			n.decide(id, "")
		}
	}
	nodes[0].decide(id, "")
	if w.allStarted(nodes, id) != session {
		t.Fatal("another session")
	}
	w.finished(nodes, id, session)
	alice.ends(id, api.State_STATE_DONE, "")
	alice.fetched(signed)
	if text := get(t, s, "/metrics"); !strings.Contains(text, `consilium_coordinator_messages_refused_total{kind="outcome"} 12`) {
		t.Error("not 12 refused outcomes in the metrics")
	}
	log, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "have not begun here"); n != len(nodes) {
		t.Errorf("%d lines in the log for %d connections", n, len(nodes))
	}
	if strings.Contains(string(log), id.String()) || !strings.Contains(string(log), "job="+id.Short()) {
		t.Error("the log does not name jobs by 16 digits")
	}
}

// TestLargeSharesGoThrough uses shares above what gRPC lets through by itself.
func TestLargeSharesGoThrough(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	session := w.accepted(nodes, id)
	blob := make([]byte, 5<<20)
	rand.Read(blob)
	for _, n := range nodes {
		var share *api.SealedShare
		if n.name != "hospital-4" {
			sealed := &job.SealedShare{Party: n.name, Session: session, Outputs: []job.SealedOutput{{Name: "n", Ciphertext: blob}}}
			sealed.Sign(id, w.ids[n.name].Key)
			share = wire.ShareTo(sealed)
		}
		n.report(id, "", share)
		n.acknowledged(id)
	}
	alice.ends(id, api.State_STATE_DONE, "")
	reply, err := alice.rpc.Fetch(w.context(), &api.JobRef{Id: id[:]})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range reply.GetShares() {
		sealed := must(wire.ShareFrom(m))
		if err := sealed.Verify(id, w.roster.Roster.NodeKey(w.roster.Roster.NodeIndex(sealed.Party))); err != nil {
			t.Error(err)
		}
	}
	if len(reply.GetShares()) != 3 {
		t.Errorf("%d shares", len(reply.GetShares()))
	}
}
