package source

import (
	"fmt"
	"strings"

	"consilium/job"
)

// statement is SQL under construction. What a job says goes into args alone;
// the text is made of words of this package, positions and counts.
type statement struct {
	text strings.Builder
	args []any
}

func (s *statement) writef(format string, a ...any) { fmt.Fprintf(&s.text, format, a...) }

// bind adds a value and returns its placeholder.
func (s *statement) bind(value int64) string {
	s.args = append(s.args, value)
	return fmt.Sprintf("$%d", len(s.args))
}

func (s *statement) bindAll(values []int64) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = s.bind(v)
	}
	return strings.Join(list, ", ")
}

// predicate translates a where-clause over the snapshot's columns. SQL's own
// three-valued logic is the language's; nil selects every row.
func (s *statement) predicate(p job.Predicate, position func(name string, wantCode bool) (int, error)) (string, error) {
	both := func(l, r job.Predicate, word string) (string, error) {
		left, err := s.predicate(l, position)
		if err != nil {
			return "", err
		}
		right, err := s.predicate(r, position)
		return "(" + left + " " + word + " " + right + ")", err
	}
	switch p := p.(type) {
	case nil:
		return "TRUE", nil
	case job.Compare:
		at, err := position(p.Column, true)
		if err != nil {
			return "", err
		}
		op, err := comparison(p.Op)
		return columnRef(at) + " " + op + " " + s.bind(p.Value), err
	case job.In:
		at, err := position(p.Column, true)
		if err != nil {
			return "", err
		}
		if len(p.Values) == 0 { // false, or unknown where the column is missing
			return columnRef(at) + " <> " + columnRef(at), nil
		}
		return columnRef(at) + " IN (" + s.bindAll(p.Values) + ")", nil
	case job.IsNull:
		at, err := position(p.Column, false)
		return columnRef(at) + " IS NULL", err
	case job.Not:
		inner, err := s.predicate(p.P, position)
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
