package job

import "slices"

// Predicate is a where-clause or event expression, bound to a schema: every
// column exists, every value is a code (whole steps of a numeric column, index
// of a category). It follows SQL's three-valued logic: a comparison with a
// missing value is unknown, and an unknown row is not selected. Sites turn it
// into parameterised SQL, parties into bits over shares; no text of a job goes
// into either.
type Predicate interface{ predicate() }

// Op is a comparison.
type Op string

// The comparisons.
const (
	Eq Op = "="
	Ne Op = "!="
	Lt Op = "<"
	Le Op = "<="
	Gt Op = ">"
	Ge Op = ">="
)

type (
	// Compare is column op value; unknown where the column is missing.
	Compare struct {
		Column string
		Op     Op
		Value  int64
	}
	// In is true where the column equals one of the values; unknown where it is missing.
	In struct {
		Column string
		Values []int64
	}
	// IsNull is true where the column is missing, else false.
	IsNull struct{ Column string }
	// Not negates; unknown stays unknown.
	Not struct{ P Predicate }
	// And and Or follow Kleene's logic.
	And struct{ L, R Predicate }
	Or  struct{ L, R Predicate }
)

func (Compare) predicate() {}
func (In) predicate()      {}
func (IsNull) predicate()  {}
func (Not) predicate()     {}
func (And) predicate()     {}
func (Or) predicate()      {}

// Columns lists the columns that the predicate reads, each once, in order of
// first appearance.
func Columns(p Predicate) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	var walk func(Predicate)
	walk = func(p Predicate) {
		switch p := p.(type) {
		case Compare:
			add(p.Column)
		case In:
			add(p.Column)
		case IsNull:
			add(p.Column)
		case Not:
			walk(p.P)
		case And:
			walk(p.L)
			walk(p.R)
		case Or:
			walk(p.L)
			walk(p.R)
		}
	}
	walk(p)
	return names
}

// Eval evaluates the predicate over one row in the clear: the meaning that
// sites and parties must match. value returns a column's code, or false where
// it is missing. A row is selected when the outcome is known and true; nil
// selects every row.
func Eval(p Predicate, value func(col string) (code int64, ok bool)) (truth, known bool) {
	switch p := p.(type) {
	case nil:
		return true, true
	case Compare:
		code, ok := value(p.Column)
		return ok && p.Op.holds(code, p.Value), ok
	case In:
		code, ok := value(p.Column)
		return ok && slices.Contains(p.Values, code), ok
	case IsNull:
		_, ok := value(p.Column)
		return !ok, true
	case Not:
		truth, known = Eval(p.P, value)
		return known && !truth, known
	case And:
		lt, lk := Eval(p.L, value)
		rt, rk := Eval(p.R, value)
		return lt && rt, lk && rk || lk && !lt || rk && !rt
	case Or:
		lt, lk := Eval(p.L, value)
		rt, rk := Eval(p.R, value)
		return lt || rt, lk && rk || lt || rt
	}
	panic("job: a predicate of no known kind")
}

func (op Op) holds(a, b int64) bool {
	switch op {
	case Eq:
		return a == b
	case Ne:
		return a != b
	case Lt:
		return a < b
	case Le:
		return a <= b
	case Gt:
		return a > b
	case Ge:
		return a >= b
	}
	panic("job: a comparison of no known kind")
}
