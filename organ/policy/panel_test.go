package policy

import (
	"slices"
	"strings"
	"testing"

	"consilium/organ/hla"
	"consilium/policies"
)

func TestPanelOfShippedPolicies(t *testing.T) {
	for _, name := range []string{"etkas", "us-kidney"} {
		p := shipped(t, name)
		if p.Panel == nil || *p.Panel != (Panel{100, 20}) {
			t.Fatalf("%s: %+v", name, p.Panel)
		}
		x := p.Program.Crossmatch()
		if !slices.Equal(x.Loci, []hla.Locus{hla.A, hla.B, hla.DR}) || len(x.Candidate) != 2 || len(x.Donor) != 2 {
			t.Errorf("%s: %+v", name, x)
		}
		for i, place := range x.Candidate {
			own, other := p.Program.Candidate[place], p.Program.Donor[x.Donor[i]]
			if own.Kind != Word || !slices.Equal(own.From, []string{"candidate.unacceptable"}) || !slices.Equal(other.From, []string{"donor.hla_a", "donor.hla_b", "donor.hla_dr"}) {
				t.Errorf("%s: %+v and %+v", name, own, other)
			}
		}
	}
	if p := shipped(t, "meld3-liver"); p.Panel != nil || p.Program.Excluded != -1 {
		t.Errorf("meld3-liver: %+v", p.Panel)
	}
}

// TestPanelIsPartOfTheHash: what a study agrees on includes the limits.
func TestPanelIsPartOfTheHash(t *testing.T) {
	hashes := map[string]bool{}
	for _, to := range []string{"", "panel: {minimum: 5, queries_per_day: 2}\n", "panel: {minimum: 6, queries_per_day: 2}\n", "panel: {minimum: 5, queries_per_day: 3}\n"} {
		p, err := parseSmall(t, "entitlement:\n", to+"entitlement:\n")
		if err != nil {
			t.Fatal(err)
		}
		hashes[p.Hash.String()] = true
		again, err := Decode(p.Canonical())
		if err != nil || again.Hash != p.Hash || (to == "") != (again.Panel == nil) {
			t.Errorf("%s: decoded %+v, %v", to, again, err)
		}
	}
	if len(hashes) != 4 {
		t.Errorf("%d hashes", len(hashes))
	}
}

func TestPanelsThatAreRefused(t *testing.T) {
	const panel = "panel: {minimum: 5, queries_per_day: 2}\nentitlement:\n"
	const antibodies = `"!meets(candidate.unacceptable, carried([donor.hla_a]))"`
	for _, c := range []struct{ from, to, want string }{
		{"entitlement:\n", strings.Replace(panel, "5", "0", 1), "panel: minimum is 0"},
		{"entitlement:\n", strings.Replace(panel, "2", "0", 1), "panel: queries_per_day is 0"},
		{"entitlement:\n", strings.Replace(panel, "minimum", "least", 1), `unknown key "least"`},
		{antibodies, `"meets(candidate.unacceptable, carried([donor.hla_a]))"`, "panel: 0 conditions of eligible"},
		{antibodies, `"!meets(candidate.unacceptable, carried([donor.hla_a])) || candidate.child"`, "panel: 0 conditions of eligible"},
		{antibodies, `"!meets(carried([candidate.hla_a]), carried([donor.hla_a]))"`, "panel: 0 conditions of eligible"},
		{antibodies, antibodies + "}\n  - {name: again, when: \"!meets(candidate.unacceptable, carried([donor.hla_a])) && true\"", "panel: 2 conditions of eligible"},
	} {
		text := strings.Replace(small, c.from, c.to, 1)
		if !strings.Contains(text, "panel:") {
			text = strings.Replace(text, "entitlement:\n", panel, 1)
		}
		if _, err := Parse([]byte(text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
	exchange, err := policies.FS.ReadFile("kidney-exchange.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(append(exchange, "panel: {minimum: 5, queries_per_day: 2}\n"...), policies.FS); err == nil || !strings.Contains(err.Error(), "panel is for policies of kind rank") {
		t.Error(err)
	}
}
