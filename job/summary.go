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

// Term is the product of columns' codes, a column named twice being squared;
// the empty product counts rows. A summary's rows have no missing value in it,
// so its columns are among Complete.
type Term []string

// Cells returns the number of cells, Len that of sums.
func (s Summary) Cells() int {
	n := 1
	for i := range s.Groups {
		n *= s.Groups[i].Cells()
	}
	return n
}

// Len returns the length of the summary's vector.
func (s Summary) Len() int { return s.Cells() * len(s.Terms) }
