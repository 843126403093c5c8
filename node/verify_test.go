package node

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"consilium/api"
	"consilium/job"
)

// auditStudy runs one job to its end, fails one, withdraws one, rejects one and
// leaves one accepted, and returns the records of hospital-1 by state.
func auditStudy(t *testing.T) (*study, map[State]Record) {
	t.Helper()
	s, o, nodes := atWork(t)
	runTogether(t, o, s.sign(t, s.job(), s.alice))

	failed, _ := startTwo(t, s, o)
	o.desk(1).send(t, endMessage(failed.ID(), "enough", nil))
	for hospital := 1; hospital <= 2; hospital++ {
		o.desk(hospital).outcome(t)
	}
	withdrawn := s.sign(t, s.job(), s.alice)
	o.accepted(t, withdrawn)
	o.desk(2).send(t, endMessage(withdrawn.ID(), "enough", nil))
	s.logs.wait(t, "node=hospital-2", "withdrawn before its start")

	j := s.job()
	j.Roster = job.Hash{1}
	o.offer(t, s.sign(t, j, s.alice))

	records := make(map[State]Record)
	for i, n := range nodes {
		all, err := ReadRecords(t.Context(), n.config.State)
		if err != nil || len(all) != 4 {
			t.Fatalf("records of hospital %d: %v, %v", i+1, all, err)
		}
		for _, r := range all {
			if err := r.Verify(s.roster); err != nil {
				t.Errorf("hospital %d, a job that is %s: %v", i+1, r.State, err)
			}
			if i == 0 {
				records[r.State] = r
			}
		}
	}
	return s, records
}

func TestRecordVerifies(t *testing.T) {
	s, records := auditStudy(t)
	for _, state := range []State{Done, Cancelled, Accepted, Rejected} {
		if records[state].Job == (job.Hash{}) {
			t.Fatalf("no record that is %s among %v", state, records)
		}
	}
	other := *s.roster.Roster
	other.Version++
	changed, err := job.SignRoster(&other, newIdentity(t, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	later, err := job.ParseRoster(changed)
	if err != nil {
		t.Fatal(err)
	}
	done, rejected := records[Done], records[Rejected]
	wantRefused(t, done.Verify(later), "record of job "+done.Job.Short(), "give the roster of then")
	if err := rejected.Verify(later); err != nil {
		t.Errorf("a job that named a wrong roster was rejected, under whichever roster the node had: %v", err)
	}

	foreign := func(d *job.Decision) { d.Sign(s.mallo.Key) }
	for name, c := range map[string]struct {
		state  State
		change func(*Record)
		word   string
	}{
		"altered job": {Done, func(r *Record) {
			r.Signed.Bytes = bytes.Replace(r.Signed.Bytes, []byte("sex = 1"), []byte("sex = 2"), 1)
		}, "signature does not fit"},
		"another job's id":    {Done, func(r *Record) { r.Job[0] ^= 1 }, "its job is"},
		"no client":           {Done, func(r *Record) { r.Signed = *s.sign(t, s.job(), s.mallo); r.Job = r.Signed.ID() }, "no client of the roster"},
		"another signer":      {Done, func(r *Record) { r.Signer = "bob" }, `the record names "bob"`},
		"another recipient":   {Done, func(r *Record) { r.Recipient = "bob" }, `the record names "bob"`},
		"unknown node":        {Done, func(r *Record) { r.Decision.Node = "hospital-9" }, "not in the roster"},
		"forged decision":     {Done, func(r *Record) { foreign(&r.Decision) }, "signature does not fit"},
		"turned decision":     {Rejected, func(r *Record) { r.State = Accepted }, "give the roster of then"},
		"state and decision":  {Accepted, func(r *Record) { r.State = Rejected }, "which its decision is not"},
		"a decision missing":  {Done, func(r *Record) { r.Decisions = r.Decisions[1:] }, "is missing"},
		"a forged one":        {Done, func(r *Record) { foreign(&r.Decisions[1]) }, "signature does not fit"},
		"no session":          {Done, func(r *Record) { r.Decisions, r.Session = nil, nil }, "done without a session"},
		"another session":     {Done, func(r *Record) { r.Session[0] ^= 1 }, "does not follow"},
		"decided twice":       {Done, func(r *Record) { r.Decision.Nonce = randomBytes(32); r.Decision.Sign(s.nodes[0].Key) }, "another decision of this node"},
		"no share":            {Done, func(r *Record) { r.Share = nil }, "receipt of the share"},
		"share of a failure":  {Cancelled, func(r *Record) { r.Share = &job.ShareReceipt{} }, "receipt of the share"},
		"share of another":    {Done, func(r *Record) { r.Share.Party = "hospital-2" }, "not this node's of this session"},
		"another share":       {Done, func(r *Record) { r.Share.Outputs[0] ^= 1 }, "signature of party"},
		"another error":       {Done, func(r *Record) { r.Error = "no" }, "not the one that was told"},
		"another failure":     {Cancelled, func(r *Record) { r.Error = "no" }, "not the one that was told"},
		"told without an end": {Accepted, func(r *Record) { r.Outcome = randomBytes(32) }, "has an outcome"},
		"nothing told":        {Cancelled, func(r *Record) { r.Outcome = nil }, "not the one that was told"},
	} {
		t.Run(name, func(t *testing.T) {
			r := records[c.state]
			r.Session = slices.Clone(r.Session)
			r.Decisions = slices.Clone(r.Decisions)
			if r.Share != nil {
				share := *r.Share
				r.Share = &share
			}
			c.change(&r)
			wantRefused(t, r.Verify(s.roster), c.word)
		})
	}
}

func wantRefused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("verified")
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, word)
		}
	}
}

// TestReceiptIsOfTheShareThatLeft ties what a recipient got to the record.
func TestReceiptIsOfTheShareThatLeft(t *testing.T) {
	r, _ := testRecord()
	s := openTestStore(t, stateDir(t))
	nonce := randomBytes(32)
	if err := s.decide(t.Context(), r, nonce, defaultBudget); err != nil {
		t.Fatal(err)
	}
	decisions := []job.Decision{r.Decision, {Node: "hospital-2", Job: r.Job, Accept: true, Nonce: randomBytes(32), Signature: randomBytes(64)}}
	session := [32]byte(randomBytes(32))
	if err := s.begin(t.Context(), r.Job, decisions, session, r.Decided); err != nil {
		t.Fatal(err)
	}
	share := &api.SealedShare{
		Party: "hospital-1", Session: session[:], Signature: randomBytes(64),
		Outputs: []*api.SealedOutput{{Name: "sums", Ciphertext: randomBytes(100)}},
	}
	if err := s.finish(t.Context(), Done, &api.Outcome{JobId: r.Job[:], Share: share}, r.Decided); err != nil {
		t.Fatal(err)
	}
	if err := s.acknowledge(t.Context(), r.Job[:]); err != nil {
		t.Fatal(err)
	}
	got, err := s.record(t.Context(), r.Job)
	if err != nil {
		t.Fatal(err)
	}
	sealed := &job.SealedShare{Party: "hospital-1", Session: session, Outputs: []job.SealedOutput{{Name: "sums", Ciphertext: share.Outputs[0].Ciphertext}}, Signature: share.Signature}
	want := sealed.Receipt()
	if got.Share == nil || got.Share.Outputs != want.Outputs || got.Share.Session != want.Session || !bytes.Equal(got.Share.Signature, want.Signature) || got.Share.Party != "hospital-1" {
		t.Errorf("receipt is %+v, want %+v", got.Share, want)
	}
	if len(got.Decisions) != 2 || got.Decisions[1].Node != "hospital-2" || !bytes.Equal(got.Decisions[1].Nonce, decisions[1].Nonce) {
		t.Errorf("decisions are %+v", got.Decisions)
	}
}
