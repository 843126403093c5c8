package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/job"
)

func openTestStore(t *testing.T, dir string) *store {
	t.Helper()
	s, err := openStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// testRecord returns an accepted record with random content and its job's nonce.
func testRecord() (*Record, []byte) {
	r := &Record{
		Signed:    job.Signed{Bytes: randomBytes(50), Signer: randomBytes(32), Signature: randomBytes(64)},
		Signer:    "alice",
		Recipient: "alice",
		Reveals:   []string{"the number of rows", "the mean of age"},
		Decided:   time.UnixMilli(1_800_000_000_123),
		State:     Accepted,
	}
	r.Job = r.Signed.ID()
	r.Decision = job.Decision{Node: "hospital-1", Job: r.Job, Accept: true, Nonce: randomBytes(32), Signature: randomBytes(64)}
	return r, randomBytes(32)
}

func decideTest(t *testing.T, s *store) (*Record, []byte) {
	t.Helper()
	r, nonce := testRecord()
	if err := s.decide(t.Context(), r, nonce, defaultBudget); err != nil {
		t.Fatal(err)
	}
	return r, nonce
}

func TestStoreKeepsDecisionsOverACrash(t *testing.T) {
	dir := stateDir(t)
	s := openTestStore(t, dir)
	want, nonce := decideTest(t, s)

	// The copy is what a machine's disk holds when its power fails now.
	crashed := filepath.Join(t.TempDir(), "state")
	copyDir(t, dir, crashed)
	s = openTestStore(t, crashed)

	got, err := s.record(t.Context(), want.Job)
	if err != nil || got == nil {
		t.Fatalf("record: %v, %v", got, err)
	}
	if !bytes.Equal(got.Decision.Nonce, want.Decision.Nonce) || !bytes.Equal(got.Decision.Signature, want.Decision.Signature) ||
		got.Decision.Node != "hospital-1" || got.Decision.Job != want.Job || !got.Decision.Accept {
		t.Errorf("decision is %+v, want %+v", got.Decision, want.Decision)
	}
	if got.Signed.ID() != want.Job || got.Signer != "alice" || !slices.Equal(got.Reveals, want.Reveals) || !got.Decided.Equal(want.Decided) {
		t.Errorf("record is %+v, want %+v", got, want)
	}
	owner, seen, err := s.nonceOwner(t.Context(), want.Signed.Signer, nonce)
	if err != nil || !seen || owner != want.Job {
		t.Errorf("nonce owner: %v, %v, %v", owner, seen, err)
	}
}

func TestStoreConsumesANonceOnce(t *testing.T) {
	s := openTestStore(t, stateDir(t))
	first, nonce := decideTest(t, s)
	second, _ := testRecord()
	second.Signed.Signer = first.Signed.Signer
	if err := s.decide(t.Context(), second, nonce, defaultBudget); !errors.Is(err, errNonceSeen) {
		t.Fatalf("got %v, want errNonceSeen", err)
	}
	if r, err := s.record(t.Context(), second.Job); err != nil || r != nil {
		t.Errorf("the refused job left a record: %v, %v", r, err)
	}
	other, _ := testRecord() // another signer may by chance use the same nonce
	if err := s.decide(t.Context(), other, nonce, defaultBudget); err != nil {
		t.Error(err)
	}
}

func TestStoreRunsAJobOnce(t *testing.T) {
	s := openTestStore(t, stateDir(t))
	r, _ := decideTest(t, s)
	ctx, now := t.Context(), time.Now()
	if err := s.begin(ctx, r.Job, nil, [32]byte{1}, now); err != nil {
		t.Fatal(err)
	}
	if err := s.begin(ctx, r.Job, nil, [32]byte{1}, now); err == nil {
		t.Error("a running job began again")
	}
	outcome := &api.Outcome{JobId: r.Job[:], Error: "no"}
	if err := s.finish(ctx, Failed, outcome, now); err != nil {
		t.Fatal(err)
	}
	if err := s.finish(ctx, Done, outcome, now); err == nil {
		t.Error("a failed job ended again")
	}
	if err := s.begin(ctx, r.Job, nil, [32]byte{1}, now); err == nil {
		t.Error("a failed job began again")
	}
	if err := s.begin(ctx, job.Hash{9}, nil, [32]byte{1}, now); err == nil {
		t.Error("an unknown job began")
	}
	withdrawn, _ := decideTest(t, s)
	if err := s.withdraw(ctx, withdrawn.Job, "cancelled", now); err != nil {
		t.Fatal(err)
	}
	if err := s.begin(ctx, withdrawn.Job, nil, [32]byte{1}, now); err == nil {
		t.Error("a withdrawn job began")
	}
}

func TestStoreKeepsOutcomesUntilAcknowledged(t *testing.T) {
	dir := stateDir(t)
	s := openTestStore(t, dir)
	ctx := t.Context()
	var want []*api.Outcome
	for i := range 2 {
		r, _ := decideTest(t, s)
		o := &api.Outcome{JobId: r.Job[:], Share: &api.SealedShare{
			Party: "hospital-1", Session: randomBytes(32), Signature: randomBytes(64),
			Outputs: []*api.SealedOutput{{Name: "sums", Ciphertext: randomBytes(1000)}},
		}}
		if err := s.begin(ctx, r.Job, nil, [32]byte(o.Share.Session), time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := s.finish(ctx, Done, o, time.UnixMilli(int64(i))); err != nil {
			t.Fatal(err)
		}
		want = append(want, o)
	}
	s.close()
	s = openTestStore(t, dir)
	got, err := s.unacknowledged(ctx)
	if err != nil || len(got) != 2 || !proto.Equal(got[0], want[0]) || !proto.Equal(got[1], want[1]) {
		t.Fatalf("unacknowledged outcomes are %v, %v", got, err)
	}
	if err := s.acknowledge(ctx, want[0].JobId); err != nil {
		t.Fatal(err)
	}
	got, err = s.unacknowledged(ctx)
	if err != nil || len(got) != 1 || !proto.Equal(got[0], want[1]) {
		t.Fatalf("after one acknowledgement: %v, %v", got, err)
	}
	records, err := ReadRecords(ctx, dir)
	if err != nil || len(records) != 2 {
		t.Fatalf("records: %v, %v", records, err)
	}
	for _, r := range records {
		if r.State != Done || len(r.Outcome) != 32 || len(r.Session) != 32 || r.Ended.IsZero() {
			t.Errorf("record after acknowledgement: %+v", r)
		}
	}
}

func TestStoreIsHeldByOneProcess(t *testing.T) {
	dir := stateDir(t)
	s := openTestStore(t, dir)
	if _, err := openStore(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "in use by another node") {
		t.Errorf("a second node opened the store: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	openTestStore(t, dir)
}

func TestStoreRefusesANewerVersion(t *testing.T) {
	dir := stateDir(t)
	s := openTestStore(t, dir)
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	s.close()
	if _, err := openStore(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("got %v", err)
	}
}

func TestReadRecordsNamesAMissingStore(t *testing.T) {
	if _, err := ReadRecords(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "state directory") {
		t.Errorf("got %v", err)
	}
}
