package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"consilium/cmd/consilium/setup"
)

// TestScripts runs the commands that need no running study, as a person types them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: filepath.Join("testdata", "script")})
}

// program runs the program as another process and returns what it said.
func program(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// wantRefused runs the program and wants exit code 1, nothing on standard
// output, and one line of error that holds every word.
func wantRefused(t *testing.T, args []string, words ...string) {
	t.Helper()
	stdout, stderr, code := program(t, args...)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	last := lines[len(lines)-1]
	if code != 1 || stdout != "" || !strings.HasPrefix(last, "consilium: ") {
		t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
	}
	for _, w := range words {
		if !strings.Contains(last, w) {
			t.Errorf("%v: the message %q does not name %q", args, last, w)
		}
	}
}

// TestBadJobs asks a running study what it cannot answer: each gets one line
// that says what is wrong, and the next good job works.
func TestBadJobs(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	for name, c := range map[string]struct {
		job   string
		words []string
	}{
		"study":        {"study: other\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\n", []string{"other", "test"}},
		"dataset":      {"study: test\ndataset: visit\nanalysis: describe\nargs: {columns: [age]}\n", []string{"visit", "visits"}},
		"column":       {"study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [agee]}\n", []string{"agee", "age"}},
		"analysis":     {"study: test\ndataset: visits\nanalysis: descripe\nargs: {columns: [age]}\n", []string{"descripe", "describe"}},
		"argument":     {"study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age], colour: red}\n", []string{"colour", "columns"}},
		"missing":      {"study: test\ndataset: visits\nanalysis: describe\nargs: {}\n", []string{"columns"}},
		"where":        {"study: test\ndataset: visits\nanalysis: describe\nwhere: age >\nargs: {columns: [age]}\n", []string{"where"}},
		"where column": {"study: test\ndataset: visits\nanalysis: describe\nwhere: agee > 3\nargs: {columns: [age]}\n", []string{"agee", "age"}},
		"where type":   {"study: test\ndataset: visits\nanalysis: describe\nwhere: age = 'old'\nargs: {columns: [age]}\n", []string{"age"}},
		"category":     {"study: test\ndataset: visits\nanalysis: describe\nwhere: sex = 'x'\nargs: {columns: [age]}\n", []string{"sex", "f"}},
		"mean of text": {"study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [sex]}\n", []string{"sex", "frequency"}},
		"levels":       {"study: test\ndataset: visits\nanalysis: frequency\nargs: {columns: [age]}\n", []string{"age"}},
		"edges":        {"study: test\ndataset: visits\nanalysis: histogram\nargs: {column: age, edges: [5, 1]}\n", []string{"edges"}},
		"key":          {"study: test\ndataset: visits\nanalysis: describe\narg: {columns: [age]}\n", []string{"arg"}},
		"engine":       {"study: test\ndataset: visits\nanalysis: describe\nengine: magic\nargs: {columns: [age]}\n", []string{"magic", "shares"}},
		"not yaml":     {"study: [\n", []string{"job.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "job.yaml")
			write(t, path, c.job)
			wantRefused(t, []string{"run", "--yes", "--client", w.layout.ClientDir(), path}, c.words...)
		})
	}
	w.wantSum(sumABC)
}

// TestStatusAndPlot: a status is an answer and a job that went well; a plot is
// refused before anything is submitted, or written with the answer.
func TestStatusAndPlot(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	dir := t.TempDir()
	path := filepath.Join(dir, "job.yaml")
	ask := func(flags ...string) []string {
		return append([]string{"run", "--yes", "--client", w.layout.ClientDir(), path}, flags...)
	}
	picture := filepath.Join(dir, "age.svg")

	write(t, path, "study: test\ndataset: visits\nanalysis: histogram\nargs: {column: age, edges: [0, 45]}\n")
	for flag, want := range map[string]string{"": "Result: outside - ", "--json": `"status": "outside"`, "--csv": ",outside,reason,"} {
		stdout, stderr, code := program(t, strings.Fields(strings.Join(ask("--plot", picture, flag), " "))...)
		if code != 0 || !strings.Contains(stdout, want) || !strings.Contains(stderr, "no plot") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", flag, code, stdout, stderr)
		}
	}
	if _, err := os.Stat(picture); err == nil {
		t.Error("a plot of no figures")
	}

	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\n")
	wantRefused(t, ask("--plot", picture), "describe has no plot", "kaplanmeier")
	write(t, path, "study: test\ndataset: visits\nanalysis: histogram\nargs: {column: age, edges: [0, 50, 99999999]}\n")
	wantRefused(t, ask("--plot", filepath.Join(dir, "age.jpg")), ".svg", ".png", ".pdf")
	wantRefused(t, ask("--plot", filepath.Join(dir, "nowhere", "age.svg")), "nowhere")

	_, stderr, code := program(t, ask("--plot", picture)...)
	if code != 0 || !strings.Contains(stderr, "plot in "+picture) {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	ids, err := w.client.StoredIDs()
	must(t, err)
	if len(ids) != 4 {
		t.Errorf("%d jobs were submitted, not 4", len(ids))
	}
	first, err := os.ReadFile(picture)
	must(t, err)
	must(t, os.Remove(picture))
	for _, id := range ids {
		if s, err := w.client.Stored(id); err != nil || len(s.Job.Args["edges"].([]any)) != 3 {
			continue
		}
		_, stderr, code := program(t, "jobs", "--client", w.layout.ClientDir(), "show", id.String(), "--plot", picture)
		again, err := os.ReadFile(picture)
		if code != 0 || err != nil || !bytes.Equal(again, first) {
			t.Errorf("jobs show: exit code %d, stderr %q, %v; the plot is another: %v", code, stderr, err, !bytes.Equal(again, first))
		}
	}
}

// TestPolicyAndBadFiles: a node that says no, and a node whose file does not
// fit, are named with their reason; the operator's log has row and column, and
// nobody has the value; mending it lets the next job through.
func TestPolicyAndBadFiles(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	path := filepath.Join(t.TempDir(), "job.yaml")
	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\n")
	ask := []string{"run", "--yes", "--client", w.layout.ClientDir(), path}

	policy := filepath.Join(w.layout.Dir, "hospital-4", "policy.yaml")
	allowed, err := os.ReadFile(policy)
	must(t, err)
	write(t, policy, "allow:\n  - signers: [researcher]\n    datasets: [visits]\n    analyses: [frequency]\n    columns: [sex]\n")
	wantRefused(t, ask, "hospital-4", "describe")
	write(t, policy, "allow: 7\n")
	wantRefused(t, ask, "hospital-4", "policy")
	write(t, policy, string(allowed))

	file := filepath.Join(filepath.Dir(w.layout.Dir), "hospital-1.csv")
	for _, bad := range []string{"1,40,1.5,f\n2,fifty,1,m\n", "1,40,1.5,f\n2,100000000,1,m\n", "1,40,1.5,f\n2,7,1.0005,m\n", "1,40,1.5,x\n"} {
		write(t, file, testHeader+bad)
		wantRefused(t, ask, "hospital-1", "visits")
	}
	log, err := os.ReadFile(w.layout.Log("hospital-1"))
	must(t, err)
	for _, word := range []string{"row 2, column age", "row 2, column bili", "row 1, column sex"} {
		if !bytes.Contains(log, []byte(word)) {
			t.Errorf("the operator's log does not say %q", word)
		}
	}
	for _, value := range []string{"fifty", "100000000", "1.0005"} {
		if bytes.Contains(log, []byte(value)) {
			t.Errorf("the operator's log holds the value %s", value)
		}
	}
	write(t, file, testHeader+fileA)
	w.wantSum(sumABC)
}

// TestRunPrintsResults looks at what a person gets in each form.
func TestRunPrintsResults(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	path := filepath.Join(t.TempDir(), "job.yaml")
	write(t, path, "study: test\ndataset: visits\nanalysis: frequency\nargs: {columns: [sex]}\n")
	for form, words := range map[string][]string{
		"":       {"sex", "f", "3", "m", "2", "Total"},
		"--json": {`"f": 3`, `"m": 2`, `"status": "ok"`},
		"--csv":  {"f,", "m,"},
	} {
		args := []string{"run", "--yes", "--client", w.layout.ClientDir(), path}
		if form != "" {
			args = append(args, form)
		}
		stdout, stderr, code := program(t, args...)
		if code != 0 {
			t.Errorf("%s: exit code %d: %s", form, code, stderr)
		}
		for _, word := range words {
			if !strings.Contains(stdout, word) {
				t.Errorf("%s: %q is not in\n%s", form, word, stdout)
			}
		}
		if !strings.Contains(stderr, "Only researcher") {
			t.Errorf("%s: what will be revealed to whom is not in\n%s", form, stderr)
		}
	}
	// Without a terminal nobody can agree: the statement is printed, nothing signed.
	stdout, stderr, code := program(t, "run", "--client", w.layout.ClientDir(), path)
	if code != 1 || stdout != "" || !strings.Contains(stderr, "Only researcher") || !strings.Contains(stderr, "add --yes to sign without being asked") {
		t.Errorf("run without --yes: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	stored, err := filepath.Glob(filepath.Join(w.layout.ClientDir(), "jobs", "*.json"))
	if err != nil || len(stored) != 3 {
		t.Fatalf("stored jobs: %v, %v", stored, err)
	}
	damaged := filepath.Join(w.layout.ClientDir(), "jobs", strings.Repeat("0", 64)+".json")
	write(t, damaged, "{")
	stdout, stderr, code = program(t, "jobs", "--client", w.layout.ClientDir())
	if code != 0 || strings.Count(stdout, "frequency") != 3 || !strings.Contains(stderr, damaged) {
		t.Errorf("jobs: exit code %d, stderr %q\n%s", code, stderr, stdout)
	}
	stdout, _, code = program(t, "node", "record", filepath.Join(w.layout.Dir, "hospital-4", "state"))
	if code != 0 || strings.Count(stdout, `researcher asked "frequency" of "visits"`) != 3 {
		t.Errorf("node record: exit code %d\n%s", code, stdout)
	}
	checkRecords(t, w)
	stdout, _, code = program(t, "datasets", "--client", w.layout.ClientDir())
	if code != 0 || !strings.Contains(stdout, "visits") || !strings.Contains(stdout, "bili") {
		t.Errorf("datasets: exit code %d\n%s", code, stdout)
	}
}

// checkRecords verifies the nodes' records, and finds what was altered in one.
func checkRecords(t *testing.T, w *world) {
	t.Helper()
	roster := filepath.Join(w.layout.ClientDir(), setup.RosterFile)
	for _, form := range [][]string{nil, {"--json"}} {
		for _, name := range []string{"hospital-1", "hospital-5"} { // a party, and one that only watches
			args := append([]string{"node", "record", filepath.Join(w.layout.Dir, name, "state"), "--verify", roster}, form...)
			stdout, stderr, code := program(t, args...)
			if code != 0 || strings.Count(strings.ToLower(stdout), "verified") != 3 {
				t.Errorf("%v: exit code %d, stderr %q\n%s", args, code, stderr, stdout)
			}
		}
	}
	state := filepath.Join(w.layout.Dir, "hospital-1", "state")
	db, err := sql.Open("sqlite", filepath.Join(state, "node.db"))
	must(t, err)
	defer db.Close()
	var id []byte
	must(t, db.QueryRow("SELECT id FROM jobs ORDER BY decided DESC LIMIT 1").Scan(&id))
	_, err = db.Exec("UPDATE jobs SET share_outputs = zeroblob(32) WHERE id = ?", id)
	must(t, err)
	stdout, stderr, code := program(t, "node", "record", state, "--verify", roster)
	if code != 1 || strings.Count(stdout, "  verified\n") != 2 || !strings.Contains(stderr, "record of job "+hex.EncodeToString(id[:8])) {
		t.Errorf("an altered record: exit code %d, stderr %q\n%s", code, stderr, stdout)
	}
}

// TestDemo runs the demo as the README says.
func TestDemo(t *testing.T) {
	stdout, stderr, code := program(t, "demo")
	if code != 0 || !strings.HasSuffix(stdout, "demo: 10 jobs, 10 match the reference\n") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
}

// TestVerify runs the reference cases as the README says.
func TestVerify(t *testing.T) {
	for _, c := range []struct{ dir, last string }{
		{"reference", "25 passed, 0 partial, 0 failed, 0 skipped\n"},
		{"certified", "16 passed, 0 partial, 0 failed, 0 skipped\n"},
		{filepath.Join("organ", "examples"), "21 passed, 0 partial, 0 failed, 0 skipped\n"},
	} {
		stdout, stderr, code := program(t, "verify", filepath.Join("..", "..", "testdata", c.dir))
		if code != 0 || !strings.HasSuffix(stdout, c.last) {
			t.Errorf("%s: exit code %d, stderr %q, stdout\n%s", c.dir, code, stderr, stdout)
		}
	}
	// The same cases with all data files gone, and all nodes that are no party.
	stdout, stderr, code := program(t, "verify", filepath.Join("..", "..", "testdata", "reference"), "--deposited")
	if code != 0 || !strings.HasSuffix(stdout, "25 passed, 0 partial, 0 failed, 0 skipped\n") {
		t.Errorf("--deposited: exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
	wantRefused(t, []string{"verify", filepath.Join("..", "..", "testdata", "reference"), "--deposited", "--engine", "mhe"}, "--deposited", "engine shares")
	for _, c := range []struct {
		engine, only string
		words        []string
	}{
		{"mhe", "frequency", []string{"PASS frequency-abo ", "PASS frequency-abo-by-event", "2 passed, 0 partial, 0 failed, 0 skipped\n"}},
		{"mhe", "describe-lung", []string{"PART describe-lung", "absent: age.max, age.median, age.min, age.q25, age.q75, ", "0 passed, 1 partial, 0 failed, 0 skipped\n"}},
		{"mhe", "cox-lung-efron", []string{"SKIP cox-lung-efron", `analysis "cox" with engine "mhe" is not in this version`, "0 passed, 0 partial, 0 failed, 1 skipped\n"}},
		{"mixed", "p", []string{"PASS pca-pima", "SKIP poisson-ptl", "1 passed, 0 partial, 0 failed, 1 skipped\n"}},
	} {
		stdout, stderr, code := program(t, "verify", filepath.Join("..", "..", "testdata", "reference"), "--engine", c.engine, "--only", c.only)
		for _, w := range c.words {
			if code != 0 || !strings.Contains(stdout, w) {
				t.Errorf("--engine %s: exit code %d, stderr %q, no %q in stdout\n%s", c.engine, code, stderr, w, stdout)
			}
		}
	}
	wantStrict := []string{"verify", filepath.Join("..", "..", "testdata", "reference"), "--engine", "mhe", "--only", "describe-lung", "--strict"}
	if _, stderr, code := program(t, wantStrict...); code != 1 || !strings.Contains(stderr, "--strict") {
		t.Errorf("--strict: exit code %d, stderr %q", code, stderr)
	}
}

// Cases pass unchanged wherever the hospitals keep their data.
func TestVerifyFromSources(t *testing.T) {
	for _, source := range []string{"parquet", "postgres", "clickhouse", "flightsql", "mysql"} {
		stdout, stderr, code := program(t, "verify", filepath.Join("..", "..", "testdata", "reference"), "--source", source, "--strict")
		if code != 0 || !strings.Contains(stdout, "25 passed, 0 partial, 0 failed, 0 skipped") {
			t.Errorf("%s: exit %d\n%s%s", source, code, stdout, stderr)
		}
	}
}
