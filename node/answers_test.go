package node

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consilium/job"
	"consilium/protocols"
)

func someOffer(run job.Hash, sequence int, mine bool) *protocols.Offer {
	return &protocols.Offer{
		Run: run, Sequence: sequence, Job: job.Hash{9, byte(sequence)}, Dataset: "kidney", Policy: "etkas", Site: "hospital-1",
		At: time.Date(2025, 1, 2, 3, 4, sequence, 0, time.UTC), Mine: mine, Result: &protocols.Result{Status: "ok"},
	}
}

func keepOffer(t *testing.T, state string, o *protocols.Offer) {
	t.Helper()
	change, err := matchRuns(state).KeepOffer(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := change.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestOffersAreKept(t *testing.T) {
	state, run, other := t.TempDir(), job.Hash{1}, job.Hash{1, 2}
	for _, n := range []int{10, 2, 1} {
		keepOffer(t, state, someOffer(run, n, n == 2))
	}
	keepOffer(t, state, someOffer(other, 3, true))
	change, err := matchRuns(state).KeepOffer(someOffer(run, 11, true))
	if err != nil {
		t.Fatal(err)
	}
	change.Discard()
	all, err := ReadOffers(state, run)
	if err != nil || len(all) != 3 || all[0].Sequence != 1 || all[1].Sequence != 2 || !all[1].Mine || all[2].Sequence != 10 {
		t.Fatalf("%v: %v", all, err)
	}
	if ids, err := MatchRuns(state); err != nil || len(ids) != 0 {
		t.Errorf("offers count as runs: %v, %v", ids, err)
	}
	o := &Offers{All: all, run: run}
	if _, err := o.Waiting(); err == nil || !strings.Contains(err.Error(), "rank 2 of run 0100000000000000 was offered to this hospital and is no more: the office has gone on to rank 10") {
		t.Error(err)
	}
	o.All = all[:2]
	if offer, err := o.Waiting(); err != nil || offer.Sequence != 2 {
		t.Error(err)
	}
	o.All = all[:1]
	if _, err := o.Waiting(); err == nil || !strings.Contains(err.Error(), "there is nothing to answer") {
		t.Error(err)
	}
	path := rankPath(state, offerWord, run, 2)
	if err := os.Rename(path, rankPath(state, offerWord, run, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOffers(state, run); err == nil || !strings.Contains(err.Error(), "the file was renamed") {
		t.Error(err)
	}
}

// TestAnswerIsWrittenOnce: the first answer stands, whole, whatever comes later.
func TestAnswerIsWrittenOnce(t *testing.T) {
	state, run := t.TempDir(), job.Hash{1}
	keepOffer(t, state, someOffer(run, 1, true))
	log := new(bytes.Buffer)
	site := siteRuns{matchRuns(state), slog.New(slog.NewTextHandler(log, nil))}
	for n, mine := range []bool{false, true} {
		change, err := site.KeepOffer(someOffer(run, n+1, mine))
		if err != nil {
			t.Fatal(err)
		}
		if err := change.Commit(); err != nil || strings.Contains(log.String(), "has to answer") != mine {
			t.Errorf("%v: the log says %s", err, log)
		}
	}
	log.Reset()
	if site.Answer(run, 1) != nil || log.Len() > 0 {
		t.Errorf("there is an answer: %s", log)
	}
	path := rankPath(state, answerWord, run, 1)
	first := []byte(`{"Run":"` + run.String() + `","Sequence":1,"Node":"hospital-1","Accept":true,"Code":0,"Signature":"AAAA"}`)
	if err := writeOnce(path, first); err != nil {
		t.Fatal(err)
	}
	if err := writeOnce(path, []byte("another")); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if a := site.Answer(run, 1); a == nil || !a.Accept || a.Node != "hospital-1" {
		t.Errorf("%+v", a)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files: %v", len(entries), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// What cannot be read counts as no answer, and its operator hears of it.
	for sequence, content := range map[int]string{2: "", 3: "{}", 4: string(first), 5: strings.Repeat("x", maxOffer+1)} {
		log.Reset()
		if err := os.WriteFile(rankPath(state, answerWord, run, sequence), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if a := site.Answer(run, sequence); a != nil || !strings.Contains(log.String(), "it counts as not given") {
			t.Errorf("%.20q is %v: %s", content, a, log)
		}
	}
}
