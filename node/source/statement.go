package source

import (
	"fmt"
	"slices"

	"consilium/job"
)

// statement is SQL under construction over codes. Of what a job says it holds whole
// numbers alone, in decimal digits that this package writes: engines, drivers and
// gateways differ in how many parameters they take, and none can prune the parts of
// a table by a parameter. All else is made of words of this package and the places
// of columns.
type statement struct {
	columns []*column
	used    []int // places of the columns that are asked for
}

// column returns a column's name in the query. With wantCode it refuses a text
// column without categories, of which only presence is known.
func (s *statement) column(name string, wantCode bool) (string, error) {
	for i, c := range s.columns {
		if c.Name != name {
			continue
		}
		if wantCode && !c.coded() {
			return "", fmt.Errorf("column %s: is text without a list of categories; declare them in the study's schema to compute with it", name)
		}
		if !slices.Contains(s.used, i) {
			s.used = append(s.used, i)
		}
		return columnRef(i), nil
	}
	known := make([]string, len(s.columns))
	for i, c := range s.columns {
		known[i] = c.Name
	}
	return "", fmt.Errorf("column %s: is not in the schema; the columns are %s", name, names(known))
}

// predicate translates a where-clause over the snapshot's columns. SQL's own
// three-valued logic is the language's; nil selects every row.
func (s *statement) predicate(p job.Predicate) (string, error) {
	both := func(l, r job.Predicate, word string) (string, error) {
		left, err := s.predicate(l)
		if err != nil {
			return "", err
		}
		right, err := s.predicate(r)
		return "(" + left + " " + word + " " + right + ")", err
	}
	switch p := p.(type) {
	case nil:
		return "1 = 1", nil
	case job.Compare:
		name, err := s.column(p.Column, true)
		if err != nil {
			return "", err
		}
		op, err := comparison(p.Op)
		return name + " " + op + " " + written(p.Value), err
	case job.In:
		name, err := s.column(p.Column, true)
		if err != nil {
			return "", err
		}
		if len(p.Values) == 0 { // false, or unknown where the column is missing
			return name + " <> " + name, nil
		}
		return name + " IN (" + writtenAll(p.Values) + ")", nil
	case job.IsNull:
		name, err := s.column(p.Column, false)
		return name + " IS NULL", err
	case job.Not:
		inner, err := s.predicate(p.P)
		return "(NOT " + inner + ")", err
	case job.And:
		return both(p.L, p.R, "AND")
	case job.Or:
		return both(p.L, p.R, "OR")
	}
	return "", fmt.Errorf("a predicate of type %T cannot be answered by this source", p)
}

// comparison is SQL's word for an operator.
func comparison(op job.Op) (string, error) {
	switch op {
	case job.Eq:
		return "=", nil
	case job.Ne:
		return "<>", nil
	case job.Lt:
		return "<", nil
	case job.Le:
		return "<=", nil
	case job.Gt:
		return ">", nil
	case job.Ge:
		return ">=", nil
	}
	return "", fmt.Errorf("a comparison that is none of = != < <= > >=")
}
