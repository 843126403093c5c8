package protocols

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// PCA is the principal component analysis of columns over the rows that have a value
// in all of them (R's prcomp): the standard deviations along the components, and
// what each column contributes to each of them.
//
// The sites push down exact sums and sums of products; from these come the
// covariances, or with scale the correlations, which the recipient learns: sdev and
// loadings determine them anyway. Their eigenvectors are found at the recipient.
// Without center, sums of squares and products about 0 stand for those about the
// means. With scale, a column that does not vary (or that is 0 throughout, without
// center) is "singular". 66 rounds, or 119 with scale, however many rows there are.
type PCA struct{}

// Name implements Analysis.
func (PCA) Name() string { return "pca" }

// covariances is the output of all variances and covariances, by withSquares.
const covariances = "covariances"

// components is what Plan works out.
type components struct {
	*gram
	scale, center bool
}

// Plan implements Analysis. Arguments: columns; scale (optional: false if not
// given), center (optional: true if not given).
func (PCA) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	names := args.Strings("columns")
	scale, center := args.OptionalBool("scale", false), args.OptionalBool("center", true)
	if err := args.Err(); err != nil {
		return nil, err
	}
	g, err := numericGram(d, names)
	if err != nil {
		return nil, err
	}
	c := components{g, scale, center}
	p := &Plan{
		Summaries: g.summaries(),
		Outputs:   []Output{realOutput(covariances, len(withSquares(len(names)))), {Name: rowsOutput, Len: 1}},
		Failures:  []string{statusFewRows},
		Reveals: []string{
			"the " + c.matrixName() + " matrix of " + strings.Join(names, ", ") + ", from which the components follow",
			"how many rows have a value in all of them",
		},
		Detail: c,
	}
	if scale {
		if len(names) < 2 {
			return nil, errors.New("columns names one column: with scale it takes two or more")
		}
		p.Outputs[0] = Output{Name: coefficients, Len: len(pairs(len(names)))}
		p.Failures = append(p.Failures, statusSingular)
	}
	return p, nil
}

// matrixName says what the recipient learns.
func (c components) matrixName() string {
	name := "covariance"
	if c.scale {
		name = "correlation"
	}
	if !c.center {
		name = "uncentred " + name
	}
	return name
}

// Compute implements Analysis.
func (PCA) Compute(s *mpc.Session, plan *Plan, in Inputs) Outputs {
	c := plan.Detail.(components)
	sums := c.of(s, in.Sums)
	n := sums.count()
	rows := rss.Narrow(s, n)
	// What divides the sums: n - 1, and n once more where they are centred.
	products, width := sums.products(), 2*c.totalBits()
	divisor := rss.AddConst(s, n, -1)
	if c.center {
		products, width = centred(s.Step("centred"), n, sums.totals(), products), c.centredBits()
		divisor = rss.Mul(s.Step("divisor"), n, divisor)
	}
	out := Outputs{
		Values: map[string]rss.Vec128{rowsOutput: n},
		Rows:   rows,
		Failed: map[string]rss.Vec{statusFewRows: fewer(s.Step("few"), rows, 2)},
	}
	if c.scale {
		r, constant := correlated(s, products, len(c.terms), width)
		out.Values[coefficients] = r.Share
		out.Failed[statusSingular] = rss.Sum(s, rss.ToArith(s.Step("singular"), constant))
		return out
	}
	both := rss.Concat(s, products, divisor)
	sizes := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, both, 0, max(width, 2*log2(c.rows)+1)))
	k := products.Len()
	inverse := sizes.Slice(s, k, k+1).Recip(s.Step("inverse")).Repeat(s, k)
	out.Values[covariances] = revealReals(s.Step("reveal"), sizes.Slice(s, 0, k).Mul(s.Step("covariances"), inverse))
	return out
}

// Finish implements Analysis.
func (PCA) Finish(p *Plan, opened Opened) (*Result, error) {
	c := p.Detail.(components)
	n, err := counts(p, opened[rowsOutput])
	if err != nil {
		return nil, err
	}
	matrix, err := c.matrix(opened)
	if err != nil {
		return nil, err
	}
	// As many components as rows at most.
	sdev, loadings, err := principal(matrix, min(len(c.terms), int(min(n[0], maxTerms))))
	if err != nil {
		return nil, err
	}
	value := map[string]any{"n": n[0], "sdev": anyOf(sdev)}
	var rows []any
	for _, row := range loadings {
		rows = append(rows, anyOf(row))
	}
	value["abs_loadings"] = rows
	return &Result{Status: statusOK, Value: value, Tables: c.tables(p, n[0], sdev, loadings)}, nil
}

// matrix reads the correlations, or the covariances in the columns' units.
func (c components) matrix(opened Opened) (*mat.SymDense, error) {
	p := len(c.terms)
	m := mat.NewSymDense(p, nil)
	if c.scale {
		rows, err := correlationMatrix(opened, p)
		if err != nil {
			return nil, err
		}
		for _, ij := range withSquares(p) {
			m.SetSym(ij[0], ij[1], rows[ij[0]][ij[1]])
		}
		return m, nil
	}
	x, err := readReals(opened[covariances])
	if err != nil {
		return nil, err
	}
	for k, ij := range withSquares(p) {
		unit, _ := c.terms[ij[0]].column.StepRat().Float64()
		other, _ := c.terms[ij[1]].column.StepRat().Float64()
		m.SetSym(ij[0], ij[1], x[k]*unit*other)
	}
	return m, nil
}

// principal returns the roots of the k greatest eigenvalues, descending, and the
// magnitudes of their eigenvectors as columns.
func principal(m *mat.SymDense, k int) (sdev []float64, loadings [][]float64, err error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(m, true) {
		return nil, nil, errImpossible
	}
	values := eigen.Values(nil) // ascending
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	p := len(values)
	const slack = 1e-6 // of the greatest: what rounding may take below 0
	if values[0] < -slack*math.Abs(values[p-1]) {
		return nil, nil, errImpossible
	}
	for i := range k {
		sdev = append(sdev, math.Sqrt(math.Max(0, values[p-1-i])))
	}
	for row := range p {
		var out []float64
		for i := range k {
			out = append(out, math.Abs(vectors.At(row, p-1-i)))
		}
		loadings = append(loadings, out)
	}
	return sdev, loadings, nil
}

func (c components) tables(p *Plan, n int64, sdev []float64, loadings [][]float64) []Table {
	notes := []string{filterNote(p), fmt.Sprintf("n = %d; rows with a missing value in any of these columns are left out.", n)}
	importance := Table{
		Title:  "Principal components",
		Header: []string{"Component", "SD", "Variance explained", "Cumulative"},
		Notes:  append(notes, "From the "+c.matrixName()+" matrix."),
	}
	contribution := Table{Title: "Loadings, without their signs", Header: []string{"Variable"}, Notes: notes}
	total, cumulative := 0.0, 0.0
	for _, sd := range sdev {
		total += sd * sd
	}
	for i, sd := range sdev {
		cumulative += sd * sd
		name := "PC" + strconv.Itoa(i+1)
		importance.Rows = append(importance.Rows, []string{name, significant(sd), portion(sd * sd / total), portion(cumulative / total)})
		contribution.Header = append(contribution.Header, name)
	}
	for i, row := range loadings {
		cells := []string{c.terms[i].name}
		for _, x := range row {
			cells = append(cells, strconv.FormatFloat(x, 'f', maxDecimals, 64))
		}
		contribution.Rows = append(contribution.Rows, cells)
	}
	return []Table{importance, contribution}
}

// portion writes a part of a whole in percent.
func portion(x float64) string {
	if math.IsNaN(x) {
		return undefined
	}
	return strconv.FormatFloat(100*x, 'f', 1, 64) + "%"
}

// anyOf is a list of figures for a result.
func anyOf(xs []float64) []any {
	out := make([]any, len(xs))
	for i, x := range xs {
		out[i] = figure(x)
	}
	return out
}
