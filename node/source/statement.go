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
	dialect *dialect
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

// holds is the condition that a predicate is known to be true, or with want false that
// it is known to be false: where it is unknown neither holds. Negation goes down to
// the comparisons, so that nothing rests on how an engine negates or joins what is
// unknown; what does not hold may be null. No predicate holds for every row.
func (s *statement) holds(p job.Predicate, want bool) (string, error) {
	both := func(l, r job.Predicate, and bool) (string, error) {
		left, err := s.holds(l, want)
		if err != nil {
			return "", err
		}
		right, err := s.holds(r, want)
		return "(" + left + [...]string{" OR ", " AND "}[index(and == want)] + right + ")", err
	}
	switch p := p.(type) {
	case nil:
		return "1 = " + [...]string{"0", "1"}[index(want)], nil
	case job.Compare:
		name, err := s.column(p.Column, true)
		if err != nil {
			return "", err
		}
		op, err := comparison(p.Op, want)
		return s.known(name + op + written(p.Value)), err
	case job.In:
		name, err := s.column(p.Column, true)
		switch {
		case err != nil:
			return "", err
		case len(p.Values) == 0 && want:
			return "1 = 0", nil
		case len(p.Values) == 0:
			return name + " IS NOT NULL", nil
		case want:
			return s.known(name + " IN (" + writtenAll(p.Values) + ")"), nil
		}
		return "(" + name + " IS NOT NULL AND " + s.known(name+" NOT IN ("+writtenAll(p.Values)+")") + ")", nil
	case job.IsNull:
		name, err := s.column(p.Column, false)
		return name + [...]string{" IS NOT NULL", " IS NULL"}[index(want)], err
	case job.Not:
		return s.holds(p.P, !want)
	case job.And:
		return both(p.L, p.R, true)
	case job.Or:
		return both(p.L, p.R, false)
	}
	return "", fmt.Errorf("a predicate of type %T cannot be answered by this source", p)
}

// known makes a condition on one column false where it is unknown, for engines that
// join what is unknown in ways of their own.
func (s *statement) known(condition string) string {
	if s.dialect.known == nil {
		return condition
	}
	return s.dialect.known(condition)
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// comparison is SQL's word for an operator, or for its opposite.
func comparison(op job.Op, want bool) (string, error) {
	words := map[job.Op][2]string{
		job.Eq: {" <> ", " = "}, job.Ne: {" = ", " <> "},
		job.Lt: {" >= ", " < "}, job.Le: {" > ", " <= "},
		job.Gt: {" <= ", " > "}, job.Ge: {" < ", " >= "},
	}
	word, ok := words[op]
	if !ok {
		return "", fmt.Errorf("a comparison that is none of = != < <= > >=")
	}
	return word[index(want)], nil
}
