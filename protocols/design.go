package protocols

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"

	"consilium/job"
)

// design is what a regression model makes of its covariates: a numeric column is
// one term, a categorical one a term for each level above the lowest, which is 1 in
// rows of that level (treatment contrasts). A level's term has the column's name
// with the level behind it, such as race2.
//
// As in R, the lowest level is the lowest that any row has. A level that no row has
// is no term, and neither has a column that does not vary a coefficient; which
// these are the recipient alone learns (see standardised.kept).
type design struct {
	terms   []term
	factors []factor // the categorical columns
	rows    int      // declared
}

// term is one column of the design.
type term struct {
	name   string
	column *job.Column
	vector job.Vector
	factor int // index of a level's factor, -1 for a numeric column
	level  int // index of the level, at least 1
}

const (
	// maxTerms caps a model's terms: the work grows with their third power.
	maxTerms = 100
	// maxSquares is how many bits a sum of squared distances may have.
	maxSquares = 120
)

// newDesign reads the covariates of a model. Text columns are categorical, and so
// are those that categorical names.
func newDesign(d *job.Dataset, covariates, categorical []string) (*design, error) {
	cols, err := columns(d, covariates)
	if err != nil {
		return nil, err
	}
	for _, name := range categorical {
		if !slices.Contains(covariates, name) {
			return nil, fmt.Errorf("categorical names %.64q, which is no covariate: add it to covariates too", name)
		}
	}
	m := &design{rows: d.Rows()}
	for _, c := range cols {
		if c.Type == job.Text || slices.Contains(categorical, c.Name) {
			err = m.addFactor(c)
		} else {
			err = m.addNumeric(c)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(m.terms) > maxTerms {
		return nil, fmt.Errorf("the covariates make %d terms, at most %d are possible; name fewer, or columns with fewer categories", len(m.terms), maxTerms)
	}
	return m, nil
}

func (m *design) addNumeric(c *job.Column) error {
	if err := squarable(c, m.rows); err != nil {
		return err
	}
	m.terms = append(m.terms, term{name: c.Name, column: c, vector: columnVector(c.Name), factor: -1})
	return nil
}

// squarable refuses a column whose squared distances from the mean could sum up to
// more than fits.
func squarable(c *job.Column, rows int) error {
	if 2*(c.Bits()+1)+log2(rows) > maxSquares {
		return fmt.Errorf("column %q has values of %d bits, too wide for %d rows: declare a larger step or a narrower range", c.Name, c.Bits(), rows)
	}
	return nil
}

func (m *design) addFactor(c *job.Column) error {
	levels, err := c.Levels()
	if err != nil {
		return err
	}
	if len(levels) < 2 {
		return fmt.Errorf("column %q has one category and tells nothing; leave it out", c.Name)
	}
	f := factor{c, levels}
	for i := 1; i < len(levels); i++ {
		name := c.Name + f.key(i)
		m.terms = append(m.terms, term{name, c, levelVector(name, c.Name, levels[i]), len(m.factors), i})
	}
	m.factors = append(m.factors, f)
	return nil
}

// log2 returns the least b with n <= 2^b.
func log2(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// rowFrac returns how many fractional bits, at most 24, row vectors x and y may have
// so that every sum of their products fits 64 bits, when the sums of squares of x and
// of y / 2^spare are each at most the number of rows.
func rowFrac(rows, spare int) int {
	const most, room = 24, 61
	return min(most, (room-log2(rows)-spare)/2)
}

// vectors are the terms' vectors, for a Sample.
func (m *design) vectors() []job.Vector {
	out := make([]job.Vector, len(m.terms))
	for i, t := range m.terms {
		out[i] = t.vector
	}
	return out
}

// names are the terms' names.
func (m *design) names() []string {
	out := make([]string, len(m.terms))
	for i, t := range m.terms {
		out[i] = t.name
	}
	return out
}

// columns are the names of the columns that the terms are made of.
func (m *design) columns() []string {
	var out []string
	for _, t := range m.terms {
		if !slices.Contains(out, t.column.Name) {
			out = append(out, t.column.Name)
		}
	}
	return out
}

// designMoments is the name of the summary that standardise takes.
const designMoments = "moments"

// moments is the summary from which the terms get their scale: the number of rows
// and, of every numeric term and of every column of extra, the sum and the sum of
// squares. Its rows have a value in all covariates, all of extra and all of
// complete. Every row of the sample must be among them; where others are too,
// terms are scaled for these as well, which does no harm.
func (m *design) moments(complete, extra []string) job.Summary {
	summary := job.Summary{Name: designMoments, Terms: []job.Term{{}}}
	for _, name := range slices.Concat(m.columns(), complete, extra) {
		if !slices.Contains(summary.Complete, name) {
			summary.Complete = append(summary.Complete, name)
		}
	}
	add := func(name string) {
		summary.Terms = append(summary.Terms, job.Term{name}, job.Term{name, name})
	}
	for _, t := range m.terms {
		if t.factor < 0 {
			add(t.column.Name)
		}
	}
	for _, name := range extra {
		add(name)
	}
	return summary
}

// keptOutput is the name of the output that tells which terms have a coefficient.
const keptOutput = "kept"

func (m *design) keptOutput() Output { return Output{Name: keptOutput, Len: len(m.terms)} }

// readKept reads that output.
func (m *design) readKept(opened []*big.Int) ([]bool, error) {
	out := make([]bool, len(opened))
	for i, x := range opened {
		if !x.IsInt64() || x.Int64() != 0 && x.Int64() != 1 {
			return nil, errImpossible
		}
		out[i] = x.Int64() == 1
	}
	return out, nil
}

// dropped tells whether the result leaves a term out altogether: a level that no row
// has, or the lowest. A column that does not vary stays, without a coefficient.
func (t *term) dropped(kept bool) bool { return !kept && t.factor >= 0 }

// perUnit turns a coefficient or standard error per step of the column into one per
// unit.
func (t *term) perUnit(x float64) float64 {
	if t.factor >= 0 {
		return x
	}
	step, _ := t.column.StepRat().Float64()
	return x / step
}
