package protocols

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

func TestReferenceMannWhitney(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "birthwt"), "mannwhitney-bwt-smoke")
}

// mannWhitney is the test by the book, of two groups of steps.
func mannWhitney(x, y []int64, correct bool) (u, p float64) {
	n1, n2 := float64(len(x)), float64(len(y))
	n, ties := n1+n2, 0.0
	runs := map[int64]float64{}
	for _, a := range slices.Concat(x, y) {
		runs[a]++
	}
	for _, t := range runs {
		ties += t*t*t - t
	}
	for _, a := range x {
		for _, b := range y {
			switch {
			case a > b:
				u++
			case a == b:
				u += 0.5
			}
		}
	}
	z := u - n1*n2/2
	if correct && z != 0 {
		z -= math.Copysign(0.5, z)
	}
	z /= math.Sqrt(n1 * n2 / 12 * (n + 1 - ties/(n*(n-1))))
	return u, math.Erfc(math.Abs(z / math.Sqrt2))
}

// drawWard draws a few rows of a ward at three sites, some values of them missing,
// and returns the ages by level of grade, 0.5, 2 and 10.
func drawWard(t *rapid.T, test *testing.T) (*study, [][]int64) {
	sites := make([][][]string, 3)
	ages := make([][]int64, 3)
	widest := rapid.SampledFrom([]int64{0, 3, 120}).Draw(t, "widest")
	for range rapid.IntRange(0, 25).Draw(t, "rows") {
		age := rapid.Int64Range(0, widest).Draw(t, "age")
		grade := rapid.IntRange(-1, 2).Draw(t, "grade")
		site := rapid.IntRange(0, 2).Draw(t, "site")
		line := []string{strconv.FormatInt(age, 10), "", "f", ""}
		if grade >= 0 {
			line[3] = []string{"0.5", "2", "10"}[grade]
		}
		if rapid.Bool().Draw(t, "missing") && rapid.Bool().Draw(t, "really") {
			line[0] = ""
		} else if grade >= 0 {
			ages[grade] = append(ages[grade], age)
		}
		sites[site] = append(sites[site], line)
	}
	return ward(test, sites...), ages
}

// TestMannWhitney compares with counting pairs, over tables with ties, empty groups
// and a level too many.
func TestMannWhitney(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, ages := drawWard(r, t)
		where := rapid.SampledFrom([]string{"", "grade > 0.5", "age <= 1", "grade IN (0.5, 10)"}).Draw(r, "where")
		correct := rapid.Bool().Draw(r, "correct")
		var groups [][]int64
		for g, x := range ages {
			switch where {
			case "grade > 0.5":
				if g == 0 {
					x = nil
				}
			case "grade IN (0.5, 10)":
				if g == 1 {
					x = nil
				}
			case "age <= 1":
				x = slices.DeleteFunc(slices.Clone(x), func(a int64) bool { return a > 1 })
			}
			if len(x) > 0 {
				groups = append(groups, x)
			}
		}
		got := s.result(ask{"ward", "mannwhitney", where, fmt.Sprintf(`{"value":"age","group":"grade","correct":%t}`, correct)})
		want := statusOK
		switch {
		case len(groups) == 0:
			want = statusEmpty
		case len(groups) == 1:
			want = statusFewRows
		case len(groups) > 2:
			want = statusManyLevels
		case slices.Min(slices.Concat(groups...)) == slices.Max(slices.Concat(groups...)):
			want = statusConstant
		}
		if got.Status != want {
			r.Fatalf("%v: status %q, want %q", groups, got.Status, want)
		}
		if want != statusOK {
			return
		}
		u, p := mannWhitney(groups[0], groups[1], correct)
		value := got.Value.(map[string]any)
		if value["u"] != u || math.Abs(value["p"].(float64)-p) > 1e-12 {
			r.Fatalf("%v: got %v, want u %v and p %v", groups, value, u, p)
		}
	})
}

// TestMannWhitneyChunks: three levels in rows of three chunks, of which the last is one
// row; the first level is empty or in one chunk alone, values are tied over all borders,
// and one chunk has no member.
func TestMannWhitneyChunks(t *testing.T) {
	leakFree(t)
	for _, c := range []struct{ where, first, second string }{{"", "0.5", "10"}, {"grade > 1", "2", "10"}} {
		var lines [][]string
		ages := map[string][]int64{}
		for i := range 129 {
			age, grade := int64(20+i%5*(i%7)), []string{"2", "10"}[i%2]
			switch {
			case c.where == "" && i >= 100:
				grade = c.first
			case c.where == "" && i%2 == 0:
				grade = ""
			case c.where != "" && i < 64:
				grade = "0.5"
			}
			ages[grade] = append(ages[grade], age)
			lines = append(lines, []string{strconv.FormatInt(age, 10), "", "f", grade})
		}
		tr := ward(t, lines[:50], lines[50:]).trial(ask{"ward", "mannwhitney", c.where, `{"value":"age","group":"grade"}`})
		tr.chunkRows = 64
		u, p := mannWhitney(ages[c.first], ages[c.second], true)
		checkResult(t, c.where, tr.succeed(), statusOK, map[string]any{"u": u, "p": p})
	}
}

// TestMannWhitneyExtremes: figures of columns as wide as there are, and of groups
// that have nothing in common.
func TestMannWhitneyExtremes(t *testing.T) {
	leakFree(t)
	p := pieces{name: "ward", schema: job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Decimal, Step: "0.0000000000001", Min: "-99999", Max: "99999"},
		{Name: "g", Type: job.Text, Categories: []string{"a", "b"}},
	}}}
	var x, y []int64
	for site := range 3 {
		table := table{header: []string{"x", "g"}}
		for i := range 60 {
			table.lines = append(table.lines,
				[]string{fmt.Sprintf("-%d.00000000000%02d", 70000+i, site), "a"},
				[]string{fmt.Sprintf("%d.00000000000%02d", 70000+i, site), "b"})
			x, y = append(x, int64(-100*i-site)), append(y, int64(100*i+site+1))
		}
		p.sites = append(p.sites, table)
	}
	got := newStudy(t, nil, p).result(ask{"ward", "mannwhitney", "", `{"value":"x","group":"g"}`}).Value.(map[string]any)
	u, tail := mannWhitney(x, y, true)
	if got["u"] != u || math.Abs(got["p"].(float64)/tail-1) > 1e-9 {
		t.Errorf("got %v, want u %v and p %v", got, u, tail)
	}
}

func TestMannWhitneyMinCount(t *testing.T) {
	leakFree(t)
	for minCount, want := range map[int]string{0: statusOK, 3: statusOK, 4: statusSuppressed} { // 4 women, 3 men
		if got := strictWards(t, minCount).result(ask{"ward", "mannwhitney", "", `{"value":"dose","group":"sex"}`}); got.Status != want {
			t.Errorf("min_count %d: status %q, want %q", minCount, got.Status, want)
		}
	}
}

func TestMannWhitneyRefuses(t *testing.T) {
	s := fiveWards(t)
	for args, want := range map[string]string{
		`{"value":"age"}`:                             `"group" is missing`,
		`{"group":"sex"}`:                             `"value" is missing`,
		`{"value":"sex","group":"grade"}`:             "text",
		`{"value":"age","group":"dose"}`:              "no list of categories",
		`{"value":"grade","group":"grade"}`:           "both",
		`{"value":"ages","group":"sex"}`:              `no column "ages"`,
		`{"value":"age","group":"sex","paired":true}`: `"paired" is unknown`,
		`{"value":"age","group":"sex","correct":1}`:   "true or false",
	} {
		if _, err := PlanJob(s.job(ask{"ward", "mannwhitney", "", args}), s.roster.Roster); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestMannWhitneyTranscript(t *testing.T) {
	leakFree(t)
	checkTranscript(t, "mannwhitney", fiveWards(t), otherWards(t), ask{"ward", "mannwhitney", "age > 30", `{"value":"dose","group":"grade"}`})
}
