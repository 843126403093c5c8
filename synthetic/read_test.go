package synthetic_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/node/source"
	"consilium/synthetic"
)

// every has a column of each kind that a schema can declare.
func every() *job.Schema {
	return &job.Schema{Columns: []job.Column{
		{Name: "whole", Type: job.Integer, Min: "-3", Max: "4"},
		{Name: "twos", Type: job.Integer, Step: "2", Min: "-100", Max: "100"},
		{Name: "tenth", Type: job.Decimal, Step: "0.1", Min: "-0.5", Max: "200"},
		{Name: "quarter", Type: job.Decimal, Step: "0.25", Min: "0", Max: "12"},
		{Name: "large", Type: job.Integer, Min: "0", Max: "1000000000000"},
		{Name: "fine", Type: job.Decimal, Step: "0.00000001", Min: "0", Max: "1000"},
		{Name: "code", Type: job.Integer, Min: "0", Max: "9", Categories: []string{"9", "2", "5"}, Missing: []string{"-9"}},
		{Name: "word", Type: job.Text, Categories: []string{"über", "a, b", `"quoted"`, "x"}, Missing: []string{"NA"}},
		{Name: "free", Type: job.Text},
	}}
}

// TestTwinsReadBack reads what was written as a site reads its file, and compares
// with the blocks that were made.
func TestTwinsReadBack(t *testing.T) {
	const rows = 2000
	for _, name := range []string{"twin.csv", "twin.parquet"} {
		s := every()
		twin, err := synthetic.NewTwin(s, 5, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if _, err := synthetic.WriteFile(t.Context(), path, twin, 0, rows, nil); err != nil {
			t.Fatal(err)
		}
		want := &synthetic.Block{Rows: rows}
		var vectors []job.Vector
		for i := range s.Columns {
			want.Columns = append(want.Columns, synthetic.Cells{Codes: make([]int64, rows), Valid: make([]bool, rows)})
			if s.Columns[i].Name != "free" {
				vectors = append(vectors, job.Vector{Name: s.Columns[i].Name, Column: s.Columns[i].Name})
			}
		}
		twin.Fill(want)
		got := read(t, path, s, rows, vectors)
		for j := range vectors {
			seen, lost := map[int64]bool{}, 0
			for i := range rows {
				w, valid := want.Columns[j].Codes[i], want.Columns[j].Valid[i]
				if got.Columns[j].Codes[i] != w || got.Columns[j].Valid[i] != valid {
					t.Fatalf("%s: row %d of %s was written as %d (%v) and read as %d (%v)", name, i, vectors[j].Name, w, valid, got.Columns[j].Codes[i], got.Columns[j].Valid[i])
				}
				if seen[w] = true; !valid {
					lost++
				}
			}
			lowest, highest := s.Columns[j].Codes()
			if span := highest - lowest + 1; span < 20 && len(s.Columns[j].Categories) == 0 && len(seen) != int(span) {
				t.Errorf("%s has %d values, its range %d", vectors[j].Name, len(seen), span)
			}
			if math.Abs(float64(lost)-rows/10) > 5*math.Sqrt(rows*0.09) {
				t.Errorf("%s lacks %d of %d cells", vectors[j].Name, lost, rows)
			}
		}
	}
}

// TestCardiacReadsBack has a site read the cohort in both forms.
func TestCardiacReadsBack(t *testing.T) {
	const rows = 3000
	c := synthetic.NewCardiac(11)
	var vectors []job.Vector
	for _, name := range c.Schema().Names() {
		vectors = append(vectors, job.Vector{Name: name, Column: name})
	}
	var first *synthetic.Block
	for _, name := range []string{"cohort.csv", "cohort.parquet"} {
		path := filepath.Join(t.TempDir(), name)
		if _, err := synthetic.WriteFile(t.Context(), path, c, 0, rows, nil); err != nil {
			t.Fatal(err)
		}
		b := read(t, path, c.Schema(), rows, vectors)
		if first == nil {
			first = b
			continue
		}
		for j := range vectors {
			for i := range rows {
				if first.Columns[j].Codes[i] != b.Columns[j].Codes[i] || first.Columns[j].Valid[i] != b.Columns[j].Valid[i] {
					t.Fatalf("row %d of %s differs between CSV and Parquet", i, vectors[j].Name)
				}
			}
		}
	}
}

func read(t *testing.T, path string, s *job.Schema, rows int, vectors []job.Vector) *synthetic.Block {
	t.Helper()
	src, err := source.Open(t.Context(), path, s, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Rows(t.Context(), nil, vectors)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	b := &synthetic.Block{Rows: rows, Columns: make([]synthetic.Cells, len(vectors))}
	for r.Next() {
		record := r.Record()
		for j := range vectors {
			codes, valid := record.Column(2*j).(*array.Int64), record.Column(2*j+1).(*array.Boolean)
			for i := range int(record.NumRows()) {
				b.Columns[j].Codes = append(b.Columns[j].Codes, codes.Value(i))
				b.Columns[j].Valid = append(b.Columns[j].Valid, valid.Value(i))
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return b
}
