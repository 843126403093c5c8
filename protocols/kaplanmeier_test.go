package protocols

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestReferenceKaplanMeier(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "lung")
	checkReference(t, s, "km-lung")
	checkReference(t, s, "km-lung-by-sex")
}

// kmPoint is the estimate of the definitions at a time.
type kmPoint struct{ survival, se, lower, upper, atRisk float64 }

// kmAt takes the product over event times up to t.
func kmAt(rows []followed, t float64, logLog bool) kmPoint {
	s, squares := 1.0, 0.0
	for _, u := range eventTimes(rows, "dead") {
		if u > t {
			break
		}
		n := count(rows, func(x followed) bool { return x.time >= u })
		d := count(rows, func(x followed) bool { return x.time == u && x.end == "dead" })
		s *= 1 - d/n
		squares += d / (n * (n - d))
	}
	p := kmPoint{s, math.NaN(), math.NaN(), math.NaN(), count(rows, func(x followed) bool { return x.time >= t })}
	if s == 0 {
		return p
	}
	z := 1.959963984540054
	p.se = s * math.Sqrt(squares)
	if !logLog {
		p.lower, p.upper = math.Exp(math.Log(s)-z*p.se/s), min(1, math.Exp(math.Log(s)+z*p.se/s))
	} else if s < 1 {
		spread := z * p.se / s / math.Log(s)
		p.lower, p.upper = math.Exp(-math.Exp(math.Log(-math.Log(s))-spread)), math.Exp(-math.Exp(math.Log(-math.Log(s))+spread))
	} else if count(rows, func(x followed) bool { return x.time < t }) == 0 {
		p.lower, p.upper = 1, 1
	}
	return p
}

// kmMedian is R's rule.
func kmMedian(rows []followed) float64 {
	times := eventTimes(rows, "dead")
	for i, t := range times {
		s := kmAt(rows, t, false).survival
		switch {
		case math.Abs(s-0.5) < 1e-8 && i+1 < len(times):
			return (t + times[i+1]) / 2
		case s < 0.5+1e-8:
			return t
		}
	}
	return math.NaN()
}

// checkKM holds the figures of one group against the definitions.
func checkKM(t interface{ Errorf(string, ...any) }, name string, got map[string]any, rows []followed, times []float64, logLog bool) {
	if got["n"] != int64(len(rows)) || got["events"] != int64(count(rows, func(x followed) bool { return x.end == "dead" })) {
		t.Errorf("%s: %v of %v", name, got["events"], got["n"])
	}
	if !same(got["median"], kmMedian(rows)) {
		t.Errorf("%s: median %v, want %v", name, got["median"], kmMedian(rows))
	}
	if len(got["times"].([]any)) != len(times) {
		t.Errorf("%s: times %v, want %v", name, got["times"], times)
		return
	}
	for i, u := range times {
		want := kmAt(rows, u, logLog)
		at := func(name string) any { return got[name].([]any)[i] }
		if !same(at("times"), u) || !same(at("survival"), want.survival) || !same(at("se"), want.se) ||
			!same(at("lower"), want.lower) || !same(at("upper"), want.upper) || at("n_risk") != int64(want.atRisk) {
			t.Errorf("%s at %v: %v %v (%v to %v) of %v, want %v", name, u,
				at("survival"), at("se"), at("lower"), at("upper"), at("n_risk"), want)
		}
	}
}

// TestKaplanMeierRandom holds small tables against the definitions, with times and
// as a whole curve, alone and by arm.
func TestKaplanMeierRandom(t *testing.T) {
	leakFree(t)
	times := []float64{-3, -2, 0, 1.25, 2, 3, 6.9, 7, 12.5, 41}
	asked, _ := json.Marshal(times)
	rapid.Check(t, func(rt *rapid.T) {
		patients := drawPatients(rt)
		byArm, curve, logLog := rapid.Bool().Draw(rt, "by"), rapid.Bool().Draw(rt, "curve"), rapid.Bool().Draw(rt, "loglog")
		args := `{"time":"time","event":"status = 'dead'"`
		if byArm {
			args += `,"by":"arm"`
		}
		if !curve {
			args += `,"times":` + string(asked)
		}
		if logLog {
			args += `,"conf_type":"log-log"`
		}
		rows := follow(t, patients, byArm)
		r := trialOf(t, 0, patients).result(ask{"trial", "kaplanmeier", "", args + "}"})
		if len(rows) == 0 {
			if r.Status != statusEmpty {
				rt.Fatalf("status %q of no rows", r.Status)
			}
			return
		}
		if r.Status != statusOK {
			rt.Fatalf("status %q", r.Status)
		}
		check := func(name string, got map[string]any, rows []followed) {
			at := times
			if curve {
				at = eventTimes(rows, "dead")
			}
			checkKM(rt, name, got, rows, at, logLog)
		}
		value := r.Value.(map[string]any)
		if !byArm {
			check("all", value, rows)
			return
		}
		groups := 0
		for _, arm := range []string{"a", "b", "c"} {
			var own []followed
			for _, x := range rows {
				if x.arm == arm {
					own = append(own, x)
				}
			}
			if len(own) > 0 {
				groups++
				check(arm, value[arm].(map[string]any), own)
			}
		}
		if len(value) != groups {
			rt.Errorf("groups %v", value)
		}
	})
}

// TestKaplanMeierLarger holds a longer table, with a sort in several batches and many
// ties, against the definitions.
func TestKaplanMeierLarger(t *testing.T) {
	leakFree(t)
	patients := manyPatients(1500, 3)
	rows := follow(t, patients, false)
	s := trialOf(t, 0, patients)
	r := s.result(ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'","times":[0,5,17.3,39,40]}`})
	checkKM(t, "times", r.Value.(map[string]any), rows, []float64{0, 5, 17.3, 39, 40}, false)
	r = s.result(ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'"}`})
	checkKM(t, "curve", r.Value.(map[string]any), rows, eventTimes(rows, "dead"), false)
}

// TestKaplanMeierFineSteps: times of 13 decimals; what is asked for at a time is what
// the curve shows there.
func TestKaplanMeierFineSteps(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "pbc")
	ask := func(times string) map[string]any {
		r := s.result(ask{"pbc", "kaplanmeier", "", `{"time":"age","event":"status = 2"` + times + `}`})
		return r.Value.(map[string]any)
	}
	curve, at := ask(""), ask(`,"times":[26.277891854893,40,50.1234567,78.5]`)
	if curve["median"] == nil || curve["median"] != at["median"] {
		t.Errorf("medians %v and %v", curve["median"], at["median"])
	}
	for i, u := range at["times"].([]any) {
		want, points := 1.0, curve["times"].([]any)
		for j, v := range points {
			if v.(float64) <= u.(float64) {
				want = curve["survival"].([]any)[j].(float64)
			}
		}
		if got := at["survival"].([]any)[i]; !same(got, want) {
			t.Errorf("survival at %v: %v, want %v", u, got, want)
		}
	}
}

// TestKaplanMeierLevel: a wider interval at a higher level.
func TestKaplanMeierLevel(t *testing.T) {
	leakFree(t)
	s := trialOf(t, 0, manyPatients(20, 4))
	width := func(level string) float64 {
		v := s.result(ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'","times":20` + level + `}`}).Value.(map[string]any)
		return math.Log(v["survival"].([]any)[0].(float64) / v["lower"].([]any)[0].(float64))
	}
	if ratio := width(`,"conf_level":0.99`) / width(""); math.Abs(ratio-2.575829303548901/1.959963984540054) > 1e-9 {
		t.Errorf("the interval widens by %v", ratio)
	}
}

// TestKaplanMeierImpossible: figures that contradict each other are no result.
func TestKaplanMeierImpossible(t *testing.T) {
	s := trialOf(t, 0, manyPatients(3, 5))
	numbers := func(x ...int64) []*big.Int {
		var out []*big.Int
		for _, n := range x {
			out = append(out, big.NewInt(n))
		}
		return out
	}
	rows := len(s.roster.Roster.Datasets[0].Sites) // the empty site declares a row
	if rows != 3 {
		t.Fatalf("%d sites", rows)
	}
	for _, opened := range []Opened{
		{survivalCounts: numbers(2, 3), curveTimes: numbers(0, 0, 0, 0), curveEvents: numbers(0, 0, 0, 0)},
		{survivalCounts: numbers(2, 1), curveTimes: numbers(0, 0, 2, 0), curveEvents: numbers(0, 0, 1, 0)},
		{survivalCounts: numbers(2, 1), curveTimes: numbers(2, 0, 0, 0), curveEvents: numbers(2, 0, 0, 0)},
		{survivalCounts: numbers(3, 2), curveTimes: numbers(2, 4, 0, 0), curveEvents: numbers(1, 1, 0, 0)},
	} {
		p, err := PlanJob(s.job(ask{"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'"}`}), s.roster.Roster)
		s.must(err)
		if r, err := p.analysis.Finish(p, opened); !errors.Is(err, errImpossible) {
			t.Errorf("%v: %v, %v", opened, r, err)
		}
	}
}
