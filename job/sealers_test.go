package job

import (
	"slices"
	"testing"
)

// TestSealers: the parties seal, but under engine mhe the dataset's sites do.
func TestSealers(t *testing.T) {
	s := newStudy(t, 5)
	r := s.roster
	r.Datasets[0].Sites = r.Datasets[0].Sites[1:4]
	for _, c := range []struct {
		engine, dataset string
		want            []string
	}{
		{EngineShares, "lung", []string{"hospital-1", "hospital-2", "hospital-3"}},
		{EngineShares, "liver", []string{"hospital-1", "hospital-2", "hospital-3"}},
		{EngineMHE, "lung", []string{"hospital-2", "hospital-3", "hospital-4"}},
		{EngineMHE, "liver", nil},
	} {
		j := s.job()
		j.Engine, j.Dataset = c.engine, c.dataset
		if got := r.Sealers(j); !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %v, want %v", c.engine, c.dataset, got, c.want)
		}
	}
}

// TestSummaryBits: no sum of a summary reaches 2^Bits, and none of fewer bits would do.
func TestSummaryBits(t *testing.T) {
	schema := &Schema{Columns: []Column{
		{Name: "x", Type: Integer, Min: "-8", Max: "7"},
		{Name: "y", Type: Integer, Min: "0", Max: "3"},
	}}
	for _, c := range []struct {
		terms []Term
		rows  int
		want  int
	}{
		{[]Term{{}}, 1, 1},
		{[]Term{{}}, 7, 3},
		{[]Term{{}}, 8, 4}, // a count of 8
		{[]Term{{"x"}}, 1, 4},
		{[]Term{{"x"}}, 8, 7},
		{[]Term{{"x"}}, 9, 8},
		{[]Term{{"x", "x"}}, 8, 11},
		{[]Term{{}, {"y"}, {"x", "y"}}, 4, 8},
	} {
		s := Summary{Name: "s", Complete: []string{"x", "y"}, Terms: c.terms}
		if err := s.Check(schema, c.rows); err != nil {
			t.Fatal(err)
		}
		if got := s.Bits(schema, c.rows); got != c.want {
			t.Errorf("%v over %d rows: %d bits, want %d", c.terms, c.rows, got, c.want)
		}
	}
}
