package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"consilium/job"
)

// byLevel splits the values of v by a column, in the order of its levels.
func byLevel(rows []comparedRow, column int) [][]float64 {
	var out [][]float64
	for _, level := range []string{"0", "1", "a", "b", "c"} {
		var group []float64
		for _, r := range rows {
			if x, ok := r.value(0); ok && r[column] == level {
				group = append(group, x)
			}
		}
		if group != nil {
			out = append(out, group)
		}
	}
	return out
}

// constantGroups tells whether nothing varies within any group.
func constantGroups(groups [][]float64) bool {
	for _, g := range groups {
		if slices.Min(g) != slices.Max(g) {
			return false
		}
	}
	return true
}

// tTestOracle is the textbook's test of two groups.
func tTestOracle(groups [][]float64, pooled bool, level float64) (string, map[string]any) {
	if len(groups) == 0 {
		return statusEmpty, nil
	}
	least := 2
	if pooled {
		least = 1
	}
	short := len(groups) < 2
	total := 0
	for _, g := range groups {
		short = short || len(g) < least
		total += len(g)
	}
	if short || pooled && total < 3 {
		return statusFewRows, nil
	}
	if len(groups) > 2 {
		return statusManyLevels, nil
	}
	if constantGroups(groups) {
		return statusConstant, nil
	}
	x, y := groups[0], groups[1]
	n, m := float64(len(x)), float64(len(y))
	a, b := stat.Variance(x, nil)/n, stat.Variance(y, nil)/m
	se, df := math.Sqrt(a+b), (a+b)*(a+b)/(a*a/(n-1)+b*b/(m-1))
	if pooled {
		if n == 1 {
			a = 0
		}
		if m == 1 {
			b = 0
		}
		df = n + m - 2
		se = math.Sqrt((a*n*(n-1) + b*m*(m-1)) / df * (1/n + 1/m))
	}
	means := []any{stat.Mean(x, nil), stat.Mean(y, nil)}
	return statusOK, studentOracle(stat.Mean(x, nil)-stat.Mean(y, nil), se, df, level, means)
}

func studentOracle(difference, se, df, level float64, means []any) map[string]any {
	student := distuv.StudentsT{Sigma: 1, Nu: df}
	half := student.Quantile(1-(1-level)/2) * se
	return map[string]any{
		"t": difference / se, "df": df, "p": 2 * student.Survival(math.Abs(difference/se)),
		"mean": means, "conf_int": []any{difference - half, difference + half},
	}
}

// pairedOracle tests the differences v - w of complete rows.
func pairedOracle(rows []comparedRow, level float64) (string, map[string]any) {
	var d []float64
	for _, r := range rows {
		x, ok := r.value(0)
		if y, both := r.value(1); ok && both {
			d = append(d, x-y)
		}
	}
	switch {
	case len(d) == 0:
		return statusEmpty, nil
	case len(d) < 2:
		return statusFewRows, nil
	case constantGroups([][]float64{d}):
		return statusConstant, nil
	}
	n := float64(len(d))
	return statusOK, studentOracle(stat.Mean(d, nil), stat.StdDev(d, nil)/math.Sqrt(n), n-1, level, []any{stat.Mean(d, nil)})
}

func TestTTestReference(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "pima"), "ttest-mass")
}

func TestTTestAgainstOracle(t *testing.T) {
	leakFree(t)
	rapid.Check(t, func(r *rapid.T) {
		rows := drawRows(r)
		s := comparedStudy(t, rapid.IntRange(1, studyNodes).Draw(r, "sites"), rows, nil)
		level := rapid.SampledFrom([]string{"0.95", "0.5", "0.999"}).Draw(r, "level")
		width, _ := new(big.Rat).SetString(level)
		confidence, _ := width.Float64()
		switch rapid.SampledFrom([]string{"welch", "pooled", "paired"}).Draw(r, "test") {
		case "welch":
			status, want := tTestOracle(byLevel(rows, 3), false, confidence)
			got := s.result(ask{"trial", "ttest", "", `{"value":"v","group":"h","conf_level":` + level + `}`})
			checkResult(t, fmt.Sprint("welch ", rows), got, status, want)
		case "pooled":
			status, want := tTestOracle(byLevel(rows, 2), true, confidence)
			got := s.result(ask{"trial", "ttest", "", `{"value":"v","group":"g","pooled":true,"conf_level":` + level + `}`})
			checkResult(t, fmt.Sprint("pooled ", rows), got, status, want)
		default:
			status, want := pairedOracle(rows, confidence)
			got := s.result(ask{"trial", "ttest", "", `{"value":["v","w"],"paired":true,"conf_level":` + level + `}`})
			checkResult(t, fmt.Sprint("paired ", rows), got, status, want)
		}
	})
}

// TestTTestCases: a filter that leaves two of three groups, groups of one row, one
// group without variation, and none with.
func TestTTestCases(t *testing.T) {
	leakFree(t)
	rows := []comparedRow{
		{"1", "", "a", ""},
		{"2.5", "", "a", ""},
		{"-7", "", "a", ""},
		{"", "", "a", ""},
		{"3", "", "b", ""},
		{"3", "", "b", ""},
		{"3", "", "b", ""},
		{"4", "", "c", ""},
	}
	s := comparedStudy(t, 3, rows, nil)
	for _, c := range []struct {
		where, leave string
		pooled       bool
		status       string
	}{
		{"g <> 'c'", "ab", false, statusOK},
		{"g <> 'c'", "ab", true, statusOK},
		{"g <> 'b'", "ac", true, statusOK},
		{"g <> 'b'", "ac", false, statusFewRows},
		{"g <> 'a'", "bc", true, statusConstant},
		{"g = 'a'", "a", false, statusFewRows},
		{"", "abc", true, statusManyLevels},
		{"v > 19", "", true, statusEmpty},
	} {
		var kept [][]float64
		for i, g := range byLevel(rows, 2) {
			if len(c.leave) > 0 && slices.Contains([]byte(c.leave), "abc"[i]) {
				kept = append(kept, g)
			}
		}
		status, want := tTestOracle(kept, c.pooled, 0.95)
		if status != c.status {
			t.Fatalf("%v: the oracle says %q", c, status)
		}
		got := s.result(ask{"trial", "ttest", c.where, fmt.Sprintf(`{"value":"v","group":"g","pooled":%t}`, c.pooled)})
		checkResult(t, fmt.Sprint(c), got, c.status, want)
	}
}

// TestTTestScales: variances of very different size, groups of very different
// size, far from zero and in columns so wide that squares fill 123 bits.
func TestTTestScales(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		name, low, high, step string
		x, y                  []string
	}{
		{"far from zero", "0", "2000000000000", "0.1", []string{"1000000000000.4", "1000000000000.3", "1000000000000.4"}, []string{"1000000000000.6", "1000000000000.5"}},
		{"one varies a million times as much", "-100000000", "100000000", "0.5", []string{"-100000000", "100000000", "5"}, []string{"1", "1.5", "1", "1", "1"}},
		{"full range", "-600000000000000000", "600000000000000000", "1", []string{"-600000000000000000", "600000000000000000"}, []string{"-600000000000000000", "600000000000000000", "600000000000000000"}},
		{"wide, and a few steps apart", "-600000000000000000", "600000000000000000", "1", []string{"599999999998765432", "599999999995555555", "599999999991111111"}, []string{"599999999990000007", "599999999993333333"}},
	} {
		schema := job.Schema{Columns: []job.Column{
			{Name: "v", Type: job.Decimal, Step: c.step, Min: c.low, Max: c.high},
			{Name: "h", Type: job.Integer, Min: "0", Max: "1", Categories: []string{"0", "1"}},
		}}
		var lines [][]string
		for _, x := range c.x {
			lines = append(lines, []string{x, "0"})
		}
		for _, y := range c.y {
			lines = append(lines, []string{y, "1"})
		}
		header := []string{"v", "h"}
		s := newStudy(t, nil, pieces{"trial", schema, []table{{header, lines[:2]}, {header, lines[2:]}}})
		for _, pooled := range []bool{false, true} {
			status, want := tTestOracle([][]float64{lessBase(t, c.x, c.x[0]), lessBase(t, c.y, c.x[0])}, pooled, 0.95)
			delete(want, "mean") // the base is missing in it
			a := ask{"trial", "ttest", "", fmt.Sprintf(`{"value":"v","group":"h","pooled":%t}`, pooled)}
			for _, got := range []*Result{s.result(a), s.fromSums(a)} {
				delete(got.Value.(map[string]any), "mean")
				checkResult(t, c.name, got, status, want)
			}
		}
	}
}

// lessBase returns numbers less a base, which may be too large for floats.
func lessBase(t *testing.T, texts []string, base string) []float64 {
	t.Helper()
	rat := func(text string) *big.Rat {
		x, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		return x
	}
	out := make([]float64, len(texts))
	for i, text := range texts {
		out[i], _ = new(big.Rat).Sub(rat(text), rat(base)).Float64()
	}
	return out
}

// TestTTestMinCount: either group counts; paired, the rows do.
func TestTTestMinCount(t *testing.T) {
	leakFree(t)
	var rows []comparedRow
	for i := range 9 {
		rows = append(rows, comparedRow{fmt.Sprint(i), fmt.Sprint(i * i), "", fmt.Sprint(i % 2)})
	}
	for _, c := range []struct {
		minCount   int
		args, want string
	}{
		{4, `{"value":"v","group":"h"}`, statusOK},
		{5, `{"value":"v","group":"h"}`, statusSuppressed},
		{5, `{"value":"v","group":"h","pooled":true}`, statusSuppressed},
		{9, `{"value":["v","w"],"paired":true}`, statusOK},
		{10, `{"value":["v","w"],"paired":true}`, statusSuppressed},
	} {
		s := comparedStudy(t, 3, rows, func(r *job.Roster) { r.Disclosure.MinCount = c.minCount })
		if got := s.result(ask{"trial", "ttest", "", c.args}); got.Status != c.want {
			t.Errorf("min_count %d %s: %q, want %q", c.minCount, c.args, got.Status, c.want)
		}
	}
}

func TestTTestTranscript(t *testing.T) {
	leakFree(t)
	one, other := comparedOthers(t)
	checkTranscript(t, "ttest", one, other, ask{"trial", "ttest", "", `{"value":"v","group":"h"}`})
	checkTranscript(t, "ttest.pooled", one, other, ask{"trial", "ttest", "", `{"value":"v","group":"h","pooled":true}`})
	checkTranscript(t, "ttest.paired", one, other, ask{"trial", "ttest", "", `{"value":["v","w"],"paired":true}`})
}

func TestTTestPaper(t *testing.T) {
	leakFree(t)
	var rows []comparedRow
	for i := range 9 {
		rows = append(rows, comparedRow{fmt.Sprint(i + i%2*4), fmt.Sprint(i), "", fmt.Sprint(i % 2)})
	}
	s := comparedStudy(t, 3, rows, nil)
	var results []*Result
	for _, c := range []struct{ args, reveals string }{
		{`{"value":"v","group":"h"}`, "[of each of the two groups of h: how many rows there are, and the sum of v (hence its mean) the standard error of the difference and Welch's degrees of freedom (hence t, the interval and the p-value)]"},
		{`{"value":"v","group":"h","pooled":true,"conf_level":0.995}`, "[of each of the two groups of h: how many rows there are, and the sum of v (hence its mean) the variance within the groups, as one number for both (hence t, the interval and the p-value)]"},
		{`{"value":["v","w"],"paired":true}`, "[how many selected rows have a value in both v and w the sum and the sum of squares of v less w (hence mean, t, the interval and the p-value)]"},
	} {
		a := ask{"trial", "ttest", "v < 11", c.args}
		results = append(results, s.result(a))
		p, err := PlanJob(s.job(a), s.roster.Roster)
		s.must(err)
		if fmt.Sprint(p.Reveals) != c.reveals {
			t.Errorf("%s reveals %q", c.args, p.Reveals)
		}
	}
	checkTables(t, "ttest", results...)
}

func TestTTestRefusals(t *testing.T) {
	s := comparedStudy(t, 1, nil, nil)
	checkRefusals(t, s, "trial", "ttest", map[string]string{
		`{"group":"h"}`:                                   `argument "value" is missing`,
		`{"value":"v"}`:                                   "group is missing",
		`{"value":"g","group":"h"}`:                       "is text and has no mean",
		`{"value":"h","group":"h"}`:                       "value and group are both",
		`{"value":"v","group":"w"}`:                       "no list of categories",
		`{"value":"u","group":"h"}`:                       `no column "u"`,
		`{"value":["v","w"],"group":"h"}`:                 "set paired: true",
		`{"value":["v","w"],"group":"h","paired":true}`:   "leave group out",
		`{"value":"v","paired":true}`:                     "compares two of the same row",
		`{"value":["v","v"],"paired":true}`:               "named twice",
		`{"value":["v","g"],"paired":true}`:               "is text and has no mean",
		`{"value":["v","w"],"paired":true,"pooled":true}`: "leave pooled out",
		`{"value":"v","group":"h","conf_level":95}`:       "between 0 and 1",
		`{"value":"v","group":"h","conf_level":"95%"}`:    "one number",
		`{"value":"v","group":"h","pooled":1}`:            "true or false",
		`{"value":"v","group":"h","var_equal":true}`:      "unknown to this analysis",
	})
	wide := job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Decimal, Step: "0.001", Unit: "g", Min: "-1000000000000000", Max: "1000000000000000"},
		{Name: "y", Type: job.Decimal, Step: "0.003", Unit: "kg", Min: "0", Max: "3"},
		{Name: "z", Type: job.Decimal, Step: "0.000000007", Unit: "g", Min: "0", Max: "0.7"},
		{Name: "k", Type: job.Integer, Min: "0", Max: "0", Categories: []string{"0"}},
		{Name: "h", Type: job.Integer, Min: "0", Max: "1", Categories: []string{"0", "1"}},
		{Name: "m", Type: job.Integer, Min: "-2000000000000000000", Max: "2000000000000000000"},
	}}
	w := newStudy(t, nil, pieces{"trial", wide, []table{{[]string{"x", "y", "z", "k", "h", "m"}, make([][]string, 0)}}})
	checkRefusals(t, w, "trial", "ttest", map[string]string{
		`{"value":["x","y"],"paired":true}`: "have the units g and kg",
		`{"value":["x","z"],"paired":true}`: "could overflow",
		`{"value":"x","group":"k"}`:         "has one category",
	})
}

// TestPairedSteps: columns of different steps meet in steps of both.
func TestPairedSteps(t *testing.T) {
	columns := func(first, second string) []*job.Column {
		return []*job.Column{{Type: job.Decimal, Step: first}, {Type: job.Decimal, Step: second}}
	}
	for _, c := range []struct {
		first, second, step string
		a, b                int64
	}{{"0.1", "0.25", "1/20", 2, 5}, {"1", "1", "1/1", 1, 1}, {"6", "4", "2/1", 3, 2}, {"0.003", "0.001", "1/1000", 3, 1}} {
		p := newPair(columns(c.first, c.second), 0.95)
		if p.step.String() != c.step || p.first.Int64() != c.a || p.second.Int64() != c.b {
			t.Errorf("steps %s and %s: %v, %v, %v", c.first, c.second, p.step, p.first, p.second)
		}
	}
}

// TestStudent: quantiles and tails agree with each other for every number of
// degrees of freedom that a study has.
func TestStudent(t *testing.T) {
	for _, df := range []float64{1, 1.5, 2, 7.25, 100, 1e4, 1e6, 1e9} {
		for _, level := range []float64{0.5, 0.95, 0.999999} {
			x := &studentTest{difference: big.NewRat(0, 1), se: 1, df: df, level: level}
			_, high := x.interval()
			x.difference = new(big.Rat)
			if _, ok := x.difference.SetString(fmt.Sprintf("%.17g", high)); !ok {
				t.Fatal(high)
			}
			if p := x.p(); math.Abs(p-(1-level)) > 1e-7*p {
				t.Errorf("df %v: the %v interval ends at %v, whose p is %v", df, level, high, p)
			}
		}
	}
}

// TestImpossibleTTests: what no honest parties reveal is no result.
func TestImpossibleTTests(t *testing.T) {
	s := comparedStudy(t, 2, make([]comparedRow, 20), nil)
	numbers := func(x ...int64) []*big.Int {
		var out []*big.Int
		for _, n := range x {
			out = append(out, big.NewInt(n))
		}
		return out
	}
	welch, pooled, paired := `{"value":"v","group":"h"}`, `{"value":"v","group":"h","pooled":true}`, `{"value":["v","w"],"paired":true}`
	half := int64(1) << 55
	for _, c := range []struct {
		args   string
		opened Opened
	}{
		{welch, Opened{"n": numbers(5, 0), "sum": numbers(0, 0), welchVariance: numbers(half, 1), welchDF: numbers(1)}},
		{welch, Opened{"n": numbers(5, 21), "sum": numbers(0, 0), welchVariance: numbers(half, 1), welchDF: numbers(1)}},
		{welch, Opened{"n": numbers(5, 5), "sum": numbers(0, 0), welchVariance: numbers(-half, 1), welchDF: numbers(1)}},
		{welch, Opened{"n": numbers(5, 5), "sum": numbers(0, 0), welchVariance: numbers(half, 1), welchDF: numbers(0)}},
		{welch, Opened{"n": numbers(5, 5), "sum": numbers(0, 0), welchVariance: numbers(half, 1), welchDF: numbers(math.MaxInt64)}},
		{pooled, Opened{"n": numbers(1, 1), "sum": numbers(0, 0), pooledSquares: numbers(half, 1)}},
		{pooled, Opened{"n": numbers(4, 4), "sum": numbers(0, 0), pooledSquares: numbers(0, 0)}},
		{paired, Opened{"n": numbers(1), "sum": numbers(4), "squares": numbers(16)}},
		{paired, Opened{"n": numbers(2), "sum": numbers(4), "squares": numbers(8)}},
		{paired, Opened{"n": numbers(2), "sum": numbers(4), "squares": numbers(4)}},
	} {
		p, err := PlanJob(s.job(ask{"trial", "ttest", "", c.args}), s.roster.Roster)
		s.must(err)
		c.opened[statusOutput] = numbers(0)
		if r, err := p.Finish(c.opened); !errors.Is(err, errImpossible) {
			t.Errorf("%s of %v: %v, %v", c.args, c.opened, r, err)
		}
	}
}
