package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

func TestReferenceLinear(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "birthwt"), "linear-bwt")
	checkCertified(t, certifiedStudy(t, "norris"), "nist-norris")
	checkCertified(t, certifiedStudy(t, "longley"), "nist-longley")
}

// modelSchema has an outcome, numbers of a few and of 50 bits, a text and a
// categorical number.
func modelSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "y", Type: job.Decimal, Step: "0.5", Min: "-1000", Max: "1000"},
		{Name: "a", Type: job.Integer, Min: "-5", Max: "120"},
		{Name: "b", Type: job.Decimal, Unit: "mg", Step: "0.0000000000001", Min: "26", Max: "79"},
		{Name: "c", Type: job.Text, Categories: []string{"p", "s", "q", "r"}},
		{Name: "d", Type: job.Integer, Min: "1", Max: "9", Categories: []string{"9", "1", "2"}},
	}}
}

var modelHeader = []string{"y", "a", "b", "c", "d"}

// modelStudy deals lines out to three sites.
func modelStudy(t testing.TB, change func(*job.Roster), lines [][]string) *study {
	t.Helper()
	p := pieces{"model", modelSchema(), make([]table, 3)}
	for i := range p.sites {
		p.sites[i].header = modelHeader
	}
	for i, line := range lines {
		p.sites[i%3].lines = append(p.sites[i%3].lines, line)
	}
	return newStudy(t, change, p)
}

// drawLines draws rows of a model, of which columns may be constant, depend on each
// other, or lack values.
func drawLines(r *rapid.T) [][]string {
	narrow := rapid.SampledFrom([]int{100, 3, 1, 20, 0}).Draw(r, "narrow")
	levels := rapid.SampledFrom([]string{"pqrs", "qr", "pq", "sr", "p"}).Draw(r, "levels")
	follows := rapid.IntRange(0, 2).Draw(r, "follows") == 2
	perfect := rapid.IntRange(0, 5).Draw(r, "perfect") == 5
	lines := make([][]string, rapid.SampledFrom([]int{30, 12, 25, 30, 20, 30, 4, 1, 0}).Draw(r, "rows"))
	for i := range lines {
		a := rapid.IntRange(0, narrow).Draw(r, "a")
		b := strconv.Itoa(30+rapid.IntRange(0, narrow/3).Draw(r, "b")) + ".0000000000001"
		if follows {
			b = strconv.Itoa(30 + a/3)
			a = a / 3 * 3
		}
		y := strconv.FormatFloat(float64(rapid.IntRange(-200, 200).Draw(r, "y"))/2, 'f', -1, 64)
		if perfect {
			y = strconv.Itoa(3 * a)
		}
		c := string(levels[rapid.IntRange(0, len(levels)-1).Draw(r, "c")])
		d := rapid.SampledFrom([]string{"1", "2", "9"}).Draw(r, "d")
		lines[i] = []string{y, strconv.Itoa(a), b, c, d}
		if rapid.IntRange(0, 9).Draw(r, "missing") == 9 {
			lines[i][rapid.IntRange(0, 4).Draw(r, "cell")] = ""
		}
	}
	return lines
}

// leastSquaresOf is the model by exact fractions.
type leastSquaresOf struct {
	status       string
	terms        []string
	coef, se     []float64 // NaN where a column does not vary
	n, df        int
	r2, sigma, f float64
	perfect      bool // r2 is 1
}

// fitExactly fits y on columns of modelSchema over lines that are complete.
func fitExactly(lines [][]string, covariates []string, categorical ...string) (m leastSquaresOf) {
	schema := modelSchema()
	var rows [][]string
	for _, line := range lines {
		complete := line[0] != ""
		for _, name := range covariates {
			complete = complete && line[slices.Index(modelHeader, name)] != ""
		}
		if complete {
			rows = append(rows, line)
		}
	}
	m.n, m.terms = len(rows), []string{"(Intercept)"}
	if m.n == 0 {
		m.status = statusEmpty
		return m
	}
	design := [][]*big.Rat{onesRat(m.n)}
	kept := []bool{true}
	for _, name := range covariates {
		at := slices.Index(modelHeader, name)
		c, _ := schema.Column(name)
		if c.Type != job.Text && !slices.Contains(categorical, name) {
			x := rationals(rows, at)
			varies := slices.ContainsFunc(x, func(v *big.Rat) bool { return v.Cmp(x[0]) != 0 })
			m.terms, kept = append(m.terms, name), append(kept, varies)
			if varies {
				design = append(design, x)
			}
			continue
		}
		levels, _ := c.Levels()
		first := true
		for _, level := range levels {
			x, count := make([]*big.Rat, m.n), 0
			for i, row := range rows {
				x[i] = new(big.Rat)
				if row[at] == c.Format(level) {
					x[i].SetInt64(1)
					count++
				}
			}
			if count == 0 {
				continue
			}
			if !first {
				m.terms, kept, design = append(m.terms, name+c.Format(level)), append(kept, true), append(design, x)
			}
			first = false
		}
	}
	m.solve(design, kept, rationals(rows, 0))
	return m
}

func onesRat(n int) []*big.Rat {
	out := make([]*big.Rat, n)
	for i := range out {
		out[i] = big.NewRat(1, 1)
	}
	return out
}

func rationals(rows [][]string, at int) []*big.Rat {
	out := make([]*big.Rat, len(rows))
	for i, row := range rows {
		out[i], _ = new(big.Rat).SetString(row[at])
	}
	return out
}

func dotRat(x, y []*big.Rat) *big.Rat {
	sum := new(big.Rat)
	for i := range x {
		sum.Add(sum, new(big.Rat).Mul(x[i], y[i]))
	}
	return sum
}

// solve sets coefficients and all that follows from them.
func (m *leastSquaresOf) solve(design [][]*big.Rat, kept []bool, y []*big.Rat) {
	p := len(design)
	if m.df = m.n - p; m.df < 1 {
		m.status = statusFewRows
		return
	}
	// Gauss and Jordan on X'X | X'y, I.
	a := make([][]*big.Rat, p)
	for i := range a {
		a[i] = make([]*big.Rat, 2*p+1)
		for j := range p {
			a[i][j], a[i][p+1+j] = dotRat(design[i], design[j]), new(big.Rat)
		}
		a[i][p] = dotRat(design[i], y)
		a[i][p+1+i].SetInt64(1)
	}
	for k := range p {
		if a[k][k].Sign() == 0 {
			m.status = statusSingular
			return
		}
		inverse := new(big.Rat).Inv(a[k][k])
		for j := range a[k] {
			a[k][j] = new(big.Rat).Mul(a[k][j], inverse)
		}
		for i := range p {
			if factor := a[i][k]; i != k {
				for j := range a[i] {
					a[i][j] = new(big.Rat).Sub(a[i][j], new(big.Rat).Mul(factor, a[k][j]))
				}
			}
		}
	}
	residual, mean := dotRat(y, y), new(big.Rat)
	for i := range p {
		residual.Sub(residual, new(big.Rat).Mul(a[i][p], dotRat(design[i], y)))
	}
	mean.Quo(dotRat(design[0], y), big.NewRat(int64(m.n), 1))
	total := new(big.Rat).Sub(dotRat(y, y), new(big.Rat).Mul(mean, dotRat(design[0], y)))
	if total.Sign() == 0 {
		m.status = statusSingular
		return
	}
	m.status, m.perfect = statusOK, residual.Sign() == 0
	ssr, _ := residual.Float64()
	rest, _ := new(big.Rat).Quo(residual, total).Float64()
	m.r2, m.sigma = 1-rest, math.Sqrt(ssr/float64(m.df))
	m.f = m.r2 / float64(p-1) / (rest / float64(m.df))
	k := 0
	for _, has := range kept {
		if !has {
			m.coef, m.se = append(m.coef, math.NaN()), append(m.se, math.NaN())
			continue
		}
		b, _ := a[k][p].Float64()
		v, _ := a[k][p+1+k].Float64()
		m.coef, m.se = append(m.coef, b), append(m.se, m.sigma*math.Sqrt(v))
		k++
	}
}

// about tells whether a figure of a result is near a number; NaN stands for nil.
func about(got any, want, rel, abs float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return got == nil
	}
	x, ok := got.(float64)
	return ok && math.Abs(x-want) <= rel*math.Abs(want)+abs
}

func (m *leastSquaresOf) check(t *testing.T, got *Result) {
	t.Helper()
	if got.Status != m.status {
		t.Fatalf("status %q, want %q", got.Status, m.status)
	}
	if m.status != statusOK {
		return
	}
	v := got.Value.(map[string]any)
	if fmt.Sprint(v["term"]) != fmt.Sprint(m.terms) || v["n"] != int64(m.n) || v["df"] != int64(m.df) {
		t.Fatalf("%v, want %v, n %d, df %d", v, m.terms, m.n, m.df)
	}
	const rel = 1e-9
	sigma := v["sigma"].(float64)
	if !about(v["r2"], m.r2, rel, rel) || math.Abs(sigma-m.sigma) > 1e-8*m.sigma+1e-5 || !m.perfect && !about(v["f"], m.f, 1e-7, 1e-9) {
		t.Fatalf("%v, want r2 %v, sigma %v, f %v", v, m.r2, m.sigma, m.f)
	}
	for i := range m.coef {
		abs := 1e-9 * (1 + m.se[i])
		if math.IsNaN(abs) {
			abs = 0
		}
		if !about(v["coef"].([]any)[i], m.coef[i], rel, abs) || !m.perfect && !about(v["se"].([]any)[i], m.se[i], 1e-8, 0) {
			t.Fatalf("%s: %v (%v), want %v (%v)", m.terms[i], v["coef"].([]any)[i], v["se"].([]any)[i], m.coef[i], m.se[i])
		}
	}
	if rows := got.Tables[0].Rows; len(rows) != len(m.terms) {
		t.Fatalf("the table has %d rows", len(rows))
	}
}

// TestLinear compares with exact fractions, over tables with constant columns,
// levels that no row has, columns that follow from others, and too few rows.
func TestLinear(t *testing.T) {
	leakFree(t)
	models := [][]string{{"a"}, {"c", "a", "d"}, {"b"}, {"b", "c", "a"}, {"c"}, {"a", "b"}}
	turn := 0
	samplesOf(t, 50, func(lines [][]string) {
		covariates := models[turn%len(models)]
		args := `{"outcome":"y","covariates":` + quotedList(covariates) + `}`
		var categorical []string
		if slices.Contains(covariates, "d") {
			categorical = []string{"d"}
			args = `{"outcome":"y","covariates":` + quotedList(covariates) + `,"categorical":["d"]}`
		}
		where, used := "", lines
		if turn%4 == 3 {
			where = "a > 0"
			used = slices.DeleteFunc(slices.Clone(lines), func(line []string) bool { return line[1] == "" || line[1] == "0" })
		}
		turn++
		want := fitExactly(used, covariates, categorical...)
		want.check(t, modelStudy(t, nil, lines).result(ask{"model", "linear", where, args}))
	})
}

func quotedList(names []string) string {
	return `["` + strings.Join(names, `","`) + `"]`
}

// TestLinearScales: whatever units and offsets the columns have, and however nearly
// they depend on each other, figures keep their digits.
func TestLinearScales(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		name string
		line func(i int) []string
	}{
		{"a wide column that varies in its last digit alone", func(i int) []string {
			return []string{strconv.Itoa(i * i % 17), strconv.Itoa(i % 5), fmt.Sprintf("52.000000000000%d", i%7), "p", "1"}
		}},
		{"a wide column over its whole range", func(i int) []string {
			return []string{strconv.Itoa(i * i % 17), strconv.Itoa(i % 5), fmt.Sprintf("%d.%013d", 26+i, i*7919*104729), "p", "1"}
		}},
		{"nearly collinear", func(i int) []string {
			return []string{strconv.Itoa(i * i % 17), strconv.Itoa(i), fmt.Sprintf("%d.%02d", 26+i, i*i%3), "p", "1"}
		}},
		{"nearly a perfect fit", func(i int) []string {
			y := strconv.Itoa(20 * i)
			if i == 3 {
				y += ".5"
			}
			return []string{y, strconv.Itoa(i), strconv.Itoa(26 + i*i%11), "p", "1"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := make([][]string, 40)
			for i := range lines {
				lines[i] = c.line(i)
			}
			want := fitExactly(lines, []string{"a", "b"})
			s, a := modelStudy(t, nil, lines), ask{"model", "linear", "", `{"outcome":"y","covariates":["a","b"]}`}
			want.check(t, s.result(a))
			want.check(t, s.fromSums(a))
		})
	}
}

// TestLinearMinCount: the number of rows and that of each level count.
func TestLinearMinCount(t *testing.T) {
	leakFree(t)
	var lines [][]string
	for i := range 20 {
		lines = append(lines, []string{strconv.Itoa(i * i % 17), strconv.Itoa(i), "30", []string{"p", "q"}[min(1, i/14)], "1"})
	}
	for _, c := range []struct {
		minCount         int
		covariate, where string
		want             string
	}{
		{5, "c", "", statusOK}, // six rows of q, and nobody of r
		{7, "c", "", statusSuppressed},
		{7, "a", "", statusOK},
		{7, "a", "a < 6", statusSuppressed},
		{6, "a", "a < 6", statusOK},
		{5, "a", "a < 0", statusEmpty},
	} {
		s := modelStudy(t, func(r *job.Roster) { r.Disclosure.MinCount = c.minCount }, lines)
		if got := s.result(ask{"model", "linear", c.where, `{"outcome":"y","covariates":["` + c.covariate + `"]}`}); got.Status != c.want {
			t.Errorf("min_count %d on %s where %q: status %q, want %q", c.minCount, c.covariate, c.where, got.Status, c.want)
		}
	}
}

func TestLinearRefuses(t *testing.T) {
	s := modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}})
	for args, want := range map[string]string{
		`{"covariates":["a"]}`:                                   `"outcome" is missing`,
		`{"outcome":"y"}`:                                        `"covariates" is missing`,
		`{"outcome":"c","covariates":["a"]}`:                     "text, and a number is needed",
		`{"outcome":"x","covariates":["a"]}`:                     `no column "x"`,
		`{"outcome":"y","covariates":["x"]}`:                     `no column "x"`,
		`{"outcome":"y","covariates":["a","a"]}`:                 "named twice",
		`{"outcome":"y","covariates":["a","y"]}`:                 "outcome and covariate at once",
		`{"outcome":"y","covariates":["a"],"categorical":["d"]}`: "no covariate",
		`{"outcome":"y","covariates":["a"],"categorical":["a"]}`: "no list of categories",
		`{"outcome":"y","covariates":["a"],"offset":"b"}`:        `"offset" is unknown`,
	} {
		if _, err := PlanJob(s.job(ask{"model", "linear", "", args}), s.roster.Roster); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	d := &job.Dataset{Name: "model", Schema: modelSchema(), Sites: []job.Site{{Node: "hospital-1", Rows: 1 << 20}}}
	if _, err := newLinearModel(d, "y", []string{"b"}, nil); err == nil || !strings.Contains(err.Error(), "larger step or a narrower range") {
		t.Errorf("products that could overflow: %v", err)
	}
}

func TestLinearReveals(t *testing.T) {
	s := modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}})
	j := s.job(ask{"model", "linear", "", `{"outcome":"y","covariates":["a","c"]}`})
	plan, err := PlanJob(j, s.roster.Roster)
	s.must(err)
	got := strings.Join(plan.Statement(j, s.roster.Roster), "\n")
	for _, want := range []string{
		"the intercept and the coefficients of a, cq, cr, cs for the mean of y, with their standard errors",
		"the residual standard error, r2, and the number of rows",
		"empty, too few rows, singular",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the statement lacks %q:\n%s", want, got)
		}
	}
	if got := strings.Join(plan.Uses(), " "); got != "a c y" {
		t.Errorf("it uses %s", got)
	}
}

// TestImpossibleModels: what no honest computation gives is no result.
func TestImpossibleModels(t *testing.T) {
	s := modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}, {"1", "2", "30", "p", "1"}, {"1", "2", "30", "p", "1"}})
	plan, err := PlanJob(s.job(ask{"model", "linear", "", `{"outcome":"y","covariates":["a"]}`}), s.roster.Roster)
	s.must(err)
	const one = 1 << 55
	honest := func() Opened {
		return Opened{
			statusOutput: whole(0), rowsOutput: whole(3), keptOutput: whole(1),
			estimates: whole(one, one, one, one, one, one, 1, 1, 1, 1, 1, 0),
		}
	}
	if _, err := plan.Finish(honest()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(Opened){
		"more rows than declared":      func(o Opened) { o[rowsOutput] = whole(4) },
		"no degrees of freedom":        func(o Opened) { o[rowsOutput] = whole(2) },
		"neither kept nor not":         func(o Opened) { o[keptOutput] = whole(2) },
		"a negative error":             func(o Opened) { o[estimates][3] = big.NewInt(-one) },
		"a negative sigma":             func(o Opened) { o[estimates][4] = big.NewInt(-one) },
		"more unexplained than all of": func(o Opened) { o[estimates][11] = big.NewInt(2) },
		"no number":                    func(o Opened) { o[estimates][0] = big.NewInt(5) },
	} {
		opened := honest()
		change(opened)
		if r, err := plan.Finish(opened); !errors.Is(err, errImpossible) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// whole are numbers as they are opened.
func whole(xs ...int64) []*big.Int {
	out := make([]*big.Int, len(xs))
	for i, x := range xs {
		out[i] = big.NewInt(x)
	}
	return out
}

func TestLinearTranscript(t *testing.T) {
	leakFree(t)
	checkTranscript(t, "linear", fiveWards(t), otherWards(t), ask{"ward", "linear", "age > 30", `{"outcome":"dose","covariates":["age","sex"]}`})
}

// roundsOf counts the rounds of an analysis that takes sums alone.
func roundsOf(t *testing.T, s *study, a ask) int {
	t.Helper()
	plan, err := PlanJob(s.job(a), s.roster.Roster)
	s.must(err)
	w := memnet.New(memnet.Config{})
	s.must(w.Run(func(s *mpc.Session) error {
		in := Inputs{Sums: map[string]rss.Vec128{}}
		for _, sum := range plan.Summaries {
			in.Sums[sum.Name] = rss.Zero[ring.Vec128](sum.Len())
		}
		plan.analysis.Compute(s.Step(stepCompute), plan, in)
		return s.Err()
	}))
	return w.Rounds()
}

// TestRoundsOfSums: what the doc comments promise.
func TestRoundsOfSums(t *testing.T) {
	s := referenceStudy(t, "birthwt")
	for _, c := range []struct {
		analysis, args string
		want           int
	}{
		{"linear", `{"outcome":"bwt","covariates":["age"]}`, 571},
		{"linear", `{"outcome":"bwt","covariates":["age","lwt","smoke","ht","ui"]}`, 606},
		{"linear", `{"outcome":"bwt","covariates":["age","lwt","smoke","ht","ui","race","ftv","low","ptl"]}`, 620},
		{"correlation", `{"columns":["age","lwt","bwt"]}`, 118},
		{"pca", `{"columns":["age","lwt","bwt"]}`, 66},
		{"pca", `{"columns":["age","lwt","bwt"],"scale":true}`, 119},
	} {
		if got := roundsOf(t, s, ask{"birthwt", c.analysis, "", c.args}); got != c.want {
			t.Errorf("%s %s: %d rounds, want %d", c.analysis, c.args, got, c.want)
		}
	}
}
