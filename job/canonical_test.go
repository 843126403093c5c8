package job

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	s := testSchema()
	for text, want := range map[string]string{
		"":                                    "",
		"age>=50":                             "age >= 50",
		"sex = 'm' AND (age > 49.5)":          "age > 49 AND sex = 'm'",
		"age > 49 AND sex = 'm' AND age > 49": "age > 49 AND sex = 'm'",
		"NOT (age <= 49 OR sex != 'm')":       "age > 49 AND sex = 'm'",
		"age IS NOT NULL AND age >= 50":       "age >= 50",
		"age IS NOT NULL AND (age = 1 OR sex = 'm')": "(age = 1 OR sex = 'm') AND age IS NOT NULL",
		"age IS NOT NULL AND (age = 2 OR age = 1)":   "(age = 1 OR age = 2)",
		"NOT (age IS NULL)":                          "age IS NOT NULL",
		"age IS NULL":                                "age IS NULL",
		"age BETWEEN 3 AND 7":                        "age <= 7 AND age >= 3",
		"age NOT BETWEEN 3 AND 7":                    "(age < 3 OR age > 7)",
		"age IN (7, 3)":                              "age IN (3, 7)",
		"NOT age IN (7, 3)":                          "age NOT IN (3, 7)",
		"age IN (7)":                                 "age = 7",
		"age NOT IN (7)":                             "age != 7",
		"age = 7.5":                                  "age < 0",
		"age != 7.5":                                 "age IS NOT NULL",
		`"wt loss" < -0.75`:                          `"wt loss" <= -1`,
		"sex = 'it''s' OR sex = 'f'":                 "(sex = 'f' OR sex = 'it''s')",
		"age = 1 OR (sex = 'm' AND (age = 2 OR age = 3))":   "((age = 2 OR age = 3) AND sex = 'm' OR age = 1)",
		"((age = 1 OR age = 2) OR age = 3)":                 "(age = 1 OR age = 2 OR age = 3)",
		"age = 1 AND (sex = 'm' AND NOT (NOT is.smoker=1))": "age = 1 AND is.smoker = 1 AND sex = 'm'",
	} {
		p, err := ParsePredicate(text, &s)
		if err != nil {
			t.Fatal(err)
		}
		if got := Canonical(p, &s); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestConditions(t *testing.T) {
	s := testSchema()
	for text, want := range map[string][]string{
		"":                                       nil,
		"sex = 'm' AND age > 49":                 {"age > 49", "age IS NOT NULL", "sex = 'm'", "sex IS NOT NULL"},
		"age IS NOT NULL":                        {"age IS NOT NULL"},
		"age IS NULL":                            {"age IS NULL"},
		"age = 1 OR sex = 'm'":                   {"(age = 1 OR sex = 'm')"},
		"age = 1 OR age > 7":                     {"(age = 1 OR age > 7)", "age IS NOT NULL"},
		"NOT (age = 1 OR age > 7)":               {"age != 1", "age <= 7", "age IS NOT NULL"},
		"age = 1 OR age > 7 AND sex IS NOT NULL": {"(age = 1 OR age > 7 AND sex IS NOT NULL)", "age IS NOT NULL"},
	} {
		p, err := ParsePredicate(text, &s)
		if err != nil {
			t.Fatal(err)
		}
		if got := Conditions(p, &s); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", text, got, want)
		}
	}
}

// The canonical form and all conditions together are true of the same rows as the
// predicate; the form is that of itself.
func TestCanonicalMeansTheSame(t *testing.T) {
	s := testSchema()
	parse := func(t *rapid.T, text string) Predicate {
		p, err := ParsePredicate(text, &s)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return p
	}
	rapid.Check(t, func(t *rapid.T) {
		p := parse(t, anyCondition(t, 3).text)
		text := Canonical(p, &s)
		q := parse(t, text)
		if again := Canonical(q, &s); again != text {
			t.Fatalf("%s became %s", text, again)
		}
		if one, other := Conditions(p, &s), Conditions(q, &s); !slices.Equal(one, other) {
			t.Fatalf("%s has %q, and %q", text, one, other)
		}
		for range 5 {
			r := anyRow(t, &s)
			value := func(name string) (int64, bool) {
				if r[name] == nil {
					return 0, false
				}
				column, _ := s.Column(name)
				code, err := column.Code(*r[name])
				return code, err == nil
			}
			want, _ := Eval(p, value)
			if got, _ := Eval(q, value); got != want {
				t.Fatalf("%v: %s is %v", r, text, got)
			}
			all := true
			for _, condition := range Conditions(p, &s) {
				truth, _ := Eval(parse(t, condition), value)
				all = all && truth
			}
			if all != want {
				t.Fatalf("%v: the conditions of %s are %v", r, text, all)
			}
		}
	})
}

func TestManifestSignature(t *testing.T) {
	s := newStudy(t, 3)
	key, roster, d := s.nodes[0].Key, s.roster, &s.roster.Datasets[0]
	id, manifest := Hash{1}, []byte("what is deposited")
	sig := SignManifest(id, d, manifest, key)
	if !VerifyManifest(id, d, manifest, roster.NodeKey(0), sig) {
		t.Error("the site's own signature does not fit")
	}
	if VerifyManifest(Hash{2}, d, manifest, roster.NodeKey(0), sig) || VerifyManifest(id, d, manifest[1:], roster.NodeKey(0), sig) ||
		VerifyManifest(id, d, manifest, roster.NodeKey(1), sig) || VerifyManifest(id, d, manifest, roster.NodeKey(0), sig[1:]) || VerifyManifest(id, d, manifest, nil, nil) {
		t.Error("a signature of something else fits")
	}
	d.Title, d.Schema.Columns[0].Description = "The same", "as before"
	if !VerifyManifest(id, d, manifest, roster.NodeKey(0), sig) {
		t.Error("a title changes what codes mean")
	}
	for what, change := range map[string]func(d *Dataset){
		"name": func(d *Dataset) { d.Name = "other" }, "rows": func(d *Dataset) { d.Sites[1].Rows++ }, "site": func(d *Dataset) { d.Sites[1].Node = "hospital-9" },
		"step": func(d *Dataset) { d.Schema.Columns[0].Step = "2" }, "missing": func(d *Dataset) { d.Schema.Columns[0].Missing = []string{"-9"} },
		"order": func(d *Dataset) { slices.Reverse(d.Schema.Columns) }, "categories": func(d *Dataset) { d.Schema.Columns[0].Categories = []string{"-9"} },
	} {
		other := *d
		other.Sites, other.Schema.Columns = slices.Clone(d.Sites), slices.Clone(d.Schema.Columns)
		if change(&other); VerifyManifest(id, &other, manifest, roster.NodeKey(0), sig) {
			t.Errorf("the signature fits a dataset with another %s", what)
		}
	}
}
