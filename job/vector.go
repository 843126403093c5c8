package job

import "fmt"

// Vector is what a site seals of a column row by row: the codes of Column or,
// where Column is empty, whether Predicate holds, as 1 or 0, and missing where that
// is unknown.
type Vector struct {
	Name      string // how the analysis calls it
	Column    string
	Predicate Predicate
}

// Reads lists the columns that the vector is made of.
func (v Vector) Reads() []string {
	if v.Column != "" {
		return []string{v.Column}
	}
	return Columns(v.Predicate)
}

// Codes returns the least and the greatest value that the schema allows, in steps.
func (v Vector) Codes(s *Schema) (low, high int64, err error) {
	if v.Column == "" {
		return 0, 1, nil
	}
	c, ok := s.Column(v.Column)
	if !ok {
		return 0, 0, fmt.Errorf("there is no column %.64q: %s", v.Column, Near(v.Column, s.Names()))
	}
	low, high = c.Codes()
	return low, high, nil
}
