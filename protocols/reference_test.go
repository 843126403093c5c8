package protocols

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// referenceCase is one case of R's own results.
type referenceCase struct {
	ID, Dataset, Analysis, Where string
	Args                         json.RawMessage
	Expect                       any
	RelTol                       float64 `json:"rel_tol"`
}

func referenceCases(t *testing.T) []referenceCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "reference", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []referenceCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// TestReference runs every case of the reference set over five nodes of which
// three compute, and compares with R. What is absent must be absent on purpose.
func TestReference(t *testing.T) {
	leakFree(t)
	// Fields of describe that need ranks.
	absent := []string{"min", "max", "q25", "median", "q75"}
	s := referenceStudy(t, "lung", "pima", "pbc", "birthwt", "transplant")
	supported := 0
	for _, c := range referenceCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			a := ask{c.Dataset, c.Analysis, c.Where, string(c.Args)}
			if _, err := PlanJob(s.job(a), s.roster.Roster); err != nil {
				if unsupported := new(Unsupported); !errors.As(err, &unsupported) {
					t.Fatalf("not even planned: %v", err)
				}
				return
			}
			supported++
			r := s.result(a)
			if r.Status != "ok" || len(r.Tables) == 0 {
				t.Errorf("status %q, %d tables", r.Status, len(r.Tables))
			}
			compare(t, "", throughJSON(t, r.Value), c.Expect, c.RelTol, absent)
		})
	}
	if supported != 6 {
		t.Errorf("%d cases are supported, want 6", supported)
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

// compare holds got against want; both as decoded from JSON.
func compare(t *testing.T, path string, got, want any, tolerance float64, absent []string) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		inner, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %T, want names", path, got)
			return
		}
		for name, x := range want {
			y, ok := inner[name]
			if ok {
				compare(t, path+"/"+name, y, x, tolerance, absent)
			} else if !slices.Contains(absent, name) {
				t.Errorf("%s/%s is missing", path, name)
			}
		}
		for name := range maps.Keys(inner) {
			if _, ok := want[name]; !ok {
				t.Errorf("%s/%s is too much", path, name)
			}
		}
	case []any:
		inner, ok := got.([]any)
		if !ok || len(inner) != len(want) {
			t.Errorf("%s: %v, want %v", path, got, want)
			return
		}
		for i := range want {
			compare(t, fmt.Sprintf("%s/%d", path, i), inner[i], want[i], tolerance, absent)
		}
	case float64:
		x, ok := got.(float64)
		if !ok || math.Abs(x-want) > max(tolerance*math.Abs(want), 1e-9) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
