package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/node"
)

// signMHE is sign under engine mhe.
func (w *world) signMHE(analysis string, args map[string]any, where string) *job.Signed {
	w.t.Helper()
	return w.signFile(&job.File{Analysis: analysis, Args: args, Where: where, Engine: job.EngineMHE})
}

func (w *world) describeAgeMHE() *job.Signed {
	return w.signMHE("describe", map[string]any{"columns": []any{"age"}}, "")
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

func TestMHESiteDies(t *testing.T) { diesInMidJob(t, (*world).describeAgeMHE) }

func TestMHEFrozenSite(t *testing.T) { freezesInMidJob(t, (*world).describeAgeMHE) }
