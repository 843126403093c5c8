package job

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Canonical is a predicate in one form: two that ask for the same conditions, in
// whatever order and brackets, have the same text. It says of which rows the predicate
// is true, and not where it is unknown, and it can be parsed; nil is the empty text.
// It does not reckon: age > 50 and age >= 51 stay two conditions.
func Canonical(p Predicate, s *Schema) string {
	if p == nil {
		return ""
	}
	return canonical{s}.together(p, false).text
}

// Conditions are all that a predicate asks for, in canonical form, sorted, each once:
// it is true of a row where all of them are. That a column has a value is one of them
// wherever another cannot be true without.
func Conditions(p Predicate, s *Schema) []string {
	if p == nil {
		return nil
	}
	var texts []string
	for _, c := range distinct(canonical{s}.all(p, false), false) {
		texts = append(texts, c.text)
		for _, name := range c.present {
			texts = append(texts, Present(name))
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// Present is the condition that a column has a value, in canonical form.
func Present(column string) string { return Identifier(column) + " IS NOT NULL" }

// clause is a predicate in canonical form.
type clause struct {
	text    string
	present []string // the columns that have a value wherever it is true
	bare    bool     // it says of a column that it has a value, and nothing else
	of      []clause // those that all, or of which one, must be true; nil of a comparison
	or      bool     // one of them
}

// canonical makes conditions of predicates, or of their negations. It pushes these down
// to the comparisons; what is above has none then, so that of each comparison it counts
// only where it is true.
type canonical struct{ schema *Schema }

// all are the conditions of which all must be true.
func (c canonical) all(p Predicate, not bool) []clause {
	switch p := p.(type) {
	case Not:
		return c.all(p.P, !not)
	case And:
		if !not {
			return append(c.all(p.L, false), c.all(p.R, false)...)
		}
		return []clause{c.either(p, true)}
	case Or:
		if not {
			return append(c.all(p.L, true), c.all(p.R, true)...)
		}
		return []clause{c.either(p, false)}
	}
	return []clause{c.test(p, not)}
}

// any are the conditions of which one must be true.
func (c canonical) any(p Predicate, not bool) []clause {
	switch p := p.(type) {
	case Not:
		return c.any(p.P, !not)
	case And:
		if not {
			return append(c.any(p.L, true), c.any(p.R, true)...)
		}
		return []clause{c.together(p, false)}
	case Or:
		if !not {
			return append(c.any(p.L, false), c.any(p.R, false)...)
		}
		return []clause{c.together(p, true)}
	}
	return []clause{c.test(p, not)}
}

// together is one condition of all. It leaves out that a column has a value where
// another of them cannot be true without.
func (c canonical) together(p Predicate, not bool) clause {
	list := distinct(c.all(p, not), false)
	var out clause
	for _, t := range list {
		if !t.bare {
			out.present = append(out.present, t.present...)
		}
	}
	list = slices.DeleteFunc(list, func(t clause) bool { return t.bare && slices.Contains(out.present, t.present[0]) })
	for _, t := range list {
		out.present = append(out.present, t.present...)
	}
	if len(list) == 1 {
		return list[0]
	}
	out.text, out.of = joined(list, " AND "), list
	return out
}

// either is one condition of which one must be true.
func (c canonical) either(p Predicate, not bool) clause {
	list := distinct(c.any(p, not), true)
	if len(list) == 1 {
		return list[0]
	}
	out := clause{text: "(" + joined(list, " OR ") + ")", of: list, or: true}
	for _, name := range list[0].present {
		if !slices.ContainsFunc(list, func(t clause) bool { return !slices.Contains(t.present, name) }) {
			out.present = append(out.present, name)
		}
	}
	return out
}

// distinct sorts conditions that stand side by side, each once. One of them that is
// made of several of the same kind, because what stood beside them there was the same
// again, is these.
func distinct(parts []clause, or bool) []clause {
	var list []clause
	for _, t := range parts {
		if t.of != nil && t.or == or {
			list = append(list, t.of...)
		} else {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b clause) int { return cmp.Compare(a.text, b.text) })
	return slices.CompactFunc(list, func(a, b clause) bool { return a.text == b.text })
}

func joined(list []clause, word string) string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.text
	}
	return strings.Join(texts, word)
}

// test is a condition on one column.
func (c canonical) test(p Predicate, not bool) clause {
	switch p := p.(type) {
	case IsNull:
		if not {
			return clause{text: Present(p.Column), present: []string{p.Column}, bare: true}
		}
		return clause{text: Identifier(p.Column) + " IS NULL"}
	case Compare:
		return c.compared(p, not)
	case In:
		return c.in(p, not)
	}
	panic("job: a predicate of no known kind")
}

func (c canonical) compared(p Compare, not bool) clause {
	op := p.Op
	if not {
		op = map[Op]Op{Eq: Ne, Ne: Eq, Lt: Ge, Ge: Lt, Gt: Le, Le: Gt}[op]
	}
	return clause{text: Identifier(p.Column) + " " + string(op) + " " + c.literal(p.Column, p.Value), present: []string{p.Column}}
}

func (c canonical) in(p In, not bool) clause {
	switch {
	case len(p.Values) == 0 && not:
		return c.test(IsNull{p.Column}, true)
	case len(p.Values) == 0: // of no row: there is no value below the least
		column, _ := c.schema.Column(p.Column)
		least, _ := column.Codes()
		return c.compared(Compare{p.Column, Lt, least}, false)
	case len(p.Values) == 1:
		return c.compared(Compare{p.Column, Eq, p.Values[0]}, not)
	}
	list := make([]string, len(p.Values))
	for i, v := range p.Values {
		list[i] = c.literal(p.Column, v)
	}
	word := " IN ("
	if not {
		word = " NOT IN ("
	}
	return clause{text: Identifier(p.Column) + word + strings.Join(list, ", ") + ")", present: []string{p.Column}}
}

// literal writes a code as the where-language has its value.
func (c canonical) literal(column string, code int64) string {
	col, _ := c.schema.Column(column)
	if col.numeric() {
		return col.Format(code)
	}
	return "'" + strings.ReplaceAll(col.Format(code), "'", "''") + "'"
}

var plainIdentifier = regexp.MustCompile(`^[\pL_][\pL\pN_.]*$`)

// Identifier is a column's name as the where-language has it.
func Identifier(name string) string {
	if plainIdentifier.MatchString(name) && !slices.Contains(keywords, strings.ToUpper(name)) {
		return name
	}
	return `"` + name + `"`
}
