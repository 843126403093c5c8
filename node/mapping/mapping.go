package mapping

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"consilium/job"
)

// Kind is what a mapping reads.
type Kind string

// The kinds.
const (
	OMOP  Kind = "omop"  // tables of the OMOP common data model, version 5.3 or later
	FHIR  Kind = "fhir"  // resources of FHIR R4 in NDJSON, as bulk export gives them
	Table Kind = "table" // one table, one row a row
)

// Mapping is a mapping file. Relative paths in the file are relative to the file
// itself; in the struct they are ready to open.
type Mapping struct {
	Kind    Kind     `yaml:"kind"`
	Folder  string   `yaml:"folder"` // omop, fhir: where the files lie; of omop in a database server nothing
	File    string   `yaml:"file"`   // table: a CSV or Parquet file
	Cohort  *Cohort  `yaml:"cohort"` // omop, fhir
	Columns []Column `yaml:"columns"`

	name string // base name of the file, for errors
}

// Cohort says which persons have a row, and what its days count from and to.
type Cohort struct {
	Index    Index  `yaml:"index"`
	Age      *Range `yaml:"age"`   // in completed years at the index day
	FollowUp string `yaml:"until"` // last day of follow-up, when the data were taken; omop: beside the end of the observation period
}

// Index is the event from which a person counts: the first condition of these
// concepts within the days.
type Index struct {
	Condition []string `yaml:"condition"`
	From      string   `yaml:"from"` // first day, such as 2015-01-01
	To        string   `yaml:"to"`   // last day
	Incident  bool     `yaml:"incident"`
}

// Range is a closed range of whole numbers.
type Range struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Column is a column of the analysis table and the rule by which it comes about.
type Column struct {
	Name string `yaml:"name"`
	Rule Rule   `yaml:"rule"`
	From string `yaml:"from"` // table: the column there

	Concepts []string          `yaml:"concepts"` // measurement, condition, drug, time, event
	Window   []int             `yaml:"window"`   // measurement, condition, drug: first and last day, counted from the index day
	Take     Take              `yaml:"take"`     // measurement
	Units    map[string]string `yaml:"units"`    // measurement: unit -> factor into the column's unit
	Values   map[string]string `yaml:"values"`   // sex, table: what stands there -> the column's category
	Factor   string            `yaml:"factor"`   // table: into the column's unit
}

// Rule is how a column comes about.
type Rule string

// The rules. A table has none but column.
const (
	Age         Rule = "age"         // completed years at the index day
	Sex         Rule = "sex"         // as the person's record says
	Measurement Rule = "measurement" // a value within the window
	Condition   Rule = "condition"   // 1 if one starts within the window, else 0
	Drug        Rule = "drug"        // 1 if an exposure overlaps the window, else 0
	Time        Rule = "time"        // days from the index day to the event or the end of follow-up
	Event       Rule = "event"       // 1 if the event ended follow-up; with concepts 2 if a death came before it
	Copy        Rule = "column"      // table: the cell
)

// Take says which of several measurements counts. Of first and last it is the mean of
// that day. Whatever is taken is rounded to the column's declared step.
type Take string

// The ways to take.
const (
	First Take = "first"
	Last  Take = "last"
	Mean  Take = "mean"
	Least Take = "min"
	Most  Take = "max"
)

// maxFile caps a mapping file, in bytes.
const maxFile = 1 << 20

// Load reads and checks a mapping file.
func Load(path string) (*Mapping, error) {
	text, err := job.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	m, err := Parse(filepath.Base(path), text)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if m.Folder != "" {
		m.Folder = job.Within(dir, m.Folder)
	}
	m.File = job.Within(dir, m.File)
	return m, nil
}

// Served tells whether the mapping is of tables in a database server.
func (m *Mapping) Served() bool { return m.Kind == OMOP && m.Folder == "" }

// Parse reads and checks the text of a mapping file of that name.
func Parse(name string, text []byte) (*Mapping, error) {
	m := &Mapping{name: name}
	if err := job.DecodeYAML(name, text, maxFile, m); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// Header lists the columns of the analysis table.
func (m *Mapping) Header() []string {
	names := make([]string, len(m.Columns))
	for i := range m.Columns {
		names[i] = m.Columns[i].Name
	}
	return names
}

// concepts lists all concepts that columns of a rule name.
func (m *Mapping) concepts(rules ...Rule) []string {
	var list []string
	for i := range m.Columns {
		if c := &m.Columns[i]; slices.Contains(rules, c.Rule) {
			list = append(list, c.Concepts...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// conditionConcepts are those of the index event and of all columns.
func (m *Mapping) conditionConcepts() []string {
	list := append(m.concepts(Condition, Time, Event), m.Cohort.Index.Condition...)
	slices.Sort(list)
	return slices.Compact(list)
}

func (m *Mapping) has(rule Rule) bool {
	return slices.ContainsFunc(m.Columns, func(c Column) bool { return c.Rule == rule })
}

// known tells whether a text is one of a list, and lists it if not.
func known[T ~string](what string, got T, list ...T) error {
	if slices.Contains(list, got) {
		return nil
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = string(s)
	}
	if got == "" {
		return fmt.Errorf("%s is missing: use %s", what, strings.Join(names, ", "))
	}
	return fmt.Errorf("unknown %s %q: %s", what, job.Printable(string(got), 64), job.Near(string(got), names))
}
