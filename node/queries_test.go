package node

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols"
)

// panelled is a study with a panel and a waiting list, of which its first hospital has
// nothing, by a policy that allows as many questions a day.
func panelled(t *testing.T, perDay int) *study {
	t.Helper()
	s := newStudy(t)
	text, err := policies.FS.ReadFile("etkas.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(bytes.Replace(text, []byte("queries_per_day: 20"), fmt.Appendf(nil, "queries_per_day: %d", perDay), 1), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	r := s.newRoster(t)
	r.Policies = []job.Policy{{Name: p.Name, Text: string(p.Canonical())}}
	r.Datasets = append(r.Datasets,
		job.Dataset{Name: "panel", List: job.List{Policy: p.Name, Side: job.Donors}, Sites: []job.Site{{Node: "hospital-2", Rows: 3}}},
		job.Dataset{Name: "kidney", List: job.List{Policy: p.Name, Side: job.Candidates}, Sites: []job.Site{{Node: "hospital-2", Rows: 3}, {Node: "hospital-3", Rows: 3}}})
	s.writeRoster(t, r)
	return s
}

// question asks a panel about a candidate of a hospital.
func (s *study) question(t *testing.T, hospital string) *job.Job {
	t.Helper()
	file, err := protocols.MatchFile(s.roster.Roster, protocols.MatchCPRA, "panel",
		map[string]any{protocols.ArgList: "kidney", protocols.ArgHospital: hospital, protocols.ArgCandidate: "C17"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	j := s.job()
	j.Dataset, j.Analysis, j.Args, j.Where = file.Dataset, file.Analysis, file.Args, ""
	return j
}

// TestQuestionsAreLimited: of each hospital as many as the policy allows are accepted, also
// over a restart and however the jobs end; another hospital's do not count, nor do
// rejected jobs; the reason says from when on the next is possible.
func TestQuestionsAreLimited(t *testing.T) {
	s := panelled(t, 2)
	dir := stateDir(t)
	d := newDecider(t, s, dir)
	ask := func(hospital string) *job.Decision {
		t.Helper()
		return decideOn(t, d, s.sign(t, s.question(t, hospital), s.alice))
	}
	refused := func(when, hospital string) {
		t.Helper()
		answer := ask(hospital)
		const want = "it has taken part in 2 questions to a panel for hospital-2 within 24 hours, as many as the list's policy allows; the next is possible from "
		at, ok := strings.CutPrefix(answer.Reason, want)
		next, err := time.Parse("2006-01-02 15:04:05 UTC", strings.TrimSuffix(at, " on"))
		if left := time.Until(next); answer.Accept || !ok || err != nil || left < 23*time.Hour || left > 24*time.Hour+2*time.Second {
			t.Errorf("%s: %v %q, %v", when, answer.Accept, answer.Reason, err)
		}
	}
	first := ask("hospital-2")
	if !first.Accept {
		t.Fatal(first.Reason)
	}
	if answer := decideOn(t, d, s.sign(t, s.question(t, "hospital-9"), s.alice)); answer.Accept || !strings.Contains(answer.Reason, "list kidney is not at") {
		t.Errorf("a malformed question: %q", answer.Reason)
	}
	if err := d.store.withdraw(t.Context(), first.Job, "failed elsewhere", time.Now()); err != nil {
		t.Fatal(err)
	}
	if answer := ask("hospital-2"); !answer.Accept {
		t.Fatal(answer.Reason)
	}
	refused("the third", "hospital-2")
	refused("the fourth", "hospital-2")
	if answer := ask("hospital-3"); !answer.Accept {
		t.Error(answer.Reason)
	}
	if err := d.store.close(); err != nil {
		t.Fatal(err)
	}
	d = newDecider(t, s, dir)
	refused("after a restart", "hospital-2")
	if answer := ask("hospital-3"); !answer.Accept {
		t.Error(answer.Reason)
	}
}

// TestQuestionsCountForADay: what was accepted a day ago or before does not count, and the
// time that is told is when one is accepted.
func TestQuestionsCountForADay(t *testing.T) {
	s := newStudy(t)
	st := openTestStore(t, stateDir(t))
	nonce := byte(0)
	decide := func(decided time.Time) error {
		nonce++
		signed := s.sign(t, s.job(), s.alice)
		r := &Record{Job: signed.ID(), Signed: *signed, Signer: "alice", Dataset: "panel", Decided: decided, State: Accepted, limit: &protocols.QueryLimit{Hospital: "hospital-2", PerDay: 3}}
		r.Decision = job.Decision{Node: "hospital-1", Job: r.Job, Accept: true, Signature: []byte{1}}
		return st.decide(t.Context(), r, []byte{nonce}, defaultBudget)
	}
	begin := time.Now()
	for _, hours := range []int{0, 5, 6} {
		if err := decide(begin.Add(time.Duration(hours) * time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	often := new(frequent)
	if err := decide(begin.Add(23 * time.Hour)); !errors.As(err, &often) {
		t.Fatalf("the fourth within a day: %v", err)
	}
	if wait := often.next.Sub(begin); wait < 24*time.Hour || wait > 24*time.Hour+2*time.Second {
		t.Errorf("it says to wait for %v", wait)
	}
	if err := decide(often.next); err != nil {
		t.Errorf("at the time that was told: %v", err)
	}
	if err := decide(often.next.Add(time.Minute)); !errors.As(err, &often) || often.next.Sub(begin) < 29*time.Hour {
		t.Errorf("and a minute later: %v", err)
	}
	if err := decide(begin.Add(-time.Hour)); err == nil {
		t.Error("a clock that is set back gives more")
	}
}
