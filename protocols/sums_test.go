package protocols

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/testkit"
)

// planSums plans a job for the engine mhe.
func (s *study) planSums(a ask) (*Plan, error) {
	j := s.job(a)
	j.Engine = job.EngineMHE
	return PlanJob(j, s.roster.Roster)
}

// totals adds up the sites' summaries in the clear.
func (s *study) totals(a ask, p *Plan) Opened {
	s.t.Helper()
	sums := Opened{}
	for _, data := range s.data[a.dataset] {
		if data == nil {
			continue
		}
		own, err := data.Summaries(s.t.Context(), p.Where, p.Summaries)
		s.must(err)
		for i, summary := range p.Summaries {
			if sums[summary.Name] == nil {
				sums[summary.Name] = make([]*big.Int, summary.Len())
				for k := range sums[summary.Name] {
					sums[summary.Name][k] = new(big.Int)
				}
			}
			for k, x := range own[i] {
				sums[summary.Name][k].Add(sums[summary.Name][k], x)
			}
		}
	}
	return sums
}

// fromSums is the result of a job on sums, without the encryption.
func (s *study) fromSums(a ask) *Result {
	s.t.Helper()
	p, err := s.planSums(a)
	s.must(err)
	r, err := p.Finish(s.totals(a, p))
	s.must(err)
	return r
}

// orderFields are what sums do not tell.
var orderFields = []string{"min", "q25", "median", "q75", "max"}

// withoutOrder takes these fields of a description away.
func withoutOrder(value any) any {
	fields, ok := value.(map[string]any)
	if !ok {
		return value
	}
	out := map[string]any{}
	_, described := fields["missing"]
	for name, x := range fields {
		if !described || !slices.Contains(orderFields, name) {
			out[name] = withoutOrder(x)
		}
	}
	return out
}

// TestSumsReference: what R and NIST give of every analysis that sums suffice for.
func TestSumsReference(t *testing.T) {
	ran := 0
	for _, set := range []string{"reference", "certified"} {
		for _, c := range referenceCases(t, set) {
			a := ask{c.Dataset, c.Analysis, c.Where, string(c.Args)}
			s := studyOf(t, set, []string{c.Dataset})
			if len(s.roster.Roster.Datasets[0].Sites) < 2 {
				s = twoSites(t, c.Dataset)
			}
			p, err := s.planSums(a)
			if unsupported := new(Unsupported); errors.As(err, &unsupported) {
				continue
			}
			s.must(err)
			r, err := p.Finish(s.totals(a, p))
			s.must(err)
			if r.Status != statusOK || len(r.Tables) == 0 {
				t.Errorf("%s: status %q, %d tables", c.ID, r.Status, len(r.Tables))
			}
			expect := c.Expect
			if c.Analysis == "describe" {
				expect = withoutOrder(expect)
			}
			ran++
			compare(t, c.ID, throughJSON(t, r.Value), expect, c.RelTol)
		}
	}
	if want := 31; ran != want {
		t.Errorf("%d cases ran, %d should", ran, want)
	}
}

// twoSites is a certified dataset of one file, dealt out to two sites.
func twoSites(t *testing.T, name string) *study {
	tables := referenceDataset(t, "certified", name)
	all := tables[0]
	half := len(all.lines) / 2
	return newStudy(t, nil, pieces{name, inferSchema(tables), []table{{all.header, all.lines[:half]}, {all.header, all.lines[half:]}}})
}

// sameFigures holds figures from sums against those from shares.
func sameFigures(t testing.TB, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok || len(fields) != len(want) {
			t.Errorf("%s: %v, on shares %v", path, got, want)
			return
		}
		for name, x := range want {
			sameFigures(t, path+"/"+name, fields[name], x)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			t.Errorf("%s: %v, on shares %v", path, got, want)
			return
		}
		for i, x := range want {
			sameFigures(t, fmt.Sprintf("%s/%d", path, i), list[i], x)
		}
	case float64:
		if x, ok := got.(float64); !ok || math.Abs(x-want) > 1e-9*max(1, math.Abs(want)) {
			t.Errorf("%s: %v, on shares %v", path, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, on shares %v", path, got, want)
		}
	}
}

// checkEngines runs a job on shares and on sums: status and figures are the same.
func checkEngines(t testing.TB, s *study, a ask) {
	t.Helper()
	got, want := s.fromSums(a), s.result(a)
	if got.Status != want.Status || got.Reason != want.Reason {
		t.Fatalf("%v: status %q, on shares %q", a, got.Status, want.Status)
	}
	if want.Status != statusOK {
		return
	}
	expect := want.Value
	if a.analysis == "describe" {
		expect = withoutOrder(expect)
	}
	if a.analysis == "linear" && want.Value.(map[string]any)["r2"].(float64) > 1-1e-12 {
		for _, name := range []string{"se", "stat", "p", "conf_int", "f", "sigma"} { // of nothing but rounding
			delete(got.Value.(map[string]any), name)
			delete(expect.(map[string]any), name)
		}
	}
	if a.analysis == "correlation" {
		s.checkCovariances(t, a, got)
	}
	sameFigures(t, fmt.Sprint(a), got.Value, expect)
	if a.analysis != "describe" && len(got.Tables) != len(want.Tables) {
		t.Errorf("%v: %d tables, on shares %d", a, len(got.Tables), len(want.Tables))
	}
}

// checkCovariances holds the covariances, which the engine mhe alone gives, against
// the correlations and the variances of a description of the same rows, and takes
// them away.
func (s *study) checkCovariances(t testing.TB, a ask, r *Result) {
	t.Helper()
	value := r.Value.(map[string]any)
	matrix, covariance := value["matrix"].([]any), value["covariance"].([]any)
	delete(value, "covariance")
	r.Tables = r.Tables[:1]
	var args struct{ Columns []string }
	if err := json.Unmarshal([]byte(a.args), &args); err != nil {
		t.Fatal(err)
	}
	complete := ask{a.dataset, "describe", strings.Join(args.Columns, " IS NOT NULL AND ") + " IS NOT NULL", a.args}
	described := s.fromSums(complete).Value.(map[string]any)
	at := func(m []any, i, j int) float64 { return m[i].([]any)[j].(float64) }
	for i, name := range args.Columns {
		variance := described[name].(map[string]any)["variance"].(float64)
		for j := range args.Columns {
			want := at(matrix, i, j) * math.Sqrt(at(covariance, i, i)*at(covariance, j, j))
			if i == j {
				want = variance
			}
			if got := at(covariance, i, j); !(math.Abs(got-want) <= 1e-9*math.Sqrt(at(covariance, i, i)*at(covariance, j, j))) {
				t.Errorf("%v: covariance of %s and %s is %v, want %v", a, name, args.Columns[j], got, want)
			}
		}
	}
}

func TestEnginesAgreeOnGroups(t *testing.T) {
	leakFree(t)
	const turns = 12
	rows := rapid.Custom(drawRows)
	asks := []ask{
		{"trial", "describe", "", `{"columns":["v","w"],"by":["g","h"]}`},
		{"trial", "describe", "v > -5", `{"columns":["v","w"]}`},
		{"trial", "frequency", "", `{"columns":["g","h"]}`},
		{"trial", "frequency", "h = 1", `{"columns":["g"]}`},
		{"trial", "histogram", "", `{"column":"w","edges":[-1,0,5]}`},
		{"trial", "histogram", "", `{"column":"v","edges":[-20,1.55,3,20]}`},
		{"trial", "ttest", "", `{"value":"v","group":"h","conf_level":0.9}`},
		{"trial", "ttest", "g <> 'b'", `{"value":"v","group":"g","pooled":true}`},
		{"trial", "ttest", "", `{"value":["v","w"],"paired":true}`},
		{"trial", "anova", "", `{"value":"v","group":"g"}`},
		{"trial", "chisq", "", `{"row":"g","column":"h","correct":true}`},
		{"trial", "chisq", "", `{"row":"h","column":"g"}`},
		{"trial", "oddsratio", "", `{"exposure":"g","outcome":"h"}`},
		{"trial", "correlation", "", `{"columns":["v","w"]}`},
	}
	for seed := range turns {
		s := comparedStudy(t, 2+seed%(studyNodes-1), rows.Example(seed), nil)
		for i, a := range asks {
			if i%3 == seed%3 {
				checkEngines(t, s, a)
			}
		}
	}
}

func TestEnginesAgreeOnModels(t *testing.T) {
	leakFree(t)
	models := []string{
		`{"outcome":"y","covariates":["a"]}`, `{"outcome":"y","covariates":["c","a","d"],"categorical":["d"]}`,
		`{"outcome":"y","covariates":["b"]}`, `{"outcome":"y","covariates":["b","c","a"]}`,
		`{"outcome":"y","covariates":["c","d"],"categorical":["d"]}`, `{"outcome":"y","covariates":["a","b"]}`,
	}
	turn := 0
	samplesOf(t, 24, func(lines [][]string) {
		s := modelStudy(t, nil, lines)
		checkEngines(t, s, ask{"model", "linear", "", models[turn%len(models)]})
		checkEngines(t, s, ask{"model", "correlation", "", `{"columns":["y","b","a"]}`})
		turn++
	})
}

func TestEnginesAgreeOnSurvival(t *testing.T) {
	leakFree(t)
	asks := []string{
		`kaplanmeier {"times":[-3,-2,0,1.25,2,6.9,12.5,41]`, `kaplanmeier {"by":"arm"`,
		`kaplanmeier {"by":"arm","times":[3,7],"conf_type":"log-log"`, `logrank {"group":"arm"`,
		`kaplanmeier {"conf_type":"log-log","conf_level":0.8`, `logrank {"group":"arm","strata":"center"`,
	}
	patients := rapid.Custom(drawPatients)
	for seed := range 24 {
		s := trialOf(t, 0, patients.Example(seed))
		for i, text := range asks {
			if i%2 == seed%2 {
				analysis, args, _ := strings.Cut(text, " ")
				checkEngines(t, s, ask{"trial", analysis, "", args + `,"time":"time","event":"status = 'dead'"}`})
			}
		}
	}
	s := trialOf(t, 0, manyPatients(300, 3))
	for _, text := range asks {
		analysis, args, _ := strings.Cut(text, " ")
		checkEngines(t, s, ask{"trial", analysis, "time > 1", args + `,"time":"time","event":"status = 'dead'"}`})
	}
}

// The oracles of the tests on shares, over more tables.

func TestGroupsFromSums(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rows := drawRows(r)
		s := comparedStudy(t, rapid.IntRange(2, studyNodes).Draw(r, "sites"), rows, nil)
		pooled, correct := rapid.Bool().Draw(r, "pooled"), rapid.Bool().Draw(r, "correct")
		check := func(a ask, status string, want map[string]any) {
			t.Helper()
			checkResult(t, fmt.Sprint(a, rows), s.fromSums(a), status, want)
		}
		status, want := tTestOracle(byLevel(rows, 2), pooled, 0.95)
		check(ask{"trial", "ttest", "", fmt.Sprintf(`{"value":"v","group":"g","pooled":%t}`, pooled)}, status, want)
		status, want = pairedOracle(rows, 0.95)
		check(ask{"trial", "ttest", "", `{"value":["v","w"],"paired":true}`}, status, want)
		status, want = anovaOracle(byLevel(rows, 2))
		check(ask{"trial", "anova", "", `{"value":"v","group":"g"}`}, status, want)
		status, want = chiSquaredOracle(crossCounts(rows, 2, 3), correct)
		check(ask{"trial", "chisq", "", fmt.Sprintf(`{"row":"g","column":"h","correct":%t}`, correct)}, status, want)
	})
}

func TestLinearFromSums(t *testing.T) {
	models := [][]string{{"a"}, {"c", "a", "d"}, {"b"}, {"b", "c", "a"}, {"c"}, {"a", "b"}}
	turn := 0
	samplesOf(t, 120, func(lines [][]string) {
		covariates := models[turn%len(models)]
		args := `{"outcome":"y","covariates":` + quotedList(covariates) + `}`
		want := fitExactly(lines, covariates)
		if slices.Contains(covariates, "d") {
			args = strings.Replace(args, "}", `,"categorical":["d"]}`, 1)
			want = fitExactly(lines, covariates, "d")
		}
		turn++
		want.check(t, modelStudy(t, nil, lines).fromSums(ask{"model", "linear", "", args}))
	})
}

func TestKaplanMeierFromSums(t *testing.T) {
	times := []float64{-3, -2, 0, 1.25, 2, 3, 6.9, 7, 12.5, 41}
	asked, _ := json.Marshal(times)
	rapid.Check(t, func(rt *rapid.T) {
		patients := drawPatients(rt)
		curve, logLog := rapid.Bool().Draw(rt, "curve"), rapid.Bool().Draw(rt, "loglog")
		args, at := `{"time":"time","event":"status = 'dead'"`, times
		rows := follow(t, patients, false)
		if curve {
			at = eventTimes(rows, "dead")
		} else {
			args += `,"times":` + string(asked)
		}
		if logLog {
			args += `,"conf_type":"log-log"`
		}
		r := trialOf(t, 0, patients).fromSums(ask{"trial", "kaplanmeier", "", args + "}"})
		switch {
		case len(rows) > 0 && r.Status == statusOK:
			checkKM(rt, "all", r.Value.(map[string]any), rows, at, logLog)
		case len(rows) > 0 || r.Status != statusEmpty:
			rt.Errorf("status %q of %d rows", r.Status, len(rows))
		}
	})
}

// TestSumsReveal fixes what jobs on sums say that they reveal, and how their tables
// differ from those on shares.
func TestSumsReveal(t *testing.T) {
	var all strings.Builder
	show := func(s *study, a ask) {
		p, err := s.planSums(a)
		s.must(err)
		if len(p.Samples) > 0 || len(p.Outputs) != len(p.Summaries) {
			t.Errorf("%s: its plan has %d samples, %d outputs and %d summaries", a.analysis, len(p.Samples), len(p.Outputs), len(p.Summaries))
		}
		for i, o := range p.Outputs {
			if o.Name != p.Summaries[i].Name || o.Len != p.Summaries[i].Len() {
				t.Errorf("%s: output %s is no summary", a.analysis, o.Name)
			}
		}
		fmt.Fprintf(&all, "# %s %s\n%s\n%v of %v\n", a.analysis, a.args, strings.Join(p.Reveals, "\n"), p.words(), p.Uses())
	}
	compared := comparedStudy(t, 3, manyRows(map[string]int{"a0": 2, "a1": 3, "b0": 1, "b1": 2}, "1.5", "2"), nil)
	for _, a := range []ask{
		{"trial", "describe", "", `{"columns":["v","w"],"by":["g","h"]}`},
		{"trial", "frequency", "", `{"columns":["g","h"]}`},
		{"trial", "histogram", "", `{"column":"w","edges":[-1,0,5]}`},
		{"trial", "ttest", "", `{"value":"v","group":"h"}`},
		{"trial", "ttest", "", `{"value":["v","w"],"paired":true}`},
		{"trial", "anova", "", `{"value":"v","group":"g"}`},
		{"trial", "chisq", "", `{"row":"g","column":"h"}`},
		{"trial", "oddsratio", "", `{"exposure":"g","outcome":"h"}`},
		{"trial", "correlation", "", `{"columns":["v","w"]}`},
	} {
		show(compared, a)
	}
	show(modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}}), ask{"model", "linear", "", `{"outcome":"y","covariates":["c","a","d"],"categorical":["d"]}`})
	patients := trialOf(t, 0, manyPatients(9, 1))
	show(patients, ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'","by":"arm","times":[1]}`})
	show(patients, ask{"trial", "logrank", "", `{"time":"time","event":"status = 'dead'","group":"arm","strata":"center"}`})

	a := ask{"trial", "describe", "", `{"columns":["v","w"],"by":"h"}`}
	for _, table := range compared.fromSums(a).Tables {
		fmt.Fprintf(&all, "# table\n%s\n%v\n%s\n", strings.Join(table.Header, " | "), table.Rows, strings.Join(table.Notes, "\n"))
	}
	j := compared.job(a)
	j.Engine = job.EngineMHE
	p, err := PlanJob(j, compared.roster.Roster)
	compared.must(err)
	fmt.Fprintf(&all, "# statement\n%s\n", strings.Join(p.Statement(j, compared.roster.Roster), "\n"))
	testkit.Golden(t, "sums.reveals.golden", all.String())
}

// TestSumsRefusals: what the engine cannot do, and what it must not.
func TestSumsRefusals(t *testing.T) {
	long := job.Schema{Columns: []job.Column{
		{Name: "time", Type: job.Decimal, Step: "0.001", Min: "0", Max: "40"},
		{Name: "ever", Type: job.Integer, Min: "-50000000000000000", Max: "50000000000000000"},
		{Name: "dead", Type: job.Integer, Min: "0", Max: "1", Categories: []string{"0", "1"}},
	}}
	none := table{[]string{"time", "ever", "dead"}, make([][]string, 0)}
	follow := newStudy(t, nil, pieces{"trial", long, []table{none, none}})
	ranked := comparedStudy(t, 2, nil, nil)
	for _, c := range []struct {
		s           *study
		a           ask
		unsupported bool
		want        string
	}{
		{ranked, ask{"trial", "mannwhitney", "", `{"value":"v","group":"h"}`}, true, "engine: shares"},
		{ranked, ask{"trial", "cox", "", `{}`}, true, "it needs more than sums"},
		{ranked, ask{"trial", "correlation", "", `{"columns":["v","w"],"method":"spearman"}`}, true, "it has the method pearson"},
		{ranked, ask{"trial", "ttest", "", `{"value":"v"}`}, false, "group is missing"},
		{comparedStudy(t, 1, nil, nil), ask{"trial", "frequency", "", `{"columns":"g"}`}, false, "two sites or more, and dataset trial has 1"},
		{comparedStudy(t, 2, nil, func(r *job.Roster) { r.Disclosure.MinCount = 5 }), ask{"trial", "frequency", "", `{"columns":"g"}`}, false, "fewer than 5 patients"},
		{follow, ask{"trial", "kaplanmeier", "", `{"time":"time","event":"dead = 1"}`}, true, `"time" may have 32768: declare a narrower range or a coarser step`},
		{follow, ask{"trial", "kaplanmeier", "", `{"time":"ever","event":"dead = 1","by":"dead"}`}, true, `"ever" may have 16384`},
		{follow, ask{"trial", "logrank", "", `{"time":"time","event":"dead = 1","group":"dead"}`}, true, "declare a narrower range"},
	} {
		_, err := c.s.planSums(c.a)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, new(*Unsupported)) != c.unsupported {
			t.Errorf("%v: %v, want %q", c.a, err, c.want)
		}
	}
}

// TestImpossibleSums: totals that no honest sites give are no result.
func TestImpossibleSums(t *testing.T) {
	compared := comparedStudy(t, 2, make([]comparedRow, 20), nil)
	model := modelStudy(t, nil, slices.Repeat([][]string{{"1", "2", "30", "p", "1"}}, 9))
	patients := trialOf(t, 0, manyPatients(9, 1))
	change := func(name string, at int, to int64) func(Opened) {
		return func(sums Opened) { sums[name][at] = big.NewInt(to) }
	}
	for _, c := range []struct {
		s      *study
		a      ask
		change func(Opened)
	}{
		{compared, ask{"trial", "describe", "", `{"columns":["v"]}`}, change(selectedRows, 0, -1)},
		{compared, ask{"trial", "describe", "", `{"columns":["v"],"by":"h"}`}, func(sums Opened) { sums[selectedRows] = whole(20, 1) }},
		{compared, ask{"trial", "frequency", "", `{"columns":["g"]}`}, change(cellCounts, 2, 21)},
		{compared, ask{"trial", "histogram", "", `{"column":"w","edges":[-1,0,5]}`}, change(binCounts, 2, -1)},
		{compared, ask{"trial", "ttest", "", `{"value":"v","group":"h"}`}, change(groupCounts, 0, 21)},
		{compared, ask{"trial", "ttest", "", `{"value":"v","group":"h"}`}, change(groupSums, 0, 1)},
		{compared, ask{"trial", "ttest", "", `{"value":["v","w"],"paired":true}`}, func(sums Opened) { sums[pairSums] = whole(2, 8, 0, 3, 0, 0) }},
		{compared, ask{"trial", "ttest", "", `{"value":["v","w"],"paired":true}`}, change(pairSums, 0, -3)},
		{compared, ask{"trial", "anova", "", `{"value":"v","group":"g"}`}, change(groupSums, 1, 3)},
		{compared, ask{"trial", "chisq", "", `{"row":"g","column":"h"}`}, change(cellCounts, 1, -1)},
		{compared, ask{"trial", "oddsratio", "", `{"exposure":"g","outcome":"h"}`}, change(cellCounts, 1, -1)},
		{compared, ask{"trial", "correlation", "", `{"columns":["v","w"]}`}, change(gramSums, 1, 5)},
		{model, ask{"model", "linear", "", `{"outcome":"y","covariates":["a","c"]}`}, change(gramSums, 0, 10)},
		{model, ask{"model", "linear", "", `{"outcome":"y","covariates":["a","c"]}`}, change(gramBy(0), 0, 3)},
		{patients, ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'"}`}, change(gridCounts, 3, -1)},
		{patients, ask{"trial", "logrank", "", `{"time":"time","event":"status = 'dead'","group":"arm"}`}, change(gridCounts, 3, 10)},
	} {
		p, err := c.s.planSums(c.a)
		c.s.must(err)
		sums := c.s.totals(c.a, p)
		if _, err := p.Finish(sums); err != nil {
			t.Errorf("%v: %v of honest sums", c.a, err)
		}
		c.change(sums)
		if r, err := p.Finish(sums); !errors.Is(err, errImpossible) || r != nil {
			t.Errorf("%v: %v, %v", c.a, r, err)
		}
		delete(sums, p.Outputs[0].Name)
		if _, err := p.Finish(sums); err == nil || !strings.Contains(err.Error(), "lacks") {
			t.Errorf("%v without sums: %v", c.a, err)
		}
	}
}
