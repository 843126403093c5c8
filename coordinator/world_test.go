package coordinator

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// patient bounds every wait of a test; none should come near it.
const patient = 20 * time.Second

// world is a study on loopback: identities, a signed roster, the state
// directory. Hospitals 1 to 3 are the parties, hospital 4 is a site.
type world struct {
	t      *testing.T
	dir    string
	ids    map[string]*job.Identity
	roster *job.RosterFile
}

var hospitals = []string{"hospital-1", "hospital-2", "hospital-3", "hospital-4"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), ids: make(map[string]*job.Identity)}
	for _, name := range append([]string{"admin", "rendezvous", "alice", "bob", "mallory"}, hospitals...) {
		id, err := job.NewIdentity(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.ids[name] = id
	}
	w.roster = w.sign(1)
	return w
}

func (w *world) sign(version int) *job.RosterFile {
	w.t.Helper()
	r := &job.Roster{
		Study: "lung-2026", Version: version, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Coordinator: job.Coordinator{Name: "rendezvous", Address: "127.0.0.1:7600", Certificate: w.ids["rendezvous"].Certificate},
		Parties:     hospitals[:3],
		Datasets: []job.Dataset{{
			Name:   "lung",
			Schema: job.Schema{Columns: []job.Column{{Name: "age", Type: job.Integer, Min: "0", Max: "120"}}},
			Sites:  []job.Site{{Node: "hospital-4", Rows: 10}},
		}, {
			Name:   "joint",
			Schema: job.Schema{Columns: []job.Column{{Name: "age", Type: job.Integer, Min: "0", Max: "120"}}},
			Sites:  []job.Site{{Node: "hospital-4", Rows: 10}, {Node: "hospital-2", Rows: 10}},
		}},
	}
	for i, name := range hospitals {
		r.Nodes = append(r.Nodes, job.Node{
			Name: name, Organisation: "Clinic " + name, Address: fmt.Sprintf("127.0.0.1:%d", 7601+i), Certificate: w.ids[name].Certificate,
		})
	}
	for _, name := range []string{"alice", "bob"} {
		_, pub, err := job.NewRecipientKey()
		if err != nil {
			w.t.Fatal(err)
		}
		r.Clients = append(r.Clients, job.Client{Name: name, Organisation: "University", Certificate: w.ids[name].Certificate, Recipient: pub})
	}
	b, err := job.SignRoster(r, w.ids["admin"])
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := job.ParseRoster(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) config() Config {
	return Config{
		Listen: "127.0.0.1:0", Identity: w.ids["rendezvous"], Roster: w.roster, State: filepath.Join(w.dir, "state"),
		DecideTimeout: patient, RunTimeout: patient, Grace: patient,
		Log: slog.New(slog.NewTextHandler(w.logFile(), nil)),
	}
}

// logFile keeps logs for the tests that look into them.
func (w *world) logFile() io.Writer {
	f, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { f.Close() })
	return f
}

// start runs a coordinator in this process until the test ends.
func (w *world) start(change ...func(*Config)) *Server {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	s, err := Start(context.Background(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.closeServer(s) })
	return s
}

func (w *world) closeServer(s *Server) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *world) dial(name, address string) *grpc.ClientConn {
	w.t.Helper()
	tls := job.ClientTLS(w.ids[name], "rendezvous", w.ids["rendezvous"].Certificate)
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(tls)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: patient, Backoff: backoff.Config{
			BaseDelay: 10 * time.Millisecond, Multiplier: 1.5, MaxDelay: 100 * time.Millisecond,
		}}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxResult)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	w.t.Cleanup(cancel)
	return ctx
}

// jobFor is a fresh job that name might sign.
func (w *world) jobFor(name string) *job.Job {
	client, _ := w.roster.Roster.Client(name)
	recipient := w.roster.Roster.Clients[0].Recipient
	if client != nil {
		recipient = client.Recipient
	}
	nonce := make([]byte, job.NonceSize)
	rand.Read(nonce)
	return &job.Job{
		Protocol: job.ProtocolVersion, Study: w.roster.Roster.Study, Roster: w.roster.Hash, Dataset: "lung", Analysis: "describe",
		Args: map[string]any{"columns": "age"}, Engine: "shares", Recipient: recipient, Nonce: nonce,
		Expires: time.Now().UTC().Add(time.Hour).Truncate(time.Second),
	}
}

func (w *world) signed(name string, change ...func(*job.Job)) *job.Signed {
	w.t.Helper()
	j := w.jobFor(name)
	for _, c := range change {
		c(j)
	}
	s, err := job.Sign(j, w.ids[name].Key)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// client is a researcher who speaks to a coordinator.
type client struct {
	w    *world
	name string
	rpc  api.CoordinationClient
}

func (w *world) client(name, address string) *client {
	return &client{w, name, api.NewCoordinationClient(w.dial(name, address))}
}

func (c *client) submit(change ...func(*job.Job)) job.Hash {
	c.w.t.Helper()
	return c.send(c.w.signed(c.name, change...))
}

func (c *client) send(s *job.Signed) job.Hash {
	c.w.t.Helper()
	reply, err := c.rpc.Submit(c.w.context(), wire.SignedTo(s), grpc.WaitForReady(true))
	if err != nil {
		c.w.t.Fatal(err)
	}
	if id := s.ID(); string(reply.GetId()) != string(id[:]) {
		c.w.t.Fatalf("submitted %v, got id %x", id, reply.GetId())
	}
	return s.ID()
}

// watch returns all events after a sequence, to the terminal one.
func (c *client) watch(id job.Hash, after int64) []*api.Event {
	c.w.t.Helper()
	stream, err := c.rpc.Watch(c.w.context(), &api.WatchRequest{Id: id[:], After: after}, grpc.WaitForReady(true))
	if err != nil {
		c.w.t.Fatal(err)
	}
	var events []*api.Event
	for {
		e, err := stream.Recv()
		if err == io.EOF {
			return events
		}
		if err != nil {
			c.w.t.Fatalf("watch after %d events: %v", len(events), err)
		}
		if want := after + int64(len(events)) + 1; e.GetSequence() != want {
			c.w.t.Fatalf("event %d follows, want %d", e.GetSequence(), want)
		}
		events = append(events, e)
	}
}

// until watches up to the first event that fits.
func (c *client) until(id job.Hash, fits func(*api.Event) bool) *api.Event {
	c.w.t.Helper()
	stream, err := c.rpc.Watch(c.w.context(), &api.WatchRequest{Id: id[:]}, grpc.WaitForReady(true))
	if err != nil {
		c.w.t.Fatal(err)
	}
	for {
		e, err := stream.Recv()
		if err != nil {
			c.w.t.Fatal(err)
		}
		if fits(e) {
			return e
		}
	}
}

func inState(s api.State) func(*api.Event) bool {
	return func(e *api.Event) bool { return e.GetState() == s }
}

// ends waits for a job's end and checks it.
func (c *client) ends(id job.Hash, state api.State, reason string) {
	c.w.t.Helper()
	events := c.watch(id, 0)
	last := events[len(events)-1]
	if last.GetState() != state || (reason != "" && last.GetDetail() != reason) {
		c.w.t.Fatalf("job ended %v %q, want %v %q", last.GetState(), last.GetDetail(), state, reason)
	}
	list, err := c.rpc.List(c.w.context(), &api.ListRequest{Limit: 500})
	if err != nil {
		c.w.t.Fatal(err)
	}
	for _, status := range list.GetJobs() {
		if string(status.GetId()) == string(id[:]) {
			if status.GetState() != state || (state != api.State_STATE_DONE && status.GetReason() != last.GetDetail()) {
				c.w.t.Fatalf("listed as %v %q, ended as %v %q", status.GetState(), status.GetReason(), state, last.GetDetail())
			}
			return
		}
	}
	c.w.t.Fatalf("job %v is not listed", id)
}

func (c *client) cancel(id job.Hash) (*api.JobStatus, error) {
	return c.rpc.Cancel(c.w.context(), &api.CancelRequest{Id: id[:], Signature: job.SignCancel(id, c.w.ids[c.name].Key)})
}

// node is a hospital that a test leads step by step.
type node struct {
	w       *world
	name    string
	conn    *grpc.ClientConn
	stream  grpc.BidiStreamingClient[api.FromNode, api.ToNode]
	hangUp  context.CancelFunc
	answers map[job.Hash]*api.Decision // kept over attachments, as a node's store does
}

func (w *world) node(name, address string) *node {
	w.t.Helper()
	n := &node{w: w, name: name, answers: make(map[job.Hash]*api.Decision)}
	n.attach(address)
	return n
}

// nodes attaches all hospitals.
func (w *world) nodes(address string) []*node {
	w.t.Helper()
	var out []*node
	for _, name := range hospitals {
		out = append(out, w.node(name, address))
	}
	return out
}

func (n *node) attach(address string, running ...job.Hash) {
	n.w.t.Helper()
	if n.conn == nil || n.conn.CanonicalTarget() != "passthrough:///"+address {
		n.conn = n.w.dial(n.name, address)
	}
	hello := &api.Hello{Protocol: job.ProtocolVersion, Roster: n.w.roster.Hash[:]}
	for _, id := range running {
		hello.Running = append(hello.Running, id[:])
	}
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	n.w.t.Cleanup(cancel)
	stream, err := api.NewRendezvousClient(n.conn).Attach(ctx, grpc.WaitForReady(true))
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.stream, n.hangUp = stream, cancel
	n.send(&api.FromNode{Body: &api.FromNode_Hello{Hello: hello}})
}

func (n *node) send(m *api.FromNode) {
	n.w.t.Helper()
	if err := n.stream.Send(m); err != nil {
		_, err = n.stream.Recv()
		n.w.t.Fatalf("%s: send: %v", n.name, err)
	}
}

func (n *node) next() *api.ToNode {
	n.w.t.Helper()
	m, err := n.stream.Recv()
	if err != nil {
		n.w.t.Fatalf("%s: receive: %v", n.name, err)
	}
	return m
}

// offered takes an offer of this job.
func (n *node) offered(id job.Hash) {
	n.w.t.Helper()
	m := n.next()
	signed, err := wire.SignedFrom(m.GetOffer())
	if err != nil {
		n.w.t.Fatalf("%s: got %v, want an offer: %v", n.name, m, err)
	}
	if _, err := signed.Verify(); err != nil || signed.ID() != id {
		n.w.t.Fatalf("%s: offered job %v, want %v: %v", n.name, signed.ID(), id, err)
	}
}

// answer makes this node's one decision on a job.
func (n *node) answer(id job.Hash, reason string) *api.Decision {
	if a := n.answers[id]; a != nil {
		return a
	}
	d := &job.Decision{Node: n.name, Job: id, Accept: reason == "", Reason: reason}
	if d.Accept {
		d.Nonce = make([]byte, job.NonceSize)
		rand.Read(d.Nonce)
	}
	d.Sign(n.w.ids[n.name].Key)
	n.answers[id] = wire.DecisionTo(d)
	return n.answers[id]
}

func (n *node) decide(id job.Hash, reason string) {
	n.w.t.Helper()
	n.send(&api.FromNode{Body: &api.FromNode_Decision{Decision: n.answer(id, reason)}})
}

// started takes a start of this job and returns its session.
func (n *node) started(id job.Hash) [32]byte {
	n.w.t.Helper()
	m := n.next()
	if string(m.GetStart().GetJobId()) != string(id[:]) {
		n.w.t.Fatalf("%s: got %v, want the start of %v", n.name, m, id)
	}
	return n.w.sessionOf(id, m.GetStart().GetDecisions())
}

func (w *world) sessionOf(id job.Hash, ds []*api.Decision) [32]byte {
	w.t.Helper()
	decisions, err := wire.DecisionsFrom(ds, len(w.roster.Roster.Nodes))
	if err != nil {
		w.t.Fatal(err)
	}
	session, err := job.SessionID(id, &job.Job{Roster: w.roster.Hash}, w.roster.Roster, decisions)
	if err != nil {
		w.t.Fatal(err)
	}
	return session
}

// cancelled takes the end of this job and returns it.
func (n *node) cancelled(id job.Hash) *api.JobEnd {
	n.w.t.Helper()
	m := n.next()
	if string(m.GetCancel().GetJobId()) != string(id[:]) {
		n.w.t.Fatalf("%s: got %v, want the end of %v", n.name, m, id)
	}
	return m.GetCancel()
}

func (n *node) progress(id job.Hash, phase, detail string) {
	n.w.t.Helper()
	n.send(&api.FromNode{Body: &api.FromNode_Progress{Progress: &api.Progress{JobId: id[:], Phase: phase, Detail: detail}}})
}

// share is what this node sealed, signed; nil when it is no party.
func (n *node) share(id job.Hash, session [32]byte) *api.SealedShare {
	if !slices.Contains(n.w.roster.Roster.Parties, n.name) {
		return nil
	}
	s := &job.SealedShare{Party: n.name, Session: session, Outputs: []job.SealedOutput{
		{Name: "n", Ciphertext: []byte("sealed by " + n.name)}, {Name: "status", Ciphertext: []byte("word")},
	}}
	s.Sign(id, n.w.ids[n.name].Key)
	return wire.ShareTo(s)
}

func (n *node) report(id job.Hash, problem string, share *api.SealedShare) {
	n.w.t.Helper()
	n.send(&api.FromNode{Body: &api.FromNode_Outcome{Outcome: &api.Outcome{JobId: id[:], Error: problem, Share: share}}})
}

func (n *node) acknowledged(id job.Hash) {
	n.w.t.Helper()
	m := n.next()
	if string(m.GetAcknowledge().GetId()) != string(id[:]) {
		n.w.t.Fatalf("%s: got %v, want the acknowledgement of %v", n.name, m, id)
	}
}

// accepted leads nodes from offer to start and returns the session.
func (w *world) accepted(nodes []*node, id job.Hash) [32]byte {
	w.t.Helper()
	for _, n := range nodes {
		n.offered(id)
		n.decide(id, "")
	}
	return w.allStarted(nodes, id)
}

func (w *world) allStarted(nodes []*node, id job.Hash) [32]byte {
	w.t.Helper()
	sessions := make(map[[32]byte]bool)
	for _, n := range nodes {
		sessions[n.started(id)] = true
	}
	if len(sessions) != 1 {
		w.t.Fatalf("nodes began %d sessions of one job", len(sessions))
	}
	return slices.Collect(maps.Keys(sessions))[0]
}

func (w *world) finished(nodes []*node, id job.Hash, session [32]byte) {
	w.t.Helper()
	for _, n := range nodes {
		n.report(id, "", n.share(id, session))
		n.acknowledged(id)
	}
}

// fetched checks what the recipient gets as a recipient does.
func (c *client) fetched(signed *job.Signed) {
	c.w.t.Helper()
	id := signed.ID()
	reply, err := c.rpc.Fetch(c.w.context(), &api.JobRef{Id: id[:]})
	if err != nil {
		c.w.t.Fatal(err)
	}
	if !proto.Equal(reply.GetJob(), wire.SignedTo(signed)) {
		c.w.t.Error("another job came back")
	}
	session := c.w.sessionOf(id, reply.GetDecisions())
	var parties []string
	for _, m := range reply.GetShares() {
		s, err := wire.ShareFrom(m)
		if err != nil {
			c.w.t.Fatal(err)
		}
		if err := s.Verify(id, c.w.roster.Roster.NodeKey(c.w.roster.Roster.NodeIndex(s.Party))); err != nil {
			c.w.t.Error(err)
		}
		if s.Session != session || string(s.Outputs[0].Ciphertext) != "sealed by "+s.Party {
			c.w.t.Errorf("share of %s is not what it sealed", s.Party)
		}
		parties = append(parties, s.Party)
	}
	if !slices.Equal(parties, c.w.roster.Roster.Parties) {
		c.w.t.Errorf("shares of %v, want those of %v", parties, c.w.roster.Roster.Parties)
	}
}

func wantCode(t *testing.T, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("got %v, want code %v", err, code)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// get reads a page of the monitor.
func get(t *testing.T, s *Server, path string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, Timeout: patient}).Get("http://" + s.MetricsAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, answer.Status, err)
	}
	return string(b)
}
