package mapping

import (
	"maps"
	"slices"
	"strings"
)

// Dialect is what engines spell differently in the queries of this package.
type Dialect struct {
	wide   string // type of whole numbers of 38 digits
	divide string // operator of whole numbers that divide evenly, or towards zero
}

// The dialects.
var (
	DuckDB   = &Dialect{wide: "HUGEINT", divide: "//"}
	Postgres = &Dialect{wide: "numeric", divide: "/"}
)

// floored is a / b downwards, for whole numbers and b > 0.
func (d *Dialect) floored(a, b string) string {
	rest := "((" + a + ") % (" + b + ") + (" + b + ")) % (" + b + ")"
	return "CAST(((" + a + ") - " + rest + ") " + d.divide + " (" + b + ") AS BIGINT)"
}

// literal quotes a text of the mapping file. Concepts, units and values hold no NUL,
// which check refuses.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func literals(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = literal(s)
	}
	return strings.Join(quoted, ", ")
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
