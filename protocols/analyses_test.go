package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/testkit"
)

// TestDescribeEdges checks by hand: a column that one site lacks altogether,
// negative values, steps, and figures that n = 0 and n = 1 leave undefined.
func TestDescribeEdges(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	type fields = map[string]any
	for _, c := range []struct {
		where string
		want  fields
	}{
		{"", fields{
			"age":  fields{"n": int64(6), "missing": int64(2), "sum": 256.0, "mean": 256.0 / 6, "variance": (1600.0 + 9 + 3721 + 4900 + 3025 + 1089 - 256.0*256/6) / 5},
			"dose": fields{"n": int64(7), "missing": int64(1), "sum": 118.0, "mean": 118.0 / 7, "variance": (2.25 + 4 + 12.25 + 16 + 0.25 + 9900.25 + 49 - 118.0*118/7) / 6},
		}},
		{"age = 61", fields{
			"age":  fields{"n": int64(1), "missing": int64(0), "sum": 61.0, "mean": 61.0, "variance": nil},
			"dose": fields{"n": int64(0), "missing": int64(1), "sum": 0.0, "mean": nil, "variance": nil},
		}},
	} {
		got := s.result(ask{"ward", "describe", c.where, `{"columns":["age","dose"]}`}).Value.(fields)
		for column, want := range c.want {
			for name, x := range want.(fields) {
				if y := got[column].(fields)[name]; !close(x, y) {
					t.Errorf("where %q: %s of %s is %v, want %v", c.where, name, column, y, x)
				}
			}
			variance, sd := got[column].(fields)["variance"], got[column].(fields)["sd"]
			if v, ok := variance.(float64); ok && !close(math.Sqrt(v), sd) || !ok && sd != nil {
				t.Errorf("where %q: sd of %s is %v with variance %v", c.where, column, sd, variance)
			}
		}
	}
}

// TestDescribeBy: groups by hand; rows without a group are dropped, as are
// groups that no row is in, and each column keeps its own missing values.
func TestDescribeBy(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	type group struct {
		n, missing int64
		sum        float64
	}
	for _, c := range []struct {
		by, where string
		want      map[string]group // of age
	}{
		{`"sex"`, "", map[string]group{"f": {3, 1, 98}, "m": {2, 1, 103}}},
		{`["sex"]`, "age > 50", map[string]group{"f": {1, 0, 61}, "m": {1, 0, 70}}},
		{`["sex","grade"]`, "", map[string]group{
			"f/2": {2, 0, 101}, "f/0.5": {1, 0, -3}, "f/10": {0, 1, 0}, "m/2": {0, 1, 0}, "m/0.5": {1, 0, 33},
		}},
	} {
		r := s.result(ask{"ward", "describe", c.where, `{"columns":["age","dose"],"by":` + c.by + `}`})
		got := r.Value.(map[string]any)
		if len(got) != len(c.want) {
			t.Errorf("by %s where %q: groups %v, want %v", c.by, c.where, got, c.want)
		}
		for key, want := range c.want {
			age, _ := got[key].(map[string]any)["age"].(map[string]any)
			if age["n"] != want.n || age["missing"] != want.missing || age["sum"] != want.sum {
				t.Errorf("by %s where %q: age in %s is %v, want %v", c.by, c.where, key, age, want)
			}
		}
		if rows := len(r.Tables[0].Rows); rows != 2*len(c.want) {
			t.Errorf("by %s: the table has %d rows", c.by, rows)
		}
	}
}

// close compares figures; floats to 14 digits.
func close(x, y any) bool {
	a, ok := x.(float64)
	b, ok2 := y.(float64)
	if !ok || !ok2 {
		return x == y
	}
	return math.Abs(a-b) <= 1e-14*math.Abs(a)
}

// TestDescribeIsExact: where the textbook formula in floats loses all digits,
// exact sums lose none.
func TestDescribeIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(-1<<61, 1<<61).Draw(t, "base")
		offsets := rapid.SliceOfN(rapid.Int64Range(0, 9), 2, 50).Draw(t, "offsets")
		n, sum, squares := big.NewInt(int64(len(offsets))), new(big.Int), new(big.Int)
		mean := 0.0
		for _, d := range offsets {
			x := big.NewInt(base + d)
			sum.Add(sum, x)
			squares.Add(squares, new(big.Int).Mul(x, x))
			mean += float64(d) / float64(len(offsets))
		}
		want := 0.0
		for _, d := range offsets {
			want += (float64(d) - mean) * (float64(d) - mean) / float64(len(offsets)-1)
		}
		s := fixedPlan(int64(len(offsets)))
		m, err := newMoments(s, big.NewRat(1, 1), n.Int64(), []*big.Int{n, sum, squares})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := m.variance.Float64(); math.Abs(got-want) > 1e-12*(1+want) {
			t.Fatalf("variance %v, want %v", got, want)
		}
	})
}

// TestFrequencyEdges: levels that nobody has are dropped, also where one site
// has a single category; zero cells of levels that somebody has stay; keys are
// shortest decimals, in the order of numbers.
func TestFrequencyEdges(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	type m = map[string]any
	for _, c := range []struct {
		columns, where string
		want           any
	}{
		{`["sex"]`, "", m{"f": int64(4), "m": int64(3)}},
		{`["sex"]`, "age < 50", m{"f": int64(2), "m": int64(1)}},
		{`["sex"]`, "sex = 'f'", m{"f": int64(4)}},
		{`["grade"]`, "", m{"0.5": int64(2), "2": int64(4), "10": int64(1)}},
		{`["sex","grade"]`, "", m{
			"f": m{"0.5": int64(1), "2": int64(2), "10": int64(1)},
			"m": m{"0.5": int64(1), "2": int64(1), "10": int64(0)},
		}},
		{`["grade","sex"]`, "grade >= 2", m{
			"2":  m{"f": int64(2), "m": int64(1)},
			"10": m{"f": int64(1), "m": int64(0)},
		}},
	} {
		r := s.result(ask{"ward", "frequency", c.where, `{"columns":` + c.columns + `}`})
		if !reflect.DeepEqual(r.Value, c.want) {
			t.Errorf("%s where %q: got %v, want %v", c.columns, c.where, r.Value, c.want)
		}
	}
}

// TestHistogramEdges: bins are [a,b), the last is closed, edges need not be
// whole steps, and a value outside ends the job.
func TestHistogramEdges(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	for _, c := range []struct {
		column, edges, where string
		want                 string
	}{
		// doses: 0.5 1.5 2 3.5 4 7 99.5
		{"dose", "[0.5,2,4,99.5]", "", "[2 2 3]"},
		{"dose", "[0,0.75,1.75,2.1,99.6]", "", "[1 1 1 4]"},
		{"dose", "[0,1,100]", "age > 119", "empty"},
		{"dose", "[1,4]", "", "outside"},
		{"dose", "[1,4]", "dose >= 1 AND dose <= 4", "[4]"},
		// ages: -3 33 40 55 61 70
		{"age", "[-3.5,-2.5,69.5,70.5]", "", "[1 4 1]"},
		{"age", "[-3,70]", "", "[6]"},
		{"age", "[-3.2,-3.1,39.9,40,40.5,70]", "", "[0 2 0 1 3]"},
		{"age", "[-2.5,70]", "", "outside"},
		{"age", "[-3,69.5]", "", "outside"},
	} {
		r := s.result(ask{"ward", "histogram", c.where, fmt.Sprintf(`{"column":"%s","edges":%s}`, c.column, c.edges)})
		got := r.Status
		if got == statusOK {
			got = fmt.Sprint(r.Value.(map[string]any)["counts"])
		}
		if got != c.want {
			t.Errorf("%s %s where %q: got %s, want %s", c.column, c.edges, c.where, got, c.want)
		}
	}
}

// TestImpossibleFigures: what no honest computation gives is no result.
func TestImpossibleFigures(t *testing.T) {
	s := fiveWards(t)
	numbers := func(x ...int64) []*big.Int {
		var out []*big.Int
		for _, n := range x {
			out = append(out, big.NewInt(n))
		}
		return out
	}
	for _, c := range []struct {
		a      ask
		opened Opened
	}{
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(-1), "moments.0": numbers(0, 0, 0), "quartiles.0": numbers(0, 0, 0)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(10), "moments.0": numbers(0, 0, 0), "quartiles.0": numbers(0, 0, 0)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(3), "moments.0": numbers(4, 8, 16), "quartiles.0": numbers(0, 0, 0)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(3), "moments.0": numbers(2, 8, 3), "quartiles.0": numbers(0, 0, 0)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(3), "moments.0": numbers(-2, 8, 3), "quartiles.0": numbers(0, 0, 0)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(1), "moments.0": numbers(1, 8, 64), "quartiles.0": numbers(-21, 8, 8)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(1), "moments.0": numbers(1, 8, 64), "quartiles.0": numbers(32, 32, 481)}},
		{ask{"ward", "describe", "", `{"columns":"age"}`}, Opened{"selected": numbers(1), "moments.0": numbers(1, 8, 64), "quartiles.0": numbers(32, 40, 36)}},
		{ask{"ward", "frequency", "", `{"columns":"sex"}`}, Opened{"counts": numbers(10, 0)}},
		{ask{"ward", "frequency", "", `{"columns":"sex"}`}, Opened{"counts": numbers(3, -3)}},
		{ask{"ward", "histogram", "", `{"column":"age","edges":[0,120]}`}, Opened{"counts": numbers(-1)}},
	} {
		plan, err := PlanJob(s.job(c.a), s.roster.Roster)
		s.must(err)
		c.opened[statusOutput] = numbers(0)
		if r, err := plan.Finish(c.opened); !errors.Is(err, errImpossible) || r != nil {
			t.Errorf("%s of %v: got %v", c.a.analysis, c.opened, err)
		}
	}
}

// TestTables fixes how results look on paper.
func TestTables(t *testing.T) {
	leakFree(t)
	s := fiveWards(t)
	var all strings.Builder
	for _, a := range []ask{
		{"ward", "describe", "age = 61 OR age = 40", `{"columns":["age","dose"]}`},
		{"ward", "frequency", "", `{"columns":["sex"]}`},
		{"ward", "frequency", "grade >= 2", `{"columns":["grade","sex"]}`},
		{"ward", "histogram", "", `{"column":"dose","edges":[0.5,2,4,99.5]}`},
	} {
		for _, table := range s.result(a).Tables {
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
	testkit.Golden(t, "tables.golden", all.String())
}
