package node

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"consilium/job"
	"consilium/protocols"
)

func someRun(first byte) *protocols.MatchRun {
	return &protocols.MatchRun{
		Job: job.Hash{first, 1}, Study: "kidneys", Site: "hospital-1", Policy: "etkas", Day: "2025-01-02",
		Commitments: []protocols.Commitment{{Site: "hospital-1", List: "kidney", Side: job.Candidates, Hash: job.Hash{7}}},
		Inputs:      []protocols.MatchInput{{List: "kidney", Side: job.Candidates, Labels: []string{"12"}, Nonce: job.Base64{1, 2}, Text: "\"a\"\n1\n"}},
		Result:      &protocols.Result{Status: "ok", Tables: []protocols.Table{{Title: "Own candidates", Header: []string{"Tier"}}}},
	}
}

func TestMatchRunIsKept(t *testing.T) {
	state := t.TempDir()
	if _, err := ReadMatch(state, "0901"); err == nil || !strings.Contains(err.Error(), "keeps no match run") {
		t.Error(err)
	}
	if _, err := ReadMatch(filepath.Join(state, "none"), "0901"); err == nil || !strings.Contains(err.Error(), "no such file or directory; name a node's state directory") {
		t.Error(err)
	}
	for _, first := range []byte{9, 10, 0} {
		change, err := matchRuns(state).Keep(someRun(first))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadMatch(state, fmt.Sprintf("%02x01", first)); err == nil {
			t.Error("a run is there before its commit")
		}
		if first == 0 {
			change.Discard()
		} else if err := change.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	run, err := ReadMatch(state, "0901")
	if err != nil || !reflect.DeepEqual(run, someRun(9)) {
		t.Errorf("%+v: %v", run, err)
	}
	if ids, err := MatchRuns(state); err != nil || len(ids) != 2 || ids[0] != someRun(9).Job {
		t.Errorf("%v, %v", ids, err)
	}
	for _, prefix := range []string{"09", "not hex", "0001", ""} {
		if _, err := ReadMatch(state, prefix); err == nil {
			t.Errorf("%q is a run", prefix)
		}
	}
	info, err := os.Stat(matchPath(state, run.Job))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the run: %v, %v", info, err)
	}
	if err := os.Rename(matchPath(state, run.Job), matchPath(state, job.Hash{9, 2})); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMatch(state, "0902"); err == nil || !strings.Contains(err.Error(), "the file was renamed") {
		t.Error(err)
	}
}
