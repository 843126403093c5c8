package mapping

import (
	"maps"
	"slices"
	"strings"
)

// wide is DuckDB's type of whole numbers of 38 digits.
const wide = "HUGEINT"

// floored is a / b downwards, for whole numbers and b > 0; the operator // divides
// towards zero.
func floored(a, b string) string {
	rest := "((" + a + ") % (" + b + ") + (" + b + ")) % (" + b + ")"
	return "CAST(((" + a + ") - " + rest + ") // (" + b + ") AS BIGINT)"
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
