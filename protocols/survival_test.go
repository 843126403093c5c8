package protocols

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/testkit"
)

// What tests of survival share: small tables of patients, and their figures in
// plain numbers by the definitions.

// patient is a row of a survival study. A blank cell is missing.
type patient struct{ time, status, arm, center string }

var patientHeader = []string{"time", "status", "arm", "center"}

func patientSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "time", Type: job.Decimal, Unit: "months", Step: "0.5", Min: "-2", Max: "40"},
		{Name: "status", Type: job.Text, Categories: []string{"dead", "alive", "moved", "well"}},
		{Name: "arm", Type: job.Text, Categories: []string{"a", "b", "c"}},
		{Name: "center", Type: job.Integer, Min: "-3", Max: "9", Categories: []string{"-1", "2", "7"}},
	}}
}

// trialOf is a study of those patients, spread over three sites, the second of
// which has none.
func trialOf(t testing.TB, minCount int, patients []patient) *study {
	t.Helper()
	p := pieces{name: "trial", schema: patientSchema()}
	var lines [][]string
	for _, x := range patients {
		lines = append(lines, []string{x.time, x.status, x.arm, x.center})
	}
	cut := len(lines) / 3
	for _, part := range [][][]string{lines[:cut], {}, lines[cut:]} {
		p.sites = append(p.sites, table{patientHeader, part})
	}
	return newStudy(t, func(r *job.Roster) { r.Disclosure.MinCount = minCount }, p)
}

// drawPatients makes tables with ties, missing cells, empty groups, no rows, one
// time for all.
func drawPatients(t *rapid.T) []patient {
	times := rapid.SampledFrom([][]string{
		{"1", "1.5", "2", "3", "7", "12.5"}, {"4"}, {"-2", "0", "40", ""}, {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"},
	}).Draw(t, "times")
	states := rapid.SampledFrom([][]string{{"dead", "alive"}, {"dead", "alive", "moved", ""}, {"dead"}, {"alive"}}).Draw(t, "states")
	arms := rapid.SampledFrom([][]string{{"a", "b"}, {"a", "b", "c"}, {"b"}, {"a", "c", ""}}).Draw(t, "arms")
	var out []patient
	for range rapid.IntRange(0, 14).Draw(t, "n") {
		pick := func(from []string) string { return rapid.SampledFrom(from).Draw(t, "cell") }
		out = append(out, patient{pick(times), pick(states), pick(arms), pick([]string{"-1", "2", "7"})})
	}
	return out
}

// manyPatients are n patients with many ties, the same each time.
func manyPatients(n int, seed uint64) []patient {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([]patient, n)
	for i := range out {
		pick := func(from ...string) string { return from[r.IntN(len(from))] }
		out[i] = patient{strconv.Itoa(r.IntN(40)), pick("dead", "dead", "alive", "moved"), pick("a", "b", "b", "c"), pick("-1", "2", "7")}
	}
	return out
}

// survivalAsks are one job of each kind, by the name of its golden files.
func survivalAsks() map[string]ask {
	return map[string]ask{
		"kaplanmeier":      {"trial", "kaplanmeier", "center >= 2", `{"time":"time","event":"status = 'dead'","by":"arm","times":[1,2.25]}`},
		"kaplanmeiercurve": {"trial", "kaplanmeier", "", `{"time":"time","event":"status = 'dead'"}`},
		"logrank":          {"trial", "logrank", "", `{"time":"time","event":"status = 'dead'","group":"arm","strata":"center"}`},
		"cuminc":           {"trial", "cuminc", "", `{"time":"time","event":"status","censored":"alive","times":[1,2.25]}`},
	}
}

// TestSurvivalTranscripts: all patients alike or all different, the frames are the
// same.
func TestSurvivalTranscripts(t *testing.T) {
	leakFree(t)
	alike := make([]patient, 9)
	for i := range alike {
		alike[i] = patient{"3", "alive", "c", "7"}
	}
	for name, a := range survivalAsks() {
		checkTranscript(t, name, trialOf(t, 0, manyPatients(9, 1)), trialOf(t, 0, alike), a)
	}
}

// TestSurvivalReveals fixes what a job says that it reveals.
func TestSurvivalReveals(t *testing.T) {
	s := trialOf(t, 0, manyPatients(9, 1))
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(survivalAsks())) {
		p, err := PlanJob(s.job(survivalAsks()[name]), s.roster.Roster)
		s.must(err)
		fmt.Fprintf(&all, "# %s\n%s\n%v\n", name, strings.Join(p.Reveals, "\n"), p.words())
	}
	testkit.Golden(t, "survival.reveals.golden", all.String())
}

// TestSurvivalTables fixes how results look on paper.
func TestSurvivalTables(t *testing.T) {
	leakFree(t)
	s := trialOf(t, 0, manyPatients(40, 2))
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(survivalAsks())) {
		for _, table := range s.result(survivalAsks()[name]).Tables {
			fmt.Fprintf(&all, "%s\n%s\n", table.Title, strings.Join(table.Header, " | "))
			for _, row := range table.Rows {
				fmt.Fprintln(&all, strings.Join(row, " | "))
			}
			fmt.Fprintf(&all, "%s\n\n", strings.Join(table.Notes, "\n"))
		}
	}
	testkit.Golden(t, "survival.tables.golden", all.String())
}

// TestSurvivalMinCount: every number that a result tells of is 0 or large enough.
func TestSurvivalMinCount(t *testing.T) {
	leakFree(t)
	// Of arm a 6 patients of whom 5 die, of arm b 7 of whom 4 die; at 3 and later
	// there are 10, at 5 and later 3, at 9 none. Three patients moved, ten did not.
	var patients []patient
	for i, x := range []string{
		"1 dead a", "3 dead a", "3 dead a", "4 dead a", "5 dead a", "4 alive a",
		"1 dead b", "2 dead b", "3 dead b", "4 dead b", "5 moved b", "4 moved b", "5 moved b",
	} {
		cells := strings.Fields(x)
		patients = append(patients, patient{cells[0], cells[1], cells[2], []string{"-1", "2"}[i%2]})
	}
	km := func(more string) string { return `{"time":"time","event":"status = 'dead'",` + more + `}` }
	for _, c := range []struct {
		analysis, where, args string
		minCount              int
		want                  string
	}{
		{"kaplanmeier", "", km(`"times":[3]`), 9, statusOK},
		{"kaplanmeier", "", km(`"times":[3]`), 10, statusSuppressed},   // 9 events
		{"kaplanmeier", "", km(`"times":[3,5]`), 3, statusOK},          // 3 at risk
		{"kaplanmeier", "", km(`"times":[3,5]`), 4, statusSuppressed},  // 3 at risk
		{"kaplanmeier", "", km(`"times":[3,9]`), 9, statusOK},          // none at risk
		{"kaplanmeier", "", km(`"times":[9],"by":"arm"`), 4, statusOK}, // of b 4 events
		{"kaplanmeier", "", km(`"times":[9],"by":"arm"`), 5, statusSuppressed},
		{"kaplanmeier", "time > 20", km(`"times":[9]`), 5, statusEmpty},
		{"kaplanmeier", "", km(`"conf_type":"log"`), 1, statusOK},
		{"logrank", "", km(`"group":"arm"`), 4, statusOK},
		{"logrank", "", km(`"group":"arm"`), 5, statusSuppressed},
		{"logrank", "time <= 3", km(`"group":"arm"`), 3, statusOK},
		{"cuminc", "", `{"time":"time","event":"status","censored":"alive","times":[9]}`, 2, statusSuppressed}, // 1 alive
		{"cuminc", "status <> 'alive'", `{"time":"time","event":"status","censored":"alive","times":[9]}`, 3, statusOK},
		{"cuminc", "status <> 'alive'", `{"time":"time","event":"status","censored":"alive","times":[9]}`, 4, statusSuppressed},
		{"cuminc", "status = 'dead'", `{"time":"time","event":"status","censored":"alive","times":[5]}`, 2, statusSuppressed}, // 1 at risk
	} {
		r := trialOf(t, c.minCount, patients).result(ask{"trial", c.analysis, c.where, c.args})
		if r.Status != c.want {
			t.Errorf("%s %s where %q with min_count %d: %q, want %q", c.analysis, c.args, c.where, c.minCount, r.Status, c.want)
		}
	}
}

// TestSurvivalRefusals: what Plan refuses, and what it says.
func TestSurvivalRefusals(t *testing.T) {
	strict := trialOf(t, 10, manyPatients(9, 1))
	for _, c := range []struct{ analysis, args, want string }{
		{"kaplanmeier", `{"time":"time"}`, "\"event\" is missing"},
		{"kaplanmeier", `{"time":"times","event":"status = 'dead'"}`, "time: dataset trial has no column \"times\""},
		{"kaplanmeier", `{"time":"status","event":"status = 'dead'","times":1}`, "column \"status\" is text; name the column of the times"},
		{"kaplanmeier", `{"time":"time","event":"status = 2","times":1}`, "event: "},
		{"kaplanmeier", `{"time":"time","event":"","times":1}`, "event is empty"},
		{"kaplanmeier", `{"time":"time","event":"status = 'dead'","times":1,"by":["arm","center"]}`, "by names several columns; give one"},
		{"kaplanmeier", `{"time":"time","event":"status = 'dead'","times":1,"by":"time"}`, "by: column \"time\" has no list of categories"},
		{"kaplanmeier", `{"time":"time","event":"status = 'dead'","times":1,"conf_type":"plain"}`, "give log or log-log"},
		{"kaplanmeier", `{"time":"time","event":"status = 'dead'","times":1,"conf_level":95}`, "conf_level lies between 0 and 1"},
		{"kaplanmeier", `{"time":"time","event":"status = 'dead'","time_s":1}`, "unknown"},
		{"kaplanmeier", `{"time":"time","event":"status = 'dead'"}`, "min_count forbids; give times"},
		{"logrank", `{"time":"time","event":"status = 'dead'"}`, "\"group\" is missing"},
		{"logrank", `{"time":"time","event":"status = 'dead'","group":"time"}`, "no list of categories"},
		{"logrank", `{"time":"time","event":"status = 'dead'","group":"arm","strata":["center","status"]}`, "strata names several columns"},
		{"logrank", `{"time":"time","event":"status = 'dead'","group":"arm","strata":"arm"}`, "named twice"},
		{"cuminc", `{"time":"time","event":"status","censored":"alive"}`, "\"times\" is missing"},
		{"cuminc", `{"time":"time","event":"status = 'dead'","censored":"alive","times":1}`, "event names the column that tells how a time ends"},
		{"cuminc", `{"time":"time","event":"status","censored":"dea","times":1}`, "column \"status\" has no category \"dea\""},
	} {
		_, err := PlanJob(strict.job(ask{"trial", c.analysis, "", c.args}), strict.roster.Roster)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.analysis, c.args, err, c.want)
		}
	}
}

// followed is a patient whose time is known: one row of an oracle.
type followed struct {
	time        float64
	end         string // the status
	arm, center string
}

// follow returns the complete rows.
func follow(t testing.TB, patients []patient, needsArm bool) []followed {
	var out []followed
	for _, x := range patients {
		if x.time == "" || x.status == "" || needsArm && x.arm == "" {
			continue
		}
		row := followed{end: x.status, arm: x.arm, center: x.center}
		if _, err := fmt.Sscan(x.time, &row.time); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

// eventTimes returns the distinct times of the event, ascending.
func eventTimes(rows []followed, end string) []float64 {
	var times []float64
	for _, x := range rows {
		if x.end == end {
			times = append(times, x.time)
		}
	}
	slices.Sort(times)
	return slices.Compact(times)
}

// count counts rows.
func count(rows []followed, is func(followed) bool) float64 {
	n := 0.0
	for _, x := range rows {
		if is(x) {
			n++
		}
	}
	return n
}

// same compares figures; nil and NaN are undefined.
func same(got any, want float64) bool {
	if got == nil {
		return math.IsNaN(want)
	}
	x, ok := got.(float64)
	return ok && math.Abs(x-want) <= max(1e-9, 1e-7*math.Abs(want))
}
