package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
	"consilium/protocols"
)

// runTogether takes a job through all nodes and returns answers and outcomes,
// the outcomes acknowledged.
func runTogether(t *testing.T, o *office, signed *job.Signed) ([]*api.Decision, []*api.Outcome) {
	t.Helper()
	answers := o.accepted(t, signed)
	o.start(t, signed, answers, 1, 2, 3)
	outcomes := o.outcomes(t)
	for i, outcome := range outcomes {
		o.acknowledge(t, i+1, outcome.JobId)
	}
	return answers, outcomes
}

// open opens a result as its recipient does.
func (s *study) open(t *testing.T, signed *job.Signed, answers []*api.Decision, outcomes []*api.Outcome) protocols.Opened {
	t.Helper()
	decisions, err := wire.DecisionsFrom(answers, len(answers))
	if err != nil {
		t.Fatal(err)
	}
	var shares []job.SealedShare
	for _, o := range outcomes {
		if o.Error != "" || o.Share == nil {
			t.Fatalf("outcome %q without a share", o.Error)
		}
		share, err := wire.ShareFrom(o.Share)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, *share)
	}
	opened, _, err := protocols.Open(signed, s.roster, decisions, shares, s.recipientKey)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// checkSums compares a describe job's opened sums with those of the files, by
// hand: sex = 1 keeps ages 70, missing, 50, 61, 59, 90 and markers 10, 20, 31337, 60, 70, missing.
func checkSums(t *testing.T, opened protocols.Opened) {
	t.Helper()
	for name, want := range map[string][]int64{
		"selected":  {6},
		"moments.0": {5, 70 + 50 + 61 + 59 + 90, 70*70 + 50*50 + 61*61 + 59*59 + 90*90},
		"moments.1": {5, 10 + 20 + 31337 + 60 + 70, 10*10 + 20*20 + 31337*31337 + 60*60 + 70*70},
	} {
		got := opened[name]
		if !slices.EqualFunc(got, want, func(x *big.Int, y int64) bool { return x.Cmp(big.NewInt(y)) == 0 }) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestDescribeJobOverThreeNodes(t *testing.T) {
	s, o, nodes := atWork(t)
	signed := s.sign(t, s.job(), s.alice)
	answers, outcomes := runTogether(t, o, signed)
	checkSums(t, s.open(t, signed, answers, outcomes))
	for i, n := range nodes {
		for _, phase := range []string{protocols.Confirming, protocols.Sealing, protocols.Computing, protocols.Revealing} {
			o.desk(i+1).waitPhase(t, phase)
		}
		records, err := ReadRecords(t.Context(), n.config.State)
		if err != nil || len(records) != 1 {
			t.Fatalf("records are %v, %v", records, err)
		}
		r := records[0]
		if r.State != Done || !bytes.Equal(r.Session, outcomes[i].Share.Session) || r.Error != "" || r.Started.IsZero() || r.Ended.Before(r.Started) {
			t.Errorf("record of %s is %+v", n.config.Name, r)
		}
	}
	checkObservability(t, nodes[1])
	checkNoCanary(t, s, o, nodes)
}

// TestJobOverOnet: the roster says what the links run over, and a job is none the
// wiser.
func TestJobOverOnet(t *testing.T) {
	s := newStudy(t)
	r := s.newRoster(t)
	r.Overlay = job.OverlayOnet
	s.writeRoster(t, r)
	o := openOffice(t, s)
	nodes := s.startAll(t)
	o.hellos(t)
	signed := s.sign(t, s.job(), s.alice)
	answers, outcomes := runTogether(t, o, signed)
	checkSums(t, s.open(t, signed, answers, outcomes))
	for _, n := range nodes {
		if files, err := os.ReadDir(filepath.Join(n.config.State, "onet")); err != nil || len(files) != 1 {
			t.Errorf("the overlay of %s keeps %v, %v", n.config.Name, files, err)
		}
	}
	checkObservability(t, nodes[1])
}

func get(t *testing.T, n *Node, path string) (int, string) {
	t.Helper()
	reply, err := http.Get("http://" + n.monitor.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

func checkObservability(t *testing.T, n *Node) {
	t.Helper()
	if code, body := get(t, n, "/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
	eventually(t, "readiness", func() bool { code, _ := get(t, n, "/readyz"); return code == http.StatusOK })
	_, text := get(t, n, "/metrics")
	for _, want := range []string{
		"consilium_node_attached 1\n",
		`consilium_node_jobs_total{outcome="done"} 1` + "\n",
		`consilium_node_jobs_total{outcome="failed"} 0` + "\n",
		`consilium_node_decisions_total{answer="accepted"} 1` + "\n",
		"consilium_node_jobs_running 0\n",
		"consilium_node_job_seconds_count 1\n",
		`consilium_peer_connected{peer="hospital-1"} 1` + "\n",
		`consilium_peer_bytes_total{direction="sent",peer="hospital-3"} `,
		`consilium_peer_frames_total{direction="received",peer="hospital-3"} `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics has no %q", want)
		}
	}
	if strings.Contains(text, `peer="hospital-2"`) {
		t.Error("/metrics counts a link of the node to itself")
	}
}

// checkNoCanary looks for the canary wherever it must not be: in what the
// coordinator heard, in logs, metrics and every file of the nodes' state.
func checkNoCanary(t *testing.T, s *study, o *office, nodes []*Node) {
	t.Helper()
	places := map[string]string{"coordinator": o.allHeard(), "logs": s.logs.text()}
	for _, n := range nodes {
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			_, places[n.config.Name+path] = get(t, n, path)
		}
		files := 0
		err := filepath.WalkDir(n.config.State, func(name string, e fs.DirEntry, err error) error {
			// Two files of a vault are hashes in hex, which hold any five digits sometimes.
			if err != nil || e.IsDir() || e.Name() == "state" || e.Name() == "deposit" {
				return err
			}
			b, err := os.ReadFile(name)
			places[name], files = string(b), files+1
			return err
		})
		if err != nil || files == 0 {
			t.Fatalf("state of %s: %d files, %v", n.config.Name, files, err)
		}
	}
	for place, text := range places {
		if strings.Contains(text, canary) {
			t.Errorf("the canary is in %s", place)
		}
	}
}

func TestUnacknowledgedOutcomeComesAgain(t *testing.T) {
	s, o, nodes := atWork(t)
	signed := s.sign(t, s.job(), s.alice)
	answers := o.accepted(t, signed)
	o.start(t, signed, answers, 1, 2, 3)
	first := o.desk(1).outcome(t)

	o.desk(1).lose()
	if hello := o.desk(1).hello(t); len(hello.Running) != 0 || !bytes.Equal(hello.Roster, s.roster.Hash[:]) {
		t.Errorf("second hello is %v", hello)
	}
	if again := o.desk(1).outcome(t); !proto.Equal(first, again) {
		t.Error("the outcome came again with other bytes")
	}
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	n := s.start(t, s.config(1))
	if again := o.desk(1).outcome(t); !proto.Equal(first, again) {
		t.Error("after a restart the outcome came with other bytes")
	}
	o.acknowledge(t, 1, first.JobId)
	eventually(t, "acknowledged store", func() bool {
		left, err := n.store.unacknowledged(t.Context())
		return err == nil && len(left) == 0
	})
	o.desk(1).lose()
	o.desk(1).hello(t)
	o.desk(1).send(t, offerMessage(signed)) // its answer comes after any outcome would
	if d := o.desk(1).decision(t); !bytes.Equal(d.Signature, answers[0].Signature) {
		t.Error("the decision changed")
	}
}

// startTwo runs a job at hospitals 1 and 2 only, so that it waits for the third.
func startTwo(t *testing.T, s *study, o *office) (*job.Signed, []*api.Decision) {
	t.Helper()
	signed := s.sign(t, s.job(), s.alice)
	answers := o.accepted(t, signed)
	o.start(t, signed, answers, 1, 2)
	o.desk(1).waitPhase(t, protocols.Confirming)
	o.desk(2).waitPhase(t, protocols.Confirming)
	return signed, answers
}

func TestRunGoesOnWithoutTheCoordinator(t *testing.T) {
	s, o, _ := atWork(t)
	signed, answers := startTwo(t, s, o)
	id := signed.ID()
	for _, hospital := range []int{1, 2} {
		o.desk(hospital).lose()
		if hello := o.desk(hospital).hello(t); len(hello.Running) != 1 || !bytes.Equal(hello.Running[0], id[:]) {
			t.Errorf("hello of hospital %d is %v", hospital, hello)
		}
	}
	o.start(t, signed, answers, 3)
	checkSums(t, s.open(t, signed, answers, o.outcomes(t)))
}

func TestCancelInMidJob(t *testing.T) {
	s, o, _ := atWork(t)
	signed, answers := startTwo(t, s, o)
	id := signed.ID()

	forged := job.SignCancel(id, s.mallo.Key)
	for hospital := 1; hospital <= 3; hospital++ {
		o.desk(hospital).send(t, endMessage(id, "", forged))
	}
	s.logs.wait(t, "refused", "the cancellation is not signed by the job's signer")

	signature := job.SignCancel(id, s.alice.Key)
	for hospital := 1; hospital <= 3; hospital++ {
		o.desk(hospital).send(t, endMessage(id, "", signature))
	}
	ended := make(map[int]*api.Outcome)
	for hospital := 1; hospital <= 2; hospital++ {
		outcome := o.desk(hospital).outcome(t)
		ended[hospital] = outcome
		if outcome.Share != nil || outcome.Error != "cancelled by its signer, alice" && !strings.Contains(outcome.Error, "hospital-") {
			t.Errorf("outcome of hospital %d is %v", hospital, outcome)
		}
	}
	s.logs.wait(t, "node=hospital-3", "withdrawn before its start")
	// A start that comes after all is answered with how the job ended.
	o.start(t, signed, answers, 1, 2, 3)
	for hospital := 1; hospital <= 2; hospital++ {
		if again := o.desk(hospital).outcome(t); !proto.Equal(again, ended[hospital]) {
			t.Errorf("outcome of hospital %d is %v now", hospital, again)
		}
	}
	if outcome := o.desk(3).outcome(t); outcome.Error != "the job is cancelled at this node and cannot begin; sign it again" {
		t.Errorf("outcome of hospital 3 is %v", outcome)
	}
	next := s.sign(t, s.job(), s.alice)
	answers, outcomes := runTogether(t, o, next)
	checkSums(t, s.open(t, next, answers, outcomes))
}

func TestCoordinatorGivesAJobUp(t *testing.T) {
	s, o, nodes := atWork(t)
	signed, _ := startTwo(t, s, o)
	o.desk(1).send(t, endMessage(signed.ID(), "hospital-3 left\nits link was lost", nil))
	want := "the coordinator ended the job: hospital-3 left; its link was lost"
	if outcome := o.desk(1).outcome(t); outcome.Error != want {
		t.Errorf("outcome is %q, want %q", outcome.Error, want)
	}
	// The other learns it over its own link and does not wait for its timeout.
	if outcome := o.desk(2).outcome(t); !strings.Contains(outcome.Error, "hospital-1") {
		t.Errorf("outcome of the other is %q", outcome.Error)
	}
	if r, err := nodes[0].store.record(t.Context(), signed.ID()); err != nil || r.State != Cancelled {
		t.Errorf("record is %+v, %v", r, err)
	}
}

func TestCrashInMidJob(t *testing.T) {
	s, o, nodes := atWork(t)
	signed, answers := startTwo(t, s, o)

	c := s.config(1)
	c.State = s.path("crashed") // what the disk holds when the power fails
	copyDir(t, nodes[0].config.State, c.State)
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	n := s.start(t, c)
	if outcome := o.desk(1).outcome(t); outcome.Error != restarted || outcome.Share != nil {
		t.Errorf("outcome is %v", outcome)
	}
	o.start(t, signed, answers, 1)
	if again := o.desk(1).outcome(t); again.Error != restarted {
		t.Errorf("a start is answered with %v", again)
	}
	if r, err := n.store.record(t.Context(), signed.ID()); err != nil || r.State != Failed || r.Error != restarted {
		t.Errorf("record is %+v, %v", r, err)
	}
}

func TestStopInMidJob(t *testing.T) {
	s, o, nodes := atWork(t)
	signed, _ := startTwo(t, s, o)
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	n := s.start(t, s.config(1))
	if outcome := o.desk(1).outcome(t); outcome.Error != errStopped.Error() {
		t.Errorf("outcome is %v", outcome)
	}
	if r, err := n.store.record(t.Context(), signed.ID()); err != nil || r.State != Failed {
		t.Errorf("record is %+v, %v", r, err)
	}
}

func TestUnexpectedMessagesAreRefused(t *testing.T) {
	s, o, _ := atWork(t)
	signed := s.sign(t, s.job(), s.alice)
	other := s.sign(t, s.job(), s.alice)
	answers := o.accepted(t, signed)
	foreign := &job.Decision{Node: "hospital-9", Job: signed.ID(), Accept: true, Nonce: randomBytes(job.NonceSize)}
	foreign.Sign(s.mallo.Key)
	forged := proto.CloneOf(answers[1])
	forged.Nonce = randomBytes(job.NonceSize)

	refused := []struct {
		m    *api.ToNode
		word string
	}{
		{&api.ToNode{}, "unknown message"},
		{&api.ToNode{Body: &api.ToNode_Offer{Offer: &api.SignedJob{Job: []byte("{}")}}}, "an offer: signer has 0 bytes"},
		{startMessage(signed, answers[:2]), "decision of node hospital-3 is missing"},
		{startMessage(signed, append(slices.Clone(answers), answers...)), "6 decisions for 3 nodes"},
		{startMessage(signed, []*api.Decision{answers[0], answers[1], decisionMessage(foreign).GetDecision()}), "no node of the study"},
		{startMessage(signed, []*api.Decision{answers[0], forged, answers[2]}), "signature does not fit"},
		{startMessage(signed, []*api.Decision{answers[0], {}, answers[2]}), "a decision's job has 0 bytes"},
		{&api.ToNode{Body: &api.ToNode_Start{Start: &api.Start{JobId: []byte("short")}}}, "job id has 5 bytes"},
		{&api.ToNode{Body: &api.ToNode_Cancel{Cancel: &api.JobEnd{JobId: []byte("short")}}}, "an end of a job"},
		{endMessage(other.ID(), "", nil), "an end of job"},
	}
	for _, r := range refused {
		o.desk(1).send(t, r.m)
		s.logs.wait(t, "level=WARN", "refused from the coordinator", r.word)
	}
	o.desk(1).send(t, &api.ToNode{Body: &api.ToNode_Acknowledge{Acknowledge: &api.JobRef{Id: []byte("short")}}})
	o.start(t, other, answers, 1)
	if outcome := o.desk(1).outcome(t); outcome.Error != "the job is unknown at this node and cannot begin; sign it again" {
		t.Errorf("the start of a job that was never offered is answered with %v", outcome)
	}

	o.start(t, signed, answers, 1, 1, 2, 3) // a duplicate of a start is refused, too
	s.logs.wait(t, "refused from the coordinator", "a start of job")
	checkSums(t, s.open(t, signed, answers, o.outcomes(t)))
}

// TestCoordinatorThatForgot has started and taken over a job, and then knows less
// than that, as after a return to an older copy of its state.
func TestCoordinatorThatForgot(t *testing.T) {
	s, o, nodes := atWork(t)
	signed := s.sign(t, s.job(), s.alice)
	answers := o.accepted(t, signed)
	o.start(t, signed, answers, 1, 2, 3)
	outcomes := o.outcomes(t)
	// Not acknowledged: offered and started anew, the job brings the same result.
	again := o.accepted(t, signed)
	o.start(t, signed, again, 1, 2, 3)
	for i := range nodes {
		if !proto.Equal(again[i], answers[i]) {
			t.Errorf("hospital %d decided anew", i+1)
		}
		if outcome := o.desk(i + 1).outcome(t); !proto.Equal(outcome, outcomes[i]) {
			t.Errorf("hospital %d: another outcome", i+1)
		}
	}
	checkSums(t, s.open(t, signed, answers, outcomes))
	// Acknowledged: the share is gone, and nobody need wait for it.
	id := signed.ID()
	o.acknowledge(t, 1, id[:])
	o.start(t, signed, answers, 1)
	if outcome := o.desk(1).outcome(t); outcome.Share != nil || outcome.Error != "the job is done at this node and cannot begin; sign it again" {
		t.Errorf("outcome is %v", outcome)
	}
	if r, err := nodes[0].store.record(t.Context(), id); err != nil || r.State != Done || r.Error != "" {
		t.Errorf("record is %+v, %v", r, err)
	}
}

func TestLogIsForPeople(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	logs := new(logs)
	var nodes []*Node
	for hospital := 1; hospital <= 3; hospital++ {
		n, err := Start(context.Background(), s.config(hospital), slog.New(slog.NewJSONHandler(logs, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		nodes = append(nodes, n)
	}
	o.hellos(t)
	signed := s.sign(t, s.job(), s.alice)
	_, outcomes := runTogether(t, o, signed)
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	ended := 0
	var last map[string]any
	for text := range strings.Lines(logs.text()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["node"] == "hospital-1" {
			last = entry
		}
		if id, ok := entry["job"]; ok && id != signed.ID().Short() {
			t.Errorf("job %v", id)
		}
		if entry["msg"] != "job ended" {
			continue
		}
		ended++
		if want := hex.EncodeToString(outcomes[0].Share.Session[:8]); entry["session"] != want {
			t.Errorf("session is %v, want %s", entry["session"], want)
		}
		took, ok := entry["took"].(string)
		if _, err := time.ParseDuration(took); !ok || err != nil {
			t.Errorf("took %v", entry["took"])
		}
	}
	if ended != 3 || last["msg"] != "node stopped" {
		t.Errorf("%d jobs ended, the last words of hospital-1 are %v", ended, last)
	}
}

// TestHangingStorage lets a look at the file hang, as a network mount does.
func TestHangingStorage(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	c := s.config(1)
	c.Timeout = time.Second
	n, err := Start(context.Background(), c, s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	o.desk(1).hello(t)
	f := n.data.files["lung"]
	answers := make(chan struct{})
	f.header = func(context.Context) error { <-answers; return nil } // as a call into the system: no context ends it
	defer func() {
		close(answers)
		eventually(t, "end of the look at the file", func() bool { return !f.looking() })
	}()
	first, second := s.sign(t, s.job(), s.alice), s.sign(t, s.job(), s.alice)
	o.desk(1).send(t, offerMessage(first))
	o.desk(1).send(t, offerMessage(first))
	o.desk(1).send(t, endMessage(first.ID(), "it waited too long", nil))
	o.desk(1).send(t, &api.ToNode{})
	s.logs.wait(t, "refused from the coordinator", "unknown message") // while the offer waits
	if d := o.desk(1).decision(t); d.Accept || !strings.Contains(d.Reason, "its file for dataset lung cannot be used") {
		t.Errorf("decision is %v", d)
	}
	s.logs.wait(t, "the file cannot be used", "was not opened within 1s")
	o.desk(1).send(t, offerMessage(second))
	if d := o.desk(1).decision(t); d.Accept {
		t.Error("accepted a job whose file nobody can open")
	}
	n.decider.data.patience = time.Hour // only the node's end can end this offer
	third := s.sign(t, s.job(), s.alice)
	o.desk(1).send(t, offerMessage(third))
	eventually(t, "waiting offer", func() bool { return n.offers.waits(third.ID()) })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	records, err := ReadRecords(t.Context(), c.State)
	if err != nil || len(records) != 2 {
		t.Errorf("%d records, %v: a node that stops has decided nothing", len(records), err)
	}
}

// looking says whether the file is being opened.
func (f *file) looking() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.look != nil
}

func (o *offers) waits(id job.Hash) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, waits := o.ends[id]
	return waits
}

// TestEndThatComesWhileAnOfferWaits must find the job once it is decided.
func TestEndThatComesWhileAnOfferWaits(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	n := s.start(t, s.config(1))
	o.desk(1).hello(t)
	signed := s.sign(t, s.job(), s.alice)
	f := n.data.files["lung"]
	f.mu.Lock() // the look at the file waits here
	o.desk(1).send(t, offerMessage(signed))
	eventually(t, "waiting offer", func() bool { return n.offers.waits(signed.ID()) })
	o.desk(1).send(t, endMessage(signed.ID(), "not everybody answered", nil))
	o.desk(1).send(t, &api.ToNode{})
	s.logs.wait(t, "refused from the coordinator", "unknown message")
	f.mu.Unlock()
	if d := o.desk(1).decision(t); !d.Accept {
		t.Errorf("rejected: %s", d.Reason)
	}
	eventually(t, "withdrawn job", func() bool {
		r, err := n.store.record(t.Context(), signed.ID())
		return err == nil && r.State == Cancelled && strings.Contains(r.Error, "not everybody answered")
	})
}

// proxied names, in the environment of a child process of this test, that it is
// the child: a program looks for proxies in its environment once.
const proxied = "CONSILIUM_TEST_PROXIED"

// TestNoProxyBetweenNodeAndCoordinator attaches at an address that is not known
// to be this machine's: for those no proxy would be asked.
func TestNoProxyBetweenNodeAndCoordinator(t *testing.T) {
	if os.Getenv(proxied) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoProxyBetweenNodeAndCoordinator$")
		child.Env = append(os.Environ(), proxied+"=1", "HTTPS_PROXY=http://"+freeAddress(t), "https_proxy=", "NO_PROXY=", "no_proxy=")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s := newStudy(t)
	o := openOffice(t, s)
	r := *s.roster.Roster
	_, port, err := net.SplitHostPort(r.Coordinator.Address)
	if err != nil {
		t.Fatal(err)
	}
	r.Coordinator.Address = net.JoinHostPort("0.0.0.0", port)
	s.writeRoster(t, &r)
	s.start(t, s.config(1))
	o.desk(1).hello(t)
}

func TestFileOutOfRangeFailsTheJobWithoutTellingWhere(t *testing.T) {
	s := newStudy(t)
	bad := s.path("hospital-2.csv")
	writeFile(t, bad, "sex,age,marker\n1,50,1\n1,5"+canary+",1\n")
	o := openOffice(t, s)
	s.startAll(t)
	o.hellos(t)
	s.logs.wait(t, "level=WARN", "node=hospital-2", "will fail until its file is mended", "row 2", "age")
	_, outcomes := runTogether(t, o, s.sign(t, s.job(), s.alice))
	for i, outcome := range outcomes {
		if !strings.Contains(outcome.Error, "hospital-2") || !strings.Contains(outcome.Error, "its file for dataset lung does not match the schema") {
			t.Errorf("outcome of hospital %d is %q", i+1, outcome.Error)
		}
		if strings.Contains(outcome.Error, "row 2") || strings.Contains(outcome.Error, "age") {
			t.Errorf("outcome of hospital %d tells where: %q", i+1, outcome.Error)
		}
	}
	s.logs.wait(t, "level=ERROR", "node=hospital-2", "the file cannot be used", "row 2", "age")
	if strings.Contains(s.logs.text(), canary) || strings.Contains(o.allHeard(), canary) {
		t.Error("the value is in a log or went to the coordinator")
	}
	writeFile(t, bad, files[1])
	next := s.sign(t, s.job(), s.alice)
	answers, outcomes := runTogether(t, o, next)
	checkSums(t, s.open(t, next, answers, outcomes))
}

func TestSilentPeerFailsTheJobInTime(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	for hospital := 1; hospital <= 3; hospital++ {
		c := s.config(hospital)
		c.Timeout, c.Deadline = time.Second, time.Minute
		s.start(t, c)
	}
	o.hellos(t)
	signed := s.sign(t, s.job(), s.alice)
	answers := o.accepted(t, signed)
	o.start(t, signed, answers, 1, 2)
	for _, hospital := range []int{1, 2} {
		if outcome := o.desk(hospital).outcome(t); !strings.Contains(outcome.Error, "hospital-3 sends nothing for 1s") {
			t.Errorf("outcome of hospital %d is %q", hospital, outcome.Error)
		}
	}
}

func TestDeadlineEndsAJob(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	for hospital := 1; hospital <= 3; hospital++ {
		c := s.config(hospital)
		c.Deadline = time.Second
		s.start(t, c)
	}
	o.hellos(t)
	signed := s.sign(t, s.job(), s.alice)
	answers := o.accepted(t, signed)
	o.start(t, signed, answers, 1)
	want := "the job did not end within 1s, the deadline of hospital-1"
	if outcome := o.desk(1).outcome(t); outcome.Error != want {
		t.Errorf("outcome is %q, want %q", outcome.Error, want)
	}
}

func TestAcceptedJobThatExpiredFails(t *testing.T) {
	s, o, nodes := atWork(t)
	j := s.job()
	j.Expires = time.Now().Add(-time.Second).UTC().Truncate(time.Second)
	signed := s.sign(t, j, s.alice)
	var answers []*api.Decision
	for _, n := range nodes {
		record := &Record{Job: signed.ID(), Signed: *signed, State: Accepted, Decided: time.Now()}
		record.Decision = *n.decider.accept(signed.ID())
		if err := n.store.decide(t.Context(), record, j.Nonce, defaultBudget); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, decisionMessage(&record.Decision).GetDecision())
	}
	o.start(t, signed, answers, 1)
	if outcome := o.desk(1).outcome(t); !strings.Contains(outcome.Error, "expired") {
		t.Errorf("outcome is %q", outcome.Error)
	}
	o.start(t, signed, answers, 1)
	if outcome := o.desk(1).outcome(t); !strings.Contains(outcome.Error, "expired") {
		t.Errorf("the outcome is %q now", outcome.Error)
	}
}

func TestSeveralJobsAtOnce(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	for hospital := 1; hospital <= 3; hospital++ {
		c := s.config(hospital)
		c.Jobs = hospital // different limits must not block each other
		s.start(t, c)
	}
	o.hellos(t)
	var jobs []*job.Signed
	var answers [][]*api.Decision
	for range 5 {
		jobs = append(jobs, s.sign(t, s.job(), s.alice))
		answers = append(answers, o.accepted(t, jobs[len(jobs)-1]))
	}
	for i := range jobs {
		o.start(t, jobs[i], answers[i], 1, 2, 3)
	}
	outcomes := make(map[job.Hash][]*api.Outcome)
	for hospital := 1; hospital <= 3; hospital++ {
		for range jobs {
			outcome := o.desk(hospital).outcome(t)
			outcomes[job.Hash(outcome.JobId)] = append(outcomes[job.Hash(outcome.JobId)], outcome)
		}
	}
	for i := range jobs {
		checkSums(t, s.open(t, jobs[i], answers[i], outcomes[jobs[i].ID()]))
	}
}

func TestReadinessNamesWhatIsMissing(t *testing.T) {
	s := newStudy(t)
	n := s.start(t, s.config(1))
	code, body := get(t, n, "/readyz")
	if code != http.StatusServiceUnavailable || body != "not attached to the coordinator\nno link to hospital-2\nno link to hospital-3\n" {
		t.Errorf("/readyz: %d %q", code, body)
	}
	if code, _ := get(t, n, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	openOffice(t, s).desk(1).hello(t) // the node keeps trying
	eventually(t, "attachment", func() bool {
		_, body := get(t, n, "/readyz")
		return body == "no link to hospital-2\nno link to hospital-3\n"
	})
}

func TestStoreFailureStopsTheNode(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	n, err := Start(t.Context(), s.config(1), s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s.start(t, s.config(2))
	s.start(t, s.config(3))
	o.hellos(t)
	signed, answers := startTwo(t, s, o)
	if err := n.store.db.DB.Close(); err != nil {
		t.Fatal(err)
	}
	o.start(t, signed, answers, 3)
	if err := n.Wait(); err == nil || !strings.Contains(err.Error(), "cannot be stored") {
		t.Errorf("the node ended with %v", err)
	}
}

func TestNodeStopsRatherThanAnswerUnstored(t *testing.T) {
	s := newStudy(t)
	o := openOffice(t, s)
	n, err := Start(t.Context(), s.config(1), s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	o.desk(1).hello(t)
	if err := n.store.db.DB.Close(); err != nil {
		t.Fatal(err)
	}
	o.desk(1).send(t, offerMessage(s.sign(t, s.job(), s.alice)))
	if err := n.Wait(); err == nil || !strings.Contains(err.Error(), "mend the state directory") {
		t.Errorf("the node ended with %v", err)
	}
	select {
	case m := <-o.desk(1).in:
		t.Errorf("it answered all the same: %v", m)
	default:
	}
}

func TestNodeEndsWithItsContext(t *testing.T) {
	s := newStudy(t)
	ctx, cancel := context.WithCancel(t.Context())
	n, err := Start(ctx, s.config(1), s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := n.Wait(); err != nil {
		t.Error(err)
	}
	select {
	case <-n.Done():
	default:
		t.Error("Done is not closed after Wait")
	}
	s.start(t, s.config(1)) // everything is free again
}
