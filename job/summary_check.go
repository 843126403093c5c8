package job

import (
	"fmt"
	"math/bits"
	"slices"
)

const (
	// sumBits is what a sum may take: a signed 128-bit word, with one bit spare.
	sumBits = 126
	// maxSums caps a summary's length.
	maxSums = 1 << 20
)

// Check checks the summary against the schema of a dataset with that many rows
// over all sites: its columns exist, its groupings are in order, its length is
// bounded, and every sum provably fits a signed 128-bit word.
func (s *Summary) Check(schema *Schema, rows int) error {
	if err := s.check(schema, rows); err != nil {
		return fmt.Errorf("summary %s: %w", quoted(s.Name), err)
	}
	return nil
}

func (s *Summary) check(schema *Schema, rows int) error {
	if rows < 1 {
		return fmt.Errorf("%d rows: a dataset has at least one", rows)
	}
	if len(s.Terms) == 0 {
		return fmt.Errorf("it has no terms: name what to sum")
	}
	for _, name := range s.Complete {
		if _, err := column(schema, name); err != nil {
			return err
		}
	}
	cells := 1
	for i := range s.Groups {
		g := &s.Groups[i]
		if err := g.check(schema); err != nil {
			return err
		}
		cells *= g.Cells()
		if cells*len(s.Terms) > maxSums {
			return fmt.Errorf("more than %d sums: group by fewer columns or categories", maxSums)
		}
	}
	if len(s.Terms) > maxSums {
		return fmt.Errorf("more than %d sums: name fewer columns", maxSums)
	}
	for _, t := range s.Terms {
		if err := s.checkTerm(t, schema, rows); err != nil {
			return err
		}
	}
	return nil
}

// checkTerm bounds rows * product of the largest magnitudes.
func (s *Summary) checkTerm(t Term, schema *Schema, rows int) error {
	width := bits.Len(uint(rows - 1)) // log2, rounded up
	for _, name := range t {
		c, err := column(schema, name)
		if err != nil {
			return err
		}
		if !slices.Contains(s.Complete, name) {
			return fmt.Errorf("column %s is summed but may be missing: add it to the complete ones", quoted(name))
		}
		width += c.Bits()
		if width > sumBits {
			return fmt.Errorf("column %s: the sum may need more than %d bits over %d rows: declare a narrower range or a larger step", quoted(name), sumBits, rows)
		}
	}
	return nil
}

// column looks a column up by name, with a hint when there is none.
func column(schema *Schema, name string) (*Column, error) {
	c, ok := schema.Column(name)
	if !ok {
		return nil, fmt.Errorf("unknown column %s: %s", quoted(name), Near(name, schema.Names()))
	}
	return c, nil
}
