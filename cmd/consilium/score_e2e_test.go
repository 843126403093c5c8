package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/node"
	"consilium/protocols"
)

// owns makes a node the owner of models and starts it again.
func (w *world) owns(name string, models map[string]string) {
	w.t.Helper()
	dir := filepath.Join(w.layout.Dir, name)
	config, err := os.ReadFile(filepath.Join(dir, setup.NodeConfig))
	must(w.t, err)
	text := string(config) + "models:\n"
	for model, file := range models {
		write(w.t, filepath.Join(dir, model+".yaml"), file)
		text += "  " + model + ": " + model + ".yaml\n"
	}
	write(w.t, filepath.Join(dir, setup.NodeConfig), text)
	must(w.t, w.network.Signal(name, syscall.SIGKILL))
	must(w.t, w.network.Run(name))
	must(w.t, w.network.Ready(w.t.Context()))
}

const (
	deathModel = "kind: logistic\ndataset: visits\nintercept: -2.5\nweights: {age: 0.0625, sex: {f: 0, m: -0.75}}\n"
	stayModel  = "kind: linear\ndataset: visits\nintercept: 1\nweights: {age: -0.25}\npatients: 1\n"
)

// TestScore asks a node that holds nothing of the dataset and computes nothing, and is
// the only one that is up, as a person does.
func TestScore(t *testing.T) {
	w := newWorld(t, fileA, fileB)
	w.owns("hospital-5", map[string]string{"icu-death": deathModel, "stay": stayModel})
	for k := range 4 {
		must(t, w.network.Signal(localnet.NodeName(k+1), syscall.SIGKILL))
	}
	path := filepath.Join(t.TempDir(), "patients.csv")
	write(t, path, "id,sex,age\n4711,m,64\n4712,f,48\n")
	ask := func(model string, more ...string) (stdout, stderr string, code int) {
		t.Helper()
		args := append([]string{"score", "--at", "hospital-5", "--model", model, "--dataset", "visits", "--client", w.layout.ClientDir(), "--yes"}, more...)
		return program(t, append(args, path)...)
	}
	stdout, stderr, code := ask("icu-death", "--json")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var answer struct {
		Job    string
		Status string
		Value  struct {
			Model, Owner, Kind    string
			N                     int
			Scores, Probabilities []float64
		}
	}
	must(t, json.Unmarshal([]byte(stdout), &answer))
	if v := answer.Value; answer.Status != "ok" || v.N != 2 || v.Kind != "logistic" || v.Owner != "hospital-5" || len(v.Scores) != 2 {
		t.Fatalf("got %s", stdout)
	}
	for i, want := range []float64{-2.5 + 64*0.0625 - 0.75, -2.5 + 48*0.0625} {
		if math.Abs(answer.Value.Scores[i]-want) > protocols.ScoreTolerance || math.Abs(answer.Value.Probabilities[i]-1/(1+math.Exp(-want))) > protocols.ScoreTolerance {
			t.Errorf("patient %d scores %v (%v), want %v", i+1, answer.Value.Scores[i], answer.Value.Probabilities[i], want)
		}
	}
	for _, words := range []string{
		"passed over in patients.csv: id", "Only researcher", "the score of each of 2 patients by model icu-death of hospital-5",
		"scores them without seeing them", "can solve for all of it",
	} {
		if !strings.Contains(stderr, words) {
			t.Errorf("what is said before signing lacks %q:\n%s", words, stderr)
		}
	}
	stdout, _, code = ask("icu-death")
	if code != 0 || !strings.Contains(stdout, "Scores by model icu-death of hospital-5 (logistic)") || !strings.Contains(stdout, "0.679179") {
		t.Errorf("exit code %d, printed\n%s", code, stdout)
	}
	if _, stderr, code = ask("stay", "--csv"); code == 0 || !strings.Contains(stderr, "model stay takes the features age; the job has age, sex") {
		t.Errorf("other features: exit code %d, %s", code, stderr)
	}
	if _, stderr, code = ask("stay", "--csv", "--features", "age"); code == 0 || !strings.Contains(stderr, "at most 1 patient in a job, not 2") {
		t.Errorf("too many: exit code %d, %s", code, stderr)
	}
	write(t, path, "age\n64\n")
	if stdout, stderr, code = ask("stay", "--csv"); code != 0 || !strings.Contains(stdout, ",ok,scores,1,-15\n") {
		t.Errorf("exit code %d, %s, printed\n%s", code, stderr, stdout)
	}

	// The key was the process's own.
	stdout, stderr, code = program(t, "jobs", "show", answer.Job, "--client", w.layout.ClientDir())
	if code == 0 || !strings.Contains(stderr, "ask again with consilium score") {
		t.Errorf("jobs show: exit code %d, %s\n%s", code, stderr, stdout)
	}
	state := filepath.Join(w.layout.Dir, "hospital-5", "state")
	records, err := node.ReadRecords(t.Context(), state)
	must(t, err)
	if len(records) != 5 || records[0].State != node.Done || !strings.Contains(records[0].Reveals[0], "2 patients by model icu-death") {
		t.Errorf("records %v", records)
	}
	roster := filepath.Join(w.layout.ClientDir(), setup.RosterFile)
	if stdout, stderr, code := program(t, "node", "record", state, "--verify", roster); code != 0 || strings.Count(stdout, "  verified\n") != 5 {
		t.Errorf("exit code %d, stderr %q\n%s", code, stderr, stdout)
	}
	for k := range 4 {
		records, err := node.ReadRecords(t.Context(), filepath.Join(w.layout.Dir, localnet.NodeName(k+1), "state"))
		if err != nil || len(records) != 0 {
			t.Errorf("hospital %d heard of %v: %v", k+1, records, err)
		}
	}
}

// TestScoreRefusesFiles: what is wrong with patients' rows is told before anything is
// signed, by row and column.
func TestScoreRefusesFiles(t *testing.T) {
	w := newWorld(t, fileA, fileB)
	dir := t.TempDir()
	for _, c := range []struct{ name, text, want string }{
		{"missing", "age,sex\n64,m\n,f\n", "missing.csv: row 2, column age: the value is missing"},
		{"range", "age,sex\n64,m\n-1,f\n", "range.csv: row 2, column age: out of the declared range 0 to 99999999"},
		{"category", "age,sex\n64,x\n", "row 1, column sex: not one of the 2 declared categories"},
		{"cells", "age,sex\n64\n", "row 1: does not have 2 cells"},
		{"rows", "age,sex\n", "there is nobody to score"},
		{"columns", "weight,height\n1,2\n", "names no column of dataset visits; it has age, bili, sex"},
		{"twice", "age,age\n1,2\n", "column age comes twice"},
		{"many", "age\n" + strings.Repeat("64\n", 8193), "more than 8192 rows"},
	} {
		path := filepath.Join(dir, c.name+".csv")
		write(t, path, c.text)
		wantRefused(t, []string{"score", "--yes", "--client", w.layout.ClientDir(), "--at", "hospital-1", "--model", "risk", "--dataset", "visits", path}, c.want)
	}
	path := filepath.Join(dir, "missing.csv")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--model", "risk", "--dataset", "visits"}, "--at is missing"},
		{[]string{"--at", "hospital-1", "--model", "risk", "--dataset", "visit"}, `did you mean "visits"`},
		{[]string{"--at", "hospital-1", "--model", "risk", "--dataset", "visits", "--features", "aged"}, `did you mean "age"`},
		{[]string{"--at", "hospital-9", "--model", "risk", "--dataset", "visits", "--features", "sex"}, `no node "hospital-9"`},
	} {
		wantRefused(t, append(append([]string{"score", "--yes", "--client", w.layout.ClientDir()}, c.args...), path), c.want)
	}
}
