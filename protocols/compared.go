package protocols

import (
	"fmt"

	"consilium/job"
)

// comparedColumn returns a column of numbers, and between whose groups it is
// compared: a factor, and the same as a summary's grouping.
func comparedColumn(d *job.Dataset, value, group string) (*job.Column, factor, []job.Grouping, error) {
	refused := func(err error) (*job.Column, factor, []job.Grouping, error) { return nil, factor{}, nil, err }
	c, err := numeric(d, value)
	if err != nil {
		return refused(err)
	}
	if value == group {
		return refused(fmt.Errorf("value and group are both %q; compare one column between the groups of another", value))
	}
	factors, groups, err := grouped(d, []string{group})
	if err != nil {
		return refused(err)
	}
	if len(factors[0].levels) < 2 {
		return refused(fmt.Errorf("column %q has one category, and two are the least to compare; choose another group", group))
	}
	return c, factors[0], groups, nil
}
