package protocols

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/testkit"
)

// comparedSchema has what tests of differences compare: two measurements of
// different steps, a group of three levels and one of two.
func comparedSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "v", Type: job.Decimal, Unit: "mmol/L", Step: "0.1", Min: "-20", Max: "20"},
		{Name: "w", Type: job.Decimal, Step: "0.25", Min: "-100", Max: "100"},
		{Name: "g", Type: job.Text, Categories: []string{"c", "a", "b"}},
		{Name: "h", Type: job.Integer, Min: "0", Max: "9", Categories: []string{"1", "0"}},
	}}
}

// comparedRow is a row of comparedSchema as text.
type comparedRow [4]string

// value returns a cell's number, and whether there is one.
func (r *comparedRow) value(column int) (float64, bool) {
	x, err := strconv.ParseFloat(r[column], 64)
	return x, err == nil
}

// comparedStudy deals rows out to the first sites, one to each in turn.
func comparedStudy(t testing.TB, sites int, rows []comparedRow, change func(*job.Roster)) *study {
	t.Helper()
	p := pieces{name: "trial", schema: comparedSchema()}
	lines := make([][][]string, sites)
	for i, r := range rows {
		lines[i%sites] = append(lines[i%sites], r[:])
	}
	for i := range sites {
		p.sites = append(p.sites, table{[]string{"v", "w", "g", "h"}, lines[i]})
	}
	return newStudy(t, change, p)
}

// drawRows draws a small table with ties, missing values and, often, levels that
// no row has.
func drawRows(r *rapid.T) []comparedRow {
	pick := func(from []string, name string) *rapid.Generator[string] {
		some := rapid.IntRange(1, len(from)).Draw(r, name)
		return rapid.SampledFrom(from[:some])
	}
	v, w := pick([]string{"1.5", "1.6", "", "-7.3", "20"}, "values"), pick([]string{"0", "-0.25", "3.5", "100", ""}, "others")
	g, h := pick([]string{"b", "a", "c", ""}, "groups"), pick([]string{"0", "1", ""}, "halves")
	rows := make([]comparedRow, rapid.IntRange(0, 12).Draw(r, "rows"))
	for i := range rows {
		rows[i] = comparedRow{v.Draw(r, "v"), w.Draw(r, "w"), g.Draw(r, "g"), h.Draw(r, "h")}
	}
	return rows
}

// manyRows writes a table of counts of g by h as rows, with v and w as given.
func manyRows(counts map[string]int, v, w string) []comparedRow {
	var rows []comparedRow
	for _, g := range []string{"a", "b", "c"} {
		for _, h := range []string{"0", "1"} {
			for range counts[g+h] {
				rows = append(rows, comparedRow{v, w, g, h})
			}
		}
	}
	return rows
}

// keptRows are the rows that a filter of those tests keeps.
func keptRows(rows []comparedRow, keep func(*comparedRow) bool) []comparedRow {
	var out []comparedRow
	for i := range rows {
		if keep(&rows[i]) {
			out = append(out, rows[i])
		}
	}
	return out
}

// checkResult holds a result against the oracle's: its status, and its value if
// that is "ok". Numbers agree to 1e-9.
func checkResult(t testing.TB, what string, got *Result, status string, want map[string]any) {
	t.Helper()
	if got.Status != status {
		t.Fatalf("%s: status %q (%v), want %q (%v)", what, got.Status, got.Value, status, want)
	}
	if status != statusOK {
		return
	}
	value := got.Value.(map[string]any)
	if len(value) != len(want) {
		t.Errorf("%s: fields %v, want %v", what, value, want)
	}
	for name, x := range want {
		if !alike(value[name], x) {
			t.Errorf("%s: %s is %v, want %v", what, name, value[name], x)
		}
	}
}

// alike compares figures, lists of them, and undefined ones.
func alike(got, want any) bool {
	switch want := want.(type) {
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !alike(list[i], want[i]) {
				return false
			}
		}
		return true
	case float64:
		x, ok := got.(float64)
		return ok && math.Abs(x-want) <= 1e-9*max(1, math.Abs(want)) || !ok && got == nil && (math.IsNaN(want) || math.IsInf(want, 0))
	}
	return fmt.Sprint(got) == fmt.Sprint(want)
}

// checkTables holds what a result prints against a golden file.
func checkTables(t *testing.T, name string, results ...*Result) {
	t.Helper()
	var all strings.Builder
	for _, r := range results {
		for _, table := range r.Tables {
			fmt.Fprintf(&all, "%s\n%s\n", table.Title, strings.Join(table.Header, " | "))
			for _, row := range table.Rows {
				fmt.Fprintln(&all, strings.Join(row, " | "))
				if len(row) != len(table.Header) {
					t.Errorf("%s: a row of %d cells under %d headings", table.Title, len(row), len(table.Header))
				}
			}
			fmt.Fprintf(&all, "%s\n\n", strings.Join(table.Notes, "\n"))
		}
	}
	testkit.Golden(t, name+".tables.golden", all.String())
}

// checkRefusals holds arguments that no plan accepts against what the error names.
func checkRefusals(t *testing.T, s *study, dataset, analysis string, refused map[string]string) {
	t.Helper()
	for args, want := range refused {
		_, err := PlanJob(s.job(ask{dataset, analysis, "", args}), s.roster.Roster)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s: error %v, want one with %q", analysis, args, err, want)
		}
	}
}

// comparedOthers are two tables of one size that have nothing else in common: for
// transcripts.
func comparedOthers(t testing.TB) (one, other *study) {
	rows := manyRows(map[string]int{"a0": 2, "a1": 3, "b0": 1, "b1": 2}, "1.5", "2")
	rows[0][0], rows[6][0] = "3", "-4"
	return comparedStudy(t, 3, rows, nil), comparedStudy(t, 3, make([]comparedRow, 8), nil)
}
