package job

import (
	"strings"
	"testing"
)

// withList turns a study's dataset into a list.
func withList(s *study) *study {
	s.roster.Policies = []Policy{{Name: "etkas", Text: "{\"name\":\"etkas\",\"remarks\":[\"a: b # c\"]}\n"}}
	s.roster.Datasets[0].Schema = Schema{}
	s.roster.Datasets[0].List = List{Policy: "etkas", Side: Candidates}
	return s
}

func TestListInRoster(t *testing.T) {
	s := withList(newStudy(t, 3))
	r := s.file(t).Roster
	p, ok := r.Policy("etkas")
	if !ok || *p != s.roster.Policies[0] || p.Hash() != s.roster.Policies[0].Hash() {
		t.Errorf("the policy is %+v", p)
	}
	if _, ok := r.Policy("other"); ok || len(r.PolicyNames()) != 1 {
		t.Error("policies by name")
	}
	if d := &r.Datasets[0]; !d.IsList() || d.List != s.roster.Datasets[0].List || len(d.Schema.Columns) != 0 {
		t.Errorf("the list is %+v", d)
	}
	if newStudy(t, 3).roster.Datasets[0].IsList() {
		t.Error("a table is a list")
	}
}

func TestListsAreChecked(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(r *Roster)
	}{
		{`dataset lung: it is a list by policy "ektas": did you mean "etkas"?`, func(r *Roster) { r.Datasets[0].List.Policy = "ektas" }},
		{`the side of its list is "recipient"`, func(r *Roster) { r.Datasets[0].List.Side = "recipient" }},
		{"both a list and a schema", func(r *Roster) { r.Datasets[0].Schema = testSchema() }},
		{"leave out vault", func(r *Roster) { r.Datasets[0].Vault.Quorum = 2 }},
		{"policy etkas comes twice", func(r *Roster) { r.Policies = append(r.Policies, r.Policies[0]) }},
		{"policy etkas has no text", func(r *Roster) { r.Policies[0].Text = "" }},
		{"policy etkas has no text", func(r *Roster) { r.Policies[0].Text = "\xff" }},
		{"at most 1048576 are allowed", func(r *Roster) { r.Policies[0].Text = strings.Repeat("x", maxPolicyText+1) }},
		{`policy is "E T"`, func(r *Roster) { r.Policies[0].Name = "E T" }},
		{"33 policies", func(r *Roster) { r.Policies = make([]Policy, 33) }},
	} {
		s := withList(newStudy(t, 3))
		c.change(s.roster)
		if err := s.roster.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestDerive(t *testing.T) {
	count := 0
	derive := func() any { count++; return count }
	kept, loose := newStudy(t, 3).file(t).Roster, newStudy(t, 3).roster
	for _, c := range []struct {
		r    *Roster
		key  string
		want int
	}{{kept, "a", 1}, {kept, "a", 1}, {kept, "b", 2}, {kept, "a", 1}, {loose, "a", 3}, {loose, "a", 4}} {
		if got := c.r.Derive(c.key, derive); got != c.want {
			t.Errorf("%s: %v, want %d", c.key, got, c.want)
		}
	}
}
