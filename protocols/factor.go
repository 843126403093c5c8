package protocols

import (
	"fmt"
	"strings"

	"consilium/job"
)

// factor is a grouping column with its levels in order.
type factor struct {
	column *job.Column
	levels []int64
}

func (f *factor) key(i int) string { return f.column.Format(f.levels[i]) }

// grouped returns the factors of those columns, and the same as a summary's
// grouping. A column without a category list is refused with a hint.
func grouped(d *job.Dataset, names []string) ([]factor, []job.Grouping, error) {
	cols, err := columns(d, names)
	if err != nil {
		return nil, nil, err
	}
	var factors []factor
	var groups []job.Grouping
	for _, c := range cols {
		levels, err := c.Levels()
		if err != nil {
			return nil, nil, err
		}
		factors = append(factors, factor{c, levels})
		groups = append(groups, job.Grouping{Column: c.Name, Levels: levels})
	}
	return factors, groups, nil
}

// factorColumns are the names of the factors' columns.
func factorColumns(factors []factor) []string {
	names := make([]string, len(factors))
	for i, f := range factors {
		names[i] = f.column.Name
	}
	return names
}

// factorNames joins the factors' names as cellKey joins their levels.
func factorNames(factors []factor) string { return strings.Join(factorColumns(factors), "/") }

// cellKey names a cell of a summary: the first factor varies slowest.
func cellKey(factors []factor, cell int) string {
	keys := make([]string, len(factors))
	for i := len(factors) - 1; i >= 0; i-- {
		n := len(factors[i].levels)
		keys[i] = factors[i].key(cell % n)
		cell /= n
	}
	return strings.Join(keys, "/")
}

// distinctKeys refuses levels whose joined keys could not be told apart.
func distinctKeys(factors []factor) error {
	for i := range factors {
		for k := range factors[i].levels {
			if len(factors) > 1 && strings.Contains(factors[i].key(k), "/") {
				return fmt.Errorf("by: a category of %s contains '/', which joins the keys of several columns; group by it alone", factors[i].column.Name)
			}
		}
	}
	return nil
}
