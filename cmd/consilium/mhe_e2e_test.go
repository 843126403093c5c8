package main

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"consilium/client"
	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/node"
)

// signMHE prepares and signs a job under engine mhe.
func (w *world) signMHE(analysis string, args map[string]any, where string) *job.Signed {
	w.t.Helper()
	p, err := w.client.Prepare(&job.File{Study: "test", Dataset: "visits", Analysis: analysis, Args: args, Where: where, Engine: job.EngineMHE})
	must(w.t, err)
	signed, err := p.Sign()
	must(w.t, err)
	return signed
}

func (w *world) describeAgeMHE() *job.Signed {
	return w.signMHE("describe", map[string]any{"columns": []any{"age"}}, "")
}

// wantSumMHE runs describeAgeMHE and compares the sum of ages.
func (w *world) wantSumMHE(sum float64) {
	w.t.Helper()
	r, err := w.run(w.describeAgeMHE())
	must(w.t, err)
	if age := r.Value.(map[string]any)["age"].(map[string]any); age["sum"] != sum {
		w.t.Fatalf("sum of ages is %v, want %v", age["sum"], sum)
	}
}

// TestMHE asks under engine mhe as a person does. The dataset's three sites have
// parts of the result; a compute party that is no site has none.
func TestMHE(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	path := filepath.Join(t.TempDir(), "job.yaml")
	write(t, path, "study: test\ndataset: visits\nanalysis: frequency\nargs: {columns: [sex]}\nengine: mhe\n")
	stdout, stderr, code := program(t, "run", "--yes", "--json", "--client", w.layout.ClientDir(), path)
	if code != 0 || !strings.Contains(stdout, `"f": 3`) || !strings.Contains(stdout, `"m": 2`) {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
	for _, words := range []string{"Only researcher", "The sums are shown all the same", "computed by all 3 sites, hospital-1", "under a collective key"} {
		if !strings.Contains(stderr, words) {
			t.Errorf("the statement lacks %q:\n%s", words, stderr)
		}
	}
	write(t, path, "study: test\ndataset: visits\nanalysis: cox\nargs: {time: age, event: sex = 'f', covariates: [bili]}\nengine: mhe\n")
	wantRefused(t, []string{"run", "--yes", "--client", w.layout.ClientDir(), path}, `analysis "cox" with engine "mhe" is not in this version`, "shares")

	roster := filepath.Join(w.layout.ClientDir(), setup.RosterFile)
	for k := range 5 {
		name := localnet.NodeName(k + 1)
		state := filepath.Join(w.layout.Dir, name, "state")
		records, err := node.ReadRecords(t.Context(), state)
		must(t, err)
		if len(records) != 1 || records[0].State != node.Done {
			t.Fatalf("%s: records %v", name, records)
		}
		if sealed := records[0].Share != nil; sealed != slices.Contains([]string{"hospital-1", "hospital-2", "hospital-4"}, name) {
			t.Errorf("%s keeps a receipt: %v", name, sealed)
		}
		if stdout, stderr, code := program(t, "node", "record", state, "--verify", roster); code != 0 || !strings.Contains(stdout, "  verified\n") {
			t.Errorf("%s: exit code %d, stderr %q\n%s", name, code, stderr, stdout)
		}
	}
}

// TestMHESiteDies: a site that is killed in mid job ends it by its name, and the
// next job works once it is back.
func TestMHESiteDies(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	w.wantSumMHE(sumABC)
	w.tap.hold("hospital-4") // the others' links to it stand still: the job starts and waits
	running := make(chan struct{})
	failed := make(chan error, 1)
	id, _, err := w.conn.Submit(t.Context(), w.describeAgeMHE())
	must(t, err)
	go func() {
		told := false
		failed <- w.conn.Watch(t.Context(), id, func(e client.Event) {
			if e.State == client.Running && !told {
				told = true
				close(running)
			}
		})
	}()
	select {
	case <-running:
	case err := <-failed:
		t.Fatalf("the job ended before it ran: %v", err)
	}
	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	w.tap.release("hospital-4")
	w.wantFailure(<-failed, client.Failed, "hospital-4")
	must(t, w.network.Run("hospital-4"))
	must(t, w.network.Ready(t.Context()))
	w.wantSumMHE(sumABC)
}

// TestMHEFrozenSite: a site whose links stand still ends the job by its deadline.
func TestMHEFrozenSite(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	w.tap.hold("hospital-2")
	begin := time.Now()
	_, err := w.run(w.describeAgeMHE())
	w.wantFailure(err, client.Failed, "hospital-2")
	if took := time.Since(begin); took > testDeadline+testTimeout {
		t.Errorf("the job took %v to fail, its deadline is %v", took, testDeadline)
	}
	w.tap.release("hospital-2")
	must(t, w.network.Ready(t.Context()))
	w.wantSumMHE(sumABC)
}
