package source_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
	"consilium/node/source"
)

// codesOf reads every column of a source, null as nil.
func codesOf(t *testing.T, path string, schema *job.Schema, rows int) [][]any {
	t.Helper()
	return codesOfSetting(t, source.Setting{Path: path}, schema, rows)
}

func codesOfSetting(t *testing.T, setting source.Setting, schema *job.Schema, rows int) [][]any {
	t.Helper()
	s, err := source.OpenSetting(t.Context(), setting, schema, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var vectors []job.Vector
	for _, name := range schema.Names() {
		vectors = append(vectors, job.Vector{Name: name, Column: name})
	}
	r, err := s.Rows(t.Context(), nil, vectors)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var all [][]any
	for r.Next() {
		record := r.Record()
		for i := range int(record.NumRows()) {
			row := make([]any, 0, len(vectors)+1)
			for j := range vectors {
				var cell any
				if record.Column(2*j + 1).(*array.Boolean).Value(i) {
					cell = record.Column(2 * j).(*array.Int64).Value(i)
				}
				row = append(row, cell)
			}
			all = append(all, append(row, record.Column(2*len(vectors)).(*array.Boolean).Value(i)))
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func compareRows(t *testing.T, what string, got, want [][]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	wrong := 0
	for i := range want {
		for j := range want[i] {
			if got[i][j] != want[i][j] {
				if wrong++; wrong < 10 {
					t.Errorf("%s: row %d, column %d is %v, want %v", what, i, j, got[i][j], want[i][j])
				}
			}
		}
	}
}

// TestMappingsGiveTheSameTable maps the same patients from OMOP and from FHIR, and
// compares with the table that is computed patient by patient.
func TestMappingsGiveTheSameTable(t *testing.T) {
	for seed := range uint64(3) {
		list := makePatients(seed, 600, false)
		dir := t.TempDir()
		oracle := filepath.Join(dir, "oracle.csv")
		rows := writeOracle(t, oracle, list)
		if rows < 200 || rows > 580 {
			t.Fatalf("%d of 600 patients are in: the rules are hardly tried", rows)
		}
		want := codesOf(t, oracle, mappedSchema, rows+3)
		writeOMOP(t, dir, list)
		writeFHIR(t, dir, list)
		for _, kind := range []string{"omop", "fhir"} {
			path := filepath.Join(dir, kind+".yaml")
			write(t, path, mappingText(kind, ""))
			compareRows(t, kind, codesOf(t, path, mappedSchema, rows+3), want)
		}
	}
}

// TestObservationPeriodsBoundFollowUp has every person observed for a time of her own,
// and drugs, which OMOP alone has.
func TestObservationPeriodsBoundFollowUp(t *testing.T) {
	list := makePatients(9, 800, true)
	dir := t.TempDir()
	oracle := filepath.Join(dir, "oracle.csv")
	rows := writeOracle(t, oracle, list)
	writeOMOP(t, dir, list)
	path := filepath.Join(dir, "omop.yaml")
	write(t, path, mappingText("omop", `  - {name: statin, rule: drug, concepts: ["statin"], window: [-30, 0]}`+"\n"))
	compareRows(t, "omop", codesOf(t, path, mappedSchema, rows), codesOf(t, oracle, mappedSchema, rows))

	schema := &job.Schema{Columns: append(mappedSchema.Columns[:len(mappedSchema.Columns):len(mappedSchema.Columns)],
		job.Column{Name: "statin", Type: job.Integer, Min: "0", Max: "1"})}
	on := int64(0)
	for _, row := range codesOf(t, path, schema, rows) {
		on += row[len(mappedSchema.Columns)].(int64)
	}
	want := int64(0)
	for i := range list {
		if p := &list[i]; p.expected() != nil && p.onStatin() {
			want++
		}
	}
	if on != want || want == 0 {
		t.Errorf("%d persons have the drug, want %d", on, want)
	}
}

func (p *made) onStatin() bool {
	index := indexTo.AddDate(1, 0, 0)
	for _, c := range p.conditions {
		if strings.HasSuffix(c.what, "failure") && !c.day.Before(indexFrom) && c.day.Before(index) {
			index = c.day
		}
	}
	for _, d := range p.drugs {
		if daysBetween(index, d.first) <= 0 && daysBetween(index, d.last) >= -30 {
			return true
		}
	}
	return false
}

// TestBadRecordsAreNamedByPlace breaks one record after the other. No message may
// hold what stands there.
func TestBadRecordsAreNamedByPlace(t *testing.T) {
	for name, c := range map[string]struct {
		kind, file, add string
		words           []string
	}{
		"future":     {"omop", "condition_occurrence.csv", "1,4711,316139,2999-01-01\n", []string{"condition_occurrence.csv: row ", "condition_start_date", "in the future"}},
		"no date":    {"omop", "condition_occurrence.csv", "1,4711,316139,31.01.4712\n", []string{"condition_start_date", "not a date"}},
		"no day":     {"omop", "condition_occurrence.csv", "1,4711,316139,2015-02-30\n", []string{"not a date"}},
		"no number":  {"omop", "measurement.csv", "4711,3016723,2015-01-01,4712!,8840,\n", []string{"measurement.csv: row ", "value_as_number", "not a number"}},
		"unit":       {"omop", "measurement.csv", "4711,3016723,2015-01-01,1,4713,0\n", []string{"unit_concept_id", `column "creatinine"`, "under units"}},
		"no person":  {"omop", "measurement.csv", ",3016723,2015-01-01,1,8840,\n", []string{"person_id", "blank"}},
		"twice":      {"omop", "person.csv", "100,8507,1950,1,1,0\n", []string{"omop.yaml: ", "more than one person: 1"}},
		"dead":       {"omop", "condition_occurrence.csv", "1,DEAD,316139,2020-12-31\n", []string{"died before their index day: 1"}},
		"backwards":  {"omop", "observation_period.csv", "4711,2015-01-02,2015-01-01\n", []string{"before the start"}},
		"not JSON":   {"fhir", "Observation.ndjson", `{"resourceType": 4711}` + "\n", []string{"Observation.ndjson: row ", "not JSON in the form"}},
		"other type": {"fhir", "Patient.ndjson", `{"resourceType": "Group", "id": "4711"}` + "\n", []string{"resourceType: not Patient"}},
		"FHIR unit": {"fhir", "Observation.ndjson", `{"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/4711"}, "effectiveDateTime": "2015-01-01",` +
			`"code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}, "valueQuantity": {"value": 1, "unit": "4713"}}` + "\n", []string{"valueQuantity.code", "under units"}},
		"component": {"fhir", "Observation.ndjson", `{"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/4711"}, "effectiveDateTime": "2015-01-01",` +
			`"component": [{"code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}, "valueQuantity": {"value": 1, "unit": "4713"}}]}` + "\n", []string{"component.valueQuantity.code", "under units"}},
		"FHIR date":  {"fhir", "Patient.ndjson", `{"resourceType": "Patient", "id": "4711", "birthDate": "4713"}` + "\n", []string{"birthDate", "not a date"}},
		"FHIR twice": {"fhir", "Patient.ndjson", `{"resourceType": "Patient", "id": "100"}` + "\n", []string{"more than one person: 1"}},
		"cut":        {"fhir", "Condition.000.ndjson", `{"resourceType": "Condition", "code": {"cod`, []string{"Condition.000.ndjson: row ", "not JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			list := makePatients(1, 20, false)
			const dead = "7"
			list = append(list, made{id: dead, born: at(1950, 1, 1), first: at(2000, 1, 1), end: at(2023, 12, 31), died: at(2014, 1, 1)})
			dir := t.TempDir()
			writeOMOP(t, dir, list)
			writeFHIR(t, dir, list)
			path := filepath.Join(dir, c.kind+".yaml")
			write(t, path, mappingText(c.kind, ""))
			f, err := os.OpenFile(filepath.Join(dir, c.file), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(strings.ReplaceAll(c.add, "DEAD", dead)); err != nil {
				t.Fatal(err)
			}
			f.Close()
			s, err := source.Open(t.Context(), path, mappedSchema, 1000)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Check(t.Context())
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q: %v", w, err)
				}
			}
			if strings.Contains(err.Error(), "471") {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

// TestDeathOnAnUnknownDay: who is dead since nobody knows when does not count as alive,
// and does not matter where no follow-up is asked for.
func TestDeathOnAnUnknownDay(t *testing.T) {
	list := makePatients(1, 40, false)
	dead := 0
	for i := range list {
		if p := &list[i]; p.expected() != nil && !p.died.IsZero() {
			dead++
		}
	}
	dir := t.TempDir()
	writeFHIR(t, dir, list)
	patients := filepath.Join(dir, "Patient.ndjson")
	text, err := os.ReadFile(patients)
	if err != nil {
		t.Fatal(err)
	}
	write(t, patients, regexp.MustCompile(`"deceasedDateTime":"[^"]*"`).ReplaceAllString(string(text), `"deceasedBoolean":true`))
	followed, plain := filepath.Join(dir, "followed.yaml"), filepath.Join(dir, "plain.yaml")
	write(t, followed, mappingText("fhir", ""))
	before, _, _ := strings.Cut(mappingText("fhir", ""), "  - {name: time")
	write(t, plain, before)
	wantError := fmt.Sprintf("followed.yaml: persons of the cohort who died on a day that is not recorded: %d;", dead)
	for path, want := range map[string]string{followed: wantError, plain: ""} {
		schema := &job.Schema{Columns: mappedSchema.Columns[:7]}
		if want != "" {
			schema = mappedSchema
		}
		s, err := source.Open(t.Context(), path, schema, 1000)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Check(t.Context())
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		s.Close()
	}
}

// TestExportIsTheSameTable writes a mapped table, which reads like its mapping; the
// tables are Parquet files this time.
func TestExportIsTheSameTable(t *testing.T) {
	list := makePatients(5, 200, false)
	dir := t.TempDir()
	writeOMOP(t, dir, list)
	for _, table := range []string{"measurement", "person"} {
		toParquet(t, filepath.Join(dir, table+".csv"), filepath.Join(dir, strings.ToUpper(table)+".PARQUET"))
	}
	path, table := filepath.Join(dir, "omop.yaml"), filepath.Join(dir, "table.csv")
	write(t, path, mappingText("omop", ""))
	f, err := os.Create(table)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := source.Export(t.Context(), path, mappedSchema, f)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "oracle.csv")
	if n := writeOracle(t, want, list); n != rows {
		t.Fatalf("%d rows are written, want %d", rows, n)
	}
	compareRows(t, "export", codesOf(t, table, mappedSchema, rows), codesOf(t, want, mappedSchema, rows))
	columnar := filepath.Join(dir, "table.parquet")
	p, err := os.Create(columnar)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if n, err := source.ExportParquet(t.Context(), path, mappedSchema, p); n != rows || err != nil {
		t.Fatalf("%d rows are written, want %d: %v", n, rows, err)
	}
	compareRows(t, "Parquet", codesOf(t, columnar, mappedSchema, rows), codesOf(t, want, mappedSchema, rows))
	write(t, filepath.Join(dir, "death.csv"), "person_id\n")
	if _, err := source.Export(t.Context(), path, mappedSchema, f); err == nil {
		t.Error("a mapping that cannot be read is exported")
	}
}

// toParquet has DuckDB turn a CSV file into a Parquet file of types of its choice.
func toParquet(t *testing.T, from, to string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("COPY (SELECT * FROM read_csv('" + from + "', header = true)) TO '" + to + "' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(from); err != nil {
		t.Fatal(err)
	}
}

// TestMissingFilesAndColumns says which.
func TestMissingFilesAndColumns(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "omop.yaml")
	write(t, path, mappingText("omop", ""))
	wantOpenError(t, path, "has no file of table person")
	writeOMOP(t, dir, makePatients(1, 5, false))
	write(t, filepath.Join(dir, "person.csv.gz"), "x")
	wantOpenError(t, path, "has 2 files of table person")
	write(t, path, mappingText("fhir", ""))
	wantOpenError(t, path, "has no Patient resources")
	write(t, path, "kind: table\nfile: death.csv\ncolumns: [{name: age, from: years}]\n")
	write(t, filepath.Join(dir, "death.csv"), "person_id\n1\n")
	wantOpenError(t, path, "column years is not in its header")
}

func wantOpenError(t *testing.T, path, words string) {
	t.Helper()
	s, err := source.Open(t.Context(), path, mappedSchema, 10)
	if err == nil {
		s.Close()
		t.Fatalf("it is opened, want %q", words)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("%v does not say %q", err, words)
	}
}

// TestPlainTableIsRenamed gives columns other names, words and units.
func TestPlainTableIsRenamed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "data.csv"), "WT,GENDER,AGE_YRS\n150,M,50\n-9,F,\nNA,M,61\n101.4,F,7\n")
	path := filepath.Join(dir, "map.yaml")
	write(t, path, "kind: table\nfile: data.csv\ncolumns:\n  - {name: sex, from: GENDER, values: {M: m, F: f}}\n  - {name: weight, from: WT, factor: 0.4536}\n  - {name: age, from: AGE_YRS}\n")
	schema := &job.Schema{Columns: []job.Column{
		{Name: "age", Type: job.Integer, Min: "0", Max: "120"},
		{Name: "sex", Type: job.Text, Categories: []string{"f", "m"}},
		{Name: "weight", Type: job.Decimal, Step: "0.1", Min: "0", Max: "500", Missing: []string{"-9", "NA"}},
	}}
	want := [][]any{{int64(50), int64(1), int64(680), true}, {nil, int64(0), nil, true}, {int64(61), int64(1), nil, true}, {int64(7), int64(0), int64(460), true}}
	compareRows(t, "table", codesOf(t, path, schema, 4), want)
}
