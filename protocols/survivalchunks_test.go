package protocols

import (
	"slices"
	"testing"
)

// inChunks answers a job in chunks of 64 rows.
func (s *study) inChunks(a ask) map[string]any {
	s.t.Helper()
	tr := s.trial(a)
	tr.chunkRows = riskChunk
	r := tr.succeed()
	if r.Status != statusOK {
		s.t.Fatalf("%s %s: status %q", a.analysis, a.args, r.Status)
	}
	return r.Value.(map[string]any)
}

// TestSurvivalChunks holds analyses of six chunks, the last of which has one row, against
// the definitions: with ties over the chunks' borders, chunks without a member, and
// groups that some chunks have nothing of.
func TestSurvivalChunks(t *testing.T) {
	leakFree(t)
	const n = 5 * riskChunk // and the row of the site that has none
	alike := manyPatients(n, 8)
	for i := range alike {
		alike[i].time = []string{"4", "4", "4", "9"}[i%4]
	}
	rare := manyPatients(n, 9)
	for i := range rare {
		if rare[i].arm == "c" && i%8 != 0 {
			rare[i].arm = "b"
		}
	}
	for _, c := range []struct {
		name     string
		patients []patient
		where    string
		centers  []string
	}{
		{"many times", manyPatients(n, 10), "", []string{"-1", "2", "7"}},
		{"two times", alike, "", []string{"-1", "2", "7"}},
		{"few members", rare, "center = 7", []string{"7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := slices.DeleteFunc(follow(t, c.patients, true), func(x followed) bool { return !slices.Contains(c.centers, x.center) })
			checkSurvivalChunks(t, trialOf(t, 0, c.patients), c.where, rows)
		})
	}
}

// checkSurvivalChunks asks everything of a study whose selected rows are known.
func checkSurvivalChunks(t *testing.T, s *study, where string, rows []followed) {
	const given = `{"time":"time","event":"status = 'dead'"`
	times := []float64{0, 4, 5, 17.3, 39, 40}
	const asked = `,"times":[0,4,5,17.3,39,40]`
	checkKM(t, "times", s.inChunks(ask{"trial", "kaplanmeier", where, given + asked + `}`}), rows, times, false)
	at := s.inChunks(ask{"trial", "kaplanmeier", where, given + asked + `,"by":"arm"}`})
	curve := s.inChunks(ask{"trial", "kaplanmeier", where, given + `,"by":"arm"}`})
	for _, arm := range []string{"a", "b", "c"} {
		own := slices.DeleteFunc(slices.Clone(rows), func(x followed) bool { return x.arm != arm })
		checkKM(t, arm, at[arm].(map[string]any), own, times, false)
		checkKM(t, "curve of "+arm, curve[arm].(map[string]any), own, eventTimes(own, "dead"), false)
	}

	for args, strata := range map[string][]string{"": {""}, `,"strata":"center"`: {"-1", "2", "7"}} {
		chi, df, _ := logRankOf(rows, strata)
		got := s.inChunks(ask{"trial", "logrank", where, given + `,"group":"arm"` + args + `}`})
		if !same(got["statistic"], chi) || got["df"] != int64(df) {
			t.Errorf("log-rank%s: %v, want %v with %d", args, got, chi, df)
		}
	}

	for cause, got := range s.inChunks(ask{"trial", "cuminc", where, `{"time":"time","event":"status","censored":"alive"` + asked + `}`}) {
		for i, u := range times {
			if want := incidenceAt(rows, cause, u); !same(got.([]any)[i], want) {
				t.Errorf("%s at %v: %v, want %v", cause, u, got.([]any)[i], want)
			}
		}
	}
}
