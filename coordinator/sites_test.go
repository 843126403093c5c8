package coordinator

import (
	"testing"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// jointly asks for engine mhe over a dataset whose sites are hospitals 4 and 2.
func jointly(j *job.Job) { j.Engine, j.Dataset = job.EngineMHE, "joint" }

// part is what a node seals with an output of that size, whether it is to or not.
func (n *node) part(id job.Hash, session [32]byte, size int) *api.SealedShare {
	s := &job.SealedShare{Party: n.name, Session: session, Outputs: []job.SealedOutput{{Name: "seed", Ciphertext: make([]byte, size)}}}
	s.Sign(id, n.w.ids[n.name].Key)
	return wire.ShareTo(s)
}

// TestSitesDeliverUnderMHE: every site's part comes, of no other node, and reaches
// the recipient in the order of the sites. The first site's may be large.
func TestSitesDeliverUnderMHE(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit(jointly)
	session := w.accepted(nodes, id)
	sizes := map[string]int{"hospital-4": 5 << 20, "hospital-2": 1200}
	for _, n := range nodes {
		var share *api.SealedShare
		if size, ok := sizes[n.name]; ok {
			share = n.part(id, session, size)
		}
		n.report(id, "", share)
		n.acknowledged(id)
	}
	alice.ends(id, api.State_STATE_DONE, "")
	reply, err := alice.rpc.Fetch(w.context(), &api.JobRef{Id: id[:]})
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.Shares) != 2 || reply.Shares[0].Party != "hospital-4" || reply.Shares[1].Party != "hospital-2" {
		t.Errorf("%d shares", len(reply.Shares))
	}
}

func TestFalsePartsFailTheJob(t *testing.T) {
	for _, c := range []struct {
		name string
		who  int
		size int // of the part; 0: none
		says string
	}{
		{"a site's part missing", 3, 0, "hospital-4: is to seal a share of the result and sent none"},
		{"a party's part that is no site", 0, 100, "hospital-1: is to seal nothing of the result but sent a share"},
		{"a large part of another site than the first", 1, wire.MaxPart, "hospital-2: sent a share of 65540 bytes, at most 65536 are allowed to it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.start()
			nodes := w.nodes(s.Addr())
			alice := w.client("alice", s.Addr())
			id := alice.submit(jointly)
			session := w.accepted(nodes, id)
			n := nodes[c.who]
			var share *api.SealedShare
			if c.size > 0 {
				share = n.part(id, session, c.size)
			}
			n.report(id, "", share)
			n.acknowledged(id)
			alice.fails(id, c.says)
		})
	}
}
