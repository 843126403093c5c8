package main

import (
	"bytes"
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
	"consilium/organ/hla"
	"consilium/policies"
)

const panelDonors = 240

// newPanel starts a study with a panel at two hospitals, which are the typings of the
// examples' first candidates, and a waiting list at two, by a policy that allows three
// questions a day. It returns the example's rows too.
func newPanel(t *testing.T) (*world, [][]string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"etkas.yaml", "hla_frequencies_eurotransplant.csv"} {
		text, err := policies.FS.ReadFile(name)
		must(t, err)
		write(t, filepath.Join(dir, name), strings.Replace(string(text), "queries_per_day: 20", "queries_per_day: 3", 1))
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "organ", "examples", "candidates.csv"))
	must(t, err)
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	must(t, err)
	panel := job.Dataset{Name: "donors", List: job.List{Policy: "etkas", Side: job.Donors}}
	waiting := job.Dataset{Name: "kidney", List: job.List{Policy: "etkas", Side: job.Candidates}}
	files := map[string]map[string]string{panel.Name: {}, waiting.Name: {}}
	add := func(d *job.Dataset, node int, rows [][]string) {
		var b bytes.Buffer
		must(t, csv.NewWriter(&b).WriteAll(append([][]string{all[0]}, rows...)))
		path := filepath.Join(dir, fmt.Sprintf("%s-%d.csv", d.Name, node))
		write(t, path, b.String())
		files[d.Name][localnet.NodeName(node)] = path
		d.Sites = append(d.Sites, job.Site{Node: localnet.NodeName(node), Rows: len(rows) + 7})
	}
	add(&panel, 1, all[1:101])
	add(&panel, 4, all[101:panelDonors+1])
	add(&waiting, 2, all[1001:1401])
	add(&waiting, 5, all[1401:1801])
	return startWorld(t, dir, []job.Dataset{panel, waiting}, files, "etkas.yaml"), all
}

// reached counts the panel's donors with none of the antigens, by themselves or as the
// broad of another.
func reached(t *testing.T, all [][]string, listed []string) (n int) {
	t.Helper()
	for _, row := range all[1 : panelDonors+1] {
		suits := true
		for _, name := range row[13:19] {
			a, err := hla.Parse(name)
			must(t, err)
			suits = suits && !slices.Contains(listed, a.String()) && !slices.Contains(listed, a.Broad().String())
		}
		if suits {
			n++
		}
	}
	return n
}

func TestMatchCPRA(t *testing.T) {
	w, all := newPanel(t)
	row := all[1001+slices.IndexFunc(all[1001:1401], func(row []string) bool { return len(strings.Fields(row[19])) > 3 })]
	listed := strings.Fields(row[19])
	ask := []string{"match", "cpra", "--client", w.layout.ClientDir(), "--yes", "--json", "--panel", "donors", "--list", "kidney", "--hospital", "hospital-2", "--candidate"}
	stdout, stderr, code := program(t, append(ask, row[0])...)
	var told struct {
		Job, Status string
		Value       map[string]any
	}
	must(t, json.Unmarshal([]byte(stdout), &told))
	if code != 0 || told.Status != "ok" || told.Value["panel"] != nil || !strings.Contains(stderr, "all numbers go to hospital-2 alone") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}

	show := []string{"match", "show", told.Job[:8], "--state"}
	stdout, _, code = program(t, append(show, w.state(2), "--json")...)
	var answer struct {
		Value struct {
			Panel, Acceptable int
			Rows              []struct {
				Antigen    string
				Acceptable int
			}
		}
	}
	must(t, json.Unmarshal([]byte(stdout), &answer))
	if v := answer.Value; code != 0 || v.Panel != panelDonors || v.Acceptable != reached(t, all, listed) || len(v.Rows) != len(listed) {
		t.Errorf("exit code %d: %+v for %v", code, v, listed)
	}
	for _, r := range answer.Value.Rows {
		shorter := slices.DeleteFunc(slices.Clone(listed), func(name string) bool { return name == r.Antigen })
		if want := reached(t, all, shorter); r.Acceptable != want || len(shorter) != len(listed)-1 {
			t.Errorf("without %s: %d, want %d", r.Antigen, r.Acceptable, want)
		}
	}
	if stdout, _, code := program(t, append(show, w.state(2))...); code != 0 || !strings.Contains(stdout, "cPRA %") || !strings.Contains(stdout, listed[0]) || !strings.Contains(stdout, "Change") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if stdout, _, code := program(t, append(show, w.state(4))...); code != 0 || !strings.Contains(stdout, "learned nothing") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	wantRefused(t, append(show, w.state(5)), "keeps no match run")

	replay := []string{"match", "replay", told.Job[:8], "--client", w.layout.ClientDir(), "--inputs", w.state(1), "--inputs", w.state(4)}
	wantRefused(t, replay, "the input of hospital-2 of list kidney is missing")
	if stdout, stderr, code := program(t, append(replay, "--inputs", w.state(2))...); code != 0 || !strings.Contains(stdout, "is the same to the last row") || !strings.Contains(stdout, listed[0]) {
		t.Errorf("replay: exit code %d: %s%s", code, stdout, stderr)
	}

	// A question that fails counts; what a node has accepted, a kill does not undo.
	wantRefused(t, append(ask, "1"), "hospital-2")
	if _, stderr, code := program(t, append(ask, row[0])...); code != 0 {
		t.Errorf("the third: exit code %d: %s", code, stderr)
	}
	wantRefused(t, append(ask, row[0]), "it has taken part in 3 questions to a panel for hospital-2 within 24 hours", "the next is possible from")
	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	must(t, w.network.Run("hospital-4"))
	must(t, w.network.Ready(t.Context()))
	wantRefused(t, append(ask, row[0]), "it has taken part in 3 questions")
	for k := 1; k <= 5; k++ {
		log, err := os.ReadFile(w.layout.Log(localnet.NodeName(k)))
		must(t, err)
		if bytes.Contains(log, []byte("unacceptable")) || bytes.Contains(log, []byte(listed[0])) {
			t.Errorf("the log of hospital %d names antigens", k)
		}
	}
}

func TestMatchCPRAIsRefused(t *testing.T) {
	w := newRegistry(t, map[int]string{1: liversA, 2: liversB})
	ask := []string{"match", "cpra", "--yes", "--client", w.layout.ClientDir()}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--hospital", "hospital-1"}, "--hospital or --candidate is missing"},
		{[]string{"--hospital", "hospital-1", "--candidate", "7", "--plot", "x.svg"}, "has no plot"},
		{[]string{"--hospital", "hospital-1", "--candidate", "7", "--panel", "donor"}, `no list "donor"`},
		{[]string{"--hospital", "hospital-1", "--candidate", "7", "--panel", "liver", "--list", "liver"}, "name the panel, which is a list of donors"},
		{[]string{"--hospital", "hospital-1", "--candidate", "7"}, "policy meld3-liver allows no questions to a panel"},
	} {
		wantRefused(t, append(ask, c.args...), c.want)
	}
}
