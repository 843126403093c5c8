package protocols

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc/mhe"
)

// A plan's sums become a circuit over deposited columns. A sum is taken over the rows
// of which some conditions are true: those of the where-clause, and that every column
// of Complete has a value. As a sum over all rows it is that of a product: of the
// term's own columns, which are 0 where they have no value, and of columns of 0/1
// whose conditions, together, are exactly the rest. A filter that is deposited has the
// conditions that its text asks for, and a column of validity one.

// circuit returns one product for each of the plan's sums, in their order. It is the
// same at all who know the plan and the deposit.
func (p *Plan) circuit(stored []mhe.Column) (mhe.Circuit, error) {
	var out mhe.Circuit
	for _, s := range p.Summaries {
		c, err := p.newCover(stored, s.Complete)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Concat(s.Terms...) {
			if _, ok := c.values[name]; !ok {
				return nil, fmt.Errorf("column %q is not deposited: deposit it, or %s", name, p.unstored())
			}
		}
		for _, t := range s.Terms {
			product, err := c.product(t)
			if err != nil {
				return nil, err
			}
			out = append(out, product)
		}
	}
	return out, nil
}

// cover finds columns for the rows of one summary. Sets of conditions are bits.
type cover struct {
	plan       *Plan
	conditions []string          // all that there are, sorted
	values     map[string]string // by the schema's name: the deposit's
	indicators []indicator
	found      map[string][]string // what was looked for before
}

// indicator is a deposited column of 0/1.
type indicator struct {
	name   string
	covers *big.Int
}

// newCover takes those deposited columns whose conditions are among the summary's.
func (p *Plan) newCover(stored []mhe.Column, complete []string) (*cover, error) {
	schema := &p.Dataset.Schema
	c := &cover{plan: p, values: map[string]string{}, found: map[string][]string{}}
	c.conditions = job.Conditions(p.Where, schema)
	for _, name := range complete {
		c.conditions = append(c.conditions, job.Present(name))
	}
	slices.Sort(c.conditions)
	c.conditions = slices.Compact(c.conditions)
	byName := map[string]string{}
	for _, name := range schema.Names() {
		byName[job.Identifier(name)] = name
	}
	for _, column := range stored {
		if name, ok := byName[column.Name]; ok {
			c.values[name] = column.Name
			continue
		}
		var asks []string
		if column.Name != thereIsARow {
			predicate, err := job.ParsePredicate(column.Name, schema)
			if err != nil {
				return nil, fmt.Errorf("deposited filter %.64q: %w", column.Name, err)
			}
			asks = job.Conditions(predicate, schema)
		}
		if set, ok := c.set(asks); ok {
			c.indicators = append(c.indicators, indicator{column.Name, set})
		}
	}
	return c, nil
}

// set is that of some conditions; ok is false where one is not among the summary's.
func (c *cover) set(conditions []string) (set *big.Int, ok bool) {
	set = new(big.Int)
	for _, text := range conditions {
		i, known := slices.BinarySearch(c.conditions, text)
		if !known {
			return nil, false
		}
		set.SetBit(set, i, 1)
	}
	return set, true
}

// product returns the columns whose product, summed over all rows, is the sum of a term
// over the rows that count.
func (c *cover) product(t job.Term) ([]string, error) {
	var factors, has []string
	for _, name := range t {
		factors, has = append(factors, c.values[name]), append(has, job.Present(name))
	}
	covered, _ := c.set(has) // they are among the complete ones: Summary.Check has seen to it
	rest := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(len(c.conditions))), big.NewInt(1))
	rest.AndNot(rest, covered)
	for n := 0; len(factors)+n <= mhe.MaxFactors; n++ {
		if more, ok := c.search(rest, n); ok {
			if len(more)+len(factors) == 0 {
				return []string{thereIsARow}, nil
			}
			// In this order, products that sums have in common are made once.
			return slices.Concat(more, factors), nil
		}
	}
	return nil, c.hint()
}

// search finds at most n indicators that cover all of a set: of those that have its
// first condition, the first with which the others suffice for the rest.
func (c *cover) search(rest *big.Int, n int) ([]string, bool) {
	if rest.Sign() == 0 {
		return nil, true
	}
	if n == 0 {
		return nil, false
	}
	key := fmt.Sprintf("%d %x", n, rest)
	if found, known := c.found[key]; known {
		return found, found != nil
	}
	c.found[key] = nil
	for _, x := range c.indicators {
		if x.covers.Bit(int(rest.TrailingZeroBits())) == 0 {
			continue
		}
		if more, ok := c.search(new(big.Int).AndNot(rest, x.covers), n-1); ok {
			c.found[key] = append([]string{x.name}, more...)
			break
		}
	}
	return c.found[key], c.found[key] != nil
}

// hint says which filter would do for every sum.
func (c *cover) hint() error {
	return fmt.Errorf("no product of few deposited filters selects exactly the rows that count; %s, or deposit the filter %s", c.plan.unstored(), c.filter())
}

// filter is the one that does for every sum of the summary.
func (c *cover) filter() string {
	text := strings.Join(c.conditions, " AND ")
	if predicate, err := job.ParsePredicate(text, &c.plan.Dataset.Schema); err == nil {
		text = job.Canonical(predicate, &c.plan.Dataset.Schema)
	}
	return text
}

// unstored says how to ask the same of the sites' files.
func (p *Plan) unstored() string {
	if p.Engine == job.EngineMixed {
		return "leave out stored and take engine: shares"
	}
	return "leave out stored"
}

// Needs returns columns and filters that suffice, once they are deposited, for a job on
// what is stored under encryption.
func (p *Plan) Needs() (columns, filters []string, err error) {
	for _, s := range p.Summaries {
		columns = append(columns, slices.Concat(s.Complete, slices.Concat(s.Terms...))...)
	}
	slices.Sort(columns)
	columns = slices.Compact(columns)
	stored := []mhe.Column{{Name: thereIsARow}}
	for _, name := range columns {
		stored = append(stored, mhe.Column{Name: job.Identifier(name)}, mhe.Column{Name: job.Present(name)})
	}
	for _, s := range p.Summaries {
		c, err := p.newCover(stored, s.Complete)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(s.Terms, func(t job.Term) bool { _, err := c.product(t); return err != nil }) {
			filters = append(filters, c.filter())
			stored = append(stored, mhe.Column{Name: c.filter()})
		}
	}
	return columns, filters, nil
}
