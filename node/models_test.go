package node

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

const riskModel = "kind: logistic\ndataset: lung\nintercept: -4\nweights: {age: 0.0625, sex: -0.5}\n"

// wardRoster is a roster with a text column.
func wardRoster() *job.Roster {
	return &job.Roster{Datasets: []job.Dataset{{Name: "lung", Schema: job.Schema{Columns: []job.Column{
		{Name: "sex", Type: job.Integer, Min: "1", Max: "2"},
		{Name: "age", Type: job.Integer, Min: "0", Max: "120"},
		{Name: "stage", Type: job.Text, Categories: []string{"I", "II"}},
	}}}}}
}

func TestModelFiles(t *testing.T) {
	r := wardRoster()
	m, err := parseModel("risk", []byte(riskModel+"patients: 20\n"), r)
	if err != nil || m.Name != "risk" || m.Kind != "logistic" || m.Intercept != -4 || m.Patients != 20 || !slices.Equal(m.Features(&r.Datasets[0].Schema), []string{"sex", "age"}) {
		t.Fatalf("%v, %v", m, err)
	}
	if m, err := parseModel("risk", []byte(strings.Replace(riskModel, "sex: -0.5", "stage: {I: 0, II: 1.5}", 1)), r); err != nil || m.Weights[1].Levels["II"] != 1.5 {
		t.Fatalf("%v, %v", m, err)
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":            {"", "empty"},
		"unknown key":      {riskModel + "weight: {}\n", `unknown key "weight"`},
		"twice":            {riskModel + "kind: linear\n", "already defined"},
		"two documents":    {riskModel + "---\n" + riskModel, "more than one YAML document"},
		"no kind":          {strings.Replace(riskModel, "kind: logistic\n", "", 1), "write linear or logistic"},
		"no intercept":     {strings.Replace(riskModel, "intercept: -4\n", "", 1), "intercept is missing"},
		"no weights":       {"kind: linear\ndataset: lung\nintercept: 0\n", "weights is empty"},
		"dataset":          {strings.Replace(riskModel, "lung", "lungs", 1), `did you mean "lung"`},
		"column":           {strings.Replace(riskModel, "age", "agee", 1), `did you mean "age"`},
		"empty weight":     {strings.Replace(riskModel, "0.0625", "", 1), "weight of age: it is empty"},
		"a word":           {strings.Replace(riskModel, "0.0625", "heavy", 1), "mind the form"},
		"not finite":       {strings.Replace(riskModel, "0.0625", ".inf", 1), "weight of age: it is no number"},
		"too heavy":        {strings.Replace(riskModel, "0.0625", "1e9", 1), "too large"},
		"text":             {strings.Replace(riskModel, "sex: -0.5", "stage: 1", 1), "a number for each category"},
		"empty category":   {strings.Replace(riskModel, "sex: -0.5", "stage: {I: 0, II: }", 1), `category "II" has none`},
		"missing category": {strings.Replace(riskModel, "sex: -0.5", "stage: {I: 0}", 1), `category "II" has none`},
		"patients":         {riskModel + "patients: -1\n", "patients is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseModel("risk", []byte(c.file), r)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
		})
	}
}

func TestModelsAreCheckedAtStart(t *testing.T) {
	s := newStudy(t)
	writeFile(t, s.path("risk.yaml"), riskModel)
	for name, c := range map[string]struct {
		models map[string]string
		want   string
	}{
		"no file": {map[string]string{"risk": s.path("gone.yaml")}, "models: risk: "},
		"no path": {map[string]string{"risk": ""}, "models: risk has no file"},
		"name":    {map[string]string{"Risk!": s.path("risk.yaml")}, `models: a name is "Risk!"`},
		"model":   {map[string]string{"risk": s.path("hospital-1.policy")}, "models: risk: " + s.path("hospital-1.policy")},
	} {
		config := s.config(1)
		config.Models = c.models
		if _, err := checkSetup(config, s.logs.logger()); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", name, err, c.want)
		}
	}
	config := s.config(1)
	config.Models = map[string]string{"risk": s.path("risk.yaml")}
	set, err := checkSetup(config, s.logs.logger())
	if err != nil || !slices.Equal(slices.Collect(maps.Keys(set.models)), []string{"risk"}) {
		t.Errorf("%v: %v", set, err)
	}
}

func FuzzParseModel(f *testing.F) {
	r := wardRoster()
	for _, seed := range []string{riskModel, riskModel + "patients: 3\n", "kind: linear\ndataset: lung\nintercept: 1e3\nweights: {stage: {I: 0, II: 2}}\n", "weights: &a {age: *a}\n", "weights: [1]\n", "weights: {age: {1: 2}}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseModel("risk", b, r)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("the error is not one line: %q", err)
			}
			return
		}
		if again := m.Check(&r.Datasets[0]); again != nil || len(m.Features(&r.Datasets[0].Schema)) != len(m.Weights) {
			t.Errorf("accepted %v with %d weights: %v", m, len(m.Weights), again)
		}
	})
}
