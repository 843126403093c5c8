package protocols

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// referenceCase is one case of R's or NIST's own results.
type referenceCase struct {
	ID, Dataset, Analysis, Where string
	Args                         json.RawMessage
	Expect                       any
	RelTol                       float64 `json:"rel_tol"`
}

func referenceCases(t *testing.T, set string) []referenceCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", set, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []referenceCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// checkReference runs a case of the reference set over five nodes of which three
// compute, and compares with R.
func checkReference(t *testing.T, s *study, id string) {
	t.Helper()
	checkCase(t, "reference", s, id)
}

// checkCertified is checkReference for the values that NIST certifies.
func checkCertified(t *testing.T, s *study, id string) {
	t.Helper()
	checkCase(t, "certified", s, id)
}

func checkCase(t *testing.T, set string, s *study, id string) {
	t.Helper()
	all := referenceCases(t, set)
	i := slices.IndexFunc(all, func(c referenceCase) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("there is no case %s", id)
	}
	c := &all[i]
	c.check(t, s.trial(c.ask()))
}

func (c *referenceCase) ask() ask {
	return ask{c.Dataset, c.Analysis, c.Where, string(c.Args)}
}

// check runs a trial of the case and compares.
func (c *referenceCase) check(t *testing.T, tr *trial) {
	t.Helper()
	r := tr.succeed()
	if r.Status != statusOK || len(r.Tables) == 0 {
		t.Errorf("%s: status %q, %d tables", c.ID, r.Status, len(r.Tables))
	}
	compare(t, c.ID, throughJSON(t, r.Value), c.Expect, c.RelTol)
}

// TestReferenceInChunks: every analysis of rows gives R's values also where parties have
// them in chunks, of which sites' rows, ties and groups lie across the borders.
func TestReferenceInChunks(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "birthwt", "lung", "pbc", "pima", "transplant")
	for _, c := range referenceCases(t, "reference") {
		tr := s.trial(c.ask())
		j, err := tr.signed.Verify()
		tr.must(err)
		plan, err := PlanJob(j, s.roster.Roster)
		tr.must(err)
		if len(plan.Samples) == 0 {
			continue // sums alone
		}
		t.Run(c.ID, func(t *testing.T) {
			tr.chunkRows = 128
			c.check(t, tr)
		})
	}
}

func TestReferenceFrequencies(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "transplant", "pima")
	for _, id := range []string{"frequency-abo", "frequency-abo-by-event", "histogram-mass"} {
		checkReference(t, s, id)
	}
}

// throughJSON returns a value as a reader of the result's JSON gets it.
func throughJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// isTail tells whether a path names p-values.
func isTail(path string) bool {
	for _, name := range strings.Split(path, "/") {
		if name == "p" {
			return true
		}
	}
	return false
}

// compare holds got against want; both as decoded from JSON.
func compare(t *testing.T, path string, got, want any, tolerance float64) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		inner, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %T, want names", path, got)
			return
		}
		for name, x := range want {
			if y, ok := inner[name]; ok {
				compare(t, path+"/"+name, y, x, tolerance)
			} else {
				t.Errorf("%s/%s is missing", path, name)
			}
		}
	case []any:
		inner, ok := got.([]any)
		if !ok || len(inner) != len(want) {
			t.Errorf("%s: %v, want %v", path, got, want)
			return
		}
		for i := range want {
			compare(t, fmt.Sprintf("%s/%d", path, i), inner[i], want[i], tolerance)
		}
	case float64:
		x, ok := got.(float64)
		allowed := max(tolerance*math.Abs(want), 1e-9)
		if isTail(path) {
			allowed = max(1e-2*math.Abs(want), 1e-12)
		}
		if !ok || math.Abs(x-want) > allowed {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestCertifiedDescriptions(t *testing.T) {
	leakFree(t)
	names := []string{"lew", "lottery", "mavro", "michelso", "numacc1", "numacc2", "numacc3", "numacc4", "pidigits"}
	s := certifiedStudy(t, names...)
	for _, name := range names {
		checkCertified(t, s, "nist-"+name)
	}
}
