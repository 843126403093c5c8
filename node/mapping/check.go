package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"consilium/job"
)

// Limits of a mapping file.
const (
	maxColumns  = 4096
	maxConcepts = 10_000 // of one rule
	maxCode     = 256    // bytes of a concept, unit or value
	maxWindow   = 36_600 // days
	maxAge      = 150
)

func (m *Mapping) check() error {
	if err := known("kind", m.Kind, OMOP, FHIR, Table); err != nil {
		return err
	}
	if len(m.Columns) == 0 || len(m.Columns) > maxColumns {
		return fmt.Errorf("it has %d columns: declare 1 to %d", len(m.Columns), maxColumns)
	}
	if err := m.checkPlace(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range m.Columns {
		c := &m.Columns[i]
		if c.Name == "" {
			return fmt.Errorf("column %d has no name", i+1)
		}
		if seen[c.Name] {
			return fmt.Errorf("column %q comes twice: a column has one rule", c.Name)
		}
		seen[c.Name] = true
		if err := m.checkColumn(c); err != nil {
			return fmt.Errorf("column %q: %w", job.Printable(c.Name, 64), err)
		}
	}
	if m.has(Event) != m.has(Time) {
		return errors.New("a column of rule time or event stands alone: declare both, a time is nothing without its event")
	}
	return nil
}

// checkPlace checks where the data are and who is in.
func (m *Mapping) checkPlace() error {
	if m.Kind == Table {
		switch {
		case m.File == "":
			return errors.New("file is missing: give the table's CSV or Parquet file")
		case m.Folder != "" || m.Cohort != nil:
			return errors.New("a table has neither folder nor cohort: every row of its file is a row")
		}
		return nil
	}
	switch {
	case m.Folder == "" && m.Kind != OMOP: // its tables may be in a database
		return errors.New("folder is missing: say where the files lie")
	case m.File != "":
		return fmt.Errorf("kind %s reads the files of a folder: leave out file", m.Kind)
	case m.Cohort == nil:
		return errors.New("cohort is missing: say who has a row")
	}
	return m.checkCohort()
}

func (m *Mapping) checkCohort() error {
	c := m.Cohort
	if err := m.checkConcepts(c.Index.Condition); err != nil {
		return fmt.Errorf("cohort: index: condition: %w", err)
	}
	from, err := day("cohort: index: from", c.Index.From)
	if err != nil {
		return err
	}
	to, err := day("cohort: index: to", c.Index.To)
	if err != nil {
		return err
	}
	if to.Before(from) {
		return errors.New("cohort: index: to is before from: swap them")
	}
	if a := c.Age; a != nil && (a.Min < 0 || a.Max > maxAge || a.Min > a.Max) {
		return fmt.Errorf("cohort: age is %d to %d: give min and max within 0 to %d", a.Min, a.Max, maxAge)
	}
	if c.FollowUp == "" {
		if m.Kind == FHIR {
			return errors.New("cohort: until is missing: say until which day the data reach, for nothing in FHIR tells")
		}
		return nil
	}
	_, err = day("cohort: until", c.FollowUp)
	return err
}

// day reads a day of the mapping file.
func day(what, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, fmt.Errorf("%s is missing: write a day such as 2015-01-01", what)
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1800 || t.Year() > 2999 {
		return time.Time{}, fmt.Errorf("%s is %q: write a day such as 2015-01-01", what, job.Printable(text, 32))
	}
	return t, nil
}

// checkColumn refuses a rule that lacks a key and one that has a key of another rule.
func (m *Mapping) checkColumn(c *Column) error {
	rules := []Rule{Age, Sex, Measurement, Condition, Drug, Time, Event}
	switch m.Kind {
	case FHIR:
		rules = slices.DeleteFunc(rules, func(r Rule) bool { return r == Drug })
	case Table:
		if c.Rule == "" {
			c.Rule = Copy
		}
		rules = []Rule{Copy}
	}
	if err := known("rule", c.Rule, rules...); err != nil {
		return err
	}
	for _, k := range []struct {
		key   string
		given bool
		rules []Rule // that may have it
		must  []Rule // that must
	}{
		{"from", c.From != "", []Rule{Copy}, []Rule{Copy}},
		{"factor", c.Factor != "", []Rule{Copy}, nil},
		{"values", c.Values != nil, []Rule{Copy, Sex}, nil},
		{"concepts", c.Concepts != nil, []Rule{Measurement, Condition, Drug, Time, Event}, []Rule{Measurement, Condition, Drug}},
		{"window", c.Window != nil, []Rule{Measurement, Condition, Drug}, []Rule{Measurement, Condition, Drug}},
		{"take", c.Take != "", []Rule{Measurement}, []Rule{Measurement}},
		{"units", c.Units != nil, []Rule{Measurement}, []Rule{Measurement}},
	} {
		if k.given && !slices.Contains(k.rules, c.Rule) {
			return fmt.Errorf("rule %s has no %s: leave it out", c.Rule, k.key)
		}
		if !k.given && slices.Contains(k.must, c.Rule) {
			return fmt.Errorf("rule %s needs %s", c.Rule, k.key)
		}
	}
	return m.checkKeys(c)
}

func (m *Mapping) checkKeys(c *Column) error {
	if c.Concepts != nil {
		if err := m.checkConcepts(c.Concepts); err != nil {
			return fmt.Errorf("concepts: %w", err)
		}
	}
	if c.Window != nil && (len(c.Window) != 2 || c.Window[0] > c.Window[1] || c.Window[0] < -maxWindow || c.Window[1] > maxWindow) {
		return fmt.Errorf("window: write [FIRST, LAST] in days from the index day, within %d of it, such as [-30, 0]", maxWindow)
	}
	if c.Take != "" {
		if err := known("take", c.Take, First, Last, Mean, Least, Most); err != nil {
			return err
		}
	}
	if c.Units != nil && len(c.Units) == 0 {
		return errors.New("units: name at least one, such as {mg/dL: 1}")
	}
	for unit, f := range c.Units {
		if err := word("units: a unit", unit); err != nil {
			return err
		}
		if _, err := factor(f); err != nil {
			return fmt.Errorf("units: %w", err)
		}
	}
	if c.Factor != "" {
		if c.Values != nil {
			return errors.New("a column has either values or a factor")
		}
		if _, err := factor(c.Factor); err != nil {
			return err
		}
	}
	for from, to := range c.Values {
		if err := errors.Join(word("values: one", from), word("values: one", to)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mapping) checkConcepts(list []string) error {
	if len(list) == 0 || len(list) > maxConcepts {
		return fmt.Errorf("name 1 to %d", maxConcepts)
	}
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s] {
			return errors.New("one comes twice: remove it")
		}
		seen[s] = true
		if m.Kind == OMOP {
			if n, err := strconv.ParseUint(s, 10, 31); err != nil || n == 0 || s != strconv.FormatUint(n, 10) {
				return fmt.Errorf("%q is no concept id of OMOP, which is a whole number above 0", job.Printable(s, 64))
			}
			continue
		}
		system, code, ok := strings.Cut(s, "|")
		if !ok || system == "" || code == "" || word("it", s) != nil {
			return fmt.Errorf("%q is no code of FHIR: write SYSTEM|CODE, such as http://loinc.org|2160-0", job.Printable(s, 64))
		}
	}
	return nil
}

// word refuses what cannot be compared with a record's text.
func word(what, s string) error {
	if len(s) > maxCode || !utf8.ValidString(s) || strings.Contains(s, "\x00") {
		return fmt.Errorf("%s is longer than %d bytes, or no text", what, maxCode)
	}
	return nil
}

// factor reads a positive factor of at most 10 digits after the point.
func factor(text string) (string, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	plain := digits != "" && strings.Trim(digits, "0123456789") == "" && strings.Trim(digits, "0") != ""
	if !plain || len(whole) > 7 || len(fraction) > 10 {
		return "", fmt.Errorf("%q is no factor: write a number above 0 such as 0.0113, of at most 7 digits before the point and 10 after it", job.Printable(text, 32))
	}
	return text, nil
}
