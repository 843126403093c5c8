package coordinator

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// child is a coordinator in a process of its own, which dies by SIGKILL: no
// handler, no deferred call, no write-back of its own.
type child struct {
	w       *world
	address string
	config  string
	command *exec.Cmd
}

func (w *world) child(extra string) *child {
	w.t.Helper()
	// A port that stays the same over restarts, on a random loopback host, where no
	// connection of somebody else takes it meanwhile.
	listener, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		w.t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if err := os.Mkdir(filepath.Join(w.dir, "keys"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := w.ids["rendezvous"].Save(filepath.Join(w.dir, "keys")); err != nil {
		w.t.Fatal(err)
	}
	c := &child{w: w, address: address, config: filepath.Join(w.dir, "coordinator.yaml")}
	w.write("roster.yaml", string(w.roster.Bytes))
	w.write("coordinator.yaml", fmt.Sprintf("roster: roster.yaml\nroster_hash: %s\nidentity: keys\nlisten: %s\nstate: state\n%s",
		w.roster.Hash, address, extra))
	c.run()
	w.t.Cleanup(func() { c.command.Process.Kill(); c.command.Wait() })
	return c
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (c *child) run() {
	c.w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.w.t.Fatal(err)
	}
	c.command = exec.Command(self)
	c.command.Env = append(os.Environ(), childConfig+"="+c.config)
	c.command.Stderr = os.Stderr
	out, err := c.command.StdoutPipe()
	if err != nil {
		c.w.t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		c.w.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != c.address {
		c.w.t.Fatalf("coordinator said %q: %v", line, err)
	}
}

func (c *child) kill() {
	c.w.t.Helper()
	if err := c.command.Process.Kill(); err != nil {
		c.w.t.Fatal(err)
	}
	c.command.Wait()
}

// again kills the coordinator, starts it on the same directory and attaches the
// nodes, which hold what they had accepted.
func (c *child) again(nodes []*node) {
	c.w.t.Helper()
	c.kill()
	c.run()
	for _, n := range nodes {
		n.hangUp()
		n.attach(c.address)
	}
}

// TestKilledAtEveryState kills the coordinator after each thing that it stores,
// before anybody has heard of it: a message that a node had received or not
// makes no difference, since it is told again.
func TestKilledAtEveryState(t *testing.T) {
	w := newWorld(t)
	c := w.child("parallel: 1\n")
	nodes := w.nodes(c.address)
	alice := w.client("alice", c.address)
	signed := w.signed("alice")
	id := alice.send(signed)

	// deciding, offered, no answer
	alice.until(id, inState(api.State_STATE_DECIDING))
	second := alice.submit() // and one behind it, queued
	c.again(nodes)
	for _, n := range nodes {
		n.offered(id)
	}
	// deciding, two answers stored: only the others are asked again
	nodes[0].decide(id, "")
	nodes[1].decide(id, "")
	alice.until(id, func(e *api.Event) bool { return e.GetNode() == "hospital-1" })
	alice.until(id, func(e *api.Event) bool { return e.GetNode() == "hospital-2" })
	c.again(nodes)
	for _, n := range nodes[2:] {
		n.offered(id)
		n.decide(id, "")
	}
	// running, the start not yet heard; then heard by all, and told once more
	alice.until(id, inState(api.State_STATE_RUNNING))
	c.again(nodes)
	session := w.allStarted(nodes, id)
	c.again(nodes)
	if w.allStarted(nodes, id) != session {
		t.Fatal("a restart made another session")
	}
	// two outcomes stored, one of them not acknowledged to the node
	nodes[0].report(id, "", nodes[0].share(id, session))
	nodes[0].acknowledged(id)
	nodes[1].report(id, "", nodes[1].share(id, session))
	alice.until(id, func(e *api.Event) bool { return e.GetNode() == "hospital-2" && e.GetPhase() == "done" })
	c.again(nodes)
	nodes[1].report(id, "", nodes[1].share(id, session))
	nodes[1].acknowledged(id)
	nodes[2].started(id)
	nodes[3].started(id)
	nodes[3].report(id, "", nil)
	nodes[3].acknowledged(id)
	// done by the last outcome, which is not acknowledged
	nodes[2].report(id, "", nodes[2].share(id, session))
	alice.ends(id, api.State_STATE_DONE, "")
	c.again(nodes)
	nodes[2].report(id, "", nodes[2].share(id, session))
	// Beside that acknowledgement, which may come before or after, all that nodes
	// hear now is of the second job.
	m := nodes[2].next()
	if m.GetAcknowledge() != nil {
		m = nodes[2].next()
	} else {
		nodes[2].acknowledged(id)
	}
	if got := must(wire.SignedFrom(m.GetOffer())).ID(); got != second {
		t.Errorf("job %v is offered, want %v", got, second)
	}
	nodes[2].decide(second, "")
	for _, n := range []*node{nodes[0], nodes[1], nodes[3]} {
		n.offered(second)
		n.decide(second, "")
	}
	w.finished(nodes, second, w.allStarted(nodes, second))
	alice.ends(second, api.State_STATE_DONE, "")
	alice.ends(id, api.State_STATE_DONE, "")
	alice.fetched(signed)
	if reply, err := alice.rpc.Submit(w.context(), wire.SignedTo(signed)); err != nil || !reply.GetKnown() {
		t.Errorf("submitted again: %v, %v", reply, err)
	}
}

// TestKilledAfterAnEnd shows that nodes hear of an end that the coordinator had
// stored and told nobody.
func TestKilledAfterAnEnd(t *testing.T) {
	w := newWorld(t)
	c := w.child("")
	nodes := w.nodes(c.address)
	alice := w.client("alice", c.address)
	id := alice.submit()
	for _, n := range nodes[1:] {
		n.offered(id)
		n.decide(id, "")
	}
	nodes[0].offered(id)
	nodes[0].decide(id, "no")
	alice.ends(id, api.State_STATE_REJECTED, "hospital-1: no")
	c.again(nodes)
	for _, n := range nodes[1:] {
		n.cancelled(id)
	}
	alice.ends(id, api.State_STATE_REJECTED, "hospital-1: no")
}

func TestNodesThatDoNotComeBackAfterARestart(t *testing.T) {
	w := newWorld(t)
	c := w.child("grace: 500ms\n")
	nodes := w.nodes(c.address)
	alice := w.client("alice", c.address)
	id := alice.submit()
	w.accepted(nodes, id)
	c.again(nodes[:3])
	alice.fails(id, "hospital-4", "not connected any more and did not come back within 500ms; start it again and sign the job anew")
}

// hospital is a node that works by itself: it keeps its decisions and outcomes
// as a store would, attaches again when the stream breaks, runs a job once.
type hospital struct {
	w       *world
	name    string
	address string
	heard   *atomic.Int64 // messages of all hospitals

	answers  map[job.Hash]*api.Decision
	sessions map[job.Hash][32]byte
	pending  map[job.Hash]*api.Outcome
	wrong    []string
}

func (h *hospital) work(ctx context.Context, conn *grpc.ClientConn) {
	for ctx.Err() == nil {
		stream, err := api.NewRendezvousClient(conn).Attach(ctx, grpc.WaitForReady(true))
		if err != nil {
			continue
		}
		hello := &api.Hello{Protocol: job.ProtocolVersion, Roster: h.w.roster.Hash[:]}
		err = stream.Send(&api.FromNode{Body: &api.FromNode_Hello{Hello: hello}})
		for _, o := range h.pending {
			if err == nil {
				err = stream.Send(&api.FromNode{Body: &api.FromNode_Outcome{Outcome: o}})
			}
		}
		for err == nil {
			var m *api.ToNode
			if m, err = stream.Recv(); err == nil {
				h.heard.Add(1)
				for _, answer := range h.handle(m) {
					if err == nil {
						err = stream.Send(answer)
					}
				}
			}
		}
	}
}

func (h *hospital) handle(m *api.ToNode) []*api.FromNode {
	n := &node{w: h.w, name: h.name, answers: h.answers}
	switch body := m.GetBody().(type) {
	case *api.ToNode_Offer:
		signed := must(wire.SignedFrom(body.Offer))
		return []*api.FromNode{{Body: &api.FromNode_Decision{Decision: n.answer(signed.ID(), "")}}}
	case *api.ToNode_Start:
		id := job.Hash(body.Start.GetJobId())
		session := h.w.sessionOf(id, body.Start.GetDecisions())
		if known, ok := h.sessions[id]; ok {
			if known != session {
				h.wrong = append(h.wrong, fmt.Sprintf("job %v began twice at %s", id, h.name))
			}
			return nil
		}
		h.sessions[id] = session
		h.pending[id] = &api.Outcome{JobId: id[:], Share: n.share(id, session)}
		return []*api.FromNode{
			{Body: &api.FromNode_Progress{Progress: &api.Progress{JobId: id[:], Phase: "computing"}}},
			{Body: &api.FromNode_Outcome{Outcome: h.pending[id]}},
		}
	case *api.ToNode_Cancel:
		h.wrong = append(h.wrong, fmt.Sprintf("%s was told that job %x ended: %s", h.name, body.Cancel.GetJobId(), body.Cancel.GetReason()))
	case *api.ToNode_Acknowledge:
		id := job.Hash(body.Acknowledge.GetId())
		delete(h.pending, id)
	}
	return nil
}

// TestKilledAtAnyMoment kills the coordinator again and again while jobs run,
// at moments that the messages' number sets.
func TestKilledAtAnyMoment(t *testing.T) {
	w := newWorld(t)
	c := w.child("")
	alice := w.client("alice", c.address)
	var ids []job.Hash
	for range 6 {
		ids = append(ids, alice.submit())
	}
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	var heard atomic.Int64
	var all []*hospital
	for _, name := range hospitals {
		h := &hospital{
			w: w, name: name, address: c.address, heard: &heard, answers: make(map[job.Hash]*api.Decision),
			sessions: make(map[job.Hash][32]byte), pending: make(map[job.Hash]*api.Outcome),
		}
		all = append(all, h)
		conn := w.dial(name, c.address)
		group.Go(func() { h.work(ctx, conn) })
	}
	// Six jobs take 4 offers, starts and acknowledgements each, 72 messages.
	for kill, at := 0, int64(0); kill < 6; kill++ {
		at += 1 + rand.Int64N(10)
		for heard.Load() < at && heard.Load() < 60 {
			time.Sleep(time.Millisecond)
		}
		c.kill()
		c.run()
	}
	for _, id := range ids {
		alice.ends(id, api.State_STATE_DONE, "")
	}
	stop()
	group.Wait()
	for _, h := range all {
		if len(h.wrong) > 0 || len(h.sessions) != len(ids) {
			t.Errorf("%s ran %d jobs, want %d: %v", h.name, len(h.sessions), len(ids), h.wrong)
		}
		for id, session := range h.sessions {
			if all[0].sessions[id] != session {
				t.Errorf("job %v has one session at %s and another at hospital-1", id, h.name)
			}
		}
	}
}

func TestJobsOfAnOlderRosterFailAtTheStart(t *testing.T) {
	w := newWorld(t)
	s := w.start()
	old := w.client("alice", s.Addr())
	id := old.submit()
	old.until(id, inState(api.State_STATE_DECIDING))
	w.closeServer(s)

	w.roster = w.sign(2)
	s = w.start()
	w.client("alice", s.Addr()).ends(id, api.State_STATE_FAILED, "the study's roster has changed since the job was signed; sign it again")
	w.node("hospital-1", s.Addr()).cancelled(id)
}

func TestStoreThatFailsStopsTheCoordinator(t *testing.T) {
	w := newWorld(t)
	s, err := Start(context.Background(), w.config())
	if err != nil {
		t.Fatal(err)
	}
	alice := w.client("alice", s.Addr())
	id := alice.submit()
	alice.until(id, inState(api.State_STATE_DECIDING))
	if _, err := s.store.db.Exec("DROP TABLE events"); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.cancel(id); err == nil {
		t.Error("cancelled without a store")
	}
	<-s.Done()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "no job is lost") {
		t.Errorf("ended with %v", err)
	}
}
