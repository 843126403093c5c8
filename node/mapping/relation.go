package mapping

import (
	"math/big"
	"strconv"
	"strings"
	"time"
)

// The relations that a mapping of OMOP or FHIR is a query over. Days count from 1
// January 1970; born and date are written as the number yyyymmdd, so that completed
// years are a difference; value counts in 10^-8 of its unit; record tells measurements
// apart.
const (
	persons      = "persons"      // person, born, sex
	conditions   = "conditions"   // person, concept, day, date
	measurements = "measurements" // record, person, concept, day, value, unit
	drugs        = "drugs"        // person, concept, day, last
	deaths       = "deaths"       // person, day; null where it is not recorded
	periods      = "periods"      // person, day, last
)

// Field is a column of a relation: text, or a whole number of 64 bits.
type Field struct {
	Name string
	Text bool
}

// Fields lists a relation's columns.
func Fields(relation string) []Field {
	text := func(name string) Field { return Field{name, true} }
	number := func(name string) Field { return Field{Name: name} }
	switch relation {
	case persons:
		return []Field{text("person"), number("born"), text("sex")}
	case conditions:
		return []Field{text("person"), text("concept"), number("day"), number("date")}
	case measurements:
		return []Field{number("record"), text("person"), text("concept"), number("day"), number("value"), text("unit")}
	case drugs:
		return []Field{text("person"), text("concept"), number("day"), number("last")}
	case deaths:
		return []Field{text("person"), number("day")}
	case periods:
		return []Field{text("person"), number("day"), number("last")}
	}
	return nil
}

// Relations lists those that the mapping's query needs.
func (m *Mapping) Relations() []string {
	list := []string{persons, conditions, deaths}
	if m.Kind == OMOP {
		list = append(list, periods)
	}
	if m.has(Measurement) {
		list = append(list, measurements)
	}
	if m.has(Drug) {
		list = append(list, drugs)
	}
	return list
}

// Bad says that a record cannot be read: where in it and why, never what.
type Bad struct {
	Column  string
	Problem string
}

// Emit takes a row of a relation: string, int64 or nil for each field.
type Emit func(relation string, row []any) error

// Reader turns records of one mapping into rows of its relations. It is not for use
// by several goroutines.
type Reader struct {
	m          *Mapping
	today      int64
	conditions map[string]bool
	drugs      map[string]bool
	units      map[string][]*Column // of measurements, by concept
	record     int64
}

// NewReader makes the reader of a mapping. Days after today are in the future.
func (m *Mapping) NewReader(today time.Time) *Reader {
	r := &Reader{m: m, today: dayOf(today), conditions: map[string]bool{}, drugs: map[string]bool{}, units: map[string][]*Column{}}
	for _, s := range m.conditionConcepts() {
		r.conditions[s] = true
	}
	for _, s := range m.concepts(Drug) {
		r.drugs[s] = true
	}
	for i := range m.Columns {
		if c := &m.Columns[i]; c.Rule == Measurement {
			for _, s := range c.Concepts {
				r.units[s] = append(r.units[s], c)
			}
		}
	}
	return r
}

// unit refuses one that a column does not name.
func (r *Reader) unit(concept, unit string) string {
	for _, c := range r.units[concept] {
		if _, ok := c.Units[unit]; !ok {
			return "a unit that column " + strconv.Quote(c.Name) + " does not name; add it under units with its factor"
		}
	}
	return ""
}

// date is a day of a record, how much of it is known.
type date struct {
	year, month, day int // month and day are 0 where they are not known
}

const notADate = "not a date such as 2015-01-31"

// parseDate reads a year, a month, a day, or a point in time, of which the day counts
// as it is written. Any time zone is that of the record.
func parseDate(text string) (date, bool) {
	if i := strings.IndexAny(text, "T "); i == 10 {
		text = text[:10]
	}
	var d date
	parts := strings.Split(text, "-")
	if len(parts) > 3 || len(parts[0]) != 4 {
		return d, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 || i > 0 && len(p) != 2 {
			return d, false
		}
		switch i {
		case 0:
			d.year = int(n)
		case 1:
			d.month = int(n)
		default:
			d.day = int(n)
		}
	}
	return d, d.real()
}

// real tells whether the calendar has the day.
func (d date) real() bool {
	if d.year < 1800 || d.year > 2999 || d.month == 0 && d.day != 0 {
		return false
	}
	t := d.at(1, 1)
	return (d.month == 0 || int(t.Month()) == d.month) && (d.day == 0 || t.Day() == d.day)
}

// at is the day where what is not known is taken to be so.
func (d date) at(month, day int) time.Time {
	if d.month != 0 {
		month = d.month
	}
	if d.day != 0 {
		day = d.day
	}
	return time.Date(d.year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

// born is the number of a birth's day: 1 July of a year, the 15th of a month.
func (d date) born() time.Time {
	if d.month == 0 {
		return d.at(7, 1)
	}
	return d.at(7, 15)
}

func dayOf(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
}

func dateNumber(t time.Time) int64 { return int64(t.Year()*10_000 + int(t.Month())*100 + t.Day()) }

// event reads the day of an event; where a part is not known, the first possible.
func (r *Reader) event(text string) (time.Time, string) {
	d, ok := parseDate(strings.TrimSpace(text))
	if !ok {
		return time.Time{}, notADate
	}
	t := d.at(1, 1)
	if dayOf(t) > r.today {
		return t, "in the future"
	}
	return t, ""
}

// birth reads a birth's day.
func (r *Reader) birth(d date) (int64, string) {
	if !d.real() {
		return 0, notADate
	}
	if dayOf(d.at(1, 1)) > r.today {
		return 0, "in the future"
	}
	return dateNumber(d.born()), ""
}

// valueScale is the power of ten of a measurement's units.
const valueScale = 8

// maxValue bounds a measurement.
const maxValue = 10_000_000_000

// value reads a measurement in 10^-8 of its unit, rounded.
func value(text string) (int64, string) {
	const problem = "not a number below 10^10"
	if len(text) > 64 || strings.ContainsAny(text, "/xXpP_iInN") {
		return 0, problem
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > 40 || e < -40 {
			return 0, problem
		}
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok || x.Cmp(big.NewRat(maxValue, 1)) >= 0 || x.Cmp(big.NewRat(-maxValue, 1)) <= 0 {
		return 0, problem
	}
	return roundTo(x, big.NewRat(1, 100_000_000)).Int64(), ""
}

// roundTo counts the steps in x to the nearest, halves upwards.
func roundTo(x, step *big.Rat) *big.Int {
	q := new(big.Rat).Quo(x, step)
	q.Add(q, big.NewRat(1, 2))
	return new(big.Int).Div(q.Num(), q.Denom()) // Euclid's: downwards for a denominator above 0
}
