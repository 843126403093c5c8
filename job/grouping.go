package job

import (
	"fmt"
	"slices"
)

// Grouping splits rows into cells, in one of four ways.
//
// By Levels (codes of Column), a value outside of them belongs to no cell (it
// cannot occur when they are the column's categories).
//
// By Edges (codes, ascending, k+1 of them), the cells are [e0,e1), [e1,e2) … with
// the last one closed, followed by one more cell for the values outside all of
// them. Edges may be equal: the cell between them is empty, or holds one value if
// it is the last.
//
// By Range every code from its first to its last has a cell; a value outside
// belongs to none.
//
// In these three a row where Column is missing is in no cell. By Predicate, which
// goes without Column, the cells are that of the rows for which it is false and
// that of those for which it is true; where it is unknown a row is in neither.
type Grouping struct {
	Column    string
	Levels    []int64
	Edges     []int64
	Range     *Range
	Predicate Predicate
}

// Range is a run of codes; both ends belong to it.
type Range struct{ First, Last int64 }

// Cells returns the number of cells.
func (g *Grouping) Cells() int {
	switch {
	case g.Predicate != nil:
		return 2
	case g.Range != nil:
		return int(g.Range.Last-g.Range.First) + 1
	case g.Edges != nil:
		return len(g.Edges) // len-1 bins and the one outside
	}
	return len(g.Levels)
}

// Reads lists the columns that the grouping looks at.
func (g *Grouping) Reads() []string {
	if g.Predicate != nil {
		return Columns(g.Predicate)
	}
	return []string{g.Column}
}

// Cell tells in which cell a row is, if in any: the meaning that every source
// must match. value returns a column's code, or false where it is missing.
func (g *Grouping) Cell(value func(column string) (code int64, ok bool)) (cell int, ok bool) {
	if g.Predicate != nil {
		truth, known := Eval(g.Predicate, value)
		if truth {
			cell = 1
		}
		return cell, known
	}
	code, ok := value(g.Column)
	switch {
	case !ok:
	case g.Range != nil:
		if ok = code >= g.Range.First && code <= g.Range.Last; ok {
			cell = int(code - g.Range.First)
		}
	case g.Edges != nil:
		cell = g.bin(code)
	default:
		cell = slices.Index(g.Levels, code)
		ok = cell >= 0
	}
	return cell, ok
}

// bin is the cell of a code among edges.
func (g *Grouping) bin(code int64) int {
	last := len(g.Edges) - 1
	for i := range last {
		if code >= g.Edges[i] && (code < g.Edges[i+1] || i == last-1 && code == g.Edges[i+1]) {
			return i
		}
	}
	return last
}

func (g *Grouping) check(schema *Schema) error {
	if g.Predicate != nil {
		if g.Column != "" || g.Levels != nil || g.Edges != nil || g.Range != nil {
			return fmt.Errorf("grouping by a predicate: it goes without column, levels, edges and range")
		}
		for _, name := range Columns(g.Predicate) {
			if _, err := column(schema, name); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := column(schema, g.Column); err != nil {
		return err
	}
	if err := g.checkCodes(); err != nil {
		return fmt.Errorf("grouping by %s: %w", quoted(g.Column), err)
	}
	return nil
}

// checkCodes checks the cells of a column.
func (g *Grouping) checkCodes() error {
	given := 0
	for _, is := range []bool{len(g.Levels) > 0, len(g.Edges) > 0, g.Range != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("give one of levels, edges and range")
	}
	if r := g.Range; r != nil && (r.Last < r.First || uint64(r.Last)-uint64(r.First) >= maxSums) {
		return fmt.Errorf("its range has no code or more than %d: give a shorter one, from its first to its last code", maxSums)
	}
	if g.Edges != nil && len(g.Edges) < 2 {
		return fmt.Errorf("one edge makes no bin, give at least two")
	}
	for i := 1; i < len(g.Edges); i++ {
		if g.Edges[i] < g.Edges[i-1] { // a bin between equal edges is empty, or holds one value if it is the last
			return fmt.Errorf("edges must ascend")
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(g.Levels)))) != len(g.Levels) {
		return fmt.Errorf("a level comes twice")
	}
	return nil
}
