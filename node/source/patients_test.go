package source_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"consilium/job"
)

// made are patients that are written as OMOP tables, as FHIR resources, and as the
// analysis table that their mapping is to give, computed here one by one.
type made struct {
	id         string
	male       bool
	born       time.Time
	conditions []madeEvent
	values     []madeValue
	drugs      []madeDrug
	died       time.Time // zero: alive
	first, end time.Time // observed
}

type madeEvent struct {
	what string // a key of omopConcepts and fhirCodes
	day  time.Time
}

type madeValue struct {
	what, unit, value string
	day               time.Time
}

type madeDrug struct{ first, last time.Time }

// codes are what things are called in OMOP and in FHIR.
var codes = map[string][2]string{
	"heart failure": {"316139", "http://snomed.info/sct|84114007"},
	"acute failure": {"444031", "http://snomed.info/sct|56675007"},
	"diabetes":      {"201826", "http://snomed.info/sct|44054006"},
	"infarction":    {"312327", "http://snomed.info/sct|57054005"},
	"creatinine":    {"3016723", "http://loinc.org|2160-0"},
	"systolic":      {"3004249", "http://loinc.org|8480-6"},
	"mg/dL":         {"8840", "mg/dL"},
	"umol/L":        {"8749", "umol/L"},
	"mmHg":          {"8876", "mm[Hg]"},
	"statin":        {"1539403", ""},
}

func at(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

var (
	indexFrom = at(2015, 1, 1)
	indexTo   = at(2020, 12, 31)
	until     = at(2023, 6, 30)
)

// makePatients draws patients whose days lie around the limits of the rules.
func makePatients(seed uint64, n int, observed bool) []made {
	r := rand.New(rand.NewPCG(seed, 0))
	days := func(from time.Time, span int) time.Time { return from.AddDate(0, 0, r.IntN(span)) }
	var list []made
	for i := range n {
		p := made{id: strconv.Itoa(100 + i*7), male: r.IntN(2) == 1, born: days(at(1930, 1, 1), 29000), first: at(2000, 1, 1), end: at(2023, 12, 31)}
		if observed {
			p.first = days(at(2012, 1, 1), 2000)
			p.end = days(p.first, 2900)
		}
		index := days(at(2014, 10, 1), 2400)
		if r.IntN(10) > 0 {
			p.conditions = append(p.conditions, madeEvent{[]string{"heart failure", "acute failure"}[r.IntN(2)], index})
		}
		for range r.IntN(3) {
			p.conditions = append(p.conditions, madeEvent{[]string{"heart failure", "diabetes", "infarction"}[r.IntN(3)], index.AddDate(0, 0, r.IntN(1200)-600)})
		}
		for range r.IntN(8) {
			v := madeValue{what: "systolic", unit: "mmHg", value: strconv.Itoa(90 + r.IntN(90)), day: index.AddDate(0, 0, r.IntN(14)*10-100)}
			if r.IntN(2) == 0 {
				v = madeValue{"creatinine", "mg/dL", fmt.Sprintf("%.3f", 0.4+3*r.Float64()), v.day}
				if r.IntN(2) == 0 {
					v.unit, v.value = "umol/L", strconv.Itoa(40+r.IntN(300))
				}
			}
			p.values = append(p.values, v)
		}
		for range r.IntN(2) {
			first := index.AddDate(0, 0, r.IntN(400)-300)
			p.drugs = append(p.drugs, madeDrug{first, first.AddDate(0, 0, r.IntN(90))})
		}
		if r.IntN(3) == 0 {
			p.died = index.AddDate(0, 0, 601+r.IntN(1500)) // after all conditions
		}
		list = append(list, p)
	}
	return list
}

// mappedSchema is what the analysis table is declared as.
var mappedSchema = &job.Schema{Columns: []job.Column{
	{Name: "age", Type: job.Integer, Min: "0", Max: "120"},
	{Name: "sex", Type: job.Text, Categories: []string{"f", "m"}},
	{Name: "creatinine", Type: job.Decimal, Step: "0.01", Min: "0", Max: "50"},
	{Name: "creatinine_max", Type: job.Decimal, Step: "0.1", Min: "0", Max: "50"},
	{Name: "pressure", Type: job.Integer, Min: "0", Max: "400"},
	{Name: "first_pressure", Type: job.Integer, Min: "0", Max: "400"},
	{Name: "diabetes", Type: job.Integer, Min: "0", Max: "1"},
	{Name: "time", Type: job.Integer, Min: "0", Max: "10000"},
	{Name: "death", Type: job.Integer, Min: "0", Max: "1"},
	{Name: "mi_time", Type: job.Integer, Min: "0", Max: "10000"},
	{Name: "mi", Type: job.Integer, Min: "0", Max: "2"},
}}

// mappingText is the mapping of a kind, with more columns behind.
func mappingText(kind string, more string) string {
	text := `kind: KIND
folder: .
cohort:
  index: {condition: ["heart failure", "acute failure"], from: 2015-01-01, to: 2020-12-31}
  age: {min: 18, max: 90}
  until: 2023-06-30
columns:
  - {name: age, rule: age}
  - {name: sex, rule: sex, values: SEXES}
  - {name: creatinine, rule: measurement, concepts: ["creatinine"], window: [-90, 0], take: last, units: {"mg/dL": 1, "umol/L": 0.0113}}
  - {name: creatinine_max, rule: measurement, concepts: ["creatinine"], window: [-90, 30], take: max, units: {"mg/dL": 1, "umol/L": 0.0113}}
  - {name: pressure, rule: measurement, concepts: ["systolic"], window: [-100, 100], take: mean, units: {"mmHg": 1}}
  - {name: first_pressure, rule: measurement, concepts: ["systolic"], window: [0, 100], take: first, units: {"mmHg": 1}}
  - {name: diabetes, rule: condition, concepts: ["diabetes"], window: [-365, -1]}
  - {name: time, rule: time}
  - {name: death, rule: event}
  - {name: mi_time, rule: time, concepts: ["infarction"]}
  - {name: mi, rule: event, concepts: ["infarction"]}
`
	place, sexes := 0, `{"8507": m, "8532": f}`
	if kind == "fhir" {
		place, sexes = 1, "{male: m, female: f}"
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text+more, "KIND", kind), "SEXES", sexes)
	for name, code := range codes {
		text = strings.ReplaceAll(text, strconv.Quote(name), strconv.Quote(code[place]))
	}
	return text
}

// expected is the patient's row, or nil if she is not in.
func (p *made) expected() []string {
	var index time.Time
	for _, c := range p.conditions {
		in := (c.what == "heart failure" || c.what == "acute failure") && !c.day.Before(indexFrom) && !c.day.After(indexTo)
		if in && (index.IsZero() || c.day.Before(index)) {
			index = c.day
		}
	}
	last := until
	if p.end.Before(last) {
		last = p.end
	}
	if index.IsZero() || index.Before(p.first) || index.After(last) {
		return nil
	}
	age := index.Year() - p.born.Year()
	if index.Month() < p.born.Month() || index.Month() == p.born.Month() && index.Day() < p.born.Day() {
		age--
	}
	if age < 18 || age > 90 {
		return nil
	}
	death := "0"
	if !p.died.IsZero() && !p.died.After(last) {
		last, death = p.died, "1"
	}
	sex := map[bool]string{true: "m", false: "f"}[p.male]
	diabetes, mi, miDay := "0", "0", last
	if death == "1" {
		mi = "2"
	}
	for _, c := range p.conditions {
		gap := daysBetween(index, c.day)
		if c.what == "diabetes" && gap >= -365 && gap <= -1 {
			diabetes = "1"
		}
		if c.what == "infarction" && gap > 0 && !c.day.After(miDay) {
			mi, miDay = "1", c.day
		}
	}
	days := func(t time.Time) string { return strconv.Itoa(daysBetween(index, t)) }
	return []string{
		strconv.Itoa(age), sex,
		p.taken(index, "creatinine", -90, 0, "last", big.NewRat(1, 100)), p.taken(index, "creatinine", -90, 30, "max", big.NewRat(1, 10)),
		p.taken(index, "systolic", -100, 100, "mean", big.NewRat(1, 1)), p.taken(index, "systolic", 0, 100, "first", big.NewRat(1, 1)),
		diabetes, days(last), death, days(miDay), mi,
	}
}

func daysBetween(a, b time.Time) int { return int(math.Round(b.Sub(a).Hours() / 24)) }

// taken is the patient's measurement by a rule, as a decimal number.
func (p *made) taken(index time.Time, what string, lo, hi int, take string, step *big.Rat) string {
	byDay := map[int][]*big.Rat{}
	for _, v := range p.values {
		gap := daysBetween(index, v.day)
		if v.what != what || gap < lo || gap > hi {
			continue
		}
		x, _ := new(big.Rat).SetString(v.value)
		if v.unit == "umol/L" {
			x.Mul(x, big.NewRat(113, 10000))
		}
		byDay[gap] = append(byDay[gap], x)
	}
	if len(byDay) == 0 {
		return ""
	}
	var gaps []int
	var chosen []*big.Rat
	for gap, list := range byDay {
		gaps = append(gaps, gap)
		chosen = append(chosen, list...)
	}
	switch take {
	case "first":
		chosen = byDay[slices.Min(gaps)]
	case "last":
		chosen = byDay[slices.Max(gaps)]
	case "max":
		chosen = []*big.Rat{slices.MaxFunc(chosen, (*big.Rat).Cmp)}
	}
	mean := new(big.Rat)
	for _, x := range chosen {
		mean.Add(mean, x)
	}
	mean.Quo(mean, new(big.Rat).SetInt64(int64(len(chosen))))
	steps := mean.Quo(mean, step)
	steps.Add(steps, big.NewRat(1, 2))
	whole := new(big.Int).Div(steps.Num(), steps.Denom())
	return new(big.Rat).Mul(new(big.Rat).SetInt(whole), step).FloatString(3)
}

// writeOracle writes the analysis table and returns its rows.
func writeOracle(t *testing.T, path string, list []made) int {
	t.Helper()
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b made) int { return strings.Compare(a.id, b.id) })
	rows := [][]string{mappedSchema.Names()}
	for i := range sorted {
		if row := sorted[i].expected(); row != nil {
			rows = append(rows, row)
		}
	}
	writeCSV(t, path, rows)
	return len(rows) - 1
}

func writeCSV(t *testing.T, path string, rows [][]string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := csv.NewWriter(f).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
}

func date(t time.Time) string { return t.Format(time.DateOnly) }

// writeOMOP writes the patients as tables.
func writeOMOP(t *testing.T, dir string, list []made) {
	t.Helper()
	for name, rows := range omopTables(list) {
		writeCSV(t, filepath.Join(dir, name+".csv"), rows)
	}
}

// omopTables are the patients as tables, with columns and rows besides that no mapping
// names.
func omopTables(list []made) map[string][][]string {
	tables := map[string][][]string{
		"person":               {{"person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "race_concept_id"}},
		"condition_occurrence": {{"condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date"}},
		"DEATH":                {{"person_id", "death_date", "cause_concept_id"}},
		"observation_period":   {{"PERSON_ID", "OBSERVATION_PERIOD_START_DATE", "OBSERVATION_PERIOD_END_DATE"}},
		"measurement":          {{"person_id", "measurement_concept_id", "measurement_date", "value_as_number", "unit_concept_id", "operator_concept_id"}},
		"drug_exposure":        {{"person_id", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date"}},
	}
	add := func(table string, cells ...string) { tables[table] = append(tables[table], cells) }
	for i := range list {
		p := &list[i]
		add("person", p.id, map[bool]string{true: "8507", false: "8532"}[p.male],
			strconv.Itoa(p.born.Year()), strconv.Itoa(int(p.born.Month())), strconv.Itoa(p.born.Day()), "0")
		for k, c := range p.conditions {
			add("condition_occurrence", strconv.Itoa(k), p.id, codes[c.what][0], date(c.day))
		}
		for _, v := range p.values {
			add("measurement", p.id, codes[v.what][0], date(v.day), v.value, codes[v.unit][0], []string{"", "0", "4172703"}[i%3])
		}
		add("measurement", p.id, "999", "no date", "much", "1", "")
		add("measurement", p.id, codes["creatinine"][0], date(p.first), "", "0", "")
		if len(p.values) > 0 { // known to be below a limit
			add("measurement", p.id, codes["creatinine"][0], date(p.values[0].day), "0.1", "8840", "4171756")
		}
		for _, d := range p.drugs {
			add("drug_exposure", p.id, codes["statin"][0], date(d.first), date(d.last))
		}
		if !p.died.IsZero() {
			add("DEATH", p.id, date(p.died), "0")
		}
		add("observation_period", p.id, date(p.first), date(p.end))
	}
	return tables
}

// writeFHIR writes the patients as resources, observations over two files.
func writeFHIR(t *testing.T, dir string, list []made) {
	t.Helper()
	var patients, conditions strings.Builder
	var observations [2]strings.Builder
	put := func(b *strings.Builder, resource map[string]any) {
		line, err := json.Marshal(resource)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	coded := func(what string) map[string]any {
		system, code, _ := strings.Cut(codes[what][1], "|")
		same := map[string]any{"system": system, "code": code, "display": what}
		return map[string]any{"text": what, "coding": []any{map[string]any{"system": "urn:local", "code": "x"}, same, same}}
	}
	k := 0
	for i := range list {
		p := &list[i]
		patient := map[string]any{
			"resourceType": "Patient", "id": p.id, "birthDate": date(p.born), "name": []any{map[string]any{"family": "Made"}},
			"gender": map[bool]string{true: "male", false: "female"}[p.male],
		}
		if !p.died.IsZero() {
			patient["deceasedDateTime"] = date(p.died) + "T23:59:00+01:00"
		}
		put(&patients, patient)
		subject := map[string]any{"reference": []string{"Patient/", "https://fhir.example/Patient/"}[i%2] + p.id}
		for _, c := range p.conditions {
			put(&conditions, map[string]any{"resourceType": "Condition", "subject": subject, "code": coded(c.what), "onsetDateTime": date(c.day)})
		}
		put(&conditions, map[string]any{
			"resourceType": "Condition", "subject": subject, "code": coded("heart failure"), "onsetDateTime": "2015-01-01",
			"verificationStatus": map[string]any{"coding": []any{map[string]any{"code": "refuted"}}},
		})
		for _, v := range p.values {
			k++
			observed := map[string]any{"resourceType": "Observation", "status": "final", "subject": subject, "effectiveDateTime": date(v.day) + "T08:00:00Z"}
			part := observed
			if v.what == "systolic" && k%2 == 1 { // as one of a pair
				part = map[string]any{}
				observed["code"], observed["component"] = coded("heart failure"), []any{map[string]any{"code": coded("infarction")}, part}
			}
			part["code"] = coded(v.what)
			part["valueQuantity"] = map[string]any{"value": json.Number(v.value), "unit": v.unit, "code": codes[v.unit][1], "system": "http://unitsofmeasure.org"}
			put(&observations[k%2], observed)
		}
		put(&observations[0], map[string]any{
			"resourceType": "Observation", "status": "final", "subject": subject, "code": coded("creatinine"), "effectiveDateTime": date(p.first),
			"valueQuantity": map[string]any{"value": 0.1, "comparator": "<", "code": "other"},
		})
	}
	for name, b := range map[string]*strings.Builder{
		"Patient.ndjson": &patients, "Condition.000.ndjson": &conditions, "Observation.ndjson": &observations[0], "Observation-2.ndjson": &observations[1],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
