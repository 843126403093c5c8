package job

import (
	"math/big"
	"slices"
	"strings"
)

// binder turns the grammar's tree into a Predicate over codes.
type binder struct{ schema *Schema }

func (b *binder) disjunction(d *disjunction) (Predicate, error) {
	terms := make([]Predicate, len(d.Terms))
	for i, t := range d.Terms {
		p, err := b.conjunction(t)
		if err != nil {
			return nil, err
		}
		terms[i] = p
	}
	return balanced(terms, func(l, r Predicate) Predicate { return Or{l, r} }), nil
}

func (b *binder) conjunction(c *conjunction) (Predicate, error) {
	terms := make([]Predicate, len(c.Terms))
	for i, t := range c.Terms {
		p, err := b.negation(t)
		if err != nil {
			return nil, err
		}
		terms[i] = p
	}
	return balanced(terms, func(l, r Predicate) Predicate { return And{l, r} }), nil
}

// balanced joins terms to a tree of logarithmic depth: both connectives are
// associative, and every level costs the parties a round.
func balanced(terms []Predicate, join func(l, r Predicate) Predicate) Predicate {
	if len(terms) == 1 {
		return terms[0]
	}
	half := len(terms) / 2
	return join(balanced(terms[:half], join), balanced(terms[half:], join))
}

func (b *binder) negation(n *negation) (p Predicate, err error) {
	if n.Group != nil {
		p, err = b.disjunction(n.Group)
	} else {
		p, err = b.test(n.Test)
	}
	if err != nil {
		return nil, err
	}
	return negateIf(len(n.Nots)%2 == 1, p), nil
}

func negateIf(not bool, p Predicate) Predicate {
	if not {
		return Not{p}
	}
	return p
}

func (b *binder) test(t *test) (Predicate, error) {
	name := t.Column
	if strings.HasPrefix(name, `"`) {
		name = unquote(name)
	}
	c, ok := b.schema.Column(name)
	if !ok {
		return nil, at(t.Pos, "unknown column %s: %s", quoted(name), Near(name, b.schema.Names()))
	}
	switch {
	case t.Null != nil:
		return negateIf(t.Null.Not, IsNull{c.Name}), nil
	case t.Compare != nil:
		return b.compare(c, t.Compare.Op, t.Compare.Value)
	case t.Between != nil:
		low, err := b.compare(c, string(Ge), t.Between.Low)
		if err != nil {
			return nil, err
		}
		high, err := b.compare(c, string(Le), t.Between.High)
		if err != nil {
			return nil, err
		}
		return negateIf(t.Not, And{low, high}), nil
	}
	values := []int64{}
	for _, l := range t.In {
		p, err := b.place(c, l)
		if err != nil {
			return nil, err
		}
		if p.exact {
			values = append(values, p.floor)
		}
	}
	slices.Sort(values)
	return negateIf(t.Not, In{c.Name, slices.Compact(values)}), nil
}

// place is where a literal lies among a column's codes: at floor if exact,
// else between floor and floor+1. Below all codes floor is min-1 and above all
// it is max, neither exact.
type place struct {
	floor    int64
	exact    bool
	min, max int64
}

func (b *binder) compare(c *Column, op string, l *literal) (Predicate, error) {
	p, err := b.place(c, l)
	if err != nil {
		return nil, err
	}
	if op == "<>" {
		op = string(Ne)
	}
	if p.exact {
		return Compare{c.Name, Op(op), p.floor}, nil
	}
	// The literal lies strictly between two neighbours, so < and <= mean the
	// same, and so do > and >=. Values stay within the codes.
	switch Op(op) {
	case Eq:
		return In{c.Name, []int64{}}, nil
	case Ne:
		return Not{In{c.Name, []int64{}}}, nil
	case Lt, Le:
		if p.floor < p.min {
			return Compare{c.Name, Lt, p.min}, nil
		}
		return Compare{c.Name, Le, p.floor}, nil
	}
	if p.floor < p.min {
		return Compare{c.Name, Ge, p.min}, nil
	}
	return Compare{c.Name, Gt, p.floor}, nil
}

// place binds a literal to a column, which must be of its kind.
func (b *binder) place(c *Column, l *literal) (place, error) {
	min, max := c.Codes()
	if c.numeric() {
		if l.Number == "" {
			return place{}, at(l.Pos, "column %s is numeric: write a number without quotes", quoted(c.Name))
		}
		return numericPlace(literalRat(l.Number), c, min, max), nil
	}
	if len(c.Categories) == 0 {
		return place{}, at(l.Pos, "column %s has no list of categories: declare categories in the study's schema, or ask IS NULL", quoted(c.Name))
	}
	if l.Number != "" {
		return place{}, at(l.Pos, "column %s is text: write the category in single quotes, as '%s'", quoted(c.Name), l.Number)
	}
	code, err := c.categoryCode(unquote(l.Text))
	if err != nil {
		return place{}, at(l.Pos, "unknown category of column %s: %s", quoted(c.Name), Near(unquote(l.Text), c.sortedCategories()))
	}
	return place{floor: code, exact: true, min: min, max: max}, nil
}

func numericPlace(value *big.Rat, c *Column, min, max int64) place {
	q := new(big.Rat).Quo(value, c.StepRat())
	floor := new(big.Int).Div(q.Num(), q.Denom()) // Euclidean: floor, as the denominator is positive
	switch {
	case floor.Cmp(big.NewInt(min)) < 0:
		return place{floor: min - 1, min: min, max: max}
	case floor.Cmp(big.NewInt(max)) > 0:
		return place{floor: max, min: min, max: max}
	}
	return place{floor: floor.Int64(), exact: q.IsInt(), min: min, max: max}
}

// unquote takes the quotes off a token; a doubled quote within is one.
func unquote(token string) string {
	quote := token[:1]
	return strings.ReplaceAll(token[1:len(token)-1], quote+quote, quote)
}
