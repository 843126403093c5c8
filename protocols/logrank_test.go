package protocols

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func TestReferenceLogRank(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "lung"), "logrank-lung-sex")
}

// excessOf sums z, V and the expected events of the arms over the strata.
func excessOf(rows []followed, strata []string) (z, expected []float64, v *mat.SymDense) {
	arms := []string{"a", "b", "c"}
	z, expected, v = make([]float64, 3), make([]float64, 3), mat.NewSymDense(3, nil)
	for _, stratum := range strata {
		for _, u := range eventTimes(rows, "dead") {
			in := func(x followed) bool { return (stratum == "" || x.center == stratum) && x.time >= u }
			died := func(x followed) bool { return in(x) && x.time == u && x.end == "dead" }
			n, d := count(rows, in), count(rows, died)
			if d == 0 {
				continue
			}
			var share [3]float64
			for j, arm := range arms {
				share[j] = count(rows, func(x followed) bool { return in(x) && x.arm == arm }) / n
				z[j] += count(rows, func(x followed) bool { return died(x) && x.arm == arm }) - d*share[j]
				expected[j] += d * share[j]
			}
			for j := range arms {
				for l := range j + 1 {
					if n > 1 {
						v.SetSym(j, l, v.At(j, l)-d*(n-d)/(n-1)*share[j]*share[l])
					}
				}
				if n > 1 {
					v.SetSym(j, j, v.At(j, j)+d*(n-d)/(n-1)*share[j])
				}
			}
		}
	}
	return z, expected, v
}

// logRankOf is the statistic over the groups with an expected event but the first of
// these, as in R; ok tells whether there is one.
func logRankOf(rows []followed, strata []string) (chi float64, df int, ok bool) {
	z, expected, v := excessOf(rows, strata)
	var active []int
	for j, e := range expected {
		if e > 0 {
			active = append(active, j)
		}
	}
	df = len(active) - 1
	if df < 1 {
		return 0, df, false
	}
	a, b := mat.NewSymDense(df, nil), mat.NewVecDense(df, nil)
	for i, j := range active[1:] {
		b.SetVec(i, z[j])
		for l, m := range active[1:] {
			a.SetSym(i, l, v.At(j, m))
		}
	}
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil || mat.Cond(a, 2) > 1e10 {
		return 0, df, false
	}
	return mat.Dot(b, &x), df, true
}

func TestLogRankRandom(t *testing.T) {
	leakFree(t)
	rapid.Check(t, func(rt *rapid.T) {
		patients := drawPatients(rt)
		rows := follow(t, patients, true)
		args, strata := `{"time":"time","event":"status = 'dead'","group":"arm"`, []string{""}
		if rapid.Bool().Draw(rt, "strata") {
			args, strata = args+`,"strata":"center"`, []string{"-1", "2", "7"}
		}
		r := trialOf(t, 0, patients).result(ask{"trial", "logrank", "", args + "}"})
		chi, df, ok := logRankOf(rows, strata)
		want := statusOK
		switch {
		case len(rows) == 0:
			want = statusEmpty
		case len(eventTimes(rows, "dead")) == 0:
			want = statusNoEvents
		case df < 1:
			want = statusFewRows
		case !ok:
			want = statusSingular
		}
		if r.Status != want {
			rt.Fatalf("status %q, want %q", r.Status, want)
		}
		if want != statusOK {
			return
		}
		got := r.Value.(map[string]any)
		p := distuv.ChiSquared{K: float64(df)}.Survival(chi)
		if !same(got["statistic"], chi) || got["df"] != int64(df) || math.Abs(got["p"].(float64)-p) > 1e-6 {
			rt.Errorf("%v, want %v with %d and p %v", got, chi, df, p)
		}
	})
}

// TestLogRankLarger holds a longer table, with three groups and many ties, against
// the definitions.
func TestLogRankLarger(t *testing.T) {
	leakFree(t)
	patients := manyPatients(1500, 6)
	rows := follow(t, patients, true)
	s := trialOf(t, 0, patients)
	for args, strata := range map[string][]string{"": {""}, `,"strata":"center"`: {"-1", "2", "7"}} {
		chi, df, _ := logRankOf(rows, strata)
		got := s.result(ask{"trial", "logrank", "", `{"time":"time","event":"status = 'dead'","group":"arm"` + args + `}`}).Value.(map[string]any)
		if !same(got["statistic"], chi) || got["df"] != int64(df) {
			t.Errorf("%s: %v, want %v with %d", args, got, chi, df)
		}
	}
}
