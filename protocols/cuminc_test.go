package protocols

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestReferenceCumInc(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "transplant"), "cuminc-transplant")
}

// incidenceAt sums S d/n over the event times up to t.
func incidenceAt(rows []followed, cause string, t float64) float64 {
	alive := func(x followed) bool { return x.end == "alive" }
	s, sum, last := 1.0, 0.0, -1e9
	for {
		u := t + 1 // the next time
		for _, x := range rows {
			if x.time > last && x.time < u {
				u = x.time
			}
		}
		if u > t {
			return sum
		}
		n := count(rows, func(x followed) bool { return x.time >= u })
		d := count(rows, func(x followed) bool { return x.time == u && !alive(x) })
		sum += s * count(rows, func(x followed) bool { return x.time == u && x.end == cause }) / n
		s *= 1 - d/n
		last = u
	}
}

func TestCumIncRandom(t *testing.T) {
	leakFree(t)
	times := []float64{-3, -2, 0, 1.25, 2, 3, 6.9, 7, 12.5, 41}
	asked, _ := json.Marshal(times)
	rapid.Check(t, func(rt *rapid.T) {
		patients := drawPatients(rt)
		rows := follow(t, patients, false)
		r := trialOf(t, 0, patients).result(ask{"trial", "cuminc", "", `{"time":"time","event":"status","censored":"alive","times":` + string(asked) + `}`})
		events := count(rows, func(x followed) bool { return x.end != "alive" })
		want := statusOK
		if len(rows) == 0 {
			want = statusEmpty
		} else if events == 0 {
			want = statusNoEvents
		}
		if r.Status != want {
			rt.Fatalf("status %q, want %q", r.Status, want)
		}
		if want != statusOK {
			return
		}
		value := r.Value.(map[string]any)
		for _, cause := range []string{"dead", "moved", "well"} {
			got, ok := value[cause].([]any)
			if ok != (count(rows, func(x followed) bool { return x.end == cause }) > 0) {
				rt.Fatalf("cause %s: %v", cause, value)
			}
			for i := range got {
				if w := incidenceAt(rows, cause, times[i]); !same(got[i], w) {
					rt.Errorf("%s at %v: %v, want %v", cause, times[i], got[i], w)
				}
			}
		}
	})
}

// TestCumIncLarger holds a longer table, with many ties, against the definitions.
func TestCumIncLarger(t *testing.T) {
	leakFree(t)
	patients := manyPatients(1500, 7)
	rows := follow(t, patients, false)
	r := trialOf(t, 0, patients).result(ask{"trial", "cuminc", "", `{"time":"time","event":"status","censored":"alive","times":[0,5,17.3,39]}`})
	for cause, got := range r.Value.(map[string]any) {
		for i, at := range []float64{0, 5, 17.3, 39} {
			if want := incidenceAt(rows, cause, at); !same(got.([]any)[i], want) {
				t.Errorf("%s at %v: %v, want %v", cause, at, got.([]any)[i], want)
			}
		}
	}
}
