package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"consilium/job"
)

// TestBudget: a signer's jobs on a dataset come to an end, also over a restart;
// another signer's do not, and rejected jobs cost nothing.
func TestBudget(t *testing.T) {
	s := newStudy(t)
	writeFile(t, s.path("hospital-1.policy"), allowAll+"budget: {jobs: 2}\n")
	dir := stateDir(t)
	d := newDecider(t, s, dir)
	ask := func(by *job.Identity, change func(*job.Job)) string {
		t.Helper()
		j := s.job()
		if change != nil {
			change(j)
		}
		answer := decideOn(t, d, s.sign(t, j, by))
		if answer.Accept {
			return ""
		}
		return answer.Reason
	}
	const beyond = "its budget for jobs of alice on dataset lung is spent: 2 jobs in all; the operator of hospital-1 can change that"
	for i, want := range []string{"", "", beyond} {
		if i == 1 {
			if got := ask(s.alice, func(j *job.Job) { j.Where = "sex =" }); !strings.Contains(got, "where") {
				t.Errorf("a malformed job: %q", got)
			}
		}
		if got := ask(s.alice, nil); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("job %d: %q, want %q", i+1, got, want)
		}
	}
	if err := d.store.close(); err != nil {
		t.Fatal(err)
	}
	d = newDecider(t, s, dir)
	if got := ask(s.alice, nil); !strings.Contains(got, beyond) {
		t.Errorf("after a restart: %q", got)
	}
	writeFile(t, s.path("hospital-1.policy"), allowAll+"budget: {jobs: 3}\n")
	if got := ask(s.alice, nil); got != "" {
		t.Errorf("with a raised budget: %q", got)
	}
}

// TestBudgetOfDays: with a period, what was accepted before it does not count.
func TestBudgetOfDays(t *testing.T) {
	s := newStudy(t)
	st := openTestStore(t, stateDir(t))
	decide := func(nonce byte, decided time.Time, budget Budget) error {
		signed := s.sign(t, s.job(), s.alice)
		r := &Record{Job: signed.ID(), Signed: *signed, Signer: "alice", Dataset: "lung", Decided: decided, State: Accepted}
		r.Decision = job.Decision{Node: "hospital-1", Job: r.Job, Accept: true, Signature: []byte{1}}
		return st.decide(t.Context(), r, []byte{nonce}, budget)
	}
	now := time.Now()
	month := Budget{Jobs: 1, Days: 30}
	if err := decide(1, now.Add(-31*24*time.Hour), month); err != nil {
		t.Fatal(err)
	}
	if err := decide(2, now, month); err != nil {
		t.Errorf("a job of last month counts: %v", err)
	}
	beyond := new(spent)
	if err := decide(3, now, month); !errors.As(err, &beyond) || beyond.budget != month {
		t.Errorf("got %v", err)
	}
	if err := decide(3, now, Budget{Jobs: 2}); !errors.As(err, &beyond) {
		t.Errorf("of all time: got %v", err)
	}
}

func TestBudgetProblems(t *testing.T) {
	for text, want := range map[string]string{
		"budget: {jobs: 0}":           "jobs is 0",
		"budget: {jobs: -1}":          "jobs is -1",
		"budget: {jobs: 5, days: -2}": "days is -2",
		"budget: {results: 5}":        "results",
	} {
		if _, err := ParsePolicy([]byte("allow: []\n" + text + "\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	p, err := ParsePolicy([]byte("allow: []\n"))
	if err != nil || p.Budget != defaultBudget {
		t.Errorf("a policy without a budget has %v, %v", p, err)
	}
}
