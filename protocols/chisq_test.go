package protocols

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"consilium/job"
)

// crossCounts counts rows by two columns, without the levels that none has.
func crossCounts(rows []comparedRow, first, second int) [][]float64 {
	cells, firsts, seconds := map[[2]string]float64{}, map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if r[first] != "" && r[second] != "" {
			cells[[2]string{r[first], r[second]}]++
			firsts[r[first]], seconds[r[second]] = true, true
		}
	}
	var table [][]float64
	for _, a := range []string{"0", "1", "a", "b", "c"} {
		if !firsts[a] {
			continue
		}
		var row []float64
		for _, b := range []string{"0", "1", "a", "b", "c"} {
			if seconds[b] {
				row = append(row, cells[[2]string{a, b}])
			}
		}
		table = append(table, row)
	}
	return table
}

// chiSquaredOracle is the textbook's formula.
func chiSquaredOracle(table [][]float64, correct bool) (string, map[string]any) {
	if len(table) == 0 {
		return statusEmpty, nil
	}
	if len(table) < 2 || len(table[0]) < 2 {
		return statusFewRows, nil
	}
	n, rows, columns := 0.0, make([]float64, len(table)), make([]float64, len(table[0]))
	for i, row := range table {
		for k, x := range row {
			n, rows[i], columns[k] = n+x, rows[i]+x, columns[k]+x
		}
	}
	statistic := 0.0
	for i, row := range table {
		for k, x := range row {
			expected := rows[i] * columns[k] / n
			off := math.Abs(x - expected)
			if correct && len(rows) == 2 && len(columns) == 2 {
				off -= min(0.5, off)
			}
			statistic += off * off / expected
		}
	}
	df := (len(rows) - 1) * (len(columns) - 1)
	return statusOK, map[string]any{"statistic": statistic, "df": df, "p": distuv.ChiSquared{K: float64(df)}.Survival(statistic)}
}

func TestChiSquaredReference(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "transplant"), "chisq-abo-event")
}

// TestChiSquaredAgainstOracle: random tables, most with levels that no row has.
func TestChiSquaredAgainstOracle(t *testing.T) {
	leakFree(t)
	rapid.Check(t, func(r *rapid.T) {
		rows := drawRows(r)
		correct := rapid.Bool().Draw(r, "correct")
		status, want := chiSquaredOracle(crossCounts(rows, 2, 3), correct)
		s := comparedStudy(t, rapid.IntRange(1, studyNodes).Draw(r, "sites"), rows, nil)
		got := s.result(ask{"trial", "chisq", "", fmt.Sprintf(`{"row":"g","column":"h","correct":%t}`, correct)})
		checkResult(t, fmt.Sprint(rows, correct), got, status, want)
	})
}

// TestChiSquaredCases: what R says of larger tables, filters, and tables so near to
// independence that a formula that cancels loses the statistic.
func TestChiSquaredCases(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		counts      map[string]int
		where, args string
	}{
		{map[string]int{"a0": 12, "a1": 5, "b0": 7, "b1": 11, "c0": 3, "c1": 9}, "", `{"row":"g","column":"h"}`},
		{map[string]int{"a0": 12, "a1": 5, "b0": 7, "b1": 11, "c0": 3, "c1": 9}, "g <> 'c'", `{"row":"h","column":"g","correct":true}`},
		{map[string]int{"a0": 12, "a1": 5, "b0": 7, "b1": 11, "c0": 3, "c1": 9}, "", `{"row":"h","column":"g","correct":true}`},
		{map[string]int{"a0": 20, "a1": 20, "b0": 20, "b1": 21}, "", `{"row":"g","column":"h"}`},
		{map[string]int{"a0": 20, "a1": 20, "b0": 20, "b1": 20}, "", `{"row":"g","column":"h","correct":true}`},
		{map[string]int{"a0": 9, "b1": 9}, "", `{"row":"g","column":"h"}`},
		{map[string]int{"a0": 9, "b1": 9}, "h = 1", `{"row":"g","column":"h"}`},
		{map[string]int{"a0": 9, "b1": 9}, "h = 1 AND g = 'a'", `{"row":"g","column":"h"}`},
	} {
		rows := manyRows(c.counts, "", "")
		kept := keptRows(rows, func(r *comparedRow) bool {
			return c.where == "" || c.where == "g <> 'c'" && r[2] != "c" || c.where[0] == 'h' && r[3] == "1" && (c.where == "h = 1" || r[2] == "a")
		})
		first, second := 2, 3
		if c.args[8] == 'h' {
			first, second = second, first
		}
		status, want := chiSquaredOracle(crossCounts(kept, first, second), len(c.args) > 30)
		got := comparedStudy(t, 3, rows, nil).result(ask{"trial", "chisq", c.where, c.args})
		checkResult(t, fmt.Sprint(c), got, status, want)
	}
}

// TestChiSquaredMinCount: margins count, cells do not: none is revealed.
func TestChiSquaredMinCount(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		minCount int
		want     string
	}{{1, statusOK}, {5, statusOK}, {6, statusSuppressed}} {
		rows := manyRows(map[string]int{"a0": 4, "a1": 2, "b0": 1, "b1": 4}, "", "")
		s := comparedStudy(t, 3, rows, func(r *job.Roster) { r.Disclosure.MinCount = c.minCount })
		if got := s.result(ask{"trial", "chisq", "", `{"row":"g","column":"h"}`}); got.Status != c.want {
			t.Errorf("min_count %d: %q, want %q", c.minCount, got.Status, c.want)
		}
	}
}

func TestChiSquaredTranscript(t *testing.T) {
	leakFree(t)
	one, other := comparedOthers(t)
	checkTranscript(t, "chisq", one, other, ask{"trial", "chisq", "", `{"row":"g","column":"h","correct":true}`})
}

func TestChiSquaredPaper(t *testing.T) {
	leakFree(t)
	s := comparedStudy(t, 3, manyRows(map[string]int{"a0": 12, "a1": 5, "b0": 7, "b1": 11}, "", ""), nil)
	a := ask{"trial", "chisq", "g IN ('a', 'b')", `{"row":"g","column":"h"}`}
	checkTables(t, "chisq", s.result(a), s.result(ask{"trial", "chisq", "", `{"row":"g","column":"h","correct":true}`}))
	p, err := PlanJob(s.job(a), s.roster.Roster)
	s.must(err)
	want := []string{
		"the chi-squared statistic of g by h with its degrees of freedom (hence its p-value)",
		"how many selected rows have a value in both; no count of a level or of a cell of the 6",
	}
	if fmt.Sprint(p.Reveals) != fmt.Sprint(want) {
		t.Errorf("reveals %q", p.Reveals)
	}
}

func TestChiSquaredRefusals(t *testing.T) {
	checkRefusals(t, comparedStudy(t, 1, nil, nil), "trial", "chisq", map[string]string{
		`{}`:                                        `argument "row" is missing`,
		`{"row":"g"}`:                               `argument "column" is missing`,
		`{"row":"g","column":"g"}`:                  "named twice",
		`{"row":"g","column":"x"}`:                  `no column "x"`,
		`{"row":"v","column":"h"}`:                  "no list of categories",
		`{"row":"g","column":["h","g"]}`:            "one text",
		`{"row":"g","column":"h","correct":"yes"}`:  "true or false",
		`{"row":"g","column":"h","corrected":true}`: "unknown to this analysis",
	})
}
