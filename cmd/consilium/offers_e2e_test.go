package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"consilium/cmd/consilium/localnet"
	"consilium/job"
)

// newKidneys starts a study of the examples' first candidates at four hospitals, with the
// donors at the fifth, and the rank of each candidate of a donor in the clear.
func newKidneys(t *testing.T, perHospital int) *world {
	t.Helper()
	dir := t.TempDir()
	examples := filepath.Join("..", "..", "testdata", "organ", "examples")
	in, err := os.Open(filepath.Join(examples, "candidates.csv"))
	must(t, err)
	defer in.Close()
	rows, err := csv.NewReader(in).ReadAll()
	must(t, err)
	waiting := job.Dataset{Name: "kidney", List: job.List{Policy: "etkas", Side: job.Candidates}}
	donors := job.Dataset{Name: "donors", List: job.List{Policy: "etkas", Side: job.Donors}, Sites: []job.Site{{Node: "hospital-5", Rows: 10}}}
	files := map[string]map[string]string{"kidney": {}, "donors": {"hospital-5": filepath.Join(examples, "donors.csv")}}
	at := make([][][]string, 4)
	hospital := slices.Index(rows[0], "hospital")
	for _, row := range rows[1:] {
		k := int(row[hospital][0] - '1')
		if len(at[k]) < perHospital {
			at[k] = append(at[k], row)
		}
	}
	for k := range at {
		name := localnet.NodeName(k + 1)
		path := filepath.Join(dir, name+".csv")
		out, err := os.Create(path)
		must(t, err)
		must(t, csv.NewWriter(out).WriteAll(append([][]string{rows[0]}, at[k]...)))
		must(t, out.Close())
		files["kidney"][name] = path
		waiting.Sites = append(waiting.Sites, job.Site{Node: name, Rows: perHospital + 1})
	}
	files["donors"]["hospital-5"], err = filepath.Abs(files["donors"]["hospital-5"])
	must(t, err)
	return startWorld(t, dir, []job.Dataset{waiting, donors}, files, "etkas")
}

// rankOf is a row that a rank revealed, its answer to the one before, and how it ended.
type rankOf struct {
	Status, Reason string
	Value          struct {
		Sequence int
		Rows     []struct {
			Sequence, Candidate int
			Hospital            string
		}
		Answered map[string]any
	}
}

func (w *world) next(run string, more ...string) rankOf {
	w.t.Helper()
	stdout, stderr, code := program(w.t, append([]string{"match", "next", run, "--client", w.layout.ClientDir(), "--yes", "--json"}, more...)...)
	if code != 0 {
		w.t.Fatalf("exit code %d: %s", code, stderr)
	}
	var r rankOf
	must(w.t, json.Unmarshal([]byte(stdout), &r))
	return r
}

func (w *world) config(node string) string {
	return filepath.Join(w.layout.Dir, node, "node.yaml")
}

func TestMatchOneRankAtATime(t *testing.T) {
	w := newKidneys(t, 30)
	_, status, list := w.matched("--donor", "D02", "--top", "5")
	if status != "ok" || len(list) < 3 {
		t.Fatalf("%s: %v", status, list)
	}
	run, status, rows := w.matched("--donor", "D02", "--top", "5", "--reveal", "next")
	if status != "ok" || len(rows) > 0 {
		t.Fatalf("%s: %v", status, rows)
	}
	client := []string{"--client", w.layout.ClientDir()}
	answer := func(node string, args ...string) (string, string, int) {
		return program(t, append([]string{"match", "answer", run[:8], "--node", w.config(node)}, args...)...)
	}
	if _, stderr, code := answer("hospital-1"); code == 0 || !strings.Contains(stderr, "nothing of run "+run[:16]+" was offered yet") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	seen := map[string]int{}
	for n := 1; n <= 3; n++ {
		r := w.next(run[:8])
		if r.Status != "ok" || len(r.Value.Rows) != 1 || !strings.HasPrefix(list[n-1], fmt.Sprint(n, r.Value.Rows[0].Candidate)) {
			t.Fatalf("rank %d: %+v, want %s", n, r, list[n-1])
		}
		own := r.Value.Rows[0].Hospital
		wantRefused(t, append([]string{"match", "next", run[:8], "--yes"}, client...), fmt.Sprintf("rank %d of run %s has no answer yet", n, run[:16]))
		stdout, stderr, code := answer(own)
		for _, want := range []string{fmt.Sprint(r.Value.Rows[0].Candidate), "740-799 donor or logistics", "rank " + fmt.Sprint(n)} {
			if code != 0 || !strings.Contains(stdout, want) {
				t.Errorf("exit code %d, it does not print %q: %s%s", code, want, stdout, stderr)
			}
		}
		for k := range 4 {
			if name := localnet.NodeName(k + 1); name != own {
				if _, stderr, code := answer(name, "--accept", "--yes"); code == 0 || !strings.Contains(stderr, "was not offered to this hospital") {
					t.Errorf("%s: exit code %d: %s", name, code, stderr)
				}
			}
		}
		for want, args := range map[string][]string{
			"exclude each other": {"--accept", "--refuse", "812"},
			"policy etkas has no such code; it has 740-799 donor": {"--refuse", "1", "--yes"},
			"nobody can be asked": {"--accept"},
		} {
			if _, stderr, code := answer(own, args...); code == 0 || !strings.Contains(stderr, want) || strings.Count(strings.TrimSpace(stderr), "\n") > 0 {
				t.Errorf("%v: exit code %d: %s", args, code, stderr)
			}
		}
		give := []string{"--yes", "--refuse", fmt.Sprint(810 + n)}
		if n == 3 {
			give = []string{"--yes", "--accept"}
		}
		for range 2 { // the same answer once more changes nothing
			if stdout, stderr, code := answer(own, give...); code != 0 || !strings.Contains(stdout, "The office gets it") {
				t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
			}
		}
		if _, stderr, code := answer(own, "--yes", "--refuse", "740"); code == 0 || !strings.Contains(stderr, "was answered already, and not so") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		seen[own] = n
		if n < 3 { // a party dies
			name := localnet.NodeName(n)
			must(t, w.network.Signal(name, syscall.SIGKILL))
			must(t, w.network.Run(name))
			must(t, w.network.Ready(t.Context()))
		}
	}
	end := w.next(run[:8])
	if end.Status != "accepted" || !strings.Contains(end.Reason, "Rank 3 was accepted by hospital-") {
		t.Errorf("%+v", end)
	}
	if again := w.next(run, "--rank", "4"); again.Status != "accepted" {
		t.Errorf("%+v", again)
	}
	wantRefused(t, append([]string{"match", "next", run[:8], "--yes"}, client...), "has no further rank: Rank 3 was accepted by")
	wantRefused(t, append([]string{"match", "next", run[:8], "--rank", "5", "--yes"}, client...), "rank 3 of run "+run[:16]+" was accepted: the run has ended")

	stdout, stderr, code := program(t, append([]string{"match", "show", run[:8]}, client...)...)
	for _, want := range []string{"refused 811 patient or centre", "refused 812 patient or centre", "accepted", "Rank 3 was accepted by"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("show, exit code %d, does not print %q: %s%s", code, want, stdout, stderr)
		}
	}
	for k := 1; k <= 4; k++ {
		stdout, stderr, code := program(t, "match", "show", run[:8], "--state", w.state(k))
		if _, offered := seen[localnet.NodeName(k)]; code != 0 || strings.Contains(stdout, "Answer:") != offered || !strings.Contains(stdout, "asked for rank 4 last") {
			t.Errorf("hospital %d: exit code %d: %s%s", k, code, stdout, stderr)
		}
	}
	replay := append([]string{"match", "replay", run[:8]}, client...)
	for k := 1; k <= 5; k++ {
		replay = append(replay, "--inputs", w.state(k))
	}
	if stdout, stderr, code := program(t, replay...); code != 0 || !strings.Contains(stdout, "is the same to the last row") || !strings.Contains(stdout, "refused 812") {
		t.Errorf("replay: exit code %d: %s%s", code, stdout, stderr)
	}
	stdout, _, _ = program(t, "node", "record", w.state(1))
	if !strings.Contains(stdout, "match.next") || !strings.Contains(stdout, "of rank 2 of run "+run[:16]) {
		t.Errorf("the record does not tell of match.next:\n%s", stdout)
	}
	wantRefused(t, append([]string{"match", "next", strings.Repeat("0", 64)}, client...), "only the client that signed a job")
}
