package node

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols"
)

const liverHeader = "id,abo,born,waiting_since,sex,status_1a,dialysis,bilirubin,sodium,inr,creatinine,albumin\n"

// livers is a study with a waiting list at its first hospital.
func livers(t *testing.T, rows string) *study {
	t.Helper()
	s := newStudy(t)
	text, err := policies.FS.ReadFile("meld3-liver.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(text, policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	r := s.newRoster(t)
	r.Policies = []job.Policy{{Name: p.Name, Text: string(p.Canonical())}}
	r.Datasets = append(r.Datasets, job.Dataset{
		Name: "liver", List: job.List{Policy: p.Name, Side: job.Candidates}, Sites: []job.Site{{Node: "hospital-1", Rows: 3}},
	})
	s.writeRoster(t, r)
	writeFile(t, s.path("liver.csv"), liverHeader+rows)
	return s
}

func (s *study) liverConfig() *Config {
	c := s.config(1)
	c.Datasets["liver"] = at(s.path("liver.csv"))
	return c
}

const (
	oneLiver  = "7,O,1980-02-03,2024-05-06,female,0,0,2.5,131,1,1.2,3.8\n"
	nextLiver = "8,A,1970-02-03,2024-05-07,male,0,0,6,131,1.5,1.5,2.2\n"
)

func TestListIsRead(t *testing.T) {
	s := livers(t, oneLiver+nextLiver)
	set, err := checkSetup(s.liverConfig(), s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	if err := set.data.available(t.Context(), "liver", s.logs.logger()); err != nil {
		t.Error(err)
	}
	if !set.data.holdsAny([]string{"other", "liver"}) || set.data.holdsAny([]string{"other"}) {
		t.Error("holdsAny")
	}
	lists := newSiteLists(set.data, s.logs.logger())
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	rows, err := lists.Rows(t.Context(), "liver", job.Candidates, day)
	if err != nil {
		t.Fatal(err)
	}
	p := set.data.files["liver"].list.policy.Program
	id := slices.IndexFunc(p.Candidate, func(in policy.InputInfo) bool { return in.Name == "candidate.id" })
	waited := slices.IndexFunc(p.Candidate, func(in policy.InputInfo) bool { return in.Name == "candidate.waiting_days" })
	if rows.N != 3 || !slices.Equal(rows.Columns[id], []int64{7, 8, p.Candidate[id].Low}) || !slices.Equal(rows.Columns[waited], []int64{240, 239, 0}) {
		t.Errorf("%d rows: %v", rows.N, rows.Columns)
	}
	for _, wrong := range []struct {
		dataset string
		side    job.Side
	}{{"lung", job.Candidates}, {"liver", job.Donors}, {"none", job.Donors}} {
		if _, err := lists.Rows(t.Context(), wrong.dataset, wrong.side, day); err == nil {
			t.Errorf("%s has rows of %s", wrong.dataset, wrong.side)
		}
	}
}

func TestListIsRefused(t *testing.T) {
	for _, c := range []struct{ rows, told, logged string }{
		{oneLiver + strings.Replace(nextLiver, "A", "Q", 1), "its file for dataset liver does not fit the policy", "row 2, column abo"},
		{oneLiver + strings.Replace(nextLiver, "2024", "2094", 1), "does not fit the policy", "row 2, column waiting_since: the date lies after the day"},
		{strings.Replace(oneLiver, ",O,", ",Q,", 1) + strings.Replace(nextLiver, ",A,", ",Q,", 1), "does not fit the policy", "; row 2, column abo"},
		{strings.Repeat(oneLiver, 2), "does not fit the policy", "the id of row 1 once more"},
		{oneLiver + nextLiver + strings.Replace(nextLiver, "8", "9", 1) + strings.Replace(nextLiver, "8", "10", 1), "cannot be used", "4 rows and the roster declares 3"},
	} {
		s := livers(t, c.rows)
		set, err := checkSetup(s.liverConfig(), s.logs.logger())
		if err != nil {
			t.Fatal(err)
		}
		lists := newSiteLists(set.data, s.logs.logger())
		_, err = lists.Rows(t.Context(), "liver", job.Candidates, time.Now())
		if err == nil || !strings.Contains(err.Error(), c.told) || strings.Contains(err.Error(), "row") {
			t.Errorf("others are told %v, want %s", err, c.told)
		}
		set.data.check(t.Context(), s.logs.logger())
		if n := strings.Count(s.logs.text(), c.logged); n != 2 {
			t.Errorf("%d times %q in the operator's log:\n%s", n, c.logged, s.logs.text())
		}
		if _, err := CheckList(s.roster.Roster, &s.roster.Roster.Datasets[1], s.path("liver.csv"), 3, time.Now()); err == nil {
			t.Error("CheckList takes it")
		}
	}
}

func TestListWithoutItsColumns(t *testing.T) {
	s := livers(t, oneLiver)
	text := []byte(liverHeader + oneLiver)
	writeFile(t, s.path("liver.csv"), string(bytes.Replace(text, []byte("albumin"), []byte("album"), 1)))
	set, err := checkSetup(s.liverConfig(), s.logs.logger())
	if err != nil {
		t.Fatal(err)
	}
	if err := set.data.available(t.Context(), "liver", s.logs.logger()); err == nil || !strings.Contains(s.logs.text(), "no column albumin") {
		t.Errorf("it is available: %v", err)
	}
}

func TestPolicyDeniesInputsOfLists(t *testing.T) {
	s := livers(t, oneLiver)
	for column, ok := range map[string]bool{"candidate.status_1a": true, "age": true, "status_1a": false} {
		p := &Policy{DenyColumns: []string{column}}
		if err := p.Check(s.roster.Roster); (err == nil) != ok {
			t.Errorf("%s: %v", column, err)
		}
	}
}

// TestEveryListOfAMatchIsAllowed: a rule has to name the donors' list beside the one that
// the job is about.
func TestEveryListOfAMatchIsAllowed(t *testing.T) {
	s := livers(t, oneLiver)
	r := s.newRoster(t)
	r.Policies = s.roster.Roster.Policies
	r.Datasets = append(r.Datasets, s.roster.Roster.Datasets[1], job.Dataset{
		Name: "donors", List: job.List{Policy: "meld3-liver", Side: job.Donors}, Sites: []job.Site{{Node: "hospital-2", Rows: 3}},
	})
	s.writeRoster(t, r)
	file, err := protocols.MatchFile(s.roster.Roster, protocols.MatchRank, "liver", map[string]any{protocols.ArgDonors: "donors", protocols.ArgDonor: "D1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	j := s.job()
	j.Dataset, j.Analysis, j.Args, j.Where = file.Dataset, file.Analysis, file.Args, ""
	plan, err := protocols.PlanJob(j, s.roster.Roster)
	if err != nil {
		t.Fatal(err)
	}
	rule := func(datasets, columns string) *Policy {
		p, err := ParsePolicy([]byte(`allow: [{signers: [alice], datasets: [` + datasets + `], analyses: [match.rank], columns: [` + columns + `]}]`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	all := strings.Join(plan.Uses(), ",")
	for _, c := range []struct {
		policy *Policy
		want   string
	}{
		{rule("liver, donors", all), ""},
		{rule("liver", all), "does not allow dataset liver with donors"},
		{rule("donors", all), "does not allow dataset liver with donors"},
		{rule("liver, donors", strings.Replace(all, "candidate.sodium", "candidate.inr", 1)), "does not allow column candidate.sodium"},
	} {
		err := c.policy.Decide("alice", "alice", plan, j)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestPairsBelongTogether: a file that is replaced between its two sides counts as it
// was.
func TestPairsBelongTogether(t *testing.T) {
	const header = "pair,recipient_abo,unacceptable,donor_abo,donor_hla_a_1,donor_hla_a_2,donor_hla_b_1,donor_hla_b_2,donor_hla_dr_1,donor_hla_dr_2\n"
	s := livers(t, oneLiver)
	text, err := policies.FS.ReadFile("kidney-exchange.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(text, policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	path := s.path("pairs.csv")
	writeFile(t, path, header+"1,A,,B,A1,A2,B7,B8,DR1,DR4\n")
	f := &file{dataset: "pairs", path: path, rows: 2, list: &list{p, []job.Side{job.Candidates, job.Donors}}}
	lists := newSiteLists(&datasets{files: map[string]*file{"pairs": f}}, s.logs.logger())
	recipients, err := lists.Rows(t.Context(), "pairs", job.Candidates, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, header+"2,O,,AB,A1,A2,B7,B8,DR1,DR4\n1,A,,B,A1,A2,B7,B8,DR1,DR4\n")
	donors, err := lists.Rows(t.Context(), "pairs", job.Donors, time.Now())
	if err != nil || recipients.N != 2 || donors.N != 2 {
		t.Fatalf("%v", err)
	}
	column := func(rows *policy.Rows, inputs []policy.InputInfo, name string) []int64 {
		return rows.Columns[slices.IndexFunc(inputs, func(in policy.InputInfo) bool { return in.Name == name })]
	}
	if got := column(donors, p.Program.Donor, "donor.present"); !slices.Equal(got, []int64{1, 0}) {
		t.Errorf("donors %v", got)
	}
	if got := column(recipients, p.Program.Candidate, "candidate.present"); !slices.Equal(got, []int64{1, 0}) {
		t.Errorf("recipients %v", got)
	}
}
