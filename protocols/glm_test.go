package protocols

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// glmSchema has what models take: numbers of few and of many digits, categories,
// a binary outcome, counts and an offset.
func glmSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Decimal, Step: "0.5", Min: "-50", Max: "50"},
		{Name: "w", Type: job.Decimal, Step: "0.0000000000001", Min: "-90", Max: "90"},
		{Name: "g", Type: job.Integer, Min: "1", Max: "3", Categories: []string{"1", "2", "3"}},
		{Name: "y", Type: job.Integer, Min: "0", Max: "1"},
		{Name: "k", Type: job.Integer, Min: "0", Max: "200"},
		{Name: "o", Type: job.Decimal, Step: "0.01", Min: "0", Max: "9"},
		{Name: "s", Type: job.Text, Categories: []string{"m", "f"}},
	}}
}

var glmHeader = []string{"x", "w", "g", "y", "k", "o", "s"}

// glmStudy deals rows out to the sites, one to each in turn.
func glmStudy(t testing.TB, sites int, change func(*job.Roster), rows [][]string) *study {
	t.Helper()
	p := pieces{name: "trial", schema: glmSchema()}
	lines := make([][][]string, sites)
	for i, r := range rows {
		lines[i%sites] = append(lines[i%sites], r)
	}
	for i := range sites {
		p.sites = append(p.sites, table{glmHeader, lines[i]})
	}
	return newStudy(t, change, p)
}

// glmCase is a random job of a model.
type glmCase struct {
	rows       [][]string
	covariates []string
	offset     string
	sites      int
}

// drawGLM draws tables with ties, missing values, columns that do not vary, levels
// that no row has, columns that depend on each other, and outcomes that these tell.
func drawGLM(r *rapid.T) glmCase {
	of := func(from ...string) *rapid.Generator[string] { return rapid.SampledFrom(from) }
	some := func(name string, from ...string) *rapid.Generator[string] {
		return of(from[rapid.IntRange(0, 1).Draw(r, name)*rapid.IntRange(0, len(from)-1).Draw(r, name):]...)
	}
	gens := []*rapid.Generator[string]{
		some("x", "-3", "0.5", "40", "2", "-7.5", "1", "3", "-1", ""),
		some("w", "0.1234567890123", "-2.5", "0.3", "1.7", "0.9999999999999", "", "0.5"),
		some("g", "1", "3", "2", "1"), some("y", "1", "0", "1", "0"),
		some("k", "60", "4", "2", "0", "1", "3"), some("o", "0", "2.5", "4.75", "3"), some("s", "m", "f", "m"),
	}
	c := glmCase{
		rows:       make([][]string, rapid.SampledFrom([]int{0, 1, 3, 8, 30, 50, 60, 70}).Draw(r, "rows")),
		covariates: rapid.SampledFrom([][]string{{"x"}, {"g"}, {"x", "w"}, {"s", "x", "g"}, {"w", "s", "x"}}).Draw(r, "covariates"),
		offset:     of("", "", "o").Draw(r, "offset"),
		sites:      rapid.IntRange(1, 5).Draw(r, "sites"),
	}
	kind := of("free", "free", "free", "free", "collinear", "separable").Draw(r, "kind")
	for i := range c.rows {
		row := make([]string, len(gens))
		for j, g := range gens {
			row[j] = g.Draw(r, "cell")
		}
		switch kind {
		case "collinear":
			row[1] = row[0]
		case "separable":
			row[3], row[4] = "0", "0"
			if row[6] == "f" {
				row[3], row[4] = "1", "5"
			}
		}
		c.rows[i] = row
	}
	return c
}

// glmCases calls check with random jobs, and returns how often each status came.
func glmCases(t *testing.T, analysis string, count int, fit func(c glmCase) *oracle) {
	t.Helper()
	seen := map[string]int{}
	cases := rapid.Custom(drawGLM)
	for seed := range count {
		c := cases.Example(seed)
		want := fit(c)
		if seen[want.status]++; want.status == "" {
			continue
		}
		outcome := map[string]string{"logistic": "y", "poisson": "k"}[analysis]
		args := map[string]any{"outcome": outcome, "covariates": c.covariates}
		if slices.Contains(c.covariates, "g") {
			args["categorical"] = "g"
		}
		if c.offset != "" {
			args["offset"] = c.offset
		}
		text, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		tr := glmStudy(t, c.sites, nil, c.rows).trial(ask{"trial", analysis, "", string(text)})
		if seed%2 == 1 {
			tr.chunkRows = 64 // of rows of more sites than one too
		}
		want.check(t, tr.succeed())
		if t.Failed() {
			t.Fatalf("%s of %v", text, c.rows)
		}
	}
	t.Logf("%v", seen)
}

// oracle is a model fitted in float64, step by step as the protocol does.
type oracle struct {
	terms    []string
	kept     []bool
	x        [][]float64 // by row: 1, then the terms that are kept
	y, o     []float64
	coef, se []float64 // of the kept
	fitted   []float64 // linear predictors
	slack    float64   // of coefficients, in standard errors

	devianceSlack float64 // of deviances, besides their usual tolerance
	deviance      float64
	null          float64
	auc           float64
	status        string
}

// newOracle lays out the rows that are complete, as R does.
func newOracle(rows [][]string, outcome string, covariates []string, offset string) *oracle {
	at := func(name string) int { return slices.Index(glmHeader, name) }
	var complete [][]string
	for _, r := range rows {
		if r[at(outcome)] != "" && (offset == "" || r[at(offset)] != "") &&
			!slices.ContainsFunc(covariates, func(name string) bool { return r[at(name)] == "" }) {
			complete = append(complete, r)
		}
	}
	number := func(text string) float64 { x, _ := strconv.ParseFloat(text, 64); return x }
	m := &oracle{x: make([][]float64, len(complete)), terms: []string{"(Intercept)"}, kept: []bool{true}}
	for i, r := range complete {
		m.x[i] = []float64{1}
		m.y = append(m.y, number(r[at(outcome)]))
		if m.o = append(m.o, 0); offset != "" {
			m.o[i] = number(r[at(offset)])
		}
	}
	add := func(name string, value func(r []string) float64) {
		varies := false
		for _, r := range complete {
			varies = varies || value(r) != value(complete[0])
		}
		if m.terms, m.kept = append(m.terms, name), append(m.kept, varies); varies {
			for i, r := range complete {
				m.x[i] = append(m.x[i], value(r))
			}
		}
	}
	for _, name := range covariates {
		if name != "g" && name != "s" {
			add(name, func(r []string) float64 { return number(r[at(name)]) })
			continue
		}
		present := map[string]bool{}
		for _, r := range complete {
			present[r[at(name)]] = true
		}
		first := true
		for _, level := range map[string][]string{"g": {"1", "2", "3"}, "s": {"f", "m"}}[name] {
			if present[level] {
				if !first {
					add(name+level, func(r []string) float64 {
						if r[at(name)] == level {
							return 1
						}
						return 0
					})
				}
				first = false
			}
		}
	}
	return m
}

// centred moves and scales the columns as is good for conditioning.
func (m *oracle) centred() (*mat.Dense, []float64, []float64) {
	n, p := len(m.x), len(m.x[0])
	z := mat.NewDense(n, p, nil)
	mean, spread := make([]float64, p), make([]float64, p)
	for j := range p {
		for i := range n {
			mean[j] += m.x[i][j] / float64(n)
		}
		for i := range n {
			spread[j] += (m.x[i][j] - mean[j]) * (m.x[i][j] - mean[j]) / float64(n)
		}
		if spread[j] = math.Sqrt(spread[j]); j == 0 {
			mean[0], spread[0] = 0, 1
		}
		for i := range n {
			z.Set(i, j, (m.x[i][j]-mean[j])/spread[j])
		}
	}
	return z, mean, spread
}

// weighting is a family in float64: what a row weighs and its score.
type weighting struct {
	start func(m *oracle, i int) (weight, score float64)
	at    func(y, eta float64) (weight, score float64)
	limit func(eta float64) bool // whether it clamps
}

// fit takes the steps, and finds the status.
func (m *oracle) fit(f weighting) {
	n := len(m.x)
	switch {
	case n == 0:
		m.status = statusEmpty
		return
	case n < len(m.x[0]):
		m.status = statusFewRows
		return
	}
	z, mean, spread := m.centred()
	p := len(spread)
	gram := func(w []float64) *mat.SymDense {
		h := mat.NewSymDense(p, nil)
		for i := range n {
			row := mat.NewVecDense(p, z.RawRowView(i))
			h.SymRankOne(h, w[i], row)
		}
		return h
	}
	all := make([]float64, n)
	for i := range all {
		all[i] = 1
	}
	var eigen mat.EigenSym
	eigen.Factorize(gram(all), false)
	if values := eigen.Values(nil); values[0] < 1e-9*values[p-1] {
		m.status = statusSingular
		return
	}
	beta := mat.NewVecDense(p, nil)
	eta, w := make([]float64, n), make([]float64, n)
	clamped := false
	var inverse mat.SymDense
	for step := range fisherSteps + 5 {
		g := mat.NewVecDense(p, nil)
		clamped = false
		for i := range n {
			var score float64
			if eta[i] = m.o[i] + mat.Dot(beta, mat.NewVecDense(p, z.RawRowView(i))); step == 0 {
				w[i], score = f.start(m, i)
				score -= w[i] * m.o[i]
			} else {
				w[i], score = f.at(m.y[i], eta[i])
				clamped = clamped || f.limit(eta[i])
			}
			g.AddScaledVec(g, score, mat.NewVecDense(p, z.RawRowView(i)))
		}
		var cholesky mat.Cholesky
		if !cholesky.Factorize(gram(w)) || cholesky.Cond() > 1e13 {
			m.status = statusSeparated
			return
		}
		delta := mat.NewVecDense(p, nil)
		_ = cholesky.SolveVecTo(delta, g)
		_ = cholesky.InverseTo(&inverse)
		beta.AddVec(beta, delta)
		if step == fisherSteps-1 {
			switch decrement := mat.Dot(g, delta); {
			case !(decrement < 10*convergedBelow):
				m.status = statusSeparated
				return
			case decrement > convergedBelow/10:
				m.status = "" // too close to tell
				return
			}
			if clamped {
				m.status = statusClamped
				return
			}
		}
	}
	m.status, m.fitted = statusOK, eta
	m.uncentred(beta, &inverse, mean, spread)
}

// uncentred finds coefficients and errors of the columns as they were.
func (m *oracle) uncentred(beta *mat.VecDense, inverse *mat.SymDense, mean, spread []float64) {
	p := len(spread)
	at := mat.NewVecDense(p, nil)
	at.SetVec(0, 1)
	for j := 1; j < p; j++ {
		at.SetVec(j, -mean[j]/spread[j])
	}
	m.coef, m.se = []float64{mat.Dot(at, beta)}, []float64{math.Sqrt(mat.Inner(at, inverse, at))}
	for j := 1; j < p; j++ {
		m.coef = append(m.coef, beta.AtVec(j)/spread[j])
		m.se = append(m.se, math.Sqrt(inverse.At(j, j))/spread[j])
	}
}

// check holds a result against the oracle.
func (m *oracle) check(t testing.TB, r *Result) {
	t.Helper()
	if r.Status != m.status {
		t.Fatalf("status %q, want %q", r.Status, m.status)
	}
	if r.Status != statusOK {
		return
	}
	value := r.Value.(map[string]any)
	if got, want := fmt.Sprint(value["term"]), fmt.Sprint(m.terms); got != want {
		t.Fatalf("terms %s, want %s", got, want)
	}
	at := 0
	for i, kept := range m.kept {
		coef, se := value["coef"].([]any)[i], value["se"].([]any)[i]
		if !kept {
			if coef != nil || se != nil || value["p"].([]any)[i] != nil || value["stat"].([]any)[i] != nil {
				t.Errorf("%s does not vary and has %v", m.terms[i], coef)
			}
			continue
		}
		// The error that counts is that in standard errors.
		if b, e := coef.(float64), se.(float64); !(math.Abs(b-m.coef[at]) < (1e-5+m.slack)*m.se[at]) || !(math.Abs(e-m.se[at]) < 1e-4*m.se[at]) {
			t.Errorf("%s: %v (%v), want %v (%v)", m.terms[i], b, e, m.coef[at], m.se[at])
		}
		at++
	}
	for name, want := range map[string]float64{"deviance": m.deviance, "null_deviance": m.null, "auc": m.auc} {
		if got, ok := value[name]; ok && !(math.Abs(got.(float64)-want) <= (1e-5+m.devianceSlack)*math.Abs(want)+1e-5) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestGLMPrecision: what the bits leave for sums.
func TestGLMPrecision(t *testing.T) {
	for _, rows := range []int{1, 7, 1000, 1 << 20, 1 << 26} {
		for _, spare := range []int{logisticSpare, poissonSpare} {
			f := newPrecision(rows, spare)
			if f.z+f.work+log2(rows)+spare > 61 || f.z+f.score-f.work+log2(rows) > 61 || f.work >= f.score || f.work < 5 || f.z < 14 {
				t.Errorf("%d rows, spare %d: %+v", rows, spare, f)
			}
		}
	}
}

// plainRows are a table of n rows that a model fits, with fifths of level 2 of g and
// halves of either sex.
func plainRows(n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		y := strconv.Itoa(i * i % 7 % 2)
		rows[i] = []string{strconv.Itoa(i*5%11 - 4), "0.5", []string{"1", "1", "2", "1", "1"}[i%5], y, strconv.Itoa(i * 3 % 4), "1.25", []string{"m", "f"}[i/2%2]}
	}
	return rows
}

// TestGLMMinCount: rows, events, those without, and levels, each on its own.
func TestGLMMinCount(t *testing.T) {
	leakFree(t)
	rows := plainRows(40)
	events := 0
	for _, r := range rows {
		events += int(r[3][0] - '0')
	}
	if fewer := min(events, len(rows)-events); fewer < 10 || fewer > 19 {
		t.Fatalf("%d events", events)
	}
	least := min(events, len(rows)-events)
	for _, c := range []struct {
		minCount       int
		analysis, args string
		where, want    string
	}{
		{minCount: 8, analysis: "logistic", args: `{"outcome":"y","covariates":["x","g"],"categorical":"g"}`, want: statusOK},
		{minCount: 9, analysis: "logistic", args: `{"outcome":"y","covariates":["x","g"],"categorical":"g"}`, want: statusSuppressed},
		{minCount: least, analysis: "logistic", args: `{"outcome":"y","covariates":["x"]}`, want: statusOK},
		{minCount: least + 1, analysis: "logistic", args: `{"outcome":"y","covariates":["x"]}`, want: statusSuppressed},
		{minCount: 8, analysis: "poisson", args: `{"outcome":"k","covariates":["x","g"],"categorical":["g"]}`, want: statusOK},
		{minCount: 9, analysis: "poisson", args: `{"outcome":"k","covariates":["x","g"],"categorical":["g"]}`, want: statusSuppressed},
		{minCount: 40, analysis: "poisson", args: `{"outcome":"k","covariates":["x"]}`, want: statusOK},
		{minCount: 41, analysis: "poisson", args: `{"outcome":"k","covariates":["x"]}`, want: statusSuppressed},
		{minCount: 9, analysis: "poisson", args: `{"outcome":"k","covariates":["x"]}`, where: "g = 2", want: statusSuppressed},
		{minCount: 9, analysis: "poisson", args: `{"outcome":"k","covariates":["x"]}`, where: "x > 40", want: statusEmpty},
	} {
		s := glmStudy(t, 3, func(r *job.Roster) { r.Disclosure.MinCount = c.minCount }, rows)
		if got := s.result(ask{"trial", c.analysis, c.where, c.args}); got.Status != c.want {
			t.Errorf("min_count %d, %s %s where %q: status %q, want %q", c.minCount, c.analysis, c.args, c.where, got.Status, c.want)
		}
	}
}

func TestGLMRefuses(t *testing.T) {
	s := glmStudy(t, 1, nil, plainRows(3))
	for args, want := range map[string]string{
		`{"covariates":["x"]}`:                                 `"outcome" is missing`,
		`{"outcome":"y"}`:                                      `"covariates" is missing`,
		`{"outcome":"y","covariates":["x","y"]}`:               "named twice",
		`{"outcome":"y","covariates":["xx"]}`:                  `no column "xx"`,
		`{"outcome":"y","covariates":["x"],"offsets":"o"}`:     `"offsets" is unknown`,
		`{"outcome":"y","covariates":["x"],"offset":"s"}`:      "offset is a number",
		`{"outcome":"y","covariates":["x"],"offset":"z"}`:      `no column "z"`,
		`{"outcome":"y","covariates":["x"],"categorical":"g"}`: "no covariate",
	} {
		for _, analysis := range []string{"logistic", "poisson"} {
			checkRefusals(t, s, "trial", analysis, map[string]string{args: want})
		}
	}
	checkRefusals(t, s, "trial", "logistic", map[string]string{
		`{"outcome":"x","covariates":["w"]}`: "does not have two values",
		`{"outcome":"g","covariates":["w"]}`: "does not have two values",
	})
	checkRefusals(t, s, "trial", "poisson", map[string]string{
		`{"outcome":"s","covariates":["w"]}`: "name a column of counts",
		`{"outcome":"x","covariates":["w"]}`: "may be negative",
	})
	wide := job.Column{Name: "days", Type: job.Integer, Min: "0", Max: "3650"}
	if err := checkOffset(&wide); err == nil || !strings.Contains(err.Error(), "give the logarithm of an exposure") {
		t.Errorf("an exposure passes as an offset: %v", err)
	}
	large := &glm{outcome: &job.Column{Name: "cells", Type: job.Integer, Min: "0", Max: "4294967296"}}
	if err := large.checkCounts(&job.Dataset{}); err == nil || !strings.Contains(err.Error(), "declare a lower max") {
		t.Errorf("a count of 33 bits passes: %v", err)
	}
}

// TestGLMStatement: what is said before signing.
func TestGLMStatement(t *testing.T) {
	s := glmStudy(t, 1, nil, plainRows(3))
	for analysis, wants := range map[string][]string{
		"logistic": {
			"of the model of y by x, s, with the offset o: each coefficient and its standard error",
			"how many selected rows have a value in all of these, and how many of them have y 1", "the area under the ROC curve",
			"the deviance of the model of the offset alone", "empty, too few rows, singular, separated.",
		},
		"poisson": {"of the model of y by x, s, with the offset o", "the deviance", "empty, too few rows, no events, singular, separated, clamped."},
	} {
		j := s.job(ask{"trial", analysis, "", `{"outcome":"y","covariates":["x","s"],"offset":"o"}`})
		plan, err := PlanJob(j, s.roster.Roster)
		s.must(err)
		got := strings.Join(plan.Statement(j, s.roster.Roster), "\n")
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the statement lacks %q:\n%s", analysis, want, got)
			}
		}
		if got := strings.Join(plan.Uses(), " "); got != "o s x y" {
			t.Errorf("it uses %s", got)
		}
	}
}

// TestGLMTables fixes how models look on paper.
func TestGLMTables(t *testing.T) {
	leakFree(t)
	s := glmStudy(t, 3, nil, plainRows(40))
	checkTables(t, "glm",
		s.result(ask{"trial", "logistic", "", `{"outcome":"y","covariates":["x","w","g"],"categorical":["g"]}`}),
		s.result(ask{"trial", "poisson", "x < 5", `{"outcome":"k","covariates":["x","s"],"offset":"o"}`}))
}

// TestGLMImpossible: what no honest computation gives is no result.
func TestGLMImpossible(t *testing.T) {
	s := glmStudy(t, 1, nil, plainRows(5))
	plan, err := PlanJob(s.job(ask{"trial", "logistic", "", `{"outcome":"y","covariates":["x"]}`}), s.roster.Roster)
	s.must(err)
	const one = 1 << 55
	honest := func() Opened {
		return Opened{
			statusOutput: whole(0), coefOutput: whole(one, one, 1, 1), errorOutput: whole(one, one, 1, 1), keptOutput: whole(1),
			devianceOutput: whole(one, 1), rowsOutput: whole(5), eventsOutput: whole(2), aucOutput: whole(6, 6),
		}
	}
	if _, err := plan.Finish(honest()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(Opened){
		"more rows than declared":   func(o Opened) { o[rowsOutput] = whole(6) },
		"more events than rows":     func(o Opened) { o[eventsOutput] = whole(6) },
		"neither kept nor not":      func(o Opened) { o[keptOutput] = whole(2) },
		"a negative standard error": func(o Opened) { o[errorOutput][1].Neg(o[errorOutput][1]) },
		"no number":                 func(o Opened) { o[coefOutput] = whole(5, one, 1, 1) },
		"no deviance":               func(o Opened) { o[devianceOutput] = whole(5, 1) },
		"an area above one":         func(o Opened) { o[aucOutput] = whole(13, 6) },
	} {
		opened := honest()
		change(opened)
		if r, err := plan.Finish(opened); !errors.Is(err, errImpossible) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGLMTranscript: the same frames for any data of one size. There are too many to
// list: golden is how many go in each part of a job, and the shape's hash.
func TestGLMTranscript(t *testing.T) {
	leakFree(t)
	for analysis, outcome := range map[string]string{"logistic": "y", "poisson": "k"} {
		a := ask{"trial", analysis, "x > -3", `{"outcome":"` + outcome + `","covariates":["x","w","s"],"offset":"o"}`}
		one := worldRun(t, glmStudy(t, 3, nil, plainRows(9)), a, nil)
		other := worldRun(t, glmStudy(t, 3, nil, make9("")), a, nil)
		if one.Shape() != other.Shape() {
			t.Errorf("%s: the transcript tells of the data", analysis)
		}
		testkit.Golden(t, analysis+".shape.golden", partsOf(one))
		testkit.Golden(t, analysis+".openings.golden", strings.Join(one.Openings(), "\n")+"\n")
	}
}

// make9 are nine rows of which every cell is the same.
func make9(cell string) [][]string {
	rows := make([][]string, 9)
	for i := range rows {
		rows[i] = slices.Repeat([]string{cell}, len(glmHeader))
	}
	return rows
}

// partsOf counts frames and bytes by the first parts of the steps' names.
func partsOf(tr memnet.Transcript) string {
	const depth = 4
	frames, bytes := map[string]int{}, map[string]int{}
	for _, r := range tr {
		parts := strings.Split(r.Step, "/")
		name := strings.Join(parts[:min(depth, len(parts))], "/")
		frames[name]++
		bytes[name] += r.Length
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		fmt.Fprintf(&out, "%s: %d frames, %d bytes\n", name, frames[name], bytes[name])
	}
	fmt.Fprintf(&out, "%x\n", sha256.Sum256([]byte(tr.Shape())))
	return out.String()
}

// TestGLMCosts: what the doc comments promise.
func TestGLMCosts(t *testing.T) {
	const n = 500
	cost := func(analysis string, rows, terms int) (rounds int, bytes float64) {
		d := &job.Dataset{Name: "trial", Sites: []job.Site{{Node: "hospital-1", Rows: rows}}}
		names := []string{}
		for i := range terms {
			names = append(names, fmt.Sprintf("x%d", i))
			d.Schema.Columns = append(d.Schema.Columns, job.Column{Name: names[i], Type: job.Integer, Min: "0", Max: "1000"})
		}
		d.Schema.Columns = append(d.Schema.Columns, job.Column{Name: "y", Type: job.Integer, Min: "0", Max: "1"})
		a, err := Lookup(analysis)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := a.Plan(&job.Job{Args: map[string]any{"outcome": "y", "covariates": names}}, d, job.Disclosure{})
		if err != nil {
			t.Fatal(err)
		}
		w, spill := memnet.New(memnet.Config{}), testkit.NewSpill(t, rss.ChunkRows)
		if err := w.Run(func(s *mpc.Session) error {
			in := Inputs{Sums: map[string]rss.Vec128{designMoments: rss.Zero[ring.Vec128](plan.Summaries[0].Len())}, Rows: map[string]*Sampled{}}
			sample := NewSampled(s, spill, rows, plan.Samples[0])
			sample.Fill().End(s)
			in.Rows[modelRows] = sample
			a.Compute(s.Step(stepCompute), plan, in)
			return s.Err()
		}); err != nil {
			t.Fatal(err)
		}
		for p := range mpc.PartyID(3) {
			bytes += float64(w.Transcript().Bytes(p)) / 3
		}
		return w.Rounds(), bytes
	}
	for _, c := range []struct {
		analysis  string
		rounds    int
		row, term float64
	}{
		{"logistic", 2200, 2900, 185},
		{"poisson", 2050, 2500, 185},
	} {
		rounds, few := cost(c.analysis, n, 4)
		_, many := cost(c.analysis, 2*n, 4)
		_, wider := cost(c.analysis, 2*n, 8)
		_, wide := cost(c.analysis, n, 8)
		term := (wider - wide - many + few) / n / 4
		row := (many-few)/n - 4*term
		t.Logf("%s: %d rounds, %.0f bytes a row and %.0f more a term", c.analysis, rounds, row, term)
		if rounds > c.rounds || row > c.row || term > c.term {
			t.Errorf("%s costs more than it says", c.analysis)
		}
	}
}
