package mapping

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"consilium/job"
)

const good = `kind: omop
folder: /data/omop
cohort:
  index: {condition: [316139], from: 2015-01-01, to: 2020-12-31, incident: true}
columns:
  - {name: age, rule: age}
  - {name: creatinine, rule: measurement, concepts: [3016723], window: [-30, 0], take: last, units: {8840: 1}}
  - {name: time, rule: time}
  - {name: death, rule: event}
`

func TestGoodMapping(t *testing.T) {
	m, err := Parse("m.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Header(), " "); got != "age creatinine time death" {
		t.Errorf("the columns are %s", got)
	}
	if got := strings.Join(m.Relations(), " "); got != "persons conditions deaths periods measurements" {
		t.Errorf("the relations are %s", got)
	}
	served, err := Parse("m.yaml", []byte(strings.Replace(good, "folder: /data/omop\n", "", 1)))
	if err != nil || !served.Served() || m.Served() {
		t.Errorf("a mapping without a folder is of a server: %v", err)
	}
	schema := &job.Schema{Columns: []job.Column{{Name: "creatinine", Type: job.Text}}}
	if _, _, err := m.Query(schema); err == nil || !strings.Contains(err.Error(), "creatinine") {
		t.Errorf("a measurement for a text column: %v", err)
	}
}

// TestBadMappings changes one thing of a good mapping, which must then be refused with
// a line that names it.
func TestBadMappings(t *testing.T) {
	for name, c := range map[string]struct{ from, to, word string }{
		"kind":            {"kind: omop", "kind: omob", `unknown kind "omob"`},
		"no kind":         {"kind: omop", "", "kind is missing"},
		"unknown key":     {"folder:", "folders:", "unknown key"},
		"unknown rule":    {"rule: age", "rule: aged", `unknown rule "aged"`},
		"file":            {"folder: /data/omop", "folder: x\nfile: y", "leave out file"},
		"twice":           {"name: age", "name: time", `column "time" comes twice`},
		"no name":         {"name: age, ", "", "column 1 has no name"},
		"foreign key":     {"rule: age", "rule: age, take: last", "rule age has no take"},
		"missing key":     {"take: last, ", "", "needs take"},
		"take":            {"take: last", "take: latest", `unknown take "latest"`},
		"no units":        {"units: {8840: 1}", "units: {}", "units: name at least one"},
		"factor":          {"8840: 1", "8840: -1", "is no factor"},
		"zero":            {"8840: 1", "8840: 0.0", "is no factor"},
		"unit twice":      {"8840: 1", "8840: 1, 8840: 2", "already defined"},
		"window":          {"[-30, 0]", "[0, -30]", "window"},
		"window of one":   {"[-30, 0]", "[0]", "window"},
		"concept":         {"[3016723]", "[creatinine]", "is no concept id"},
		"concept 0":       {"[3016723]", "[0]", "is no concept id"},
		"concept twice":   {"[3016723]", "[3016723, 3016723]", "one comes twice"},
		"no concept":      {"[3016723]", "[]", "name 1 to"},
		"index":           {"condition: [316139], ", "", "cohort: index"},
		"days":            {"from: 2015-01-01", "from: 2021-01-01", "to is before from"},
		"no day":          {"from: 2015-01-01", "from: 01.01.2015", "write a day"},
		"no such day":     {"from: 2015-01-01", "from: 2015-02-30", "write a day"},
		"time alone":      {"  - {name: death, rule: event}\n", "", "stands alone"},
		"age":             {"incident: true}", "incident: true}\n  age: {min: 90, max: 18}", "age is 90 to 18"},
		"FHIR without to": {"kind: omop", "kind: fhir", "is no code of FHIR"},
		"table":           {"kind: omop", "kind: table", "file is missing"},
	} {
		if !strings.Contains(good, c.from) {
			t.Fatalf("%s: %q is not there", name, c.from)
		}
		_, err := Parse("m.yaml", []byte(strings.Replace(good, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say %q", name, err, c.word)
		}
	}
}

func TestDates(t *testing.T) {
	for text, want := range map[string]string{
		"2015-03-02": "2015-03-02", "2015-03": "2015-03-01", "2015": "2015-01-01", "2015-03-02T23:59:59+14:00": "2015-03-02",
		"2015-03-02 00:00:00": "2015-03-02", "2016-02-29": "2016-02-29",
	} {
		d, ok := parseDate(text)
		if !ok || d.at(1, 1).Format(time.DateOnly) != want {
			t.Errorf("%s is %v (%v), want %s", text, d, ok, want)
		}
	}
	for _, text := range []string{"", "2015-2-3", "2015-13", "2015-02-30", "15-02-03", "2015-02-03-04", "+015-02-03", "2015-00", "9999", "1700", "2015-03-02x"} {
		if d, ok := parseDate(text); ok {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
	for text, want := range map[string]int64{"1950": 19500701, "1950-04": 19500415, "1950-04-02": 19500402} {
		d, _ := parseDate(text)
		if got := dateNumber(d.born()); got != want {
			t.Errorf("who is born %s counts as born %d, want %d", text, got, want)
		}
	}
}

// TestValues compares with exact fractions over the whole range.
func TestValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.Int64Range(-999_999_999_999_999_999, 999_999_999_999_999_999).Draw(t, "digits")
		power := rapid.IntRange(-20, 5).Draw(t, "power")
		text := fmt.Sprintf("%de%d", digits, power)
		x, _ := new(big.Rat).SetString(text)
		got, problem := value(text)
		if x.Cmp(big.NewRat(maxValue, 1)) >= 0 || x.Cmp(big.NewRat(-maxValue, 1)) <= 0 {
			if problem == "" {
				t.Fatalf("%s is taken", text)
			}
			return
		}
		off := new(big.Rat).Sub(x, new(big.Rat).SetFrac64(got, 100_000_000))
		if problem != "" || off.Abs(off).Cmp(big.NewRat(1, 200_000_000)) > 0 {
			t.Fatalf("%s is %d: %s", text, got, problem)
		}
	})
	for _, text := range []string{"", "x", "1/2", "0x10", "inf", "NaN", "1e999999999", "1e-999999", "1p5", "1_0", strings.Repeat("1", 100)} {
		if v, problem := value(text); problem == "" {
			t.Errorf("%q is taken for %d", text, v)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse("m.yaml", []byte(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if m.Kind == Table {
			return
		}
		schema := &job.Schema{Columns: []job.Column{{Name: m.Columns[0].Name, Type: job.Decimal, Step: "0.1", Min: "0", Max: "1"}}}
		if _, _, err := m.Query(schema); err != nil {
			t.Error(err)
		}
	})
}

// FuzzReadResource reads hostile lines. What it emits fits the relation's fields.
func FuzzReadResource(f *testing.F) {
	m, err := Parse("m.yaml", []byte(`kind: fhir
folder: x
cohort: {index: {condition: ["s|c"], from: 2015-01-01, to: 2020-12-31}, until: 2023-01-01}
columns: [{name: x, rule: measurement, concepts: ["s|x"], window: [0, 0], take: last, units: {u: 1}}]
`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, []byte(`{"resourceType": "Patient", "id": "1", "birthDate": "1950-01", "deceasedDateTime": "2015-01-01T00:00:00Z"}`))
	f.Add(1, []byte(`{"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "onsetDateTime": "2016", "code": {"coding": [{"system": "s", "code": "c"}]}}`))
	f.Add(2, []byte(`{"resourceType": "Observation", "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2016-01-01", "code": {"coding": [{"system": "s", "code": "x"}]}, "valueQuantity": {"value": 1e3, "unit": "u"}}`))
	f.Add(2, []byte(`{"resourceType": "Observation", "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2016-01-01", "component": [{}, {"code": {"coding": [{"system": "s", "code": "x"}]}, "valueQuantity": {"value": 1, "unit": "u"}}]}`))
	f.Add(0, []byte(`{"resourceType": "Patient", "id": "1", "deceasedBoolean": true}`))
	f.Fuzz(func(t *testing.T, kind int, line []byte) {
		r := m.NewReader(at(2024, 1, 1))
		bad, err := r.ReadResource([]string{Patient, ConditionResource, Observation}[uint(kind)%3], line, func(relation string, row []any) error {
			fields := Fields(relation)
			if len(row) != len(fields) {
				t.Fatalf("%d cells for %d fields of %s", len(row), len(fields), relation)
			}
			for i, f := range fields {
				_, text := row[i].(string)
				_, number := row[i].(int64)
				if text != f.Text || !f.Text && !number && row[i] != nil {
					t.Errorf("%s.%s is a %T", relation, f.Name, row[i])
				}
			}
			return nil
		})
		if err != nil || bad != nil && (bad.Column == "" || bad.Problem == "") {
			t.Errorf("%v, %v", bad, err)
		}
	})
}

func at(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// FuzzRead reads hostile rows of OMOP's tables: none is taken whose days or numbers
// are not what they should be, and none stops the reader.
func FuzzRead(f *testing.F) {
	m, err := Parse("m.yaml", []byte(good+"  - {name: drug, rule: drug, concepts: [1], window: [0, 0]}\n"))
	if err != nil {
		f.Fatal(err)
	}
	sources := m.Sources()
	f.Add(0, "1", "8507", "1950", "1", "31", "")
	f.Add(4, "1", "3016723", "2015-01-01", "1.5", "8840", "4172703")
	f.Add(5, "1", "1", "2015-01-01", "2015-01-31", "", "")
	f.Fuzz(func(t *testing.T, table int, a, b, c, d, e, g string) {
		s := &sources[uint(table)%uint(len(sources))]
		cells := []string{a, b, c, d, e, g}[:len(s.Columns)+len(s.Optional)]
		bad, err := m.NewReader(at(2024, 1, 1)).Read(s, cells, func(relation string, row []any) error {
			if len(row) != len(Fields(relation)) || row[0] == "" {
				t.Errorf("%v for %s", row, relation)
			}
			return nil
		})
		if err != nil || bad != nil && (bad.Column == "" || bad.Problem == "") {
			t.Errorf("%v, %v", bad, err)
		}
	})
}
