package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
)

const (
	liverHeader = "id,abo,born,waiting_since,sex,status_1a,dialysis,bilirubin,sodium,inr,creatinine,albumin\n"
	// MELD 3.0 of 16, 27 and 39; the second row of the second hospital has another
	// blood group than the donor.
	liversA = "7,O,1980-02-03,2024-05-06,male,0,0,2.5,131,1,1.2,3.8\n"
	liversB = "8,A,1970-02-03,2024-05-07,female,0,0,6,131,1.5,1.5,2.2\n9,O,1970-02-03,2024-05-07,male,0,0,12,128,2.2,2.8,2.0\n"
	liversD = "31337,AB,1961-02-03,2024-05-08,female,0,0,12,128,2.2,2.8,2.0\n"
)

// newRegistry starts a study with a waiting list at three hospitals and a list of
// donors at the fourth of them.
func newRegistry(t *testing.T, lists map[int]string) *world {
	t.Helper()
	dir := t.TempDir()
	waiting := job.Dataset{Name: "liver", Title: "Livers", List: job.List{Policy: "meld3-liver", Side: job.Candidates}}
	donors := job.Dataset{Name: "livers-offered", List: job.List{Policy: "meld3-liver", Side: job.Donors}, Sites: []job.Site{{Node: "hospital-4", Rows: 5}}}
	files := map[string]map[string]string{waiting.Name: {}, donors.Name: {}}
	for k := 1; k <= 5; k++ {
		if text, ok := lists[k]; ok {
			path := filepath.Join(dir, fmt.Sprintf("list-%d.csv", k))
			write(t, path, liverHeader+text)
			files[waiting.Name][localnet.NodeName(k)] = path
			waiting.Sites = append(waiting.Sites, job.Site{Node: localnet.NodeName(k), Rows: 3})
		}
	}
	path := filepath.Join(dir, "donors.csv")
	write(t, path, "id,abo\nD1,A\nD2,B\nD3,O\n")
	files[donors.Name]["hospital-4"] = path
	return startWorld(t, dir, []job.Dataset{waiting, donors}, files, "meld3-liver")
}

func (w *world) state(k int) string {
	return filepath.Join(w.layout.Dir, localnet.NodeName(k), "state")
}

// neverTells checks that a number of a row stands in no log of a node and travels
// nowhere readably.
func (w *world) neverTells(t *testing.T, number string) {
	t.Helper()
	for k := 1; k <= 5; k++ {
		log, err := os.ReadFile(w.layout.Log(localnet.NodeName(k)))
		must(t, err)
		if bytes.Contains(log, []byte(number)) {
			t.Errorf("the log of hospital %d tells %s", k, number)
		}
	}
	if bytes.Contains(w.tap.capture(), []byte(number)) {
		t.Errorf("%s travels readably", number)
	}
}

// matched runs a match and returns its answer.
func (w *world) matched(args ...string) (run, status string, rows []string) {
	w.t.Helper()
	stdout, stderr, code := program(w.t, append([]string{"match", "rank", "--client", w.layout.ClientDir(), "--yes", "--json"}, args...)...)
	if code != 0 {
		w.t.Fatalf("exit code %d: %s", code, stderr)
	}
	var answer struct {
		Job, Status string
		Value       struct {
			Rows []struct {
				Sequence, Candidate, Points int
				Tier, Hospital              string
			}
		}
	}
	must(w.t, json.Unmarshal([]byte(stdout), &answer))
	for _, r := range answer.Value.Rows {
		rows = append(rows, fmt.Sprint(r.Sequence, r.Candidate, " ", r.Tier, r.Points, " ", r.Hospital))
	}
	return answer.Job, answer.Status, rows
}

func TestMatchRank(t *testing.T) {
	w := newRegistry(t, map[int]string{1: liversA, 2: liversB, 4: liversD})
	run, status, rows := w.matched("--donor", "D1")
	if got := strings.Join(rows, "; "); status != "ok" || got != "1 31337 MELD39 hospital-4; 2 8 MELD27 hospital-2" {
		t.Fatalf("%s: %s", status, got)
	}
	stdout, stderr, code := program(t, "match", "rank", "--client", w.layout.ClientDir(), "--yes", "--donor", "D3", "--all")
	for _, want := range []string{"donor D3, list liver", "Sequence", "Points", "hospital-4", "These are all eligible candidates."} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d: it does not print %q:\n%s%s", code, want, stdout, stderr)
		}
	}
	if !strings.Contains(stderr, "Every hospital of the list learns of its own candidates alone") {
		t.Errorf("it says before it signs:\n%s", stderr)
	}

	// At the office, at hospitals of the list, at one without a candidate in it, and at
	// one that has no list.
	for _, c := range []struct {
		args []string
		want string
		not  string
	}{
		{[]string{run[:8], "--client", w.layout.ClientDir()}, "31337", "MELD 3.0"},
		{[]string{run, "--state", w.state(2)}, "MELD", "31337"},
		{[]string{run[:6], "--state", w.state(4)}, "31337", "hospital"},
		{[]string{run, "--state", w.state(1)}, "No own candidate", "31337"},
	} {
		stdout, stderr, code := program(t, append([]string{"match", "show"}, c.args...)...)
		if code != 0 || !strings.Contains(stdout, c.want) || strings.Contains(stdout, c.not) {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, stdout, stderr)
		}
	}
	wantRefused(t, []string{"match", "show", run, "--state", w.state(3)}, "keeps no match run")

	inputs := []string{"match", "replay", run[:8], "--client", w.layout.ClientDir()}
	wantRefused(t, append(inputs, "--inputs", w.state(1), "--inputs", w.state(2)), "the input of hospital-4 of list liver is missing")
	stdout, stderr, code = program(t, append(inputs, "--inputs", w.state(1), "--inputs", w.state(2), "--inputs", w.state(4))...)
	if code != 0 || !strings.Contains(stdout, "is the same to the last row") || !strings.Contains(stdout, "31337") {
		t.Errorf("replay: exit code %d: %s%s", code, stdout, stderr)
	}
	w.neverTells(t, "31337")
}

func TestMatchRankOfDuplicates(t *testing.T) {
	w := newRegistry(t, map[int]string{1: liversA, 2: liversB, 5: strings.Replace(liversA, "O", "B", 1)})
	run, status, rows := w.matched("--donor", "D3")
	if status != "duplicates" || len(rows) > 0 {
		t.Errorf("%s: %v", status, rows)
	}
	next, _, _ := w.matched("--donor", "D3", "--reveal", "next")
	wantRefused(t, []string{"match", "next", next, "--yes", "--client", w.layout.ClientDir()}, "run "+next[:16]+" has no further rank: candidates are on the list more than once")
	for k, want := range map[int]string{1: "on the list more than once", 2: "No own candidate", 5: "on the list more than once"} {
		if stdout, stderr, code := program(t, "match", "show", run, "--state", w.state(k)); code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("hospital %d: exit code %d: %s%s", k, code, stdout, stderr)
		}
	}
}

func TestMatchIsRefused(t *testing.T) {
	w := newRegistry(t, map[int]string{1: liversA, 2: strings.Replace(liversB, "2024", "2099", 1)})
	rank := []string{"match", "rank", "--yes", "--client", w.layout.ClientDir()}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--donor is missing"},
		{[]string{"--donor", "D1", "--list", "livre"}, `no list "livre"`},
		{[]string{"--donor", "D1", "--top", "2", "--all"}, "top and all exclude each other"},
		{[]string{"--donor", "D1", "--plot", "x.svg"}, "has no plot"},
		{[]string{"--donor", "D1", "--day", time.Now().AddDate(0, 0, -9).Format(time.DateOnly)}, "ask for today"},
		{[]string{"--donor", "D1"}, "its file for dataset liver does not fit the policy; its operator's log says where"},
	} {
		wantRefused(t, append(rank, c.args...), c.want)
	}
	roster := filepath.Join(w.layout.ClientDir(), setup.RosterFile)
	list := filepath.Join(filepath.Dir(w.layout.Dir), "list-%d.csv")
	check := []string{"datasets", "check", "--roster", roster, "--dataset", "liver"}
	if stdout, stderr, code := program(t, append(check, fmt.Sprintf(list, 1))...); code != 0 || !strings.Contains(stdout, "1 rows, read by policy meld3-liver") {
		t.Errorf("check: exit code %d: %s%s", code, stdout, stderr)
	}
	if _, stderr, code := program(t, append(check, fmt.Sprintf(list, 2))...); code == 0 || !strings.Contains(stderr, "row 1, column waiting_since: the date lies after the day of the run") {
		t.Errorf("check: exit code %d: %s", code, stderr)
	}
	if stdout, _, code := program(t, "datasets", "--client", w.layout.ClientDir()); code != 0 || !strings.Contains(stdout, "candidate.bilirubin") || !strings.Contains(stdout, "A list of candidates by policy meld3-liver") {
		t.Errorf("datasets: exit code %d:\n%s", code, stdout)
	}
	if stdout, _, code := program(t, "study", "show", roster); code != 0 || !strings.Contains(stdout, "policy       meld3-liver") || !strings.Contains(stdout, "list of donors by policy meld3-liver") {
		t.Errorf("study show: exit code %d:\n%s", code, stdout)
	}
}
