package node

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
	"consilium/protocols"
)

// scoring is a study in which hospital 1 owns the model riskModel.
type scoring struct {
	*study
	query      *protocols.ScoreQuery
	attachment []byte
}

func newScoring(t *testing.T) *scoring {
	t.Helper()
	s := &scoring{study: newStudy(t)}
	writeFile(t, s.path("risk.yaml"), riskModel+"patients: 4\n")
	d, _ := s.roster.Roster.Dataset("lung")
	var err error
	s.query, s.attachment, err = protocols.NewScoreQuery(d, []string{"sex", "age"}, [][]int64{{1, 64}, {2, 48}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scoring) owner() *Config {
	c := s.config(1)
	c.Models = map[string]string{"risk": s.path("risk.yaml")}
	return c
}

// job asks for two patients' scores.
func (s *scoring) job() *job.Job {
	j := s.study.job()
	j.Analysis, j.Where, j.Engine, j.Nodes = protocols.ScoreName, "", job.EngineMHE, []string{"hospital-1"}
	j.Args = map[string]any{"model": "risk", "features": []string{"sex", "age"}, "rows": 2}
	j.Attachment = job.AttachmentHash(s.attachment)
	return j
}

func bringMessage(s *job.Signed, attachment []byte) *api.ToNode {
	return &api.ToNode{Body: &api.ToNode_Offer{Offer: wire.SubmittedTo(s, attachment)}}
}

// attachments is how many a node's store holds.
func attachments(t *testing.T, s *store) (n int) {
	t.Helper()
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM attachments").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestScoreOutlastsARestart: what came with an accepted job is there when the job
// starts, however often the node was started in between, and gone when it has ended. No
// other node is needed, and the site's file is not.
func TestScoreOutlastsARestart(t *testing.T) {
	s := newScoring(t)
	o := openOffice(t, s.study)
	n := s.start(t, s.owner())
	o.desk(1).hello(t)
	signed := s.sign(t, s.job(), s.alice)
	o.desk(1).send(t, bringMessage(signed, s.attachment))
	decision := o.desk(1).decision(t)
	if !decision.Accept {
		t.Fatal(decision.Reason)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.path("hospital-1.csv"), "sex,age,marker\nnonsense\n")
	n = s.start(t, s.owner())
	o.desk(1).hello(t)
	if k := attachments(t, n.store); k != 1 {
		t.Fatalf("%d attachments are kept", k)
	}
	o.start(t, signed, []*api.Decision{decision}, 1)
	outcome := o.desk(1).outcome(t)
	if outcome.Error != "" {
		t.Fatal(outcome.Error)
	}
	if k := attachments(t, n.store); k != 0 {
		t.Errorf("%d attachments outlast their jobs", k)
	}
	share, err := wire.ShareFrom(outcome.Share)
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := wire.DecisionsFrom([]*api.Decision{decision}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.query.Open(signed, s.roster, decisions, []job.SealedShare{*share})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{-4 + 64*0.0625 - 0.5, -4 + 48*0.0625 - 1} {
		if got := r.Value.(map[string]any)["scores"].([]any)[i].(float64); math.Abs(got-want) > protocols.ScoreTolerance {
			t.Errorf("patient %d scores %v, want %v", i+1, got, want)
		}
	}
	record, err := n.store.record(t.Context(), signed.ID())
	if err != nil || record.State != Done || record.Share == nil || len(record.Reveals) != 2 || !strings.Contains(record.Reveals[0], "2 patients by model risk of hospital-1") {
		t.Fatalf("record %v: %v", record, err)
	}
	if err := record.verify(s.roster); err != nil {
		t.Error(err)
	}
	if strings.Contains(s.logs.text(), "0.0625") {
		t.Error("a weight is logged")
	}
}

// TestScoreThatWasRunning fails after a restart, as every job does, and leaves nothing.
func TestScoreThatWasRunning(t *testing.T) {
	s := newScoring(t)
	d := s.decider(t, s.owner())
	signed := s.sign(t, s.job(), s.alice)
	answer := s.decide(t, d, signed, s.attachment)
	if !answer.Accept {
		t.Fatal(answer.Reason)
	}
	if err := d.store.begin(t.Context(), signed.ID(), []job.Decision{*answer}, [32]byte{1}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if k := attachments(t, d.store); k != 1 {
		t.Errorf("%d attachments of a running job", k)
	}
	if err := (&Node{ctx: t.Context(), store: d.store, log: s.logs.logger()}).failInterrupted(); err != nil {
		t.Fatal(err)
	}
	if k := attachments(t, d.store); k != 0 {
		t.Errorf("%d attachments outlast their jobs", k)
	}
}

func (s *scoring) decider(t *testing.T, c *Config) *decider {
	t.Helper()
	set, err := checkSetup(c, s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	return &decider{
		identity: set.identity, roster: set.roster, policy: set.config.Policy, data: set.data, models: set.models,
		store: openTestStore(t, stateDir(t)), log: s.logs.logger(),
	}
}

// decide is a decider's whole answer.
func (s *scoring) decide(t *testing.T, d *decider, signed *job.Signed, attachment []byte) *job.Decision {
	t.Helper()
	answer, o, err := d.consider(t.Context(), signed, attachment)
	if err == nil && o != nil {
		if len(o.reads) > 0 {
			t.Error("the site's file would be read")
		}
		answer, err = d.settle(t.Context(), o, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestScoreDecisions: what the owner refuses, each with one line, and by whom nothing is
// kept of it.
func TestScoreDecisions(t *testing.T) {
	s := newScoring(t)
	unreduced := slices.Clone(s.attachment)
	copy(unreduced[len(unreduced)-8:], bytes.Repeat([]byte{0xff}, 8))
	short, long := s.attachment[:len(s.attachment)-1], append(slices.Clone(s.attachment), 0)
	// with makes the job name another attachment, and bring that.
	with := func(attachment []byte) func(*job.Job) []byte {
		return func(j *job.Job) []byte { j.Attachment = job.AttachmentHash(attachment); return attachment }
	}
	args := func(key string, value any) func(*job.Job) []byte {
		return func(j *job.Job) []byte { j.Args[key] = value; return s.attachment }
	}
	for _, c := range []struct {
		name   string
		change func(*job.Job) []byte
		policy string
		want   string
		trace  bool // whether the store knows of the job
	}{
		{name: "as it should be", trace: true},
		{name: "altered on its way", change: func(*job.Job) []byte { return unreduced }, want: "not the one that it was signed with"},
		{name: "lost on its way", change: func(*job.Job) []byte { return nil }, want: "did not come"},
		{name: "truncated", change: with(short), want: "no query for this job: a query of 196735 bytes, want 196736", trace: true},
		{name: "padded", change: with(long), want: "a query of 196737 bytes, want 196736", trace: true},
		{name: "unreduced", change: with(unreduced), want: "feature 2 of the query: coefficient 1 of limb 2 is not reduced", trace: true},
		{name: "other features", change: args("features", []string{"age"}), want: "model risk takes the features sex, age; the job has age", trace: true},
		{name: "another model", change: args("model", "rist"), want: `it has no model "rist"`, trace: true},
		{name: "too many", change: args("rows", 5), want: "at most 4 patients in a job, not 5", trace: true},
		{name: "policy", policy: strings.Replace(allowAll, `analyses: ["*"]`, `analyses: [describe]`, 1), change: args("model", "rist"), want: "does not allow analysis score", trace: true},
		{name: "denied column", policy: allowAll + "deny_columns: [age]\n", want: "denies column age", trace: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			writeFile(t, s.path("hospital-1.policy"), allowAll)
			if c.policy != "" {
				writeFile(t, s.path("hospital-1.policy"), c.policy)
			}
			d := s.decider(t, s.owner())
			j, attachment := s.job(), s.attachment
			if c.change != nil {
				attachment = c.change(j)
			}
			signed := s.sign(t, j, s.alice)
			answer := s.decide(t, d, signed, attachment)
			if answer.Accept != (c.want == "") || !strings.Contains(answer.Reason, c.want) || strings.Contains(answer.Reason, "\n") {
				t.Errorf("accepted: %v, %q, want %q", answer.Accept, answer.Reason, c.want)
			}
			record, err := d.store.record(t.Context(), signed.ID())
			if err != nil || (record != nil) != c.trace {
				t.Errorf("record %v: %v", record, err)
			}
			if kept := attachments(t, d.store); kept != 0 && !answer.Accept {
				t.Errorf("%d attachments of a rejected job are kept", kept)
			}
		})
	}
}

// TestScoreBudget: the policy's budget bounds how often somebody asks.
func TestScoreBudget(t *testing.T) {
	s := newScoring(t)
	writeFile(t, s.path("hospital-1.policy"), allowAll+"budget: {jobs: 2}\n")
	d := s.decider(t, s.owner())
	for range 2 {
		if answer := s.decide(t, d, s.sign(t, s.job(), s.alice), s.attachment); !answer.Accept {
			t.Fatal(answer.Reason)
		}
	}
	if answer := s.decide(t, d, s.sign(t, s.job(), s.alice), s.attachment); answer.Accept || !strings.Contains(answer.Reason, "budget for jobs of alice on dataset lung is spent") {
		t.Errorf("accepted: %v, %q", answer.Accept, answer.Reason)
	}
	if k := attachments(t, d.store); k != 2 {
		t.Errorf("%d attachments are kept", k)
	}
}

// TestCancelledScoreLeavesNothing: a job that is withdrawn before its start.
func TestCancelledScoreLeavesNothing(t *testing.T) {
	s := newScoring(t)
	d := s.decider(t, s.owner())
	signed := s.sign(t, s.job(), s.alice)
	s.decide(t, d, signed, s.attachment)
	if err := d.store.withdraw(t.Context(), signed.ID(), "cancelled", time.Now()); err != nil {
		t.Fatal(err)
	}
	if k := attachments(t, d.store); k != 0 {
		t.Errorf("%d attachments outlast their jobs", k)
	}
}
