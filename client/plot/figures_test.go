package plot

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"consilium/job"
	"consilium/protocols"
)

// reference reads R's results.
func reference(t *testing.T, id string) *Figure {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "reference", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			ID, Dataset, Analysis, Where string
			Args, Expect                 map[string]any
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		if c.ID == id {
			f := figure(c.Dataset, c.Analysis, c.Where, c.Args, c.Expect)
			switch id { // what the reference leaves out of the result
			case "km-lung-by-sex":
				c.Expect["1"].(map[string]any)["n"], c.Expect["2"].(map[string]any)["n"] = int64(138), int64(90)
			case "linear-bwt":
				c.Expect["n"], c.Expect["df"] = int64(189), int64(183)
			}
			return f
		}
	}
	t.Fatalf("no case %s", id)
	return nil
}

func figure(dataset, analysis, where string, args map[string]any, value any) *Figure {
	return &Figure{
		Job: &job.Job{Dataset: dataset, Analysis: analysis, Where: where, Args: args},
		Dataset: &job.Dataset{Name: dataset, Schema: job.Schema{Columns: []job.Column{
			{Name: "time", Type: job.Integer, Unit: "days"},
			{Name: "mass", Type: job.Decimal, Unit: "kg/m²"},
		}}},
		Result: &protocols.Result{Status: "ok", Value: value},
	}
}

// column reads numbers of a dataset's files; missing is NaN.
func columnOf(t *testing.T, dataset, name string) []float64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "reference", "data", dataset, "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatal(dataset, err)
	}
	var out []float64
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.Index(records[0], name)
		for _, r := range records[1:] {
			x, err := strconv.ParseFloat(r[at], 64)
			if err != nil {
				x = math.NaN()
			}
			out = append(out, x)
		}
	}
	return out
}

// wholeCurve is the Kaplan-Meier estimate at every event time, by the formulas.
func wholeCurve(times []float64, event []bool) map[string]any {
	distinct := map[float64]bool{}
	for i, t := range times {
		if event[i] {
			distinct[t] = true
		}
	}
	value := map[string]any{"times": []any{}, "survival": []any{}, "se": []any{}, "lower": []any{}, "upper": []any{}, "n_risk": []any{}, "median": nil, "n": int64(len(times))}
	add := func(name string, x any) { value[name] = append(value[name].([]any), x) }
	s, greenwood := 1.0, 0.0
	for _, at := range sortedKeys(distinct) {
		n, d := 0.0, 0.0
		for i, t := range times {
			if t >= at {
				n++
			}
			if t == at && event[i] {
				d++
			}
		}
		s *= 1 - d/n
		greenwood += d / (n * (n - d))
		add("times", at)
		add("survival", s)
		add("n_risk", int64(n))
		if s == 0 {
			add("se", nil)
			add("lower", nil)
			add("upper", nil)
		} else {
			add("se", s*math.Sqrt(greenwood))
			add("lower", math.Exp(math.Log(s)-1.96*math.Sqrt(greenwood)))
			add("upper", math.Min(1, math.Exp(math.Log(s)+1.96*math.Sqrt(greenwood))))
		}
		if value["median"] == nil && s <= 0.5 {
			value["median"] = at
		}
	}
	return value
}

func sortedKeys(m map[float64]bool) []float64 {
	var keys []float64
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// lungCurves are the whole curves of the lung dataset, by sex or together.
func lungCurves(t *testing.T, by bool) *Figure {
	t.Helper()
	times, status, sex := columnOf(t, "lung", "time"), columnOf(t, "lung", "status"), columnOf(t, "lung", "sex")
	of := func(keep func(int) bool) map[string]any {
		var ts []float64
		var events []bool
		for i := range times {
			if keep(i) {
				ts, events = append(ts, times[i]), append(events, status[i] == 2)
			}
		}
		return wholeCurve(ts, events)
	}
	args := map[string]any{"time": "time", "event": "status = 2"}
	if !by {
		return figure("lung", "kaplanmeier", "", args, of(func(int) bool { return true }))
	}
	args["by"] = "sex"
	return figure("lung", "kaplanmeier", "", args, map[string]any{
		"1": of(func(i int) bool { return sex[i] == 1 }),
		"2": of(func(i int) bool { return sex[i] == 2 }),
	})
}

// glucoseCurve is the whole ROC curve of the pima dataset.
func glucoseCurve(t *testing.T) *Figure {
	t.Helper()
	f := reference(t, "roc-glucose")
	f.Job.Args["curve"] = true
	score, outcome := columnOf(t, "pima", "glucose"), columnOf(t, "pima", "diabetes")
	distinct := map[float64]bool{}
	for _, x := range score {
		if !math.IsNaN(x) {
			distinct[x] = true
		}
	}
	var threshold, sensitivity, specificity []any
	for _, at := range sortedKeys(distinct) {
		var hit, sick, cleared, well float64
		for i, x := range score {
			switch {
			case math.IsNaN(x):
			case outcome[i] == 1:
				sick++
				if x >= at {
					hit++
				}
			default:
				well++
				if x < at {
					cleared++
				}
			}
		}
		threshold, sensitivity, specificity = append(threshold, at), append(sensitivity, hit/sick), append(specificity, cleared/well)
	}
	f.Result.Value.(map[string]any)["curve"] = map[string]any{"threshold": threshold, "sensitivity": sensitivity, "specificity": specificity}
	return f
}

// glucoseThresholds are a few points of it.
func glucoseThresholds(t *testing.T) *Figure {
	t.Helper()
	f := glucoseCurve(t)
	delete(f.Job.Args, "curve")
	f.Job.Args["thresholds"] = []any{"100", "140", "200"}
	f.Result.Value.(map[string]any)["curve"] = map[string]any{
		"threshold": []any{100.0, 140.0, 200.0}, "sensitivity": []any{0.94, 0.52, 0.0}, "specificity": []any{0.38, 0.86, 1.0},
	}
	return f
}

// examples are a picture of each kind; docs/pictures shows them.
func examples(t *testing.T) map[string]*Figure {
	return map[string]*Figure{
		"kaplanmeier":          lungCurves(t, false),
		"kaplanmeier-by-sex":   lungCurves(t, true),
		"kaplanmeier-at-times": reference(t, "km-lung-by-sex"),
		"cox":                  reference(t, "cox-pbc-efron"),
		"logistic":             reference(t, "logistic-pima"),
		"linear":               reference(t, "linear-bwt"),
		"poisson":              reference(t, "poisson-ptl"),
		"oddsratio":            reference(t, "oddsratio-smoke-low"),
		"histogram":            reference(t, "histogram-mass"),
		"roc":                  glucoseCurve(t),
	}
}
