package coordinator

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

func TestOutsiderIsShutOut(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	conn := w.dial("mallory", s.Addr())
	_, err := api.NewCoordinationClient(conn).Study(w.context(), &api.StudyRequest{})
	wantCode(t, err, codes.Unavailable) // the handshake fails
	stream, err := api.NewRendezvousClient(conn).Attach(w.context())
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.Unavailable)
}

func TestRolesDoNotMix(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	stream, err := api.NewRendezvousClient(w.dial("alice", s.Addr())).Attach(w.context())
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.PermissionDenied)
	signed, err := job.Sign(w.jobFor("alice"), w.ids["hospital-1"].Key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.NewCoordinationClient(w.dial("hospital-1", s.Addr())).Submit(w.context(), wire.SignedTo(signed))
	wantCode(t, err, codes.PermissionDenied)
}

func TestCallsOfACallerAreBounded(t *testing.T) {
	g := newGate(newWorld(t).roster.Roster)
	var leaves []func()
	for range callsPerCaller {
		leave, err := g.count("alice", "alice")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	_, err := g.count("alice", "alice")
	wantCode(t, err, codes.ResourceExhausted)
	if _, err := g.count("bob", "bob"); err != nil {
		t.Error(err)
	}
	leaves[0]()
	if _, err := g.count("alice", "alice"); err != nil {
		t.Error(err)
	}
}

func TestSubmitChecksForm(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	altered := wire.SignedTo(w.signed("alice"))
	altered.Job = bytes.Replace(altered.Job, []byte("describe"), []byte("frequent"), 1)
	short := wire.SignedTo(w.signed("alice"))
	short.Signature = short.Signature[1:]
	foreign, err := job.Sign(w.jobFor("alice"), w.ids["mallory"].Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		job  *api.SignedJob
		code codes.Code
		says string
	}{
		{"altered", altered, codes.InvalidArgument, "signature"},
		{"short signature", short, codes.InvalidArgument, "signature has 63 bytes"},
		{"empty", &api.SignedJob{}, codes.InvalidArgument, "signer has 0 bytes"},
		{"unknown signer", wire.SignedTo(foreign), codes.PermissionDenied, "not signed by alice"},
		{"another client's", wire.SignedTo(w.signed("bob")), codes.PermissionDenied, "not signed by alice"},
		{"study", wire.SignedTo(w.signed("alice", func(j *job.Job) { j.Study = "heart" })), codes.InvalidArgument, `study "heart"`},
		{"roster", wire.SignedTo(w.signed("alice", func(j *job.Job) { j.Roster[0] ^= 1 })), codes.FailedPrecondition, "roster"},
		{"dataset", wire.SignedTo(w.signed("alice", func(j *job.Job) { j.Dataset = "lungs" })), codes.NotFound, `did you mean "lung"`},
		{"expired", wire.SignedTo(w.signed("alice", func(j *job.Job) { j.Expires = j.Expires.Add(-2 * time.Hour) })), codes.InvalidArgument, "expired"},
		{"too large", &api.SignedJob{Job: make([]byte, job.MaxJobBytes+1)}, codes.InvalidArgument, "at most 65536"},
		{"oversize", &api.SignedJob{Job: make([]byte, wire.MaxRequest+1)}, codes.ResourceExhausted, "at most 4194304"},
		{"past the cap of gRPC", &api.SignedJob{Job: make([]byte, wire.MaxReport+1)}, codes.ResourceExhausted, "larger than max"},
	} {
		_, err := alice.rpc.Submit(w.context(), c.job)
		if status.Code(err) != c.code || !strings.Contains(status.Convert(err).Message(), c.says) {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.code, c.says)
		}
		if strings.Contains(status.Convert(err).Message(), "\n") {
			t.Errorf("%s: more than one line: %v", c.name, err)
		}
	}
	list, err := alice.rpc.List(w.context(), &api.ListRequest{})
	if err != nil || len(list.GetJobs()) != 0 {
		t.Errorf("%v are listed, want none: %v", list, err)
	}
}

func TestSubmitTwiceRunsOnce(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	signed := w.signed("alice")
	id := alice.send(signed)
	again := func(what string) {
		t.Helper()
		reply, err := alice.rpc.Submit(w.context(), wire.SignedTo(signed))
		if err != nil || !reply.GetKnown() {
			t.Errorf("%s: %v, %v", what, reply, err)
		}
	}
	again("while open")
	w.finished(nodes, id, w.accepted(nodes, id))
	alice.ends(id, api.State_STATE_DONE, "")
	again("when done")
	next := alice.submit()
	nodes[0].offered(next) // and not the first one again
	list, err := alice.rpc.List(w.context(), &api.ListRequest{})
	if err != nil || len(list.GetJobs()) != 2 {
		t.Errorf("%d jobs are listed, want 2: %v", len(list.GetJobs()), err)
	}
}

func TestQueueAndClientCaps(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.QueueCap, c.ClientCap = 3, 2 })
	alice, bob := w.client("alice", s.Addr()), w.client("bob", s.Addr())
	first := alice.submit()
	alice.submit()
	_, err := alice.rpc.Submit(w.context(), wire.SignedTo(w.signed("alice")))
	wantCode(t, err, codes.ResourceExhausted)
	bob.submit()
	_, err = bob.rpc.Submit(w.context(), wire.SignedTo(w.signed("bob")))
	wantCode(t, err, codes.ResourceExhausted)
	if _, err := alice.cancel(first); err != nil {
		t.Fatal(err)
	}
	bob.submit()
}

func TestJobsGoInOrderOfArrival(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.Parallel = 1 })
	alice := w.client("alice", s.Addr())
	var ids []job.Hash
	for range 4 {
		ids = append(ids, alice.submit())
	}
	nodes := w.nodes(s.Addr())
	for _, id := range ids {
		w.finished(nodes, id, w.accepted(nodes, id))
	}
	list, err := alice.rpc.List(w.context(), &api.ListRequest{Limit: 3})
	if err != nil || len(list.GetJobs()) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	for i, status := range list.GetJobs() {
		if want := ids[3-i]; !bytes.Equal(status.GetId(), want[:]) {
			t.Errorf("newest first: place %d has %x", i, status.GetId())
		}
		if status.GetSigner() != "alice" || status.GetDataset() != "lung" || status.GetAnalysis() != "describe" || status.GetStudy() != "lung-2026" {
			t.Errorf("status %v", status)
		}
	}
}

func TestListGoesPageByPage(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice, bob := w.client("alice", s.Addr()), w.client("bob", s.Addr())
	var want []job.Hash // newest first
	for range 5 {
		want = append([]job.Hash{alice.submit()}, want...)
		bob.submit()
	}
	var got []job.Hash
	var before []byte
	for range 4 {
		list, err := alice.rpc.List(w.context(), &api.ListRequest{Limit: 2, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range list.GetJobs() {
			got = append(got, job.Hash(status.GetId()))
			before = status.GetId()
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	_, err := bob.rpc.List(w.context(), &api.ListRequest{Before: want[0][:]})
	wantCode(t, err, codes.NotFound)
	_, err = alice.rpc.List(w.context(), &api.ListRequest{Before: []byte("short")})
	wantCode(t, err, codes.InvalidArgument)
}

func TestResultsAreForSignerAndRecipient(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	nodes := w.nodes(s.Addr())
	alice, bob := w.client("alice", s.Addr()), w.client("bob", s.Addr())
	bobs, _ := w.roster.Roster.Client("bob")
	shared := w.signed("alice", func(j *job.Job) { j.Recipient = bobs.Recipient })
	own := w.signed("alice")
	for _, signed := range []*job.Signed{shared, own} {
		id := alice.send(signed)
		w.finished(nodes, id, w.accepted(nodes, id))
		alice.ends(id, api.State_STATE_DONE, "")
		alice.fetched(signed)
	}
	bob.fetched(shared)
	id := own.ID()
	_, err := bob.rpc.Fetch(w.context(), &api.JobRef{Id: id[:]})
	wantCode(t, err, codes.NotFound)
	stream, err := bob.rpc.Watch(w.context(), &api.WatchRequest{Id: id[:]})
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.NotFound)
	_, err = bob.rpc.Fetch(w.context(), &api.JobRef{Id: id[1:]})
	wantCode(t, err, codes.InvalidArgument)
	list, err := bob.rpc.List(w.context(), &api.ListRequest{})
	if err != nil || len(list.GetJobs()) != 0 {
		t.Errorf("bob's list: %v, %v", list, err)
	}
}

func TestStudy(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	w.node("hospital-3", s.Addr())
	w.node("hospital-1", s.Addr())
	w.attached(alice, 2)
	reply, err := alice.rpc.Study(w.context(), &api.StudyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(reply.GetRosterFile(), w.roster.Bytes) || !slices.Equal(reply.GetConnected(), []string{"hospital-1", "hospital-3"}) {
		t.Errorf("connected %v, roster of %d bytes", reply.GetConnected(), len(reply.GetRosterFile()))
	}
}

func TestAttachRefusals(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	conn := w.dial("hospital-1", s.Addr())
	hash := w.roster.Hash
	other := hash
	other[0] ^= 1
	hello := func(h *api.Hello) *api.FromNode { return &api.FromNode{Body: &api.FromNode_Hello{Hello: h}} }
	for _, c := range []struct {
		name  string
		first *api.FromNode
		code  codes.Code
	}{
		{"no hello", &api.FromNode{Body: &api.FromNode_Progress{Progress: &api.Progress{}}}, codes.InvalidArgument},
		{"empty", &api.FromNode{}, codes.InvalidArgument},
		{"version", hello(&api.Hello{Protocol: 99, Roster: hash[:]}), codes.FailedPrecondition},
		{"roster", hello(&api.Hello{Protocol: job.ProtocolVersion, Roster: other[:]}), codes.FailedPrecondition},
		{"running id", hello(&api.Hello{Protocol: job.ProtocolVersion, Roster: hash[:], Running: [][]byte{{1}}}), codes.InvalidArgument},
		{"too many running", hello(&api.Hello{Protocol: job.ProtocolVersion, Roster: hash[:], Running: make([][]byte, maxRunning+1)}), codes.InvalidArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patient)
			defer cancel()
			stream, err := api.NewRendezvousClient(conn).Attach(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(c.first); err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			wantCode(t, err, c.code)
		})
	}
}

func TestNewerStreamTakesOver(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	old := w.node("hospital-1", s.Addr())
	alice := w.client("alice", s.Addr())
	w.attached(alice, 1)
	newer := w.node("hospital-1", s.Addr())
	_, err := old.stream.Recv()
	wantCode(t, err, codes.Aborted)
	id := alice.submit()
	newer.offered(id)
}

func TestEndedJobsThatANodeStillRuns(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	n := w.node("hospital-1", s.Addr())
	n.offered(id)
	n.decide(id, "")
	alice.until(id, func(e *api.Event) bool { return e.GetPhase() == "accepted" })
	n.hangUp()
	if _, err := alice.cancel(id); err != nil {
		t.Fatal(err)
	}
	unknown := job.Hash{1}
	n.attach(s.Addr(), id, unknown)
	if end := n.cancelled(id); len(end.GetSignature()) == 0 {
		t.Error("the signer's cancellation was not passed on")
	}
	n.cancelled(unknown)
}

func TestMetricsAndHealth(t *testing.T) {
	w := newWorld(t)
	s := w.start(func(c *Config) { c.Metrics = "127.0.0.1:0" })
	nodes := w.nodes(s.Addr())
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	w.finished(nodes, id, w.accepted(nodes, id))
	alice.ends(id, api.State_STATE_DONE, "")
	text := get(t, s, "/metrics")
	share, err := encodeShare(must(wire.ShareFrom(nodes[0].share(id, [32]byte{}))))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`consilium_coordinator_jobs{state="done"} 1`, `consilium_coordinator_jobs{state="queued"} 0`,
		"consilium_coordinator_nodes_attached 4", "consilium_coordinator_queue_length 0",
		fmt.Sprintf("consilium_coordinator_result_bytes %d", 3*len(share)),
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in the metrics", line)
		}
	}
	if body := get(t, s, "/healthz"); body != "ok\n" {
		t.Errorf("health: %q", body)
	}
}
