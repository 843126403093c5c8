package protocols

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

func TestReferenceROC(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "pima"), "roc-glucose")
}

// screened are scores, in halves, with their outcome.
type screened struct {
	score    []int64
	positive []bool
}

// drawScreening draws rows of a ward whose sex is the outcome and whose dose is the
// score, some values of them missing, at three sites.
func drawScreening(t *rapid.T, test *testing.T, rules job.Disclosure) (*study, screened) {
	var x screened
	sites := make([][][]string, 3)
	widest := rapid.SampledFrom([]int64{0, 3, 200}).Draw(t, "widest")
	for range rapid.IntRange(0, 25).Draw(t, "rows") {
		score, positive := rapid.Int64Range(0, widest).Draw(t, "score"), rapid.Bool().Draw(t, "positive")
		line := []string{"", fmt.Sprint(float64(score) / 2), "f", ""}
		if positive {
			line[2] = "m"
		}
		switch rapid.IntRange(0, 6).Draw(t, "missing") {
		case 0:
			line[1] = ""
		case 1:
			line[2] = ""
		default:
			x.score, x.positive = append(x.score, score), append(x.positive, positive)
		}
		site := rapid.IntRange(0, 2).Draw(t, "site")
		sites[site] = append(sites[site], line)
	}
	return ruledWard(test, rules, sites...), x
}

// outcomes counts the rows with and without the outcome.
func (x screened) outcomes() (with, without float64) {
	for _, p := range x.positive {
		if p {
			with++
		} else {
			without++
		}
	}
	return with, without
}

// auc looks at every pair.
func (x screened) auc() float64 {
	won, pairs := 0.0, 0.0
	for i, a := range x.score {
		for k, b := range x.score {
			if !x.positive[i] || x.positive[k] {
				continue
			}
			pairs++
			switch {
			case a > b:
				won++
			case a == b:
				won += 0.5
			}
		}
	}
	return won / pairs
}

// rates are sensitivity and specificity at a cut-off.
func (x screened) rates(cutoff float64) (sensitivity, specificity float64) {
	with, without := x.outcomes()
	for i, a := range x.score {
		switch reached := float64(a)/2 >= cutoff; {
		case reached && x.positive[i]:
			sensitivity += 1 / with
		case !reached && !x.positive[i]:
			specificity += 1 / without
		}
	}
	return sensitivity, specificity
}

// check compares a curve with the rates at its thresholds.
func (x screened) check(t *rapid.T, curve map[string]any, cutoffs []float64) {
	threshold, sensitivity, specificity := curve["threshold"].([]any), curve["sensitivity"].([]any), curve["specificity"].([]any)
	if len(threshold) != len(cutoffs) || len(sensitivity) != len(cutoffs) || len(specificity) != len(cutoffs) {
		t.Fatalf("the curve has %d thresholds, want %d", len(threshold), len(cutoffs))
	}
	for i, c := range cutoffs {
		yes, no := x.rates(c)
		if threshold[i] != c || math.Abs(sensitivity[i].(float64)-yes) > 1e-12 || math.Abs(specificity[i].(float64)-no) > 1e-12 {
			t.Fatalf("%v: at %v: %v, %v, %v, want %v, %v", x, c, threshold[i], sensitivity[i], specificity[i], yes, no)
		}
	}
}

// TestROC compares with a look at every pair and every cut-off.
func TestROC(t *testing.T) {
	cutoffs := []float64{-3, 0, 0.25, 0.5, 0.6, 1.5, 100, 100.1, 1e30}
	rapid.Check(t, func(r *rapid.T) {
		s, x := drawScreening(r, t, job.Disclosure{})
		kind := rapid.SampledFrom([]string{"", `,"curve":true`, `,"thresholds":[-3,0,0.25,0.5,0.6,1.5,100,100.1,1000000000000000000000000000000]`}).Draw(r, "kind")
		got := s.result(ask{"ward", "roc", "", `{"score":"dose","outcome":"sex"` + kind + `}`})
		with, without := x.outcomes()
		want := statusOK
		switch {
		case with+without == 0:
			want = statusEmpty
		case with*without == 0:
			want = statusFewRows
		}
		if got.Status != want {
			r.Fatalf("%v: status %q, want %q", x, got.Status, want)
		}
		if want != statusOK {
			return
		}
		value := got.Value.(map[string]any)
		if value["n"] != int64(len(x.score)) || math.Abs(value["auc"].(float64)-x.auc()) > 1e-14 {
			r.Fatalf("%v: got %v, want AUC %v", x, value, x.auc())
		}
		switch {
		case strings.Contains(kind, "thresholds"):
			x.check(r, value["curve"].(map[string]any), cutoffs)
		case strings.Contains(kind, "curve"):
			var distinct []float64
			for _, score := range x.score {
				distinct = append(distinct, float64(score)/2)
			}
			slices.Sort(distinct)
			x.check(r, value["curve"].(map[string]any), slices.Compact(distinct))
		default:
			if value["curve"] != nil {
				r.Fatal("there is a curve that nobody asked for")
			}
		}
	})
}

// TestROCOfNumbers: an outcome in numbers, with or without a list of categories, and
// scores as wide as there are.
func TestROCOfNumbers(t *testing.T) {
	leakFree(t)
	p := pieces{name: "ward", schema: job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Decimal, Step: "0.0000000000001", Min: "-99999", Max: "99999"},
		{Name: "bare", Type: job.Integer, Min: "0", Max: "1"},
		{Name: "listed", Type: job.Integer, Min: "0", Max: "5", Categories: []string{"5", "2"}},
	}}}
	header := []string{"x", "bare", "listed"}
	p.sites = []table{
		{header, [][]string{{"-99998.0000000000001", "0", "2"}, {"99998.0000000000001", "0", "5"}}},
		{header, [][]string{{"-99998.0000000000001", "1", "5"}, {"-99998.0000000000002", "0", "2"}}},
		{header, [][]string{{"99998.0000000000002", "1", ""}, {"", "1", "2"}}},
	}
	s := newStudy(t, nil, p)
	for outcome, want := range map[string]float64{"bare": 4.5 / 6, "listed": 3.5 / 4} {
		got := s.result(ask{"ward", "roc", "", `{"score":"x","outcome":"` + outcome + `"}`}).Value.(map[string]any)
		if math.Abs(got["auc"].(float64)-want) > 1e-15 {
			t.Errorf("outcome %s: AUC %v, want %v", outcome, got["auc"], want)
		}
	}
}

// TestROCMinCount: the outcomes' rows and, with thresholds, those between two of
// them count.
func TestROCMinCount(t *testing.T) {
	leakFree(t)
	// doses: f 1.5 2 3 99, m 1.5 2 3
	for _, c := range []struct {
		minCount   int
		args, want string
	}{
		{3, ``, statusOK},
		{4, ``, statusSuppressed},
		{2, `,"thresholds":[1,100]`, statusOK},
		{2, `,"thresholds":[2.5]`, statusSuppressed}, // one man above
		{1, `,"thresholds":[2.5]`, statusOK},
		{2, `,"thresholds":[1.75,3]`, statusSuppressed},
		{1, `,"curve":true`, statusOK},
	} {
		got := strictWards(t, c.minCount).result(ask{"ward", "roc", "", `{"score":"dose","outcome":"sex"` + c.args + `}`})
		if got.Status != c.want {
			t.Errorf("min_count %d with %s: status %q, want %q", c.minCount, c.args, got.Status, c.want)
		}
	}
}

func TestROCRefuses(t *testing.T) {
	s := strictWards(t, 2)
	for args, want := range map[string]string{
		`{"score":"age"}`:                                             `"outcome" is missing`,
		`{"outcome":"sex"}`:                                           `"score" is missing`,
		`{"score":"sex","outcome":"grade"}`:                           "text",
		`{"score":"age","outcome":"grade"}`:                           "does not have two values",
		`{"score":"age","outcome":"dose"}`:                            "does not have two values",
		`{"score":"age","outcome":"nobody"}`:                          `no column "nobody"`,
		`{"score":"age","outcome":"sex","thresholds":[3,2]}`:          "do not ascend: number 2",
		`{"score":"age","outcome":"sex","thresholds":["3"]}`:          "wrong type",
		`{"score":"age","outcome":"sex","thresholds":[]}`:             "empty list",
		`{"score":"age","outcome":"sex","curve":true}`:                "give thresholds instead",
		`{"score":"age","outcome":"sex","curve":1}`:                   "true or false",
		`{"score":"age","outcome":"sex","curve":true,"thresholds":3}`: "exclude each other",
		`{"score":"age","outcome":"sex","direction":"<"}`:             `"direction" is unknown`,
	} {
		if _, err := PlanJob(s.job(ask{"ward", "roc", "", args}), s.roster.Roster); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	large := &job.Dataset{Name: "ward", Schema: wardSchema(), Sites: []job.Site{{Node: "hospital-1", Rows: 1 << 16}}}
	j := s.job(ask{"ward", "roc", "", `{"score":"age","outcome":"sex","curve":true}`})
	if _, err := (ROC{}).Plan(j, large, job.Disclosure{}); err == nil || !strings.Contains(err.Error(), "too many; give thresholds") {
		t.Errorf("a curve of 65,536 rows: %v", err)
	}
}

func TestROCTranscript(t *testing.T) {
	leakFree(t)
	checkTranscript(t, "roc", fiveWards(t), otherWards(t), ask{"ward", "roc", "age > 30", `{"score":"dose","outcome":"sex","thresholds":[2,50]}`})
	checkTranscript(t, "roccurve", fiveWards(t), otherWards(t), ask{"ward", "roc", "", `{"score":"age","outcome":"sex","curve":true}`})
}
