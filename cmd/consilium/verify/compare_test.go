package verify

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		got, want string
		absent    string
		wrong     int
	}{
		{`{"n": 3, "mean": 1.5, "extra": 9}`, `{"n": 3, "mean": 1.5}`, "", 0},
		{`{"mean": 1.5000001}`, `{"mean": 1.5}`, "", 0},
		{`{"mean": 1.50001}`, `{"mean": 1.5}`, "", 1},
		{`{"mean": 1e-10}`, `{"mean": 0}`, "", 0},
		{`{"mean": 1e-8}`, `{"mean": 0}`, "", 1},
		{`{"p": 1.009e-5}`, `{"p": 1e-5}`, "", 0},
		{`{"p": 1.02e-5}`, `{"p": 1e-5}`, "", 1},
		{`{"p": [0.5, 1.009e-5]}`, `{"p": [0.5, 1e-5]}`, "", 0},
		{`{"a": {"x": 1}}`, `{"a": {"x": 1, "y": 2}, "b": 3}`, "a.y b", 0},
		{`{"df": [3]}`, `{"df": 3}`, "", 0},
		{`{"df": 3}`, `{"df": [3]}`, "", 0},
		{`{"df": [3, 4]}`, `{"df": [3]}`, "", 1},
		{`{"s": "ok", "z": null}`, `{"s": "ok", "z": null}`, "", 0},
		{`{"s": "no", "z": 0}`, `{"s": "ok", "z": null}`, "", 2},
		{`{"n": null}`, `{"n": 1}`, "", 1},
		{`{"n": "1"}`, `{"n": 1}`, "", 1},
		{`7`, `{"n": 1}`, "", 1},
		{`{"term": ["b", "a"], "coef": [2, 1], "r2": 5}`, `{"term": ["a", "b"], "coef": [1, 2], "r2": 5}`, "", 0},
		{`{"term": ["b", "c"], "coef": [2, 1]}`, `{"term": ["a", "b"], "coef": [1, 2]}`, "", 4},
	} {
		got := Compare(parse(t, c.got), parse(t, c.want), 1e-6)
		if strings.Join(got.Absent, " ") != c.absent || len(got.Wrong) != c.wrong {
			t.Errorf("%s against %s: absent %v, wrong %v", c.got, c.want, got.Absent, got.Wrong)
		}
	}
}

// TestCompareIsOfJSONValues: integers of a result compare with floats of a file.
func TestCompareIsOfJSONValues(t *testing.T) {
	if c := Compare(map[string]any{"n": int64(3)}, map[string]any{"n": json.Number("3")}, 1e-6); len(c.Wrong)+len(c.Absent) > 0 {
		t.Error(c)
	}
}

func TestFlatten(t *testing.T) {
	got := Flatten(parse(t, `{"b": [1, {"c": "x"}], "a": null}`))
	want := []Figure{{"a", nil}, {"b[0]", 1.0}, {"b[1].c", "x"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoad(t *testing.T) {
	data := filepath.Join("..", "..", "..", "testdata")
	f, err := Load(filepath.Join(data, "reference"))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) != 25 || f.Nodes() != 5 || len(f.Files["birthwt"]) != 3 || len(f.Organ) != 0 {
		t.Errorf("reference: %d cases, %d nodes, files %v, organ %v", len(f.Cases), f.Nodes(), f.Files["birthwt"], f.Organ)
	}
	if f, err = Load(filepath.Join(data, "organ", "examples")); err != nil || len(f.Organ) != 21 || f.Nodes() != 3 {
		t.Errorf("organ: %v, %v", f, err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("an empty folder is accepted")
	}
}

func FuzzParseCases(f *testing.F) {
	f.Add([]byte(`{"source": "x", "cases": [{"id": "a", "dataset": "b", "analysis": "c", "args": {}, "expect": {}, "rel_tol": 1e-6}]}`))
	f.Add([]byte(`{"cases": [{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		cases, err := parseCases(b)
		for _, c := range cases {
			if err == nil && (c.ID == "" || c.RelTol <= 0) {
				t.Errorf("accepted %+v", c)
			}
		}
	})
}
