package source

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"consilium/job"
)

// A Parquet file whose columns have numbers' own types is cast where it lies, all of
// the others in a snapshot; both agree with the same cells as text.
func TestParquetIsCastAsItsTextIs(t *testing.T) {
	columns := []struct {
		sql      string // of the number n, null for some
		declared job.Column
		inPlace  bool
	}{
		{"n::SMALLINT", integer("x", "0", "60"), true},
		{"n::BIGINT", integer("x", "-5", "60", "0", "7", "14", "33"), true},
		{"(n * 5)::UBIGINT", job.Column{Name: "x", Type: job.Integer, Step: "5", Min: "0", Max: "200"}, true},
		{"n::HUGEINT - 30", integer("x", "-20", "20"), true},
		{"(n / 4.0)::DECIMAL(6,2)", decimal("x", "0.5", "0", "10"), true},
		{"(n / 10.0)::DECIMAL(30,1)", decimal("x", "0.1", "0", "4"), true},
		{"(n / 10.0)::DECIMAL(38,10)", decimal("x", "0.1", "0", "4"), false},
		{"n / 10.0::DOUBLE", decimal("x", "0.1", "0.3", "4"), true},
		{"n / 10.0::DOUBLE", job.Column{Name: "x", Type: job.Decimal, Step: "0.2", Min: "0", Max: "4", Missing: []string{"0.3", "nan"}}, true},
		{"CASE n WHEN 5 THEN 'nan'::DOUBLE WHEN 6 THEN 'inf'::DOUBLE ELSE n END", integer("x", "0", "100"), true},
		{"(n / 10.0)::FLOAT", decimal("x", "0.1", "0", "5"), true},
		{"(n::DOUBLE * 1e17)", integer("x", "0", "999999999999999999"), false},
		{"n > 20", text("x", "false", "true"), true},
		{"chr((97 + n % 4)::INTEGER)", text("x", "a", "b", "c"), true},
		{"chr((97 + n % 4)::INTEGER)", job.Column{Name: "x", Type: job.Text, Categories: []string{"b", "a"}, Missing: []string{"d"}}, true},
		{"['', ' ', 'x', '\t', chr(8195)][n % 5 + 1]", text("x"), true},
		{"['', ' ', 'x', '\t', chr(8195)][n % 5 + 1]", text("x", "x"), true},
		{"n::VARCHAR", integer("x", "0", "40"), false},
		{"n::VARCHAR || 'e1'", integer("x", "0", "1000"), false},
		{"'2020-01-' || (10 + n % 20)::VARCHAR", text("x", "2020-01-10", "2020-01-11"), true},
		{"('2020-01-' || (10 + n % 20)::VARCHAR)::DATE", text("x", "2020-01-10", "2020-01-11"), true},
		{"n", job.Column{Name: "x", Type: job.Integer, Min: "0", Max: "20", Missing: []string{"30", "40.5", "unknown"}}, true},
	}
	for _, c := range columns {
		t.Run(c.sql+" "+c.declared.Min+" "+c.declared.Max, func(t *testing.T) {
			query := "SELECT range AS n, CASE WHEN range % 9 = 8 THEN NULL ELSE " + c.sql + " END AS x FROM (SELECT range, range AS n FROM range(45)) numbers"
			path := writeParquet(t, query)
			schema := schemaOf(c.declared, integer("n", "0", "99"))
			s := open(t, path, schema, 50)
			st, err := s.openFile(t.Context())
			if inPlace := err == nil; inPlace != c.inPlace {
				t.Errorf("cast in place: %v, %v", inPlace, err)
			}
			if err == nil {
				st.close()
			}
			moments := job.Summary{Name: "m", Complete: []string{"x"}, Terms: []job.Term{{}}}
			shown, where := []string{"n"}, job.Not{P: job.IsNull{Column: "x"}}
			if newColumn(&c.declared, 0).coded() {
				shown, moments.Terms = append(shown, "x"), append(moments.Terms, job.Term{"x"}, job.Term{"x", "x"})
			}
			plain, err := s.load(t.Context())
			if err == nil {
				s.store = plain
				rows, sums := stream(t, s, where, shown...), summaries(t, s, where, moments)
				plain.close()
				s.store = nil
				if got := stream(t, s, where, shown...); fmt.Sprint(got) != fmt.Sprint(rows) {
					t.Errorf("rows %v, want %v", got, rows)
				}
				if got := summaries(t, s, where, moments); fmt.Sprint(got) != fmt.Sprint(sums) {
					t.Errorf("sums %v, want %v", got, sums)
				}
				return
			}
			if got := s.Check(t.Context()); got == nil || got.Error() != err.Error() {
				t.Errorf("in place %v\nas text  %v", got, err)
			}
		})
	}
}

// Whatever double a file holds, it counts as the shortest decimal that names it.
func TestDoublesCountAsTheirText(t *testing.T) {
	declared := decimal("x", "0.01", "-1000", "1000")
	text := newColumn(&declared, 0)
	k, err := duckDB.cast(&declared, typeOf("DOUBLE"), "x")
	if err != nil {
		t.Fatal(err)
	}
	db, err := openDatabase(t.Context(), baseMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(-110000, 110000).Draw(t, "n")) / 100 }),
			rapid.Custom(func(t *rapid.T) float64 {
				return float64(rapid.IntRange(-110000, 110000).Draw(t, "n")) * 0.01 // often the neighbour
			}),
			rapid.Float64()).Draw(t, "x")
		var code *int64
		var bad int
		var shown string
		if err := db.QueryRow("SELECT "+k.code+", "+k.bad+", CAST(x AS VARCHAR) FROM (SELECT ?::DOUBLE AS x)", x).Scan(&code, &bad, &shown); err != nil {
			t.Fatal(err)
		}
		want, _, problem := text.code(shown)
		if fits := problem == ""; fits != (bad == 0) || fits && (code == nil || *code != want) {
			t.Errorf("%v: code %v, bad %d, want %d %s", x, code, bad, want, problem)
		}
	})
}

// Rows of a file with many row groups come in its order, the file's groups being read
// by several threads; and a job that stops half-way leaves nothing behind.
func TestRowsOfManyRowGroups(t *testing.T) {
	const rows = 300_000
	path := writeParquet(t, "SELECT range AS n, CASE WHEN range % 3 = 0 THEN NULL ELSE range / 10.0 END::DECIMAL(9,1) AS x FROM range(300000)")
	s := open(t, path, schemaOf(integer("n", "0", "1000000"), decimal("x", "0.1", "0", "100000")), rows+3)
	got := stream(t, s, job.Compare{Column: "n", Op: job.Ne, Value: 7}, "n", "x")
	for i := range rows {
		n, x := int64(i), int64(i)
		if i%3 == 0 {
			x = 0
		}
		if i == 7 {
			n, x = 0, 0
		}
		if got.values["n"][i] != n || got.values["x"][i] != x || got.valid["x"][i] != (x != 0) || got.selected[i] != (i != 7) {
			t.Fatalf("row %d: n %d, x %d %v", i, got.values["n"][i], got.values["x"][i], got.valid["x"][i])
		}
	}
	if len(got.selected) != rows+3 || slices.Contains(got.selected[rows:], true) {
		t.Errorf("%d rows", len(got.selected))
	}
	r, err := s.Rows(t.Context(), nil, columnVectors("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Next()
	r.Release()
}

// A file that is written over between two reads of one job is refused.
func TestParquetThatChanges(t *testing.T) {
	path := writeParquet(t, "SELECT range AS n FROM range(100000)")
	s := open(t, path, schemaOf(integer("n", "0", "1000000")), 100_000)
	sums := []job.Summary{{Name: "s", Complete: []string{"n"}, Terms: []job.Term{{"n"}}}}
	if got := summaries(t, s, nil, sums...)[0][0]; got.Cmp(big.NewInt(4999950000)) != 0 {
		t.Errorf("sum %v", got)
	}
	r, err := s.Rows(t.Context(), nil, columnVectors("n"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	for r.Next() {
	}
	if r.Err() == nil || !strings.Contains(r.Err().Error(), "changed while it was read") {
		t.Errorf("rows: %v", r.Err())
	}
	if _, err := s.Summaries(t.Context(), nil, sums); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("sums: %v", err)
	}
}

// Cells that do not fit are found by the scan that sums, in rows that the job does
// not select as in others, and only in columns that it reads.
func TestCellsOfAParquetFile(t *testing.T) {
	path := writeParquet(t, "SELECT range AS n, range % 50 AS x, 1000 AS y FROM range(100)")
	s := open(t, path, schemaOf(integer("n", "0", "99"), integer("x", "0", "48"), integer("y", "0", "9")), 100)
	by := job.Summary{Name: "s", Complete: []string{"n"}, Terms: []job.Term{{"n"}}, Groups: []job.Grouping{{Column: "x", Levels: []int64{1, 2}}}}
	_, err := s.Summaries(t.Context(), job.Compare{Column: "n", Op: job.Lt, Value: 10}, []job.Summary{by})
	var cells *CellErrors
	if !errors.As(err, &cells) || err.Error() != "h.parquet: row 50, column x: out of the declared range 0 to 48; h.parquet: row 100, column x: out of the declared range 0 to 48" {
		t.Errorf("error %v", err)
	}
	if err := s.Check(t.Context()); !errors.As(err, &cells) || len(cells.Cells)+cells.More != 102 {
		t.Errorf("error %v", err)
	}
	by.Groups = nil
	if got := summaries(t, s, nil, by); got[0][0].Int64() != 4950 {
		t.Errorf("sum %v", got)
	}
}
