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
	c.Datasets["liver"] = s.path("liver.csv")
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
	lists := &siteLists{set.data, s.logs.logger()}
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
		{strings.Repeat(oneLiver, 2), "does not fit the policy", "the id of row 1 once more"},
		{oneLiver + nextLiver + strings.Replace(nextLiver, "8", "9", 1) + strings.Replace(nextLiver, "8", "10", 1), "cannot be used", "4 rows and the roster declares 3"},
	} {
		s := livers(t, c.rows)
		set, err := checkSetup(s.liverConfig(), s.logs.logger())
		if err != nil {
			t.Fatal(err)
		}
		lists := &siteLists{set.data, s.logs.logger()}
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
