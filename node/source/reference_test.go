package source

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"consilium/job"
)

const reference = "../../testdata/reference"

// referenceCase is a case of the reference set, whose figures are R's.
type referenceCase struct {
	ID, Dataset, Where string
	Args               struct {
		Columns []string
		Column  string
		Edges   []float64
	}
	Expect json.RawMessage
}

func readCase(t *testing.T, id string, expect any) referenceCase {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(reference, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []referenceCase }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		if c.ID == id {
			if err := json.Unmarshal(c.Expect, expect); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("no case %s", id)
	return referenceCase{}
}

// dataset is all hospitals of a reference dataset under one inferred schema.
type dataset struct {
	schema  *job.Schema
	sources []*Source
}

func readDataset(t *testing.T, name string) dataset {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(reference, "data", name, "hospital-*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of %s: %v", name, err)
	}
	schema, report, err := Infer(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	d := dataset{schema: schema}
	for _, f := range report.Files {
		d.sources = append(d.sources, open(t, f.Path, schema, f.Rows))
	}
	return d
}

// sum adds the summary over the hospitals.
func (d dataset) sum(t *testing.T, where string, s job.Summary) []*big.Int {
	t.Helper()
	p, err := job.ParsePredicate(where, d.schema)
	if err != nil {
		t.Fatal(err)
	}
	total := zeros(s.Len())
	for _, source := range d.sources {
		for i, v := range summaries(t, source, p, s)[0] {
			total[i].Add(total[i], v)
		}
	}
	return total
}

func (d dataset) column(t *testing.T, name string) *job.Column {
	t.Helper()
	c, ok := d.schema.Column(name)
	if !ok {
		t.Fatalf("no column %s", name)
	}
	return c
}

func TestReferenceSums(t *testing.T) {
	for _, id := range []string{"describe-lung", "describe-pima-where"} {
		var want map[string]struct {
			N, Missing int64
			Sum        json.Number
		}
		c := readCase(t, id, &want)
		d := readDataset(t, c.Dataset)
		for _, name := range c.Args.Columns {
			all := d.sum(t, c.Where, job.Summary{Name: "all", Terms: []job.Term{{}}})
			got := d.sum(t, c.Where, job.Summary{Name: name, Complete: []string{name}, Terms: []job.Term{{}, {name}}})
			sum := new(big.Rat).Mul(new(big.Rat).SetInt(got[1]), d.column(t, name).StepRat())
			wantSum, ok := new(big.Rat).SetString(want[name].Sum.String())
			if !ok || sum.Cmp(wantSum) != 0 || got[0].Int64() != want[name].N || all[0].Int64()-got[0].Int64() != want[name].Missing {
				t.Errorf("%s, %s: n %s, sum %s of %s rows, want %+v", id, name, got[0], sum.RatString(), all[0], want[name])
			}
		}
	}
}

func TestReferenceFrequency(t *testing.T) {
	var want map[string]map[string]int64
	c := readCase(t, "frequency-abo-by-event", &want)
	d := readDataset(t, c.Dataset)
	s := job.Summary{Name: "table", Terms: []job.Term{{}}}
	for _, name := range c.Args.Columns {
		levels, err := d.column(t, name).Levels()
		if err != nil {
			t.Fatal(err)
		}
		s.Groups = append(s.Groups, job.Grouping{Column: name, Levels: levels})
	}
	got := d.sum(t, c.Where, s)
	for i, row := range s.Groups[0].Levels {
		for k, column := range s.Groups[1].Levels {
			first, second := d.column(t, c.Args.Columns[0]).Format(row), d.column(t, c.Args.Columns[1]).Format(column)
			if n := got[i*len(s.Groups[1].Levels)+k].Int64(); n != want[first][second] {
				t.Errorf("%s, %s: %d, want %d", first, second, n, want[first][second])
			}
		}
	}
}

func TestReferenceHistogram(t *testing.T) {
	var want struct{ Counts []int64 }
	c := readCase(t, "histogram-mass", &want)
	d := readDataset(t, c.Dataset)
	column := d.column(t, c.Args.Column)
	// The first edge lies below the data: the bins are given in codes.
	step, _ := column.StepRat().Float64()
	g := job.Grouping{Column: c.Args.Column}
	for _, e := range c.Args.Edges {
		g.Edges = append(g.Edges, int64(e/step+0.5))
	}
	got := ints(d.sum(t, c.Where, job.Summary{Name: "counts", Terms: []job.Term{{}}, Groups: []job.Grouping{g}}))
	if fmt.Sprint(got[:len(want.Counts)]) != fmt.Sprint(want.Counts) || got[len(want.Counts)] != 0 {
		t.Errorf("%v, want %v and 0 outside", got, want.Counts)
	}
}

// Each file of the set fits the schema that all of its dataset's files give, and
// its cells are exact: the code times the step is the text.
func TestReferenceFilesAreExact(t *testing.T) {
	for _, name := range []string{"birthwt", "lung", "pbc", "pima", "transplant"} {
		d := readDataset(t, name)
		for _, s := range d.sources {
			table, err := openCSV(s.path)
			if err != nil {
				t.Fatal(err)
			}
			got := stream(t, s, nil, d.schema.Names()...)
			for row := range s.declared {
				cells, err := table.next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for i, cell := range cells {
					c := d.column(t, table.names[i])
					if got.valid[c.Name][row] != (cell != "") {
						t.Fatalf("%s row %d, %s: validity", s.path, row+1, c.Name)
					}
					if back := c.Format(got.values[c.Name][row]); cell != "" && !same(back, cell) {
						t.Fatalf("%s row %d, %s: %s, want %s", s.path, row+1, c.Name, back, cell)
					}
				}
			}
			if err := table.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// same compares two cells as text, or as the numbers that a person would read.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
