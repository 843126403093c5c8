package protocols

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

// TestPlanRefuses: each mistake gets one line that names it.
func TestPlanRefuses(t *testing.T) {
	s := fiveWards(t)
	for _, c := range []struct {
		analysis, where, args string
		want                  string
	}{
		{"describe", "", `{}`, `"columns" is missing`},
		{"describe", "", `{"columns":[]}`, "empty list"},
		{"describe", "", `{"columns":7.5}`, `no column "7.5"`},
		{"describe", "", `{"columns":true}`, "wrong type"},
		{"describe", "", `{"columns":["agee"]}`, `did you mean "age"?`},
		{"describe", "", `{"columns":["age","age"]}`, `"age" is named twice`},
		{"describe", "", `{"columns":["sex"]}`, "text and has no mean"},
		{"describe", "", `{"columns":["age"],"colour":"red"}`, `"colour" is unknown`},
		{"describe", "age >", `{"columns":["age"]}`, "where:"},
		{"describe", "weight > 3", `{"columns":["age"]}`, "weight"},
		{"frequency", "", `{"columns":["sex","grade","age"]}`, "give one or two"},
		{"frequency", "", `{"columns":["age"]}`, "no list of categories"},
		{"frequency", "", `{"columns":["sex","sex"]}`, "named twice"},
		{"frequency", "", `{"columns":["nobody"]}`, `no column "nobody"`},
		{"histogram", "", `{"column":"age"}`, `"edges" is missing`},
		{"histogram", "", `{"column":"sex","edges":[0,1]}`, "text and has no bins"},
		{"histogram", "", `{"column":"none","edges":[0,1]}`, `no column "none"`},
		{"histogram", "", `{"column":"age","edges":[1]}`, "fewer than two"},
		{"histogram", "", `{"column":"age","edges":["1","2"]}`, "wrong type"},
		{"histogram", "", `{"column":"age","edges":[1,3,2]}`, "do not ascend: number 3"},
		{"histogram", "", `{"column":"age","edges":[1,1]}`, "do not ascend: number 2"},
		{"histogram", "", `{"column":"age","edges":[1,5.25,5.5]}`, "nothing can lie between"},
		{"histogram", "", `{"column":"age","edges":[1.25,1.5]}`, "nothing can lie between"},
		{"histogram", "", `{"column":"age","edges":[0,1000000000000000000000000]}`, "too far out"},
		{"barchart", "", `{}`, `no analysis "barchart"`},
		{"descibe", "", `{}`, `did you mean "describe"?`},
	} {
		j := s.job(ask{"ward", c.analysis, c.where, c.args})
		plan, err := PlanJob(j, s.roster.Roster)
		if err == nil || plan != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %s where %q: got %v, want an error of one line with %q", c.analysis, c.args, c.where, err, c.want)
		}
		if unsupported := new(Unsupported); errors.As(err, &unsupported) {
			t.Errorf("%s %s: %v passes as unsupported", c.analysis, c.args, err)
		}
	}
}

// TestUnsupported: what later versions have is told apart from mistakes.
func TestUnsupported(t *testing.T) {
	s := fiveWards(t)
	check := func(what string, j *job.Job) {
		t.Helper()
		unsupported := new(Unsupported)
		if _, err := PlanJob(j, s.roster.Roster); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), what+" is not in this version; ") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	j := s.job(ask{"ward", "pca", "", `{"columns":["age","dose"]}`})
	j.Engine = job.EngineMHE
	check(`analysis "pca" with engine "mhe"`, j)
	for _, a := range Analyses() {
		if got, err := Lookup(a.Name()); err != nil || got != a {
			t.Errorf("%s is not found: %v", a.Name(), err)
		}
	}
}

// TestStudyRefuses: what contradicts the study or its rules is refused.
func TestStudyRefuses(t *testing.T) {
	s := fiveWards(t)
	_, stranger, err := job.NewRecipientKey()
	s.must(err)
	for _, c := range []struct {
		name   string
		roster *job.Roster
		change func(*job.Job)
		want   string
	}{
		{"another study", s.roster.Roster, func(j *job.Job) { j.Study = "lung-2026" }, `for study "lung-2026"`},
		{"no such dataset", s.roster.Roster, func(j *job.Job) { j.Dataset = "wards" }, `did you mean "ward"?`},
		{"no such engine", s.roster.Roster, func(j *job.Job) { j.Engine = "steam" }, `no engine "steam"`},
		{"a stranger as recipient", s.roster.Roster, func(j *job.Job) { j.Recipient = stranger }, "belongs to no client"},
	} {
		j := s.job(sexCounts)
		c.change(j)
		if _, err := PlanJob(j, c.roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// TestOverflowIsRefused: a sum that might not fit 128 bits is refused before any
// data is read.
func TestOverflowIsRefused(t *testing.T) {
	schema := job.Schema{Columns: []job.Column{
		{Name: "wide", Type: job.Integer, Min: "0", Max: "4e18"},
		{Name: "narrow", Type: job.Integer, Min: "0", Max: "2e18"},
	}}
	header := []string{"wide", "narrow"}
	few := pieces{"few", schema, []table{{header, [][]string{{"1", "1"}, {"1", "1"}, {"1", "1"}, {"1", "1"}, {"1", "1"}}}}}
	s := newStudy(t, nil, few)
	_, err := PlanJob(s.job(ask{"few", "describe", "", `{"columns":"wide"}`}), s.roster.Roster)
	if err == nil || !strings.Contains(err.Error(), `column "wide"`) || !strings.Contains(err.Error(), "declare a narrower range") {
		t.Errorf("squares of 62 bits over 5 rows: got %v", err)
	}
	if _, err := PlanJob(s.job(ask{"few", "describe", "", `{"columns":"narrow"}`}), s.roster.Roster); err != nil {
		t.Errorf("squares of 61 bits over 5 rows: %v", err)
	}
}

// TestTooLongIsRefused: a table that no frame holds is refused.
func TestTooLongIsRefused(t *testing.T) {
	var many []string
	for i := range 300 {
		many = append(many, strings.Repeat("x", i+1)[:min(i+1, 250)]+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	schema := job.Schema{Columns: []job.Column{{Name: "a", Type: job.Text, Categories: many}, {Name: "b", Type: job.Text, Categories: many}}}
	s := newStudy(t, nil, pieces{"big", schema, []table{{[]string{"a", "b"}, [][]string{{many[0], many[1]}}}}})
	_, err := PlanJob(s.job(ask{"big", "frequency", "", `{"columns":["a","b"]}`}), s.roster.Roster)
	if err == nil || !strings.Contains(err.Error(), "90000 numbers, at most 65536") {
		t.Errorf("got %v", err)
	}
}

func TestUses(t *testing.T) {
	s := fiveWards(t)
	for _, c := range []struct {
		a    ask
		want string
	}{
		{ask{"ward", "describe", "", `{"columns":["dose","age"]}`}, "age dose"},
		{ask{"ward", "describe", "sex = 'f' AND grade IS NOT NULL", `{"columns":["age"]}`}, "age grade sex"},
		{ask{"ward", "frequency", "age > 3", `{"columns":["sex","grade"]}`}, "age grade sex"},
		{ask{"ward", "histogram", "", `{"column":"dose","edges":[0,100]}`}, "dose"},
	} {
		plan, err := PlanJob(s.job(c.a), s.roster.Roster)
		s.must(err)
		if got := strings.Join(plan.Uses(), " "); got != c.want {
			t.Errorf("%v uses %q, want %q", c.a, got, c.want)
		}
	}
	rows := Plan{Samples: []Sample{{"pairs", columnVectors("b", "a")}}}
	if got := rows.Uses(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("columns that go row by row: %v", got)
	}
}

func TestStatement(t *testing.T) {
	s := fiveWards(t)
	j := s.job(ask{"ward", "histogram", "age > 30\nAND sex = 'f'", `{"column":"dose","edges":[0,0.5,100]}`})
	plan, err := PlanJob(j, s.roster.Roster)
	s.must(err)
	want := []string{
		"Only researcher (University) can open the result, and learns:",
		"  - how many selected rows have a value of dose in each of the 2 bins",
		"Or nothing but one of these words: empty, outside.",
		"It is taken over the rows where age > 30 AND sex = 'f' of dataset ward at hospital-1 (3 rows), hospital-2 (2 rows), hospital-3 (2 rows), hospital-4 (1 row), hospital-5 (1 row).",
		"It is computed by hospital-1 (Clinic 1), hospital-2 (Clinic 2), hospital-3 (Clinic 3) on random shares: no single one of them that keeps to the protocol learns anything of the rows or of the result; two that pool their shares do.",
		"Every node and the coordinator see the question: the analysis, its arguments, the filter and the declared numbers of rows.",
	}
	if got := plan.Statement(j, s.roster.Roster); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// FuzzPlan: whatever stands in a job, planning it gives a plan that can be run
// or an error, and never panics.
func FuzzPlan(f *testing.F) {
	f.Add("describe", "", `{"columns":["age","dose"]}`)
	f.Add("frequency", "sex = 'f'", `{"columns":"sex"}`)
	f.Add("histogram", "age BETWEEN 3 AND 50", `{"column":"dose","edges":[0,0.25,1e9]}`)
	f.Add("histogram", "", `{"column":"age","edges":[-1e40,1e40]}`)
	f.Add("describe", "((((", `{"columns":[[]],"by":null}`)
	f.Add("kaplanmeier", "", `{"time":"age","event":"sex = 'f'","times":[3,50.5]}`)
	f.Add("logrank", "", `{"time":"dose","event":"grade > 2","group":"sex"}`)
	f.Add("cox", "", `{"columns":{"a":1}}`)
	s := fiveWards(f)
	base := s.job(sexCounts)
	f.Fuzz(func(t *testing.T, analysis, where, args string) {
		j := *base
		j.Analysis, j.Where, j.Args = analysis, where, nil
		if decodeJSON(args, &j.Args) != nil {
			return
		}
		for _, engine := range []string{job.EngineShares, job.EngineMHE} {
			j.Engine = engine
			plan, err := PlanJob(&j, s.roster.Roster)
			if err != nil {
				continue
			}
			if len(plan.Outputs) == 0 || len(plan.Reveals) == 0 || len(plan.Uses()) == 0 {
				t.Fatalf("an empty plan: %+v", plan)
			}
			for _, o := range plan.Outputs {
				if o.Len < 1 || o.Len > MaxElements {
					t.Fatalf("output %s has length %d", o.Name, o.Len)
				}
			}
		}
	})
}
