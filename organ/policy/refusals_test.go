package policy

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"consilium/policies"
)

// small is a policy to be spoiled.
const small = `name: small
version: "1"
kind: rank
source: a test
tables:
  - {name: worth, form: map, rows: [[abo, points], [A, "1.5"], [O, "2"]]}
  - {name: suits, form: mask, rows: [["", A, O], [A, "1", "0"], [O, "1", "1"]]}
  - {name: steps, form: intervals, rows: [[above, up_to, points], ["0", "10", "1"], ["10", "", "2"]]}
candidate:
  inputs:
    - {name: id, type: id, min: "1", max: "999"}
    - {name: abo, type: category, values: [A, O]}
    - {name: years, type: decimal, step: "0.001", min: "0", max: "100"}
    - {name: child, type: boolean}
    - {name: since, type: date, blank: today}
    - {name: hla_a, type: antigens, locus: A, columns: [a1, a2]}
    - {name: hla_b, type: antigens, locus: B, columns: [b]}
    - {name: unacceptable, type: set, loci: [A, B]}
  site:
    - {name: days, type: integer, value: days_since(candidate.since), min: "0", max: "1000"}
    - {name: root, type: decimal, value: "pow(candidate.years, 0.5)", step: "0.01", min: "0", max: "9"}
donor:
  inputs:
    - {name: id, type: label}
    - {name: abo, type: category, values: [A, O]}
    - {name: child, type: boolean}
    - {name: hla_a, type: antigens, locus: A, columns: [a1, a2]}
match:
  - {name: mismatches, value: "new_antigens(broad(donor.hla_a), broad(candidate.hla_a))"}
eligible:
  - {name: group, when: "suits(donor.abo, candidate.abo)"}
  - {name: antibodies, when: "!meets(candidate.unacceptable, carried([donor.hla_a]))"}
tiers:
  - {name: first, when: mismatches == 0}
  - {name: second, when: mismatches > 0 && candidate.child}
  - {name: third, when: mismatches > 0 && !candidate.child}
points: round(candidate.years * 1.25 + candidate.root + worth(candidate.abo)) + candidate.days
order:
  - {by: tier, direction: ascending}
  - {by: points, direction: descending}
  - {by: id, direction: ascending}
entitlement:
  office: [sequence, tier, points, candidate, hospital]
  hospital: [sequence, candidate]
`

func parseSmall(t testing.TB, from, to string) (*Policy, error) {
	t.Helper()
	if strings.Count(small, from) == 0 {
		t.Fatalf("%q is not in the policy", from)
	}
	return Parse([]byte(strings.Replace(small, from, to, 1)), fstest.MapFS{
		"two.csv": {Data: []byte("abo,points\nA,1\nO,2\n")}, "bad.csv": {Data: []byte("abo,points\nA\n")},
	})
}

// TestExchangePoliciesThatAreRefused: pairs have names, and results nothing else.
func TestExchangePoliciesThatAreRefused(t *testing.T) {
	text, err := policies.FS.ReadFile("kidney-exchange.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"type: id, columns: [pair], min: \"1\", max: \"9999999\"", "type: integer, columns: [pair], min: \"1\", max: \"9999999\"", "no input is of type id"},
		{"office: [run]", "office: [run, tier]", "has no column \"tier\""},
		{"office: [run]", "office: [sequence]", "has no column \"sequence\""},
		{"eligible:\n", "match:\n  - {name: same, value: \"donor.abo == candidate.abo\"}\neligible:\n", ""},
		{"entitlement:\n", "weight: \"donor.abo\"\nentitlement:\n", "weight"},
		{"entitlement:\n", "exact: weight\nentitlement:\n", "exact is weight, and there is none"},
		{"entitlement:\n", "exact: transplant\nentitlement:\n", "did you mean \"transplants\""},
		{"entitlement:\n", "exact: transplants\nentitlement:\n", ""},
		{"entitlement:\n", "exact: weight\nweight: candidate.id\nentitlement:\n", ""},
	} {
		changed := strings.Replace(string(text), c.from, c.to, 1)
		if _, err := Parse([]byte(changed), policies.FS); changed == string(text) || (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
	shown := strings.NewReplacer("eligible:\n", "match:\n  - {name: same, value: \"donor.abo == candidate.abo\"}\neligible:\n", "office: [run]", "office: [same]").Replace(string(text))
	if _, err := Parse([]byte(shown), policies.FS); err == nil || !strings.Contains(err.Error(), "has no column \"same\"") {
		t.Errorf("a number of the match is shown: %v", err)
	}
}

// TestPoliciesThatAreRefused: each with one line that says what and where.
func TestPoliciesThatAreRefused(t *testing.T) {
	if _, err := parseSmall(t, small, small); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"name: small", "name: Small", "name is \"Small\""},
		{"version: \"1\"", "version: \"\"", "version is missing"},
		{"source: a test", "sauce: a test", "unknown key \"sauce\": did you mean \"source\"?"},
		{"kind: rank", "kind: order", "kind is \"order\": known: rank, exchange"},
		{"kind: rank", "kind: rank\nexact: weight", "weight and exact are for policies of kind exchange"},
		{"kind: rank", "kind: exchange", "tiers, points and order are for policies of kind rank"},
		{"source: a test", "source: \"a\\ttest\\u202e\"", "cannot be printed"},
		{"eligible:\n", "eligible: []\nunused:\n", "unknown key"},

		// Tables.
		{`rows: [[abo, points], [A, "1.5"], [O, "2"]]`, "file: none.csv", "\"none.csv\" cannot be opened"},
		{`rows: [[abo, points], [A, "1.5"], [O, "2"]]`, "file: bad.csv", "wrong number of fields"},
		{`rows: [[abo, points], [A, "1.5"], [O, "2"]]`, "file: ../two.csv", "without folders"},
		{`rows: [[abo, points], [A, "1.5"], [O, "2"]]`, "rows: []", "0 rows"},
		{`[A, "1.5"]`, `[A, "x"]`, "row 1: \"x\" is no decimal number"},
		{`[A, "1.5"]`, `[A, "1e99999999"]`, "no decimal number"},
		{`[A, "1.5"]`, `[O, "1.5"]`, "stands twice"},
		{`[A, "1.5"], `, "", "no row for \"A\""},
		{`[O, "1", "1"]`, `[O, "1", "2"]`, "a mask holds 1 for yes"},
		{`[O, "1", "1"]`, `[O, "1"]`, "row 2 has 2 cells"},
		{`["10", "", "2"]`, `["9", "", "2"]`, "row 2 begins at \"9\" and the row before ends at \"10\""},
		{`["10", "", "2"]`, `["11", "", "2"]`, "without gap or overlap"},
		{`["0", "10", "1"]`, `["10", "0", "1"]`, "write a number beyond"},
		{`["0", "10", "1"]`, `["0", "", "1"]`, "only the last row's may be blank"},
		{"form: mask", "form: masks", "did you mean \"mask\"?"},
		{"name: worth", "name: round", "the name is taken"},
		{"name: worth", "name: Worth", "a table's name is \"Worth\""},

		// Inputs and site values.
		{"name: years, type: decimal", "name: years, type: float", "type is \"float\""},
		{"name: child, type: boolean", "name: child, type: boolean, min: \"0\"", "a value of type boolean has no min"},
		{"name: child, type: boolean", "name: abo, type: boolean", "the name stands twice"},
		{"name: child, type: boolean", "name: present, type: boolean", "the name is taken"},
		{"name: child, type: boolean", "name: in, type: boolean", "its name is \"in\""},
		{"name: child, type: boolean", "name: child, type: boolean, value: \"true\"", "remove value"},
		{"name: child, type: boolean", "name: child, type: boolean, blank: maybe", "blank is \"maybe\""},
		{`max: "100"}`, `max: "100.0005"}`, "whole number of steps"},
		{`max: "100"}`, `max: "-1"}`, "is above max"},
		{`max: "100"}`, "}", "max is missing"},
		{"blank: today", "blank: \"2024-01-01\"", "can only stand for today"},
		{"values: [A, O]", "values: [A, A]", "comes twice"},
		{"values: [A, O]", "values: []", "0 values"},
		{"locus: A", "locus: X", "locus is \"X\""},
		{"loci: [A, B]", "loci: [A, A]", "A stands twice"},
		{"loci: [A, B]", "loci: []", "loci is missing"},
		{"columns: [a1, a2]", "columns: [a1, a2, a3]", "3 columns"},
		{"value: days_since(candidate.since)", "value: days_since(candidate.id)", "'days_since' of '(number)'"},
		{"value: days_since(candidate.since)", "value: candidate.root", "candidate.root is this value or one below"},
		{"value: days_since(candidate.since)", "value: candidate.days", "candidate.days is this value or one below"},
		{"value: days_since(candidate.since)", "value: donor.child", "there is no \"donor"},
		{"value: days_since(candidate.since)", "value: candidate.child", "this is a boolean, and a number is needed here"},
		{"value: days_since(candidate.since)", "value: \"\"", "the expression is missing"},
		{"value: days_since(candidate.since)", "value: \"1 +\"", "line 1, character"},
		{"value: days_since(candidate.since)", "value: \"has(candidate.since) ? 1 : 0\"", "line 1, character"},
		{"value: days_since(candidate.since)", "value: \"[1].map(x, x)\"", "line 1, character"},
		{"value: days_since(candidate.since)", "value: worth(\"B\")", "no row for \"B\""},
		{"value: days_since(candidate.since)", "value: 'candidate.abo == \"B\" ? 1 : 0'", "\"B\" is none of the values"},
		{"value: days_since(candidate.since)", "value: size(candidate.abo)", "there is no \"size\" here"},

		// The match.
		{"broad(candidate.hla_a))", "split(candidate.hla_a))", "one typing is at broad level and one at split level"},
		{"broad(candidate.hla_a))", "broad(candidate.hla_b))", "have none in common"},
		{"broad(candidate.hla_a))", "candidate.hla_a)", "new_antigens"},
		{"name: mismatches,", "name: points,", "the name is taken"},
		{"name: mismatches,", "name: worth,", "the name is taken"},
		{"suits(donor.abo, candidate.abo)", "suits(donor.abo, donor.id)", "donor.id"},
		{"suits(donor.abo, candidate.abo)", "donor.abo == candidate.child", "it takes other kinds of values"},
		{"suits(donor.abo, candidate.abo)", "candidate.since == candidate.since", "it takes other kinds of values"},
		{"suits(donor.abo, candidate.abo)", "ln(candidate.years) > 1", "there is no \"ln\" here"},
		{"suits(donor.abo, candidate.abo)", "steps(candidate.years) == 1", "looked up in a site value"},
		{"carried([donor.hla_a])", "carried([donor.hla_a, candidate.hla_a])", "this is another's"},
		{"carried([donor.hla_a])", "carried([])", "list the typings"},
		{"points: round(candidate.years * 1.25", "points: round(candidate.years / candidate.years", "the match divides by numbers that are written out"},
		{"points: round(candidate.years * 1.25", "points: round(candidate.years / 0", "other than 0"},
		{"points: round(candidate.years * 1.25", "points: round(candidate.yeers * 1.25", "did you mean \"candidate.years\"?"},
		// Widths: 17 bits to the power of four, and decimals that make steps too fine.
		{"points: round(candidate.years * 1.25", "points: round(candidate.years * candidate.years * candidate.years * candidate.years * 1.25", "a value needs 68 bits, 63 are the most"},
		{"points: round(candidate.years * 1.25", "points: round(candidate.years * 1.000000000000001 * 1.000000000000001", "a factor needs 100 bits"},

		{"broad(candidate.hla_a))", "broad(candidate.hla_a)) + mismatches", "mismatches is this value or one below"},

		// Tiers.
		{"mismatches > 0 && candidate.child", "mismatches > 0", "tiers: second and third hold at once where mismatches = "},
		{"mismatches == 0}", "mismatches == 1}", "tiers: "},
		{"mismatches > 0 && candidate.child", "mismatches > 1 && candidate.child", "none holds where"},
		{"mismatches > 0 && candidate.child", "mismatches > 0 && candidate.child && candidate.years < 18", "none holds where"},
		{"name: second", "name: first", "give each condition a short name of its own"},
		{"- {name: first, when: mismatches == 0}\n", "- {name: first, when: mismatches}\n", "this is a number, and a boolean is needed here"},

		// Order and entitlement.
		{"  - {by: id, direction: ascending}\n", "", "end with the candidate's id"},
		{"{by: id, direction: ascending}", "{by: id, direction: up}", "use ascending or descending"},
		{"{by: tier, direction: ascending}", "{by: tier, direction: descending}", "best first"},
		{"{by: tier, direction: ascending}", "{by: abo, direction: ascending}", "no number has this name"},
		{"{by: tier, direction: ascending}", "{by: points, direction: ascending}", "stands twice"},
		{"office: [sequence,", "office: [vpra,", "there is no column \"vpra\""},
		{"office: [sequence,", "office: [sequence, sequence,", "stands twice"},
		{"  hospital: [sequence, candidate]\n", "", "entitlement: say which columns"},
	} {
		_, err := parseSmall(t, c.from, c.to)
		if err == nil {
			t.Errorf("%s: taken", c.to)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n%v\nwant %s", c.to, err, c.want)
		}
		if len(err.Error()) > 900 {
			t.Errorf("%s: an error of %d bytes", c.to, len(err.Error()))
		}
	}
	if _, err := parseSmall(t, `rows: [[abo, points], [A, "1.5"], [O, "2"]]`, "file: two.csv"); err != nil {
		t.Error(err)
	}
}

// TestTiersThatAnalysisCannotDecide are checked row by row.
func TestTiersThatAnalysisCannotDecide(t *testing.T) {
	p, err := parseSmall(t, "mismatches > 0 && candidate.child}", "mismatches > 0 && candidate.years < candidate.root}")
	if err != nil {
		t.Fatal(err)
	}
	if p.Program.Fault < 0 {
		t.Fatal("taken as proved")
	}
	donors, err := p.ReadDonors(strings.NewReader("id,abo,child,a1,a2\nx,O,0,A1,A2\n"), today)
	if err != nil {
		t.Fatal(err)
	}
	header := "id,abo,years,child,since,a1,a2,b,unacceptable\n"
	for text, want := range map[string]string{
		"1,A,4,1,,A1,A3,B7 B8,\n":                          "row 1: no tier or more than one holds", // neither below its root nor an adult
		"1,A,4,0,,A1,A3,B7 B8,\n":                          "",
		"1,O,4,1,,A1,A2,B7 B8,\n":                          "",
		"2,A,4,0,,A1,A3,B7 B8,\n3,A,0.5,0,,A1,A3,B7 B8,\n": "row 2: no tier or more than one holds",
		"1,A,4,1,,A1,A3,B7 B8,A2\n":                        "", // not eligible
	} {
		rows, err := p.ReadCandidates(strings.NewReader(header+text), today)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Program.Evaluate(rows, donors.Row(0))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestTiersAtFaultWhateverIsNotKnown: overlap and hole are refused where they are there
// whatever the comparisons give that the analysis takes as free.
func TestTiersAtFaultWhateverIsNotKnown(t *testing.T) {
	const unknown = "candidate.years < candidate.root"
	for _, c := range []struct{ second, third, want string }{
		{"mismatches > 0 || " + unknown, "mismatches > 0", "second and third hold at once where"},
		{"mismatches == 1", "mismatches == 1 && " + unknown, "none holds where"},
		{unknown, "mismatches > 0 && !(" + unknown + ")", ""}, // overlaps with the first for some
	} {
		text := strings.NewReplacer(
			"mismatches > 0 && candidate.child}", "'"+c.second+"'}",
			"mismatches > 0 && !candidate.child}", "'"+c.third+"'}").Replace(small)
		p, err := Parse([]byte(text), nil)
		if c.want == "" && (err != nil || p.Program.Fault < 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.second, err, c.want)
		}
	}
	kidney, err := policies.FS.ReadFile("us-kidney.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(bytes.Replace(kidney, []byte("class == 3}"), []byte("class <= 3}"), 1), policies.FS)
	if err == nil || !strings.Contains(err.Error(), "CPRA 98 hold at once where") {
		t.Error(err)
	}
}

// TestTiersOverWideNumbers: what is compared with constants is decided, however
// many values it has.
func TestTiersOverWideNumbers(t *testing.T) {
	for _, c := range []struct{ second, third, want string }{
		{"candidate.years < 18", "candidate.years >= 18", ""},
		{"candidate.years < 18", "candidate.years > 18", "none holds where"},
		{"candidate.years <= 18", "candidate.years >= 18", "hold at once where mismatches = 1, candidate.years = 18000"},
		{"candidate.years == 18", "candidate.years != 18", ""},
		{"2 * candidate.years + 1 < 18", "!(2 * candidate.years + 1 < 18)", ""},
		{"candidate.abo in [\"A\"]", "candidate.abo == \"O\"", ""},
	} {
		text := strings.NewReplacer(
			"mismatches > 0 && candidate.child}", "'mismatches > 0 && "+c.second+"'}",
			"mismatches > 0 && !candidate.child}", "'mismatches > 0 && "+c.third+"'}").Replace(small)
		p, err := Parse([]byte(text), nil)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.third, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", c.third, err)
		case p.Program.Fault != -1:
			t.Errorf("%s: not decided", c.third)
		}
	}
}

// TestRowsThatAreRefused: by number and column, never by a value.
func TestRowsThatAreRefused(t *testing.T) {
	p, err := parseSmall(t, small, small)
	if err != nil {
		t.Fatal(err)
	}
	good := []string{"17", "A", "4.125", "0", "2024-05-31", "A24", "A2", "B7 B8", "A9 B5"}
	header := []string{"id", "abo", "years", "child", "since", "a1", "a2", "b", "unacceptable"}
	file := func(rows ...[]string) string {
		text := strings.Join(header, ",") + "\n"
		for _, r := range rows {
			text += strings.Join(r, ",") + "\n"
		}
		return text
	}
	with := func(column, cell string) []string {
		r := slices.Clone(good)
		r[slices.Index(header, column)] = cell
		return r
	}
	other := with("id", "18")
	if rows, err := p.ReadCandidates(strings.NewReader("\ufeff"+file(good, other)), today); err != nil || rows.N != 2 || rows.Labels[0] != "17" {
		t.Fatal(rows, err)
	}
	for _, c := range []struct{ column, cell, want string }{
		{"a1", "A99", "row 2, column a1: the locus has no antigen of this number"},
		{"a1", "Q24", "row 2, column a1: this is no antigen's name"},
		{"a1", "A*24:02", "row 2, column a1: a molecular name"},
		{"a1", "A24(10)", "row 2, column a1: the name contradicts itself"},
		{"a1", "B44", "row 2, column a1: this is an antigen of another locus than A"},
		{"a1", "A25 A24", "row 2, column a1 and a2: the typing contradicts itself: 3 different antigens at locus A"},
		{"a2", "", "row 2, column a1 and a2: only one antigen"},
		{"b", "", "row 2, column b: no antigen is given"},
		{"b", "B44", "row 2, column b: only one antigen"},
		{"b", "B44 B45 B7", "row 2, column b: the typing contradicts itself"},
		{"unacceptable", "A9 DR15", "row 2, column unacceptable: an antigen of locus DR"},
		{"unacceptable", "A9 A98", "row 2, column unacceptable: the locus has no antigen"},
		{"since", "2024-06-02", "row 2, column since: the date lies after the day of the run"},
		{"since", "2031-01-01", "row 2, column since: the date lies after the day of the run"},
		{"since", "31.12.2023", "row 2, column since: this is no date"},
		{"since", "2024-02-30", "row 2, column since: this is no date"},
		{"since", "2019-02-28", "row 2, column days: this value, computed from the row, is outside 0 to 1000"},
		{"years", "81.5", "row 2, column root: this value, computed from the row, is outside 0 to 9"},
		{"years", "4.1255", "row 2, column years: a value is no whole number of steps of 0.001"},
		{"years", "101", "row 2, column years: a value is outside 0 to 100"},
		{"years", "NaN", "row 2, column years: a value is no decimal number"},
		{"years", "", "row 2, column years: the cell is blank"},
		{"abo", "Bombay", "row 2, column abo: a value is not among its 2 categories"},
		{"child", "perhaps", "row 2, column child: this is neither yes nor no"},
		{"id", "17", "row 2, column id: the id of row 1 once more"},
		{"id", "x17", "row 2, column id: a value is no decimal number"},
		{"id", "77777", "row 2, column id: a value is outside"},
		{"abo", "A,A", "row 2: the number of cells is not that of the header"},
		{"abo", `"A`, "row 2: its quotes are not those of a CSV file"},
	} {
		bad := with(c.column, c.cell)
		if c.column != "id" {
			bad[0] = "18"
		}
		_, err := p.ReadCandidates(strings.NewReader(file(good, bad)), today)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %q: %v, want %s", c.column, c.cell, err, c.want)
			continue
		}
		if len(c.cell) > 2 && strings.Contains(err.Error(), c.cell) {
			t.Errorf("%s: the value is told: %v", c.column, err)
		}
	}
	// A typed broad antigen beside its split is no contradiction.
	if _, err := p.ReadCandidates(strings.NewReader(file(with("a1", "A24 A9"))), today); err != nil {
		t.Error(err)
	}
}

// TestFilesThatAreRefused: all bad rows are told, a line each, up to twenty.
func TestFilesThatAreRefused(t *testing.T) {
	p, err := parseSmall(t, small, small)
	if err != nil {
		t.Fatal(err)
	}
	header := "id,abo,years,child,since,a1,a2,b,unacceptable\n"
	for text, want := range map[string]string{
		"":                         "it is empty",
		"17,A,4,0,,A2,A3,B7 B8,\n": "no column id",
		strings.Replace(header, "years", "year", 1):        "no column years",
		strings.Replace(header, "years", "years,years", 1): "two columns years",
		header + "1,A\n": "row 1: the number of cells",
		header + strings.Repeat("1,X,4,0,,A2,A3,B7 B8,\n", 100):   "and 80 more rows",
		header + "1,X,4,0,,A2,A3,B7 B8,\n2,A,x,0,,A2,A3,B7 B8,\n": "column abo: a value is not among its 2 categories: correct the data or add the category to the schema\nrow 2, column years",
	} {
		_, err := p.ReadCandidates(strings.NewReader(text), today)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
		if strings.HasPrefix(text, "17") && err != nil && strings.Contains(err.Error(), "17") {
			t.Errorf("a value of the file is told: %v", err)
		}
	}
	rows, err := p.ReadCandidates(strings.NewReader(header), today)
	if err != nil || rows.N != 0 || len(rows.Columns) != len(p.Program.Candidate) {
		t.Errorf("a list of nobody: %v %v", rows, err)
	}
}

// TestMolecularNamesNeedTheirTable.
func TestMolecularNamesNeedTheirTable(t *testing.T) {
	text := strings.Replace(small, "tables:\n", "tables:\n  - {name: alleles, form: molecular, rows: [[allele, antigen], [\"A*24:02\", A24]]}\n", 1)
	p, err := Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	header := "id,abo,years,child,since,a1,a2,b,unacceptable\n"
	one, err := p.ReadCandidates(strings.NewReader(header+"1,A,4,0,,A*24:02:01,A2,B7 B8,A*24:02\n"), today)
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.ReadCandidates(strings.NewReader(header+"1,A,4,0,,A24,A2,B7 B8,A24\n"), today)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one.Row(0), two.Row(0)) {
		t.Errorf("%v, want %v", one.Row(0), two.Row(0))
	}
}

func TestLoadReadsTablesBesideTheFile(t *testing.T) {
	p, err := Load("../../policies/etkas.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash != shipped(t, "etkas").Hash {
		t.Error("the same policy has two hashes")
	}
	if _, err := Load("../../policies/none.yaml"); err == nil {
		t.Error("a policy that is not there is read")
	}
	if _, err := os.Stat("../../policies/etkas.yaml"); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"etkas", "us-kidney", "meld3-liver", "kidney-exchange"} {
		b, err := policies.FS.ReadFile(name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text, policies.FS)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("more than one line: %q", err)
			}
			return
		}
		again, err := Decode(p.Canonical())
		if err != nil || again.Hash != p.Hash {
			t.Fatalf("decoded: %v", err)
		}
		sane(t, p.Program)
	})
}

// FuzzExpression compiles one expression after another into the points of a small
// policy, and runs the program on the ends of all ranges.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"candidate.years", "round(candidate.years * 0.3)", "min(candidate.years, mismatches) - 2", "candidate.child ? 1.5 : -candidate.years",
		"worth(candidate.abo) / 3", "floor(-candidate.years / 7) * mismatches", "max(1, 2)", "(candidate.years - 50) * (candidate.years - 50)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "'\n\r") {
			return
		}
		p, err := Parse([]byte(strings.Replace(small, "points: round(candidate.years * 1.25 + candidate.root + worth(candidate.abo)) + candidate.days",
			"points: '"+text+"'", 1)), nil)
		if err == nil {
			sane(t, p.Program)
		}
	})
}

// sane runs a program on the ends of its inputs' ranges.
func sane(t *testing.T, p *Program) {
	ends := func(inputs []InputInfo, high bool) []int64 {
		out := make([]int64, len(inputs))
		for i, in := range inputs {
			if out[i] = in.Low; high {
				out[i] = in.High
			}
		}
		return out
	}
	for _, high := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		values := p.Run(ends(p.Candidate, high[0]), ends(p.Donor, high[1]))
		if p.Fault >= 0 && values[p.Fault] == 1 {
			continue // the tier is outside its range, and the run is refused
		}
		checkRanges(t, p, values)
	}
}

// TestFormatWritesSteps.
func TestFormatWritesSteps(t *testing.T) {
	for _, c := range []struct {
		value int64
		step  string
		want  string
	}{{5, "1", "5"}, {-5, "1/2", "-2.5"}, {1, "1/365", "0.00273972602"}, {10, "1/10", "1"}, {0, "1/3", "0"}} {
		step, ok := parseFraction(c.step)
		if !ok {
			t.Fatal(c.step)
		}
		if got := Format(c.value, step); !strings.HasPrefix(got, c.want) {
			t.Errorf("%d of %s: %s, want %s", c.value, c.step, got, c.want)
		}
	}
}

// TestOffersAndRefusals: how ranks are offered, and by which codes they are refused.
func TestOffersAndRefusals(t *testing.T) {
	p, err := Parse([]byte(small+"offers: {answer_within: 90m}\nrefusals:\n  - {codes: [740-799, 900], text: donor}\n  - {codes: [813], text: antigens}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.AnswerWithin().String(); got != "1h30m0s" {
		t.Error(got)
	}
	for code, want := range map[int]string{739: "", 740: "donor", 799: "donor", 800: "", 813: "antigens", 900: "donor", 0: ""} {
		if text, ok := p.Refusal(code); text != want || ok != (want != "") {
			t.Errorf("code %d is %q", code, text)
		}
	}
	if got := p.RefusalCodes(); got != "740-799, 900 donor; 813 antigens" {
		t.Error(got)
	}
	again, err := Decode(p.Canonical())
	if err != nil || again.Hash != p.Hash || again.AnswerWithin() != p.AnswerWithin() {
		t.Errorf("it is not the same when read again: %v", err)
	}
	for add, want := range map[string]string{
		"offers: {answer_within: soon}":                                    "give a time from 1m0s to 168h0m0s, such as 60m",
		"offers: {answer_within: 10s}":                                     "answer_within is \"10s\"",
		"offers: {}":                                                       "answer_within is \"\"",
		"refusals: [{codes: [], text: a}]":                                 "has 0 codes",
		"refusals: [{codes: [1], text: \"\"}]":                             "is empty",
		"refusals: [{codes: [5-5], text: a}]":                              "\"5-5\" is no code",
		"refusals: [{codes: [9-5], text: a}]":                              "is no code",
		"refusals: [{codes: [\"007\"], text: a}]":                          "is no code",
		"refusals: [{codes: [0], text: a}]":                                "is no code",
		"refusals: [{codes: [1-99999], text: a}]":                          "is no code",
		"refusals: [{codes: [800-826], text: a}, {codes: [813], text: b}]": "code 813 comes twice",
		"refusals: [{codes: [1], text: a, colour: red}]":                   "colour",
	} {
		if _, err := Parse([]byte(small+add+"\n"), nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", add, err, want)
		}
	}
	for _, name := range []string{"etkas", "us-kidney", "meld3-liver"} {
		p, err := Load("../../policies/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for code, want := range map[int]string{740: "donor or logistics", 812: "patient or centre", 813: "unacceptable antigens", 826: "patient or centre", 886: "filtered"} {
			if text, _ := p.Refusal(code); text != want {
				t.Errorf("%s: code %d is %q", name, code, text)
			}
		}
	}
}
