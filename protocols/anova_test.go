package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"consilium/job"
)

// anovaOracle is the textbook's analysis of variance.
func anovaOracle(groups [][]float64) (string, map[string]any) {
	var all []float64
	for _, g := range groups {
		all = append(all, g...)
	}
	switch {
	case len(all) == 0:
		return statusEmpty, nil
	case len(groups) < 2 || len(all) == len(groups):
		return statusFewRows, nil
	case constantGroups(groups):
		return statusConstant, nil
	}
	mean, between, within := stat.Mean(all, nil), 0.0, 0.0
	for _, g := range groups {
		m := stat.Mean(g, nil)
		between += float64(len(g)) * (m - mean) * (m - mean)
		for _, x := range g {
			within += (x - m) * (x - m)
		}
	}
	d1, d2 := float64(len(groups)-1), float64(len(all)-len(groups))
	f := between / d1 / (within / d2)
	return statusOK, map[string]any{"f": f, "df": []any{int64(d1), int64(d2)}, "p": 1 - distuv.F{D1: d1, D2: d2}.CDF(f)}
}

func TestAnovaReference(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "pbc"), "anova-bili-stage")
	s := certifiedStudy(t, "sirstv", "smls01", "smls04", "smls07", "atmwtag")
	for _, id := range []string{"nist-sirstv", "nist-smls01", "nist-smls04", "nist-smls07", "nist-atmwtag"} {
		checkCertified(t, s, id)
	}
}

func TestAnovaAgainstOracle(t *testing.T) {
	leakFree(t)
	rapid.Check(t, func(r *rapid.T) {
		rows := drawRows(r)
		column := rapid.IntRange(2, 3).Draw(r, "column")
		status, want := anovaOracle(byLevel(rows, column))
		s := comparedStudy(t, rapid.IntRange(1, studyNodes).Draw(r, "sites"), rows, nil)
		got := s.result(ask{"trial", "anova", "", fmt.Sprintf(`{"value":"v","group":"%c"}`, "vwgh"[column])})
		checkResult(t, fmt.Sprint(rows), got, status, want)
	})
}

// TestAnovaCases: filters that leave fewer groups, groups of one row, and groups
// without variation.
func TestAnovaCases(t *testing.T) {
	leakFree(t)
	rows := []comparedRow{
		{"1", "", "a", "0"},
		{"2.5", "", "a", "0"},
		{"-7", "", "a", "1"},
		{"", "", "a", "0"},
		{"3", "", "b", "1"},
		{"3", "", "b", "1"},
		{"3", "", "b", "1"},
		{"4", "", "c", "0"},
	}
	s := comparedStudy(t, 3, rows, nil)
	for _, c := range []struct {
		where  string
		keep   func(*comparedRow) bool
		status string
	}{
		{"", func(*comparedRow) bool { return true }, statusOK},
		{"g <> 'b'", func(r *comparedRow) bool { return r[2] != "b" }, statusOK},
		{"g <> 'a'", func(r *comparedRow) bool { return r[2] != "a" }, statusConstant},
		{"v = 3 OR v = 4 OR v = 1", func(r *comparedRow) bool { return r[0] == "3" || r[0] == "4" || r[0] == "1" }, statusConstant},
		{"v = 4 OR v = 1", func(r *comparedRow) bool { return r[0] == "4" || r[0] == "1" }, statusFewRows},
		{"g = 'a'", func(r *comparedRow) bool { return r[2] == "a" }, statusFewRows},
		{"v > 19", func(*comparedRow) bool { return false }, statusEmpty},
	} {
		status, want := anovaOracle(byLevel(keptRows(rows, c.keep), 2))
		if status != c.status {
			t.Fatalf("%s: the oracle says %q", c.where, status)
		}
		checkResult(t, c.where, s.result(ask{"trial", "anova", c.where, `{"value":"v","group":"g"}`}), c.status, want)
	}
}

// TestAnovaScales: F from one part in 10^12 of the variance to all but that, equal
// means, and columns so wide that squares fill 123 bits.
func TestAnovaScales(t *testing.T) {
	leakFree(t)
	const wide = "600000000000000000"
	for _, c := range []struct {
		name, reach string
		groups      [][]string
	}{
		{"equal means", "100", [][]string{{"1", "3"}, {"2", "2"}, {"0", "4", "2"}}},
		{"all between", "800000000000", [][]string{{"500000000000", "500000000001"}, {"-500000000000", "-500000000001"}, {"0", "1"}}},
		{"all within", wide, [][]string{{"-500000000000000000", "500000000000000000"}, {"-500000000000000000", "500000000000000000", "1500000"}}},
		{"full range", wide, [][]string{{"-" + wide, wide}, {wide, wide, "-" + wide}}},
		{"far from zero", wide, [][]string{{"599999999998765432", "599999999995555555"}, {"599999999991111111", "599999999990000007"}}},
	} {
		schema := job.Schema{Columns: []job.Column{
			{Name: "v", Type: job.Integer, Min: "-" + c.reach, Max: c.reach},
			{Name: "g", Type: job.Text, Categories: []string{"a", "b", "c"}},
		}}
		var lines [][]string
		var values [][]float64
		for i, group := range c.groups {
			for _, x := range group {
				lines = append(lines, []string{x, "abc"[i : i+1]})
			}
			values = append(values, lessBase(t, group, c.groups[0][0]))
		}
		header := []string{"v", "g"}
		s := newStudy(t, nil, pieces{"trial", schema, []table{{header, lines[:2]}, {header, lines[2:]}}})
		status, want := anovaOracle(values)
		a := ask{"trial", "anova", "", `{"value":"v","group":"g"}`}
		delete(want, "p") // the oracle's has no digits left in the tail
		for _, got := range []*Result{s.result(a), s.fromSums(a)} {
			if status == statusOK && got.Status == statusOK {
				delete(got.Value.(map[string]any), "p")
			}
			checkResult(t, c.name, got, status, want)
		}
	}
}

// TestTailOfF: R's pf(x, d1, d2, lower.tail = FALSE), far out too.
func TestTailOfF(t *testing.T) {
	for _, c := range []struct{ x, d1, d2, want float64 }{
		{0, 3, 8, 1},
		{6.36395812165662, 3, 408, 0.000318160280454967},
		{1, 1, 1, 0.5},
		{4, 2, 2, 0.2},
		{999, 2, 4, 1.0 / 250500.25}, // (1 + x/2)^-2
		{1e30, 2, 4, 4e-60},
	} {
		if got := tailOfF(c.x, c.d1, c.d2); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("F(%v, %v) beyond %v: %v, want %v", c.d1, c.d2, c.x, got, c.want)
		}
	}
}

func TestAnovaMinCount(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		minCount int
		where    string
		want     string
	}{
		{3, "", statusOK},
		{4, "", statusSuppressed},
		{4, "g <> 'c'", statusOK}, // a group without rows tells of nobody
		{10, "g <> 'c'", statusSuppressed},
	} {
		rows := manyRows(map[string]int{"a0": 2, "a1": 3, "b0": 4, "c1": 3}, "1", "")
		rows[0][0], rows[6][0] = "2", "3"
		s := comparedStudy(t, 3, rows, func(r *job.Roster) { r.Disclosure.MinCount = c.minCount })
		if got := s.result(ask{"trial", "anova", c.where, `{"value":"v","group":"g"}`}); got.Status != c.want {
			t.Errorf("min_count %d where %q: %q, want %q", c.minCount, c.where, got.Status, c.want)
		}
	}
}

func TestAnovaTranscript(t *testing.T) {
	leakFree(t)
	one, other := comparedOthers(t)
	checkTranscript(t, "anova", one, other, ask{"trial", "anova", "", `{"value":"v","group":"g"}`})
}

func TestAnovaPaper(t *testing.T) {
	leakFree(t)
	rows := manyRows(map[string]int{"a0": 2, "a1": 3, "b0": 4, "c1": 3}, "1", "")
	rows[0][0], rows[6][0] = "2", "3"
	s := comparedStudy(t, 3, rows, nil)
	a := ask{"trial", "anova", "v > 0", `{"value":"v","group":"g"}`}
	checkTables(t, "anova", s.result(a))
	p, err := PlanJob(s.job(a), s.roster.Roster)
	s.must(err)
	want := "[the F statistic of v between the groups of g (hence its p-value) its degrees of freedom (hence how many rows and how many groups there are); no figure of a group]"
	if fmt.Sprint(p.Reveals) != want {
		t.Errorf("reveals %q", p.Reveals)
	}
}

func TestAnovaRefusals(t *testing.T) {
	s := comparedStudy(t, 1, nil, nil)
	checkRefusals(t, s, "trial", "anova", map[string]string{
		`{"group":"h"}`:                           `argument "value" is missing`,
		`{"value":"v"}`:                           `argument "group" is missing`,
		`{"value":"g","group":"h"}`:               "is text and has no mean",
		`{"value":"h","group":"h"}`:               "value and group are both",
		`{"value":"v","group":"w"}`:               "no list of categories",
		`{"value":"v","group":"x"}`:               `no column "x"`,
		`{"value":"v","group":"g","pooled":true}`: "unknown to this analysis",
	})
	wide := job.Schema{Columns: []job.Column{
		{Name: "v", Type: job.Integer, Min: "-2000000000000000000", Max: "2000000000000000000"},
		{Name: "h", Type: job.Integer, Min: "0", Max: "1", Categories: []string{"0", "1"}},
	}}
	lines := make([][]string, 3)
	for i := range lines {
		lines[i] = []string{"", ""}
	}
	w := newStudy(t, nil, pieces{"trial", wide, []table{{[]string{"v", "h"}, lines}}})
	checkRefusals(t, w, "trial", "anova", map[string]string{`{"value":"v","group":"h"}`: "declare a narrower range or a larger step"})
}

// TestImpossibleAnovas: what no honest parties reveal is no result.
func TestImpossibleAnovas(t *testing.T) {
	s := comparedStudy(t, 2, make([]comparedRow, 20), nil)
	p, err := PlanJob(s.job(ask{"trial", "anova", "", `{"value":"v","group":"g"}`}), s.roster.Roster)
	s.must(err)
	half := int64(1) << 55
	for _, c := range []struct{ mantissa, groups, rows int64 }{
		{half, 1, 10}, {half, 4, 10}, {half, 3, 3}, {half, 3, 21}, {-half, 3, 10}, {5, 3, 10},
	} {
		opened := Opened{
			statusOutput: {big.NewInt(0)}, anovaRatio: {big.NewInt(c.mantissa), big.NewInt(1)},
			anovaGroups: {big.NewInt(c.groups)}, anovaRows: {big.NewInt(c.rows)},
		}
		if r, err := p.Finish(opened); !errors.Is(err, errImpossible) {
			t.Errorf("%v: %v, %v", c, r, err)
		}
	}
}
