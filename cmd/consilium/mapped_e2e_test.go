package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"consilium/job"
)

// mappedFiles are three hospitals' tables of ten patients, of whom seven are in, and
// the mapping of each.
const mappedFiles = `
-- hospital-1/omop.yaml --
kind: omop
folder: tables
cohort:
  index: {condition: [316139], from: 2015-01-01, to: 2020-12-31}
columns:
  - {name: age, rule: age}
  - {name: creatinine, rule: measurement, concepts: [3016723], window: [-30, 0], take: last, units: {8840: 1, 8749: 0.0113}}
  - {name: time, rule: time}
  - {name: death, rule: event}
-- hospital-1/tables/person.csv --
person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth
1,8507,1950,5,1
2,8532,1960,,
3,8532,1940,1,1
4,8507,1970,2,2
-- hospital-1/tables/condition_occurrence.csv --
person_id,condition_concept_id,condition_start_date
1,316139,2016-05-01
1,316139,2017-01-01
2,316139,2016-06-30
3,201826,2016-01-01
4,316139,2019-03-01
-- hospital-1/tables/measurement.csv --
person_id,measurement_concept_id,measurement_date,value_as_number,unit_concept_id
1,3016723,2016-04-30,100,8749
1,3016723,2016-03-01,9,8840
2,3016723,2016-06-30,1.5,8840
2,3016723,2016-06-30,2.5,8840
4,3016723,2016-06-30,7,8840
-- hospital-1/tables/death.csv --
person_id,death_date
1,2016-05-31
-- hospital-1/tables/observation_period.csv --
person_id,observation_period_start_date,observation_period_end_date
1,2010-01-01,2020-12-31
2,2010-01-01,2016-07-10
3,2010-01-01,2020-12-31
4,2010-01-01,2018-12-31
-- hospital-2/fhir.yaml --
kind: fhir
folder: export
cohort:
  index: {condition: ["http://snomed.info/sct|84114007"], from: 2015-01-01, to: 2020-12-31}
  until: 2021-01-01
columns:
  - {name: age, rule: age}
  - {name: creatinine, rule: measurement, concepts: ["http://loinc.org|2160-0"], window: [-30, 0], take: last, units: {mg/dL: 1}}
  - {name: time, rule: time}
  - {name: death, rule: event}
-- hospital-2/export/Patient.ndjson --
{"resourceType": "Patient", "id": "a", "birthDate": "1950-05-01", "deceasedDateTime": "2020-12-31"}
{"resourceType": "Patient", "id": "b", "birthDate": "1980-05-01"}
{"resourceType": "Patient", "id": "c", "birthDate": "1980-05-01"}
-- hospital-2/export/Condition.ndjson --
{"resourceType": "Condition", "subject": {"reference": "Patient/a"}, "onsetDateTime": "2020-12-01", "code": {"coding": [{"system": "http://snomed.info/sct", "code": "84114007"}]}}
{"resourceType": "Condition", "subject": {"reference": "Patient/b"}, "onsetDateTime": "2020-12-12", "code": {"coding": [{"system": "http://snomed.info/sct", "code": "84114007"}]}}
-- hospital-2/export/Observation.ndjson --
{"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/a"}, "effectiveDateTime": "2020-11-25", "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}, "valueQuantity": {"value": 0.87, "code": "mg/dL"}}
-- hospital-4/table.yaml --
kind: table
file: export.csv
columns:
  - {name: age, from: AGE_YRS}
  - {name: creatinine, from: KREA, factor: 0.0113}
  - {name: time, from: DAYS}
  - {name: death, from: STATUS, values: {alive: "0", dead: "1"}}
-- hospital-4/export.csv --
AGE_YRS,KREA,DAYS,STATUS
71,88,40,dead
52,,50,alive
33,177,5,alive
`

// TestMappedSites runs jobs over sites that hold OMOP tables, FHIR resources and a
// table under other names.
func TestMappedSites(t *testing.T) {
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(mappedFiles)).Files {
		path := filepath.Join(dir, f.Name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		write(t, path, string(f.Data))
	}
	d := job.Dataset{Name: "failure", Schema: job.Schema{Columns: []job.Column{
		{Name: "age", Type: job.Integer, Min: "0", Max: "120"},
		{Name: "creatinine", Type: job.Decimal, Step: "0.01", Min: "0", Max: "50"},
		{Name: "time", Type: job.Integer, Min: "0", Max: "4000"},
		{Name: "death", Type: job.Integer, Min: "0", Max: "1", Categories: []string{"0", "1"}},
	}}}
	files := map[string]string{}
	for node, mapping := range map[string]string{"hospital-1": "omop.yaml", "hospital-2": "fhir.yaml", "hospital-4": "table.yaml"} {
		files[node] = filepath.Join(dir, node, mapping)
	}
	for _, node := range []string{"hospital-1", "hospital-2", "hospital-4"} {
		d.Sites = append(d.Sites, job.Site{Node: node, Rows: 5})
	}
	w := startWorld(t, dir, []job.Dataset{d}, map[string]map[string]string{d.Name: files})

	// Ages 66, 55 (on the day before 1 July, as which 1960 alone counts), 70, 40, 71, 52, 33.
	ask := func(text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "job.yaml")
		write(t, path, "study: test\ndataset: failure\n"+text)
		stdout, stderr, code := program(t, "run", "--yes", "--csv", "--client", w.layout.ClientDir(), path)
		if code != 0 {
			t.Fatalf("%q: exit code %d, %s", text, code, stderr)
		}
		return stdout
	}
	got := ask("analysis: describe\nargs: {columns: [age, creatinine, time, death]}\n")
	// creatinine: 100 umol/L = 1.13, the mean of 1.5 and 2.5, 0.87, 88 umol/L = 0.99, 177 umol/L = 2.00
	for _, want := range []string{
		"age,n,7", "age,sum,387", "creatinine,n,5", "creatinine,missing,2", "creatinine,sum,6.99",
		"time,sum,185", "death,sum,3",
	} {
		if !strings.Contains(got, ","+want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}

	// What is wrong with a record stays at home, by place.
	check := []string{"datasets", "check", "--roster", filepath.Join(w.layout.ClientDir(), "study.roster"), "--dataset", d.Name, "--node", "hospital-1", files["hospital-1"]}
	if stdout, stderr, code := program(t, check...); code != 0 || !strings.Contains(stdout, "fits") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	out := filepath.Join(dir, "table.csv")
	stdout, stderr, code := program(t, "datasets", "export", "--roster", check[3], "--dataset", d.Name, "--out", out, files["hospital-1"])
	exported, err := os.ReadFile(out)
	if err != nil || code != 0 || string(exported) != "age,creatinine,time,death\n66,1.13,30,1\n55,2,10,0\n" {
		t.Errorf("exit code %d, %s%s, %v:\n%s", code, stdout, stderr, err, exported)
	}
	tables := filepath.Join(dir, "hospital-1", "tables", "measurement.csv")
	text, err := os.ReadFile(tables)
	must(t, err)
	write(t, tables, string(text)+"2,3016723,2016-06-30,4711,1111\n")
	stdout, stderr, code = program(t, check...)
	if code != 1 || !strings.Contains(stdout, "measurement.csv: row 6, column unit_concept_id: ") || strings.Contains(stdout+stderr, "4711") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}
