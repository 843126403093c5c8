package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/job"
	"consilium/protocols"
)

const goodPolicy = `allow:
  - signers: [alice]
    datasets: [lung]
    analyses: [describe, frequency]
    columns: [age, sex]
  - signers: [alice]
    datasets: [lung]
    analyses: [describe]
    columns: [ph_ecog]
  - signers: ["*"]
    datasets: [pima]
    analyses: ["*"]
    columns: ["*"]
deny_columns: [npreg]
`

func parsePolicy(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicyDecides(t *testing.T) {
	tests := []struct {
		name, signer, dataset, analysis string
		columns                         []string
		want                            string // in the error; empty: allowed
	}{
		{"rule covers all", "alice", "lung", "describe", []string{"age", "sex"}, ""},
		{"the second rule covers all", "alice", "lung", "describe", []string{"ph_ecog"}, ""},
		{"star covers all", "bob", "pima", "cox", []string{"bmi"}, ""},
		{"no columns at all", "alice", "lung", "frequency", nil, ""},
		{"signer of no rule for the dataset", "bob", "lung", "describe", []string{"age"}, "dataset lung to bob"},
		{"dataset of no rule", "alice", "mgus", "describe", []string{"age"}, "dataset mgus to alice"},
		{"analysis of no rule", "alice", "lung", "cox", []string{"age"}, "analysis cox on dataset lung to alice"},
		{"column of no rule", "alice", "lung", "describe", []string{"age", "meal_cal"}, "column meal_cal in describe"},
		{"two rules do not add up", "alice", "lung", "describe", []string{"age", "ph_ecog"}, "column ph_ecog in describe"},
		{"several columns", "alice", "lung", "frequency", []string{"inst", "ph_ecog"}, "columns inst, ph_ecog in frequency"},
		{"denied column beats the star", "bob", "pima", "describe", []string{"bmi", "npreg"}, "denies column npreg"},
	}
	p := parsePolicy(t, goodPolicy)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := planOf(test.columns)
			err := p.Decide(test.signer, test.signer, plan, &job.Job{Dataset: test.dataset, Analysis: test.analysis})
			if test.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestPolicyLooksAtTheRecipient(t *testing.T) {
	const rule = "allow:\n  - {signers: [alice, bob], datasets: ['*'], analyses: ['*'], columns: ['*']%s}\n"
	for _, test := range []struct {
		recipients, signer, recipient string
		allowed                       bool
	}{
		{"", "alice", "alice", true},
		{"", "alice", "bob", false}, // although bob may ask the same himself
		{"", "alice", "mallory", false},
		{"", "alice", "", false},
		{", recipients: [registry]", "alice", "registry", true},
		{", recipients: [registry]", "alice", "alice", false},
		{", recipients: [registry]", "mallory", "registry", false},
		{", recipients: ['*']", "alice", "mallory", true},
	} {
		p := parsePolicy(t, fmt.Sprintf(rule, test.recipients))
		err := p.Decide(test.signer, test.recipient, &protocols.Plan{}, &job.Job{Dataset: "lung", Analysis: "describe"})
		if (err == nil) != test.allowed {
			t.Errorf("%q, %s for %s: %v", test.recipients, test.signer, test.recipient, err)
		}
		if test.signer == "alice" && err != nil && !strings.Contains(err.Error(), "does not allow "+test.recipient+" to open the result of describe") {
			t.Errorf("%q, %s for %s: %v", test.recipients, test.signer, test.recipient, err)
		}
	}
	roster := &job.Roster{Clients: []job.Client{{Name: "alice"}}}
	p := parsePolicy(t, "allow: [{signers: [alice], recipients: [registry], datasets: ['*'], analyses: ['*'], columns: ['*']}]\n")
	if got := p.Unknown(roster); !slices.Equal(got, []string{"client registry"}) {
		t.Errorf("unknown names are %v", got)
	}
}

func TestPolicyAllowsNothingByDefault(t *testing.T) {
	for _, text := range []string{"allow: []\n", "deny_columns: [age]\n"} {
		err := parsePolicy(t, text).Decide("alice", "alice", &protocols.Plan{}, &job.Job{Dataset: "lung", Analysis: "describe"})
		if err == nil || !strings.Contains(err.Error(), "allows nothing to alice") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestPolicySeesEveryColumnOfAPlan(t *testing.T) {
	plan := &protocols.Plan{
		Where:   job.And{L: job.Compare{Column: "where1", Op: job.Eq}, R: job.Not{P: job.IsNull{Column: "where2"}}},
		Samples: planOf([]string{"row"}).Samples,
		Summaries: []job.Summary{{
			Complete: []string{"complete"},
			Groups:   []job.Grouping{{Column: "group", Levels: []int64{1}}},
			Terms:    []job.Term{{}, {"term", "term"}, {"row"}},
		}},
	}
	asked := &job.Job{Dataset: "lung", Analysis: "describe"}
	for _, column := range []string{"complete", "group", "row", "term", "where1", "where2"} {
		p := &Policy{
			Allow:       []Rule{{Signers: []string{"*"}, Datasets: []string{"*"}, Analyses: []string{"*"}, Columns: []string{"*"}}},
			DenyColumns: []string{column},
		}
		if err := p.Decide("alice", "alice", plan, asked); err == nil || !strings.Contains(err.Error(), "denies column "+column) {
			t.Errorf("%s: got %v", column, err)
		}
	}
}

func TestPolicyErrors(t *testing.T) {
	tests := []struct{ name, policy, want string }{
		{"empty", "", "the file is empty"},
		{"unknown key", "permit: []\n", `unknown key "permit": known: allow, deny_columns`},
		{"unknown key in a rule", "allow:\n  - signers: [a]\n    tables: [b]\n", `unknown key "tables": known: signers, recipients, datasets, analyses, columns`},
		{"no columns", "allow:\n  - {signers: [a], datasets: [b], analyses: [c]}\n", "allow rule 1 has no columns"},
		{"empty signers", "allow:\n  - {signers: [], datasets: [b], analyses: [c], columns: [d]}\n", "allow rule 1 has no signers"},
		{"empty name", "allow:\n  - {signers: [a], datasets: [''], analyses: [c], columns: [d]}\n", "an empty name in datasets"},
		{"empty recipients", "allow:\n  - {signers: [a], recipients: [], datasets: [b], analyses: [c], columns: [d]}\n", "allow rule 1 has no recipients"},
		{"deny star", "deny_columns: ['*']\n", "to deny everything"},
		{"a list instead of rules", "- a\n", "cannot take a list as Policy"},
		{"broken YAML", "allow: [", "policy: line 1: did not find"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParsePolicy([]byte(test.policy))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

func TestPolicyAgainstRoster(t *testing.T) {
	roster := &job.Roster{
		Study:   "lung-2026",
		Clients: []job.Client{{Name: "alice"}},
		Datasets: []job.Dataset{{Name: "lung", Schema: job.Schema{Columns: []job.Column{
			{Name: "age", Type: job.Integer, Min: "0", Max: "120"},
		}}}},
	}
	p := parsePolicy(t, goodPolicy)
	if got, want := p.Unknown(roster), []string{"dataset pima"}; !slices.Equal(got, want) {
		t.Errorf("unknown names are %v, want %v", got, want)
	}
	if err := p.Check(roster); err == nil || !strings.Contains(err.Error(), `"npreg"`) {
		t.Errorf("a denied column that nobody has: got %v", err)
	}
	if err := parsePolicy(t, "deny_columns: [age]\n").Check(roster); err != nil {
		t.Error(err)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(goodPolicy), "alice", "lung")
	f.Add([]byte("allow: []"), "", "")
	f.Add([]byte("allow:\n - {signers: ['*'], datasets: ['*'], analyses: ['*'], columns: ['*']}"), "a", "b")
	f.Fuzz(func(t *testing.T, b []byte, signer, dataset string) {
		p, err := ParsePolicy(b)
		if err != nil {
			return
		}
		err = p.Decide(signer, signer, planOf([]string{"age"}), &job.Job{Dataset: dataset, Analysis: "describe"})
		if err == nil && len(p.Allow) == 0 {
			t.Error("a policy without a rule allows a job")
		}
	})
}

// planOf is a plan that uses those columns row by row.
func planOf(columns []string) *protocols.Plan {
	var vectors []job.Vector
	for _, c := range columns {
		vectors = append(vectors, job.Vector{Name: c, Column: c})
	}
	return &protocols.Plan{Samples: []protocols.Sample{{Name: "rows", Vectors: vectors}}}
}
