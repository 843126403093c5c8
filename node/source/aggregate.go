package source

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// aggregate asks for sums over codes of some columns: outputs are made of these, of
// what counted adds up and of keys, each an expression by the name of its place. It
// gives a row for each combination of keys and for each of the relation's parts: whoever
// asks adds them up, so that a server that is one of many sums what lies there.
func (r *relation) aggregate(outputs, keys []string, columns []int) string {
	parts := r.parts
	if parts == nil {
		parts = []string{r.from}
	}
	selects := make([]string, len(parts))
	for i, from := range parts {
		if r.dialect.flat {
			selects[i] = r.flatSelect(outputs, keys, columns, from)
		} else {
			selects[i] = r.nestedSelect(outputs, keys, columns, from)
		}
		for k := range keys {
			selects[i] += [...]string{" GROUP BY ", ", "}[min(k, 1)] + keyRef(k)
		}
	}
	return strings.Join(selects, " UNION ALL ")
}

// nestedSelect has the codes and the keys as relations of their own: engines differ in
// what else may stand behind GROUP BY.
func (r *relation) nestedSelect(outputs, keys []string, columns []int, from string) string {
	from = r.codesOf(from, columns)
	if len(keys) > 0 {
		var inner []string
		for i, key := range keys {
			inner = append(inner, key+" AS "+keyRef(i))
		}
		for _, at := range columns {
			inner = append(inner, columnRef(at))
		}
		if r.casts != nil {
			inner = append(inner, r.marks(columns)...)
		}
		from = "(SELECT " + strings.Join(inner, ", ") + " FROM " + from + ") keyed"
	}
	return "SELECT " + strings.Join(outputs, ", ") + " FROM " + from
}

// flatSelect has no relation within, but names for expressions: an engine that shares a
// table out asks the servers that have it for sums only if nothing stands between.
func (r *relation) flatSelect(outputs, keys []string, columns []int, from string) string {
	definitions := r.definitions(columns)
	for i, key := range keys {
		definitions = append(definitions, definition{"(" + key + ")", keyRef(i)})
	}
	named := make([]string, len(definitions))
	for i, d := range definitions {
		named[i] = d.String()
	}
	return "WITH " + strings.Join(named, ", ") + " SELECT " + strings.Join(outputs, ", ") + " FROM " + from
}

// definition gives an expression of the relation's columns a name.
type definition struct{ expression, name string }

func (d definition) String() string { return d.expression + " AS " + d.name }

// definitions are the codes of some columns and the marks by which cells that do not
// fit are counted.
func (r *relation) definitions(columns []int) []definition {
	var list []definition
	var bad []string
	for _, i := range columns {
		c := r.casts[i]
		list = append(list, definition{c.code, columnRef(i)})
		switch {
		case c.stray != "":
			list = append(list, definition{"CASE WHEN " + c.stray + " THEN 1 END", strayRef(i)})
		case c.bad != "0":
			bad = append(bad, c.bad)
		}
	}
	if len(bad) == 0 {
		bad = []string{"0"}
	}
	return append(list, definition{strings.Join(bad, " + "), badRef})
}

// marks are the columns of codes by which the cells that do not fit are counted: how
// many there are in a row, and one for each column that a range alone decides, whose
// count is cheaper than a sum.
func (r *relation) marks(columns []int) []string {
	marks := []string{badRef}
	for _, i := range columns {
		if r.casts[i].stray != "" {
			marks = append(marks, strayRef(i))
		}
	}
	return marks
}

// counted is how many cells of some columns do not fit, over the rows of codes.
func (r *relation) counted(columns []int) string {
	marks := r.marks(columns)
	total := "sum(" + marks[0] + ")"
	for _, m := range marks[1:] {
		total += " + count(" + m + ")"
	}
	return "coalesce(" + total + ", 0)"
}

// badRef is the name of the number of cells in a row that do not fit and no strayRef
// counts.
const badRef = "bad"

func strayRef(i int) string { return fmt.Sprintf("b%d", i) }

func keyRef(i int) string { return fmt.Sprintf("k%d", i) }

// ownNames are those that the queries of this package give.
var ownNames = regexp.MustCompile("^(?i:[bcko][0-9]+|" + badRef + ")$")

// rename returns by what names the relation's columns can be spoken of: others than in
// the header if one of them has a name of ownNames and the engine would take that for
// the expression of that name.
func (r *relation) rename(header []string) []string {
	if !r.dialect.flat || !slices.ContainsFunc(header, ownNames.MatchString) {
		return header
	}
	prefix := "given"
	for slices.ContainsFunc(header, func(name string) bool { return strings.HasPrefix(strings.ToLower(name), prefix) }) {
		prefix += "_"
	}
	given, outputs := make([]string, len(header)), make([]string, len(header))
	for i, name := range header {
		given[i] = fmt.Sprint(prefix, i)
		outputs[i] = definition{r.dialect.quote(name), r.dialect.quote(given[i])}.String()
	}
	orderBy := slices.Clone(r.orderBy)
	for i, name := range orderBy {
		if at := slices.Index(header, name); at >= 0 {
			orderBy[i] = given[at]
		}
	}
	r.orderBy = orderBy
	r.from = "(SELECT " + strings.Join(outputs, ", ") + " FROM " + r.from + ") renamed"
	return given
}
