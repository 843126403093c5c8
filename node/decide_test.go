package node

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consilium/job"
)

// newDecider is hospital-1's decider over a store of its own.
func newDecider(t *testing.T, s *study, state string) *decider {
	t.Helper()
	set, err := checkSetup(s.config(1), s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	return &decider{
		identity: set.identity, roster: set.roster, policy: set.config.Policy, data: set.data,
		store: openTestStore(t, state), log: s.logs.logger(),
	}
}

func decideOn(t *testing.T, d *decider, signed *job.Signed) *job.Decision {
	t.Helper()
	answer, o, err := d.consider(t.Context(), signed, nil)
	if err == nil && o != nil {
		answer, err = d.settle(t.Context(), o, d.data.available(t.Context(), o.record.Dataset, d.log))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Verify(d.identity.Key.Public().(ed25519.PublicKey)); err != nil {
		t.Fatalf("decision does not verify: %v", err)
	}
	if answer.Job != signed.ID() || answer.Node != "hospital-1" {
		t.Errorf("decision is of %s on %s", answer.Node, answer.Job)
	}
	return answer
}

func TestDecisions(t *testing.T) {
	s := newStudy(t)
	tests := []struct {
		name   string
		change func(*job.Job)
		by     *job.Identity
		spoil  func(*job.Signed)
		want   string // in the reason; empty: accepted
	}{
		{name: "as it should be"},
		{name: "altered", spoil: func(x *job.Signed) { x.Bytes = bytes.Replace(x.Bytes, []byte("sex = 1"), []byte("sex = 2"), 1) }, want: "signature does not fit"},
		{name: "not signed", spoil: func(x *job.Signed) { x.Signature = nil }, want: "signature does not fit"},
		{name: "nothing at all", spoil: func(x *job.Signed) { *x = job.Signed{} }, want: "signature does not fit"},
		{name: "unknown signer", by: s.mallo, want: "no client of the study's roster"},
		{name: "signed by a node", by: s.nodes[0], want: "no client of the study's roster"},
		{name: "expired", change: func(j *job.Job) { j.Expires = time.Now().Add(-time.Minute).UTC().Truncate(time.Second) }, want: "expired"},
		{name: "too far ahead", change: func(j *job.Job) { j.Expires = time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second) }, want: "24h"},
		{name: "another roster", change: func(j *job.Job) { j.Roster = job.Hash{1} }, want: "this node pins"},
		{name: "another study", change: func(j *job.Job) { j.Study = "pima-2026" }, want: "pima-2026"},
		{name: "unknown dataset", change: func(j *job.Job) { j.Dataset = "heart" }, want: "heart"},
		{name: "unknown analysis", change: func(j *job.Job) { j.Analysis = "divination" }, want: "divination"},
		{name: "unknown column", change: func(j *job.Job) { j.Args["columns"] = []string{"height"} }, want: "height"},
		{name: "malformed where", change: func(j *job.Job) { j.Where = "sex =" }, want: "where"},
		{name: "foreign recipient", change: func(j *job.Job) { _, j.Recipient, _ = job.NewRecipientKey() }, want: "recipient"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDecider(t, s, stateDir(t))
			j := s.job()
			if test.change != nil {
				test.change(j)
			}
			by := s.alice
			if test.by != nil {
				by = test.by
			}
			signed := s.sign(t, j, by)
			if test.spoil != nil {
				test.spoil(signed)
			}
			answer := decideOn(t, d, signed)
			if answer.Accept != (test.want == "") || !strings.Contains(answer.Reason, test.want) {
				t.Errorf("accept %v with reason %q, want %q", answer.Accept, answer.Reason, test.want)
			}
		})
	}
}

func TestRepeatedOfferGetsTheStoredDecision(t *testing.T) {
	s := newStudy(t)
	state := stateDir(t)
	d := newDecider(t, s, state)
	signed := s.sign(t, s.job(), s.alice)
	first := decideOn(t, d, signed)
	again := decideOn(t, d, signed)
	d.store.close()
	reopened := decideOn(t, newDecider(t, s, state), signed)
	if !first.Accept {
		t.Fatal(first.Reason)
	}
	for name, x := range map[string]*job.Decision{"at once": again, "after a restart": reopened} {
		if !bytes.Equal(x.Nonce, first.Nonce) || !bytes.Equal(x.Signature, first.Signature) {
			t.Errorf("%s: another decision", name)
		}
	}
}

func TestRejectionStandsWhenThePolicyChanges(t *testing.T) {
	s := newStudy(t)
	d := newDecider(t, s, stateDir(t))
	writeFile(t, d.policy, "allow: []\n")
	signed := s.sign(t, s.job(), s.alice)
	if answer := decideOn(t, d, signed); answer.Accept || !strings.Contains(answer.Reason, "allows nothing to alice; the operator of hospital-1") {
		t.Fatalf("accept %v, reason %q", answer.Accept, answer.Reason)
	}
	writeFile(t, d.policy, allowAll)
	if decideOn(t, d, signed).Accept {
		t.Error("a job that was rejected is accepted now")
	}
	if answer := decideOn(t, d, s.sign(t, s.job(), s.alice)); !answer.Accept {
		t.Errorf("the changed policy does not count: %s", answer.Reason)
	}
}

func TestReplayIsRejected(t *testing.T) {
	s := newStudy(t)
	d := newDecider(t, s, stateDir(t))
	j := s.job()
	if answer := decideOn(t, d, s.sign(t, j, s.alice)); !answer.Accept {
		t.Fatal(answer.Reason)
	}
	j.Where = "sex = 2"
	answer := decideOn(t, d, s.sign(t, j, s.alice))
	if answer.Accept || !strings.Contains(answer.Reason, "replay") {
		t.Errorf("accept %v, reason %q", answer.Accept, answer.Reason)
	}
}

func TestReplayOfferedMeanwhileIsRejected(t *testing.T) {
	s := newStudy(t)
	d := newDecider(t, s, stateDir(t))
	j := s.job()
	first := s.sign(t, j, s.alice)
	j.Where = "sex = 2"
	var waiting []*offer
	for _, signed := range []*job.Signed{first, s.sign(t, j, s.alice)} {
		answer, o, err := d.consider(t.Context(), signed, nil)
		if err != nil || answer != nil {
			t.Fatalf("considered: %v, %v", answer, err)
		}
		waiting = append(waiting, o)
	}
	for i, o := range waiting {
		answer, err := d.settle(t.Context(), o, nil)
		if err != nil || answer.Accept != (i == 0) {
			t.Errorf("offer %d: %+v, %v", i, answer, err)
		}
		if i == 1 && !strings.Contains(answer.Reason, "consumed by job "+first.ID().Short()) {
			t.Errorf("reason %q", answer.Reason)
		}
	}
}

func TestStrangersLeaveNoTrace(t *testing.T) {
	s := newStudy(t)
	state := stateDir(t)
	d := newDecider(t, s, state)
	decideOn(t, d, s.sign(t, s.job(), s.mallo))
	spoilt := s.sign(t, s.job(), s.alice)
	spoilt.Signature[0] ^= 1
	decideOn(t, d, spoilt)
	records, err := ReadRecords(t.Context(), state)
	if err != nil || len(records) != 0 {
		t.Errorf("records are %v, %v", records, err)
	}
	spoilt.Signature[0] ^= 1 // the true job still counts
	if answer := decideOn(t, d, spoilt); !answer.Accept {
		t.Error(answer.Reason)
	}
}

func TestBrokenPolicyRejectsEveryJob(t *testing.T) {
	s := newStudy(t)
	d := newDecider(t, s, stateDir(t))
	for name, text := range map[string]string{"syntax": "allow: [", "denied column": allowAll + "deny_columns: [hight]\n"} {
		writeFile(t, d.policy, text)
		answer := decideOn(t, d, s.sign(t, s.job(), s.alice))
		if answer.Accept || !strings.Contains(answer.Reason, "its policy file is broken") {
			t.Errorf("%s: accept %v, reason %q", name, answer.Accept, answer.Reason)
		}
	}
	if err := os.Remove(d.policy); err != nil {
		t.Fatal(err)
	}
	if answer := decideOn(t, d, s.sign(t, s.job(), s.alice)); answer.Accept {
		t.Error("accepted without a policy")
	}
}

func TestDeniedColumnInWhere(t *testing.T) {
	s := newStudy(t)
	d := newDecider(t, s, stateDir(t))
	writeFile(t, d.policy, allowAll+"deny_columns: [sex]\n")
	answer := decideOn(t, d, s.sign(t, s.job(), s.alice))
	if answer.Accept || !strings.Contains(answer.Reason, "denies column sex") {
		t.Errorf("accept %v, reason %q", answer.Accept, answer.Reason)
	}
}

func TestSiteWithoutItsFileRejects(t *testing.T) {
	s := newStudy(t)
	d := newDecider(t, s, stateDir(t))
	path := s.path("hospital-1.csv")
	for name, spoil := range map[string]func(){
		"gone":           func() { os.Remove(path) },
		"without column": func() { writeFile(t, path, "sex,age\n1,"+canary+"\n") },
	} {
		spoil()
		answer := decideOn(t, d, s.sign(t, s.job(), s.alice))
		if answer.Accept || !strings.Contains(answer.Reason, "its file for dataset lung cannot be used") {
			t.Errorf("%s: accept %v, reason %q", name, answer.Accept, answer.Reason)
		}
		if strings.Contains(answer.Reason, filepath.Dir(path)) || strings.Contains(answer.Reason, canary) {
			t.Errorf("%s: the reason tells too much: %s", name, answer.Reason)
		}
	}
	s.logs.wait(t, "the file cannot be used", "marker")
}

func TestRecordSaysWhatIsRevealedToWhom(t *testing.T) {
	s := newStudy(t)
	state := stateDir(t)
	d := newDecider(t, s, state)
	signed := s.sign(t, s.job(), s.alice)
	decideOn(t, d, signed)
	records, err := ReadRecords(t.Context(), state)
	if err != nil || len(records) != 1 {
		t.Fatalf("records are %v, %v", records, err)
	}
	r := records[0]
	if r.Signer != "alice" || r.Recipient != "alice" || r.State != Accepted || !strings.Contains(strings.Join(r.Reveals, "; "), "sum of squares") {
		t.Errorf("record is %+v", r)
	}
	if _, err := r.Signed.Verify(); err != nil {
		t.Errorf("the recorded job does not verify: %v", err)
	}
}
