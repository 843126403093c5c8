package job

// Summary is a vector of exact integer sums that a site computes over its own
// rows, pushed down to where the data lie. Its length depends on public
// parameters alone. The rows that count are those that the job's where-clause
// selects and where every column of Complete is present.
//
// The vector is laid out cell by cell, the first grouping varying slowest, and
// within a cell term by term.
type Summary struct {
	Name     string
	Complete []string
	Groups   []Grouping
	Terms    []Term
}

// Grouping splits rows into cells by one column. Exactly one of Levels and
// Edges is set. With Levels (codes), a value outside of them belongs to no cell
// (it cannot occur when they are the column's categories). With Edges (codes,
// ascending, k+1 of them), the cells are [e0,e1), [e1,e2) … with the last one
// closed, followed by one more cell for the values outside all of them. Edges
// may be equal: the cell between them is empty, or holds one value if it is the
// last.
// A row where the column is missing is in no cell.
type Grouping struct {
	Column string
	Levels []int64
	Edges  []int64
}

// Term is the product of columns' codes, a column named twice being squared;
// the empty product counts rows. A summary's rows have no missing value in it,
// so its columns are among Complete.
type Term []string

// Cells returns the number of cells, Len that of sums.
func (s Summary) Cells() int {
	n := 1
	for _, g := range s.Groups {
		if g.Edges != nil {
			n *= len(g.Edges) // len-1 bins and the one outside
		} else {
			n *= len(g.Levels)
		}
	}
	return n
}

// Len returns the length of the summary's vector.
func (s Summary) Len() int { return s.Cells() * len(s.Terms) }
