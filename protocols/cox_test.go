package protocols

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc/memnet"
	"consilium/testkit"
)

// TestReferenceCox: R's coxph.
func TestReferenceCox(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "lung", "pbc")
	for _, id := range []string{"cox-lung-efron", "cox-lung-breslow", "cox-pbc-efron"} {
		checkReference(t, s, id)
	}
}

// coxSchema has covariates of all kinds: narrow, of 50 bits, rarely not 0, and
// categories.
func coxSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "time", Type: job.Decimal, Unit: "months", Step: "0.5", Min: "-2", Max: "4000"},
		{Name: "status", Type: job.Text, Categories: []string{"dead", "alive", "moved"}},
		{Name: "age", Type: job.Integer, Min: "-500000", Max: "500000"},
		{Name: "exact", Type: job.Decimal, Step: "0.0000000000001", Min: "-200", Max: "200"},
		{Name: "rare", Type: job.Integer, Min: "0", Max: "1"},
		{Name: "stage", Type: job.Text, Categories: []string{"i", "ii", "iii", "iv"}},
		{Name: "center", Type: job.Integer, Min: "-3", Max: "9", Categories: []string{"-1", "2", "7"}},
	}}
}

var coxHeader = []string{"time", "status", "age", "exact", "rare", "stage", "center"}

// coxStudy deals lines out to three sites.
func coxStudy(t testing.TB, minCount int, lines [][]string) *study {
	t.Helper()
	p := pieces{name: "trial", schema: coxSchema()}
	sites := make([][][]string, 3)
	for i, line := range lines {
		sites[i%3] = append(sites[i%3], line)
	}
	for _, site := range sites {
		p.sites = append(p.sites, table{coxHeader, site})
	}
	return newStudy(t, func(r *job.Roster) { r.Disclosure.MinCount = minCount }, p)
}

// coxPatient is one complete row of an oracle.
type coxPatient struct {
	time    float64
	dead    bool
	x       []float64
	stratum string
}

// coxPatients reads the lines that have a value in all covariates. A stage's term is
// 1 at that stage.
func coxPatients(t testing.TB, lines [][]string, covariates, terms []string, strata bool) []coxPatient {
	t.Helper()
	var out []coxPatient
	for _, line := range lines {
		cell := func(name string) string { return line[slices.Index(coxHeader, name)] }
		row := coxPatient{dead: cell("status") == "dead"}
		missing := cell("status") == "" || slices.ContainsFunc(covariates, func(c string) bool { return cell(c) == "" })
		number := func(name string) float64 {
			x, err := strconv.ParseFloat(cell(name), 64)
			missing = missing || err != nil
			return x
		}
		row.time = number("time")
		if strata {
			row.stratum = cell("center")
			missing = missing || row.stratum == ""
		}
		for _, term := range terms {
			level, categorical := strings.CutPrefix(term, "stage")
			switch {
			case !categorical:
				row.x = append(row.x, number(term))
			case cell("stage") == level:
				row.x = append(row.x, 1)
			default:
				row.x = append(row.x, 0)
			}
		}
		if !missing {
			out = append(out, row)
		}
	}
	return out
}

// coxModel is the partial likelihood of rows, about the covariates' means.
type coxModel struct {
	rows  []coxPatient
	p     int
	sd    []float64
	efron bool
}

func newCoxModel(rows []coxPatient, p int, efron bool) *coxModel {
	m := &coxModel{p: p, efron: efron, sd: make([]float64, p)}
	mean := make([]float64, p)
	for _, r := range rows {
		for j, x := range r.x {
			mean[j] += x / float64(len(rows))
		}
	}
	for _, r := range rows {
		for j, x := range r.x {
			m.sd[j] += (x - mean[j]) * (x - mean[j]) / float64(len(rows))
		}
	}
	for j := range m.sd {
		m.sd[j] = math.Sqrt(m.sd[j])
	}
	for _, r := range rows {
		z := make([]float64, p)
		for j, x := range r.x {
			z[j] = (x - mean[j]) / m.sd[j]
		}
		m.rows = append(m.rows, coxPatient{r.time, r.dead, z, r.stratum})
	}
	return m
}

// sumOver returns the sums of w, w z and w z z' over rows.
func (m *coxModel) sumOver(rows []coxPatient, b []float64) (s0 float64, s1 []float64, s2 *mat.SymDense) {
	s1, s2 = make([]float64, m.p), mat.NewSymDense(m.p, nil)
	for _, r := range rows {
		w := math.Exp(predictorOf(r.x, b))
		s0 += w
		for j := range m.p {
			s1[j] += w * r.x[j]
			for k := range j + 1 {
				s2.SetSym(j, k, s2.At(j, k)+w*r.x[j]*r.x[k])
			}
		}
	}
	return s0, s1, s2
}

func predictorOf(x, b []float64) float64 {
	sum := 0.0
	for j := range b {
		sum += x[j] * b[j]
	}
	return sum
}

// those returns the rows of which is says so.
func (m *coxModel) those(is func(coxPatient) bool) []coxPatient {
	var out []coxPatient
	for _, r := range m.rows {
		if is(r) {
			out = append(out, r)
		}
	}
	return out
}

// at returns the log-likelihood and its derivatives, by the definitions.
func (m *coxModel) at(b []float64) (ll float64, gradient []float64, information *mat.SymDense) {
	gradient, information = make([]float64, m.p), mat.NewSymDense(m.p, nil)
	type moment struct {
		time    float64
		stratum string
	}
	seen := map[moment]bool{}
	for _, r := range m.rows {
		at := moment{r.time, r.stratum}
		if !r.dead || seen[at] {
			continue
		}
		seen[at] = true
		deaths := m.those(func(o coxPatient) bool { return o.dead && o.time == r.time && o.stratum == r.stratum })
		s0, s1, s2 := m.sumOver(m.those(func(o coxPatient) bool { return o.time >= r.time && o.stratum == r.stratum }), b)
		t0, t1, t2 := m.sumOver(deaths, b)
		for i, death := range deaths {
			part := float64(i) / float64(len(deaths))
			if !m.efron {
				part = 0
			}
			d := s0 - part*t0
			ll += predictorOf(death.x, b) - math.Log(d)
			for j := range m.p {
				mean := (s1[j] - part*t1[j]) / d
				gradient[j] += death.x[j] - mean
				for k := range j + 1 {
					second := (s2.At(j, k)-part*t2.At(j, k))/d - mean*(s1[k]-part*t1[k])/d
					information.SetSym(j, k, information.At(j, k)+second)
				}
			}
		}
	}
	return ll, gradient, information
}

// coxFigures are what R's coxph reports.
type coxFigures struct {
	coef, se    []float64
	loglik      [2]float64
	concordance float64
	widest      float64 // the largest linear predictor about the mean
	singular    bool
	converged   bool
}

// fit climbs by Newton's steps, halved as long as they lead down.
func (m *coxModel) fit() coxFigures {
	var out coxFigures
	b := make([]float64, m.p)
	ll, gradient, information := m.at(b)
	out.loglik[0] = ll
	for i := range 60 {
		var chol mat.Cholesky
		if !chol.Factorize(information) || chol.Cond() > 1e8 {
			out.singular = i == 0
			return out
		}
		var step mat.VecDense
		if err := chol.SolveVecTo(&step, mat.NewVecDense(m.p, gradient)); err != nil {
			out.singular = i == 0
			return out
		}
		next := make([]float64, m.p)
		for size := 1.0; size > 1e-6; size /= 2 {
			for j := range b {
				next[j] = b[j] + size*step.AtVec(j)
			}
			if up, _, _ := m.at(next); up >= ll-1e-12*math.Abs(ll) {
				break
			}
		}
		b = next
		ll, gradient, information = m.at(b)
		out.converged = mat.Norm(&step, math.Inf(1)) < 1e-9
	}
	out.loglik[1] = ll
	var inverse mat.Dense
	if err := inverse.Inverse(information); err != nil {
		return coxFigures{}
	}
	for j := range b {
		out.coef = append(out.coef, b[j]/m.sd[j])
		out.se = append(out.se, math.Sqrt(inverse.At(j, j))/m.sd[j])
	}
	scores := make([]float64, len(m.rows))
	for i, r := range m.rows {
		scores[i] = predictorOf(r.x, b)
		out.widest = max(out.widest, math.Abs(scores[i]))
	}
	out.concordance = concordanceOf(m.rows, scores)
	return out
}

// concordanceOf goes through all pairs.
func concordanceOf(rows []coxPatient, scores []float64) float64 {
	won, all := 0.0, 0.0
	for i, r := range rows {
		for j, o := range rows {
			outlives := o.time > r.time || o.time == r.time && !o.dead
			if !r.dead || i == j || r.stratum != o.stratum || !outlives {
				continue
			}
			all++
			switch near := math.Abs(scores[i]-scores[j]) < 1e-9; {
			case near:
				won += 0.5
			case scores[i] > scores[j]:
				won++
			}
		}
	}
	return won / all
}

// drawCox makes tables of times with ties and covariates of all scales.
func drawCox(t *rapid.T) [][]string {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	var (
		scale   = rapid.SampledFrom([]float64{1, 30, 100000}).Draw(t, "scale")
		stages  = rapid.IntRange(1, 4).Draw(t, "stages")
		missing = rapid.SampledFrom([]float64{0, 0, 0.1, 1}).Draw(t, "missing")
		grid    = rapid.SampledFrom([]float64{0.5, 5, 1000}).Draw(t, "grid")
		effect  = rapid.SampledFrom([]float64{0, 0.5, 2}).Draw(t, "effect")
		same    = rapid.IntRange(0, 9).Draw(t, "same") == 0
	)
	return randomCox(r, n, coxShape{scale, stages, missing, grid, effect, same})
}

type coxShape struct {
	scale   float64 // of age
	stages  int
	missing float64 // the part of cells that are missing
	grid    float64 // of times
	effect  float64
	same    bool // age does not vary
}

func randomCox(r *rand.Rand, n int, shape coxShape) [][]string {
	var lines [][]string
	for range n {
		z := r.NormFloat64()
		stage := r.IntN(shape.stages)
		rare := 0
		if r.Float64() < 0.1 {
			rare = 1
		}
		exact := 50 + 10*math.Exp(r.NormFloat64())
		predictor := shape.effect * (z/2 + float64(stage)/3 + float64(rare))
		time := r.ExpFloat64() * 500 * math.Exp(-predictor)
		age := math.Round(z * shape.scale)
		if shape.same {
			age = 7
		}
		status := []string{"dead", "dead", "dead", "alive", "moved"}[r.IntN(5)]
		line := []string{
			strconv.FormatFloat(min(4000, math.Floor(time/shape.grid)*shape.grid)-2, 'f', -1, 64), status,
			strconv.FormatFloat(age, 'f', 0, 64), strconv.FormatFloat(min(exact, 200), 'f', 13, 64),
			strconv.Itoa(rare), []string{"i", "ii", "iii", "iv"}[stage], []string{"-1", "2", "7"}[r.IntN(3)],
		}
		for i := range line {
			if r.Float64() < shape.missing/10 {
				line[i] = ""
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// TestCoxRandom holds random tables against the definitions in plain numbers. Each
// job has thousands of rounds: these are few.
func TestCoxRandom(t *testing.T) {
	leakFree(t)
	cases := rapid.Custom(func(rt *rapid.T) coxCase {
		return coxCase{
			lines: drawCox(rt),
			covariates: rapid.SampledFrom([][]string{
				{"age"}, {"age", "exact"}, {"rare", "stage"}, {"stage"}, {"age", "rare", "stage", "exact"},
			}).Draw(rt, "covariates"),
			efron: rapid.Bool().Draw(rt, "efron"), strata: rapid.Bool().Draw(rt, "strata"),
		}
	})
	for seed := range 30 {
		c := cases.Example(seed)
		t.Run(strconv.Itoa(seed), c.check)
	}
}

// coxCase is a job over a table.
type coxCase struct {
	lines         [][]string
	covariates    []string
	efron, strata bool
	chunkRows     int // or 0 for the usual
}

// ask is the job.
func (c *coxCase) ask() ask {
	ties, by := "breslow", ""
	if c.efron {
		ties = "efron"
	}
	if c.strata {
		by = `,"strata":"center"`
	}
	return ask{"trial", "cox", "", fmt.Sprintf(`{"time":"time","event":"status = 'dead'","covariates":["%s"],"ties":"%s"%s}`,
		strings.Join(c.covariates, `","`), ties, by)}
}

// coxExpected is what the definitions make of a case.
type coxExpected struct {
	status      []string // any of these
	n, events   int
	terms, kept []string // kept are those that vary
	coxFigures
}

func (c *coxCase) expected(t *testing.T) coxExpected {
	want := coxExpected{terms: coxTerms(t, c.lines, c.covariates, c.strata)}
	rows := coxPatients(t, c.lines, c.covariates, want.terms, c.strata)
	want.n = len(rows)
	for j, term := range want.terms {
		if slices.ContainsFunc(rows, func(r coxPatient) bool { return r.x[j] != rows[0].x[j] }) {
			want.kept = append(want.kept, term)
		}
	}
	for _, row := range rows {
		if row.dead {
			want.events++
		}
	}
	switch {
	case want.n == 0:
		want.status = []string{statusEmpty}
	case want.n < 2 || want.n <= len(want.kept):
		want.status = []string{statusFewRows}
	case want.events == 0:
		want.status = []string{statusNoEvents}
	case len(want.kept) == 0:
		want.status = []string{statusSingular}
	default:
		rows = coxPatients(t, c.lines, c.covariates, want.kept, c.strata)
		want.coxFigures = newCoxModel(rows, len(want.kept), c.efron).fit()
		want.status = want.coxFigures.status()
	}
	return want
}

func (f *coxFigures) status() []string {
	switch {
	case f.singular:
		return []string{statusSingular}
	case !f.converged:
		return []string{statusSeparated}
	case f.widest > widestPredictor:
		return []string{statusClamped, statusSeparated}
	default:
		return []string{statusOK}
	}
}

// check compares a job's result, or its status, with the definitions.
func (c *coxCase) check(t *testing.T) {
	want := c.expected(t)
	tr := coxStudy(t, 0, c.lines).trial(c.ask())
	if c.chunkRows > 0 {
		tr.chunkRows = c.chunkRows
	}
	r := tr.succeed()
	if !slices.Contains(want.status, r.Status) {
		t.Fatalf("status %q, want %q (%+v)", r.Status, want.status, want)
	}
	if r.Status == statusOK {
		want.check(t, r.Value.(map[string]any))
	}
}

// TestCoxChunks holds tables of several chunks against the definitions: with ties and
// strata over borders, chunks without members or events, and a last chunk of one row.
func TestCoxChunks(t *testing.T) {
	leakFree(t)
	const all = 5000 // a grid of which all times are the least
	for name, c := range map[string]struct {
		n             int
		grid, missing float64
		covariates    string
		efron, strata bool
	}{
		"one row more":            {65, 5, 0, "age exact", true, false},
		"ties":                    {200, 200, 0, "age", true, false},
		"ties in strata":          {200, 500, 0.1, "age stage", true, true},
		"Breslow's ties":          {140, 500, 0, "age", false, false},
		"Breslow's ties, strata":  {140, 200, 0, "rare age", false, true},
		"one time":                {193, all, 0, "age", true, false},
		"one time in each strata": {193, all, 0, "age", true, true},
		"rows that do not count":  {220, 50, 2, "age", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, uint64(c.n)))
			lines := randomCox(r, c.n, coxShape{scale: 30, stages: 3, missing: c.missing, grid: c.grid, effect: 0.5})
			table := &coxCase{lines, strings.Fields(c.covariates), c.efron, c.strata, 64}
			if want := table.expected(t); want.status[0] != statusOK {
				t.Fatalf("a table that ends as %v", want.status)
			}
			table.check(t)
		})
	}
}

// coxTerms are the terms that the covariates have: of the stages those above the
// lowest that a complete row has.
func coxTerms(t testing.TB, lines [][]string, covariates []string, strata bool) []string {
	var out []string
	for _, c := range covariates {
		if c != "stage" {
			out = append(out, c)
			continue
		}
		var levels []string
		for _, level := range []string{"stagei", "stageii", "stageiii", "stageiv"} {
			rows := coxPatients(t, lines, covariates, []string{level}, strata)
			if slices.ContainsFunc(rows, func(r coxPatient) bool { return r.x[0] == 1 }) {
				levels = append(levels, level)
			}
		}
		if len(levels) > 1 {
			out = append(out, levels[1:]...)
		}
	}
	return out
}

func (want *coxExpected) check(t *testing.T, got map[string]any) {
	if fmt.Sprint(got["term"]) != fmt.Sprint(want.terms) || got["n"] != int64(want.n) || got["events"] != int64(want.events) {
		t.Fatalf("got %v, want %+v", got, want)
	}
	near := func(name string, got any, want, least float64) {
		if x, ok := got.(float64); !ok || math.Abs(x-want) > max(1e-4*math.Abs(want), least) {
			t.Fatalf("%s is %v, want %v", name, got, want)
		}
	}
	for i, term := range want.terms {
		j := slices.Index(want.kept, term)
		if j < 0 {
			if got["coef"].([]any)[i] != nil || got["p"].([]any)[i] != nil {
				t.Fatalf("%s does not vary and has a coefficient", term)
			}
			continue
		}
		near("coef of "+term, got["coef"].([]any)[i], want.coef[j], 1e-5*want.se[j])
		near("se of "+term, got["se"].([]any)[i], want.se[j], 0)
		near("ratio of "+term, got["hazard_ratio"].([]any)[i], math.Exp(want.coef[j]), 0)
		z := math.Abs(want.coef[j]/want.se[j]) / math.Sqrt2
		near("p of "+term, got["p"].([]any)[i], math.Erfc(z), 1e-4)
	}
	near("null likelihood", got["loglik"].([]any)[0], want.loglik[0], 1e-6)
	near("likelihood", got["loglik"].([]any)[1], want.loglik[1], 1e-5)
	if math.IsNaN(want.concordance) {
		if got["concordance"] != nil {
			t.Fatalf("a concordance of no pair: %v", got["concordance"])
		}
		return
	}
	near("concordance", got["concordance"], want.concordance, 1e-9)
}

// shapeOf sums a transcript up by the first steps of each path: the whole has a line
// a frame.
func shapeOf(transcript memnet.Transcript) string {
	type key struct {
		step     string
		from, to int
	}
	type total struct{ frames, bytes int }
	sums := map[key]total{}
	for _, r := range transcript {
		path := strings.Split(r.Step, "/")
		k := key{strings.Join(path[:min(len(path), 4)], "/"), int(r.From), int(r.To)}
		sums[k] = total{sums[k].frames + 1, sums[k].bytes + r.Length}
	}
	var keys []key
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.step, b.step), a.from-b.from, a.to-b.to)
	})
	var out strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&out, "%s %d>%d %d frames %d bytes\n", k.step, k.from, k.to, sums[k].frames, sums[k].bytes)
	}
	return out.String()
}

// coxLine is a row with a time, an event or not, an age and half the age.
func coxLine(time float64, dead bool, age int) []string {
	status := "alive"
	if dead {
		status = "dead"
	}
	half := strconv.FormatFloat(float64(age)/2, 'f', -1, 64)
	return []string{strconv.FormatFloat(time, 'f', -1, 64), status, strconv.Itoa(age), half, "0", "i", "2"}
}

// TestCoxStatus: what keeps a model from a result, and which word says so.
func TestCoxStatus(t *testing.T) {
	leakFree(t)
	r := rand.New(rand.NewPCG(3, 3))
	var usual, monotone, steep, far, late [][]string
	for i := range 30 {
		age := i - 15
		usual = append(usual, coxLine(float64(r.IntN(100)), i%3 > 0, 7*age%11))
		// Who is older dies first.
		monotone = append(monotone, coxLine(float64(200-3*i), true, age))
		// The logarithm of a life falls with age.
		steep = append(steep, coxLine(math.Round(50*(math.Log(r.ExpFloat64())-0.2*float64(age)))+2000, true, age))
		// Age varies among those alone who leave before the first event.
		late = append(late, coxLine(float64(r.IntN(5)), false, age), coxLine(float64(10+i), true, 3))
	}
	// One who is at risk at the first event only, and one who is at none.
	first := 4000.0
	for _, line := range steep {
		time, err := strconv.ParseFloat(line[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		first = min(first, time)
	}
	far = append(slices.Clone(steep), coxLine(first+0.5, false, 120))
	outside := append(slices.Clone(steep), coxLine(first-0.5, false, 399))
	for _, c := range []struct {
		name, where, covariates string
		lines                   [][]string
		want                    string
	}{
		{"nothing", "", `"age"`, nil, statusEmpty},
		{"all missing", "", `"age"`, [][]string{{"", "dead", "1", "1", "0", "i", "2"}, {"3", "", "1", "1", "0", "i", "2"}}, statusEmpty},
		{"filtered out", "age > 1000", `"age"`, usual, statusEmpty},
		{"one row", "", `"age"`, usual[:1], statusFewRows},
		{"as many rows as terms", "", `"age","exact"`, usual[:2], statusFewRows},
		{"no events", "status <> 'dead'", `"age"`, usual, statusNoEvents},
		{"a column that does not vary", "", `"rare"`, usual, statusSingular},
		{"one level", "", `"stage"`, usual, statusSingular},
		{"collinear", "", `"age","exact"`, usual, statusSingular},
		{"does not vary at risk", "", `"age"`, late, statusSingular},
		{"monotone", "", `"age"`, monotone, statusSeparated},
		{"far", "", `"age"`, far, statusClamped},
		{"fine", "", `"age"`, usual, statusOK},
		{"outside all risk sets", "", `"age"`, outside, statusOK},
		{"steep", "", `"age"`, steep, statusOK},
		{"fine beside a column that does not vary", "", `"rare","age"`, usual, statusOK},
	} {
		result := coxStudy(t, 0, c.lines).result(ask{"trial", "cox", c.where, `{"time":"time","event":"status = 'dead'","covariates":[` + c.covariates + `]}`})
		if result.Status != c.want {
			t.Errorf("%s: status %q, want %q %v", c.name, result.Status, c.want, result.Value)
		}
	}
}

// TestCoxMinCount: rows, events, levels and strata of a few patients hide a result,
// those of none or enough do not.
func TestCoxMinCount(t *testing.T) {
	leakFree(t)
	r := rand.New(rand.NewPCG(5, 5))
	lines := randomCox(r, 60, coxShape{scale: 30, stages: 3, grid: 5, effect: 0.5})
	stage, center := slices.Index(coxHeader, "stage"), slices.Index(coxHeader, "center")
	few := func(column int, value string, n int) [][]string {
		var out [][]string
		for i, line := range lines {
			line = slices.Clone(line)
			if line[column] == value {
				line[column] = lines[0][column]
			}
			if i > 0 && i <= n {
				line[column] = value
			}
			out = append(out, line)
		}
		return out
	}
	deaths := func(n int) [][]string {
		var out [][]string
		for i, line := range lines {
			line = slices.Clone(line)
			line[1] = "alive"
			if i < n {
				line[1] = "dead"
			}
			out = append(out, line)
		}
		return out
	}
	lines[0][stage], lines[0][center] = "i", "2"
	const base, staged, stratified = `"covariates":["age"]`, `"covariates":["age","stage"]`, `"covariates":["age"],"strata":"center"`
	for _, c := range []struct {
		name, args string
		lines      [][]string
		want       string
	}{
		{"rows", base, lines[:4], statusSuppressed},
		{"events", base, deaths(4), statusSuppressed},
		{"enough events", base, deaths(5), statusOK},
		{"no events", base, deaths(0), statusNoEvents},
		{"a level", staged, few(stage, "iii", 4), statusSuppressed},
		{"a level with enough", staged, few(stage, "iii", 5), statusOK},
		{"the level is not asked for", base, few(stage, "iii", 4), statusOK},
		{"a stratum", stratified, few(center, "7", 4), statusSuppressed},
		{"a stratum with enough", stratified, few(center, "7", 6), statusOK},
		{"an empty stratum", stratified, few(center, "7", 0), statusOK},
	} {
		got := coxStudy(t, 5, c.lines).result(ask{"trial", "cox", "", `{"time":"time","event":"status = 'dead'",` + c.args + `}`})
		if got.Status != c.want {
			t.Errorf("%s: status %q, want %q", c.name, got.Status, c.want)
		}
	}
}

// TestCoxMinCountChunks: a stratum counts as a whole, also one that goes on in another
// chunk.
func TestCoxMinCountChunks(t *testing.T) {
	leakFree(t)
	center := slices.Index(coxHeader, "center")
	for _, c := range []struct {
		greatest, least, minCount int // rows of two strata; 70 are between
		want                      string
	}{
		{75, 5, 6, statusSuppressed},
		{75, 5, 5, statusOK},
		{75, 0, 12, statusOK}, // 64 in a chunk and 11 in the next
	} {
		lines := randomCox(rand.New(rand.NewPCG(5, 5)), c.greatest+70+c.least, coxShape{scale: 30, stages: 3, grid: 5, effect: 0.5})
		for i, line := range lines {
			switch line[center] = "2"; {
			case i < c.greatest:
				line[center] = "7"
			case i < c.greatest+c.least:
				line[center] = "-1"
			}
		}
		tr := coxStudy(t, c.minCount, lines).trial(ask{"trial", "cox", "", `{"time":"time","event":"status = 'dead'","covariates":["age"],"strata":"center"}`})
		tr.chunkRows = 64
		if got := tr.succeed(); got.Status != c.want {
			t.Errorf("%+v: status %q", c, got.Status)
		}
	}
}

func TestCoxPlanRefuses(t *testing.T) {
	s := coxStudy(t, 0, nil)
	for args, want := range map[string]string{
		`"time":"time","event":"status = 'dead'"`:                                            `"covariates" is missing`,
		`"event":"status = 'dead'","covariates":["age"]`:                                     `"time" is missing`,
		`"time":"time","covariates":["age"]`:                                                 `"event" is missing`,
		`"time":"time","event":"","covariates":["age"]`:                                      "event is empty",
		`"time":"time","event":"status = 'gone'","covariates":["age"]`:                       "event:",
		`"time":"stage","event":"status = 'dead'","covariates":["age"]`:                      `"stage" is text`,
		`"time":"tme","event":"status = 'dead'","covariates":["age"]`:                        `did you mean "time"?`,
		`"time":"time","event":"status = 'dead'","covariates":["agee"]`:                      "covariates:",
		`"time":"time","event":"status = 'dead'","covariates":["age","age"]`:                 "named twice",
		`"time":"time","event":"status = 'dead'","covariates":["time"]`:                      "cannot be a covariate",
		`"time":"time","event":"status = 'dead'","covariates":["age"],"strata":"age"`:        "no list of categories",
		`"time":"time","event":"status = 'dead'","covariates":["center"],"strata":"center"`:  "cannot be a covariate",
		`"time":"time","event":"status = 'dead'","covariates":["age"],"ties":"exact"`:        "give efron or breslow",
		`"time":"time","event":"status = 'dead'","covariates":["age"],"conf_level":95}`:      "conf_level lies between",
		`"time":"time","event":"status = 'dead'","covariates":["age"],"categorical":"stage"`: "no covariate",
		`"time":"time","event":"status = 'dead'","covariates":["age"],"weights":"exact"`:     `"weights" is unknown`,
	} {
		args = "{" + strings.TrimSuffix(args, "}") + "}"
		_, err := PlanJob(s.job(ask{"trial", "cox", "", args}), s.roster.Roster)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want an error of one line with %q", args, err, want)
		}
	}
}

// TestCoxTable fixes what a researcher reads before and after.
func TestCoxTable(t *testing.T) {
	leakFree(t)
	r := rand.New(rand.NewPCG(5, 5))
	s := coxStudy(t, 0, randomCox(r, 60, coxShape{scale: 30, stages: 3, grid: 5, effect: 0.5}))
	a := ask{"trial", "cox", "age > -60", `{"time":"time","event":"status = 'dead'","covariates":["age","stage","exact"],"strata":"center","conf_level":0.9}`}
	plan, err := PlanJob(s.job(a), s.roster.Roster)
	s.must(err)
	out := strings.Join(plan.Reveals, "\n") + "\n\n"
	table := s.result(a).Tables[0]
	out += table.Title + "\n" + strings.Join(table.Header, " | ") + "\n"
	for _, row := range table.Rows {
		out += strings.Join(row, " | ") + "\n"
	}
	testkit.Golden(t, "cox.tables.golden", out+strings.Join(table.Notes, "\n")+"\n")
}

// TestCoxTranscript: frames tell nothing but sizes, and all that is opened are orders
// of shuffled rows.
func TestCoxTranscript(t *testing.T) {
	leakFree(t)
	r := rand.New(rand.NewPCG(7, 7))
	one := coxStudy(t, 0, randomCox(r, 20, coxShape{scale: 30, stages: 3, grid: 5, effect: 0.5}))
	other := coxStudy(t, 0, randomCox(r, 20, coxShape{scale: 100000, stages: 1, missing: 2, grid: 4000, same: true}))
	for name, args := range map[string]string{
		"cox":        `{"time":"time","event":"status = 'dead'","covariates":["age","stage"]}`,
		"cox.strata": `{"time":"time","event":"status = 'dead'","covariates":["age","stage"],"ties":"breslow","strata":"center"}`,
	} {
		a := ask{"trial", "cox", "", args}
		first, second := worldRun(t, one, a, nil), worldRun(t, other, a, nil)
		if first.Shape() != second.Shape() {
			t.Errorf("%s: the transcript tells of the data", name)
		}
		testkit.Golden(t, name+".shape.golden", shapeOf(first))
		testkit.Golden(t, name+".openings.golden", strings.Join(first.Openings(), "\n")+"\n")
	}
}

// TestCoxImpossible: what no honest computation gives is no result.
func TestCoxImpossible(t *testing.T) {
	s := coxStudy(t, 0, randomCox(rand.New(rand.NewPCG(5, 5)), 9, coxShape{scale: 30, stages: 3, grid: 5, effect: 0.5}))
	plan, err := PlanJob(s.job(ask{"trial", "cox", "", `{"time":"time","event":"status = 'dead'","covariates":["age"]}`}), s.roster.Roster)
	s.must(err)
	numbers := func(x ...int64) []*big.Int {
		var out []*big.Int
		for _, n := range x {
			out = append(out, big.NewInt(n))
		}
		return out
	}
	honest := func() Opened {
		return Opened{
			coxCounts: numbers(9, 5), keptOutput: numbers(1),
			coxCoef: numbers(-1<<55, 1), coxErrors: numbers(1<<55, 2),
			coxLikelihood: numbers(-9<<logLikelihood, -8<<logLikelihood), coxConcordance: numbers(3 << (concordanceFrac - 1)),
		}
	}
	if _, err := plan.Finish(withStatus(honest())); err != nil {
		t.Error(err)
	}
	for name, x := range map[string][]*big.Int{
		coxCounts: numbers(5, 9), keptOutput: numbers(2), coxCoef: numbers(3, 0), coxErrors: numbers(-1<<55, 1),
		coxLikelihood: numbers(1<<logLikelihood, 0), coxConcordance: numbers(1 << (concordanceFrac - 1)),
	} {
		opened := honest()
		opened[name] = x
		if r, err := plan.Finish(withStatus(opened)); !errors.Is(err, errImpossible) || r != nil {
			t.Errorf("%s of %v: got %v", name, x, err)
		}
	}
}

// withStatus adds the status ok.
func withStatus(opened Opened) Opened {
	opened[statusOutput] = []*big.Int{new(big.Int)}
	return opened
}
