package coordinator

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"consilium/api"
	"consilium/job"
)

func TestJobRunsToItsEnd(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	signed := w.signed("alice", func(j *job.Job) { j.Where = "age >= 77" })
	id := alice.send(signed)
	session := w.accepted(nodes, id)
	nodes[3].progress(id, "sealing", "lung")
	nodes[0].progress(id, "computing", "sum/round.1")
	w.finished(nodes, id, session)
	alice.ends(id, api.State_STATE_DONE, "")
	alice.fetched(signed)

	phases := make(map[string]bool)
	for _, e := range alice.watch(id, 0) {
		phases[e.GetNode()+" "+e.GetPhase()+" "+e.GetDetail()] = true
	}
	for _, want := range []string{
		" queued ", " deciding offered to every node", "hospital-1 accepted ", "hospital-4 accepted ", " running every node accepted",
		"hospital-4 sealing lung", "hospital-1 computing sum/round.1", "hospital-2 done ", " done ",
	} {
		if !phases[want] {
			t.Errorf("no event %q in %v", want, phases)
		}
	}
	log, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "age >=") || !strings.Contains(string(log), id.Short()) {
		t.Error("the log has the job's filter, or not its id")
	}
}

func TestRejectEndsTheJob(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	for _, n := range nodes {
		n.offered(id)
	}
	nodes[0].decide(id, "")
	nodes[1].decide(id, "policy forbids describe")
	const reason = "hospital-2: policy forbids describe"
	alice.ends(id, api.State_STATE_REJECTED, reason)
	for _, n := range []*node{nodes[0], nodes[2], nodes[3]} {
		if end := n.cancelled(id); end.GetReason() != reason {
			t.Errorf("%s was told %q", n.name, end.GetReason())
		}
	}
	_, err := alice.rpc.Fetch(w.context(), &api.JobRef{Id: id[:]})
	wantCode(t, err, codes.FailedPrecondition)

	// The one that said no was not told; the next job works.
	id = alice.submit()
	w.finished(nodes, id, w.accepted(nodes, id))
	alice.ends(id, api.State_STATE_DONE, "")
}

// pass lets so much time go by at the coordinator, at once.
func (w *world) pass(s *Server, d time.Duration) {
	w.t.Helper()
	if _, err := s.desk.settle(time.Now().Add(d)); err != nil {
		w.t.Fatal(err)
	}
}

// heard waits until the coordinator has these nodes' decisions.
func (c *client) heard(id job.Hash, nodes ...string) {
	c.w.t.Helper()
	for _, name := range nodes {
		c.until(id, func(e *api.Event) bool { return e.GetNode() == name && e.GetPhase() == "accepted" })
	}
}

func TestAbsentNode(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	var nodes []*node
	for _, name := range hospitals[:3] {
		nodes = append(nodes, w.node(name, s.Addr()))
	}
	w.attached(alice, 3)
	id := alice.submit()
	for _, n := range nodes {
		n.offered(id)
		n.decide(id, "")
	}
	early := alice.until(id, func(e *api.Event) bool { return e.GetPhase() == phaseWaiting })
	if !strings.HasPrefix(early.GetDetail(), "hospital-4 is not connected") || over(early.GetState()) {
		t.Errorf("told early: %v", early)
	}
	alice.heard(id, hospitals[:3]...)
	w.pass(s, patient)
	alice.ends(id, api.State_STATE_FAILED, "hospital-4 is not connected; ask for the node to be started and sign the job anew")
	for _, n := range nodes {
		n.cancelled(id)
	}
	// It comes back and is told that what it never answered is over.
	w.node("hospital-4", s.Addr()).cancelled(id)
}

func TestLateNodeIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	signed := w.signed("alice")
	id := alice.send(signed)
	alice.until(id, func(e *api.Event) bool { return e.GetPhase() == phaseWaiting })
	nodes := w.nodes(s.Addr())
	w.finished(nodes, id, w.accepted(nodes, id))
	alice.ends(id, api.State_STATE_DONE, "")
	alice.fetched(signed)
}

func TestSilentNode(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	w.attached(alice, 4)
	id := alice.submit()
	for _, n := range nodes[:3] {
		n.offered(id)
		n.decide(id, "")
	}
	alice.heard(id, hospitals[:3]...)
	w.pass(s, patient)
	alice.fails(id, "hospital-4", fmt.Sprintf("connected but did not answer within %v; look into the node's log and sign the job anew", patient))
}

func TestNodeFails(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	session := w.accepted(nodes, id)
	nodes[0].report(id, "", nodes[0].share(id, session))
	nodes[0].acknowledged(id)
	nodes[3].report(id, "file lung.csv: row 3, column age: out of range\x1b[2J", nil)
	nodes[3].acknowledged(id)
	const reason = "hospital-4: file lung.csv: row 3, column age: out of range?[2J"
	alice.ends(id, api.State_STATE_FAILED, reason)
	for _, n := range nodes[1:3] {
		if end := n.cancelled(id); end.GetReason() != reason {
			t.Errorf("%s was told %q", n.name, end.GetReason())
		}
		n.report(id, "aborted", nil) // an outcome after the end is taken, and changes nothing
		n.acknowledged(id)
	}
	alice.ends(id, api.State_STATE_FAILED, reason)
}

func TestNodeDiesInMidJob(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.RunTimeout = time.Hour })
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	w.accepted(nodes, id)
	nodes[2].hangUp()
	alice.until(id, func(e *api.Event) bool { return strings.HasPrefix(e.GetDetail(), "hospital-3 is not connected") })
	w.pass(s, patient)
	alice.ends(id, api.State_STATE_FAILED, fmt.Sprintf("hospital-3 is not connected any more and did not come back within %v; start it again and sign the job anew", patient))
	nodes[0].cancelled(id)
}

func TestNodeComesBackInMidJob(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	signed := w.signed("alice")
	id := alice.send(signed)
	session := w.accepted(nodes, id)
	nodes[2].hangUp()
	alice.until(id, func(e *api.Event) bool { return strings.HasPrefix(e.GetDetail(), "hospital-3 is not connected") })
	nodes[2].attach(s.Addr(), id)
	if again := nodes[2].started(id); again != session {
		t.Error("the same job began another session")
	}
	w.finished(nodes, id, session)
	alice.ends(id, api.State_STATE_DONE, "")
	alice.fetched(signed)
}

func TestRunTimeoutNamesWhoIsMissing(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	session := w.accepted(nodes, id)
	w.finished(nodes[:2], id, session)
	w.pass(s, patient)
	alice.ends(id, api.State_STATE_FAILED, fmt.Sprintf("hospital-3, hospital-4 are not done within %v; look into the node's log and sign the job anew", patient))
	nodes[2].cancelled(id)
	nodes[3].cancelled(id)
}

func TestExpiresInTheQueue(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.Parallel, c.DecideTimeout = 1, time.Hour })
	alice := w.client("alice", s.Addr())
	first := alice.submit()
	second := alice.submit(func(j *job.Job) { j.Expires = j.Expires.Add(-30 * time.Minute) })
	w.pass(s, 30*time.Minute)
	alice.ends(second, api.State_STATE_EXPIRED, "the job expired before all nodes had accepted it; sign it again with a later expiry")
	if _, err := alice.cancel(first); err != nil {
		t.Fatal(err)
	}
	alice.ends(first, api.State_STATE_CANCELLED, "cancelled by alice")
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice, bob := w.client("alice", s.Addr()), w.client("bob", s.Addr())
	bobs, _ := w.roster.Roster.Client("bob")
	id := alice.submit(func(j *job.Job) { j.Recipient = bobs.Recipient })
	w.accepted(nodes, id)

	_, err := bob.cancel(id) // its recipient, who sees it
	wantCode(t, err, codes.PermissionDenied)
	_, err = alice.rpc.Cancel(w.context(), &api.CancelRequest{Id: id[:], Signature: job.SignCancel(id, w.ids["bob"].Key)})
	wantCode(t, err, codes.PermissionDenied)
	other := alice.submit()
	_, err = alice.rpc.Cancel(w.context(), &api.CancelRequest{Id: id[:], Signature: job.SignCancel(other, w.ids["alice"].Key)})
	wantCode(t, err, codes.PermissionDenied)
	_, err = bob.cancel(other)
	wantCode(t, err, codes.NotFound)

	status, err := alice.cancel(id)
	if err != nil || status.GetState() != api.State_STATE_CANCELLED {
		t.Fatalf("cancelled: %v, %v", status, err)
	}
	nodes[0].offered(other)
	end := nodes[0].cancelled(id)
	if err := job.VerifyCancel(id, w.ids["alice"].Key.Public().(ed25519.PublicKey), end.GetSignature()); err != nil {
		t.Error(err)
	}
	alice.ends(id, api.State_STATE_CANCELLED, "cancelled by alice")
	if status, err = alice.cancel(id); err != nil || status.GetState() != api.State_STATE_CANCELLED {
		t.Errorf("cancelled twice: %v, %v", status, err)
	}
}

// fails waits for a job's failure and looks for what its reason must name.
func (c *client) fails(id job.Hash, says ...string) {
	c.w.t.Helper()
	events := c.watch(id, 0)
	last := events[len(events)-1]
	for _, part := range says {
		if last.GetState() != api.State_STATE_FAILED || !strings.Contains(last.GetDetail(), part) {
			c.w.t.Errorf("job ended %v %q, want a failure with %q", last.GetState(), last.GetDetail(), part)
		}
	}
}

// attached waits until so many nodes are.
func (w *world) attached(c *client, n int) {
	w.t.Helper()
	ctx := w.context()
	for {
		reply, err := c.rpc.Study(ctx, &api.StudyRequest{})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(reply.GetConnected()) == n {
			return
		}
	}
}
