package mapping

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"consilium/job"
)

// Output is how a column of the query's answer becomes a cell.
type Output int

// The outputs.
const (
	AsText Output = iota // a text, or a whole number as it is
	AsCode               // a code of the column
)

// factorScale is the power of ten of a unit's factor.
const factorScale = 10

// Query compiles the mapping to one SELECT over its relations that gives the analysis
// table, a row a person in the order of their ids, and says how its columns are
// read. Numbers are rounded to the steps of the schema. All arithmetic is of whole
// numbers. It is DuckDB's SQL; the text holds words of this package and quoted texts of the mapping file.
func (m *Mapping) Query(schema *job.Schema) (string, []Output, error) {
	q := &compiler{m: m}
	outputs := make([]Output, len(m.Columns))
	for i := range m.Columns {
		c := &m.Columns[i]
		declared, ok := schema.Column(c.Name)
		if !ok { // it is passed over, as any column that the schema lacks
			q.selected = append(q.selected, "NULL")
			continue
		}
		if declared.Type == job.Text && c.Rule == Measurement {
			return "", nil, fmt.Errorf("%s: column %q is text in the schema: a measurement is a number", m.name, c.Name)
		}
		if c.Rule == Measurement {
			outputs[i] = AsCode
		}
		q.selected = append(q.selected, q.column(c, declared, "k"+strconv.Itoa(i)))
	}
	text := "WITH " + strings.Join(q.cohort(), ", ") + " SELECT " + strings.Join(q.selected, ", ") +
		" FROM cohort AS c" + strings.Join(q.joins, "") + " ORDER BY c.person"
	return text, outputs, nil
}

// Twice is a query for how many ids stand for two persons, which must be none.
const Twice = "SELECT count(*) FROM (SELECT person FROM " + persons + " GROUP BY person HAVING count(*) > 1) AS twice"

// Dead is a query for how many persons died before their index day, which must be none.
func (m *Mapping) Dead() string {
	q := &compiler{m: m}
	return "WITH " + strings.Join(q.cohort(), ", ") + " SELECT count(*) FROM followed WHERE died < day"
}

// Undated is a query for how many persons of the cohort died on a day that is not
// recorded, which must be none where follow-up counts: none of them may count as alive.
func (m *Mapping) Undated() string {
	if !m.has(Time) {
		return "SELECT 0"
	}
	q := &compiler{m: m}
	return "WITH " + strings.Join(q.cohort(), ", ") + " SELECT count(*) FROM followed WHERE died IS NULL AND person IN (SELECT person FROM " + deaths + ")"
}

type compiler struct {
	m        *Mapping
	selected []string
	joins    []string
}

// cohort is the WITH-clauses of who is in. Follow-up ends at a death or on the last
// day; who is not observed on the index day is out.
func (q *compiler) cohort() []string {
	c := q.m.Cohort
	from, to := strconv.FormatInt(mustDay(c.Index.From), 10), strconv.FormatInt(mustDay(c.Index.To), 10)
	between, having := " AND day BETWEEN "+from+" AND "+to, ""
	if c.Index.Incident {
		between, having = "", " HAVING min(day) BETWEEN "+from+" AND "+to
	}
	last, observed := "o.last", ""
	if c.FollowUp != "" {
		last = strconv.FormatInt(mustDay(c.FollowUp), 10)
	}
	if q.m.Kind == OMOP {
		observed = " JOIN (SELECT e.person, max(p.last) AS last FROM events AS e JOIN " + periods +
			" AS p ON p.person = e.person AND e.day BETWEEN p.day AND p.last GROUP BY e.person) AS o ON o.person = e.person"
		if c.FollowUp != "" {
			last = "CASE WHEN o.last < " + last + " THEN o.last ELSE " + last + " END"
		}
	}
	age := ""
	if c.Age != nil {
		age = fmt.Sprintf(" AND e.date - p.born BETWEEN %d AND %d", c.Age.Min*10_000, c.Age.Max*10_000+9_999)
	}
	return []string{
		"events AS (SELECT person, min(day) AS day, min(date) AS date FROM " + conditions + " WHERE concept IN (" + literals(c.Index.Condition) + ")" +
			between + " GROUP BY person" + having + ")",
		"died AS (SELECT person, min(day) AS day FROM " + deaths + " GROUP BY person)",
		"followed AS (SELECT p.person, p.born, p.sex, e.day, e.date, " + last + " AS last, d.day AS died FROM " + persons +
			" AS p JOIN events AS e ON e.person = p.person" + observed + " LEFT JOIN died AS d ON d.person = p.person WHERE " + last + " >= e.day" + age + ")",
		"cohort AS (SELECT person, born, sex, day, date, CASE WHEN died <= last THEN died ELSE last END AS last, " +
			"CASE WHEN died <= last THEN 1 ELSE 0 END AS died FROM followed)",
	}
}

// column adds what a column needs and returns its expression.
func (q *compiler) column(c *Column, declared *job.Column, as string) string {
	switch c.Rule {
	case Age:
		return "(c.date - c.born) // 10000"
	case Sex:
		if len(c.Values) == 0 {
			return "c.sex"
		}
		return "CASE c.sex" + cases(c.Values) + " ELSE c.sex END"
	case Condition:
		q.join(as, "SELECT DISTINCT c.person FROM cohort AS c JOIN "+conditions+" AS x ON x.person = c.person AND x.concept IN ("+literals(c.Concepts)+
			") AND x.day BETWEEN "+shifted(c.Window[0])+" AND "+shifted(c.Window[1]))
		return "CASE WHEN " + as + ".person IS NULL THEN 0 ELSE 1 END"
	case Drug:
		q.join(as, "SELECT DISTINCT c.person FROM cohort AS c JOIN "+drugs+" AS x ON x.person = c.person AND x.concept IN ("+literals(c.Concepts)+
			") AND x.day <= "+shifted(c.Window[1])+" AND x.last >= "+shifted(c.Window[0]))
		return "CASE WHEN " + as + ".person IS NULL THEN 0 ELSE 1 END"
	case Measurement:
		return q.measurement(c, declared, as)
	case Time, Event:
		return q.outcome(c, as)
	}
	return "NULL"
}

func (q *compiler) join(as, query string) {
	q.joins = append(q.joins, " LEFT JOIN ("+query+") AS "+as+" ON "+as+".person = c.person")
}

// outcome is a time or an event: a death, or the first of some conditions after the
// index day, with a death that comes before it as another event.
func (q *compiler) outcome(c *Column, as string) string {
	if len(c.Concepts) == 0 {
		if c.Rule == Time {
			return "c.last - c.day"
		}
		return "c.died"
	}
	q.join(as, "SELECT c.person, min(x.day) AS day FROM cohort AS c JOIN "+conditions+" AS x ON x.person = c.person AND x.concept IN ("+literals(c.Concepts)+
		") AND x.day > c.day AND x.day <= c.last GROUP BY c.person")
	if c.Rule == Time {
		return "coalesce(" + as + ".day, c.last) - c.day"
	}
	return "CASE WHEN " + as + ".day IS NOT NULL THEN 1 WHEN c.died = 1 THEN 2 ELSE 0 END"
}

// measurement takes values in 10^-18 of the column's unit and rounds what is taken to
// a code: floor(sum / (n step) + 1/2), in whole numbers.
func (q *compiler) measurement(c *Column, declared *job.Column, as string) string {
	var value strings.Builder
	for _, unit := range sortedKeys(c.Units) {
		fmt.Fprintf(&value, " WHEN %s THEN %s", literal(unit), scaledFactor(c.Units[unit]))
	}
	inner := "SELECT DISTINCT x.record, c.person, x.day, CAST(x.value AS " + wide + ") * CASE x.unit" + value.String() + " END AS v" +
		" FROM cohort AS c JOIN " + measurements + " AS x ON x.person = c.person AND x.concept IN (" + literals(c.Concepts) +
		") AND x.day BETWEEN " + shifted(c.Window[0]) + " AND " + shifted(c.Window[1])
	switch c.Take {
	case Least, Most:
		inner = "SELECT person, " + string(c.Take) + "(v) AS total, CAST(1 AS " + wide + ") AS n FROM (" + inner + ") AS x GROUP BY person"
	case First, Last:
		end := "min"
		if c.Take == Last {
			end = "max"
		}
		inner = "SELECT person, sum(v) AS total, CAST(count(*) AS " + wide + ") AS n FROM (SELECT person, v, day, " + end +
			"(day) OVER (PARTITION BY person) AS chosen FROM (" + inner + ") AS x) AS y WHERE day = chosen GROUP BY person"
	default:
		inner = "SELECT person, sum(v) AS total, CAST(count(*) AS " + wide + ") AS n FROM (" + inner + ") AS x GROUP BY person"
	}
	q.join(as, "SELECT person, "+floored("2 * total + n * "+scaledStep(declared), "2 * n * "+scaledStep(declared))+" AS code FROM ("+inner+") AS z")
	return as + ".code"
}

// scaledStep is a column's step in 10^-18, rounded.
func scaledStep(c *job.Column) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(valueScale+factorScale), nil)
	return roundTo(new(big.Rat).Mul(c.StepRat(), new(big.Rat).SetInt(scale)), big.NewRat(1, 1)).String()
}

// scaledFactor is a checked factor in 10^-10.
func scaledFactor(text string) string {
	x, _ := new(big.Rat).SetString(text)
	return roundTo(x, new(big.Rat).SetFrac64(1, 10_000_000_000)).String()
}

func shifted(days int) string {
	if days < 0 {
		return fmt.Sprintf("c.day - %d", -days)
	}
	return fmt.Sprintf("c.day + %d", days)
}

func mustDay(text string) int64 {
	t, _ := day("", text) // checked before
	return dayOf(t)
}

func cases(values map[string]string) string {
	var b strings.Builder
	for _, from := range sortedKeys(values) {
		b.WriteString(" WHEN " + literal(from) + " THEN " + literal(values[from]))
	}
	return b.String()
}
