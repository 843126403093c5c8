package protocols

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Correlation gives the correlation coefficients of all pairs of columns over the
// rows that have a value in all of them (R's cor): Pearson's, or Spearman's, which
// are Pearson's of the ranks, ties sharing the mean of their places.
//
// For Pearson's the sites push down exact sums and sums of products, so that the
// cost does not depend on the number of rows: 118 rounds. For Spearman's the columns
// go row by row and are sorted one after the other: costs of averageRanks for each
// column, and 11 bytes a row and column. The other columns go along with each sort.
//
// The recipient learns the coefficients and the number of rows. "singular" is a
// column that does not vary, whose correlations are not defined.
type Correlation struct{}

// Name implements Analysis.
func (Correlation) Name() string { return "correlation" }

// Methods of Correlation.
const (
	pearson  = "pearson"
	spearman = "spearman"
)

// coefficients is the output of correlations, by pairs.
const coefficients = "coefficients"

// correlating is what Plan works out.
type correlating struct {
	*gram
	method string
}

// Plan implements Analysis. Arguments: columns; method (optional: pearson or
// spearman).
func (Correlation) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	names, method := args.Strings("columns"), args.OptionalString("method", pearson)
	if err := args.Err(); err != nil {
		return nil, err
	}
	if method != pearson && method != spearman {
		return nil, fmt.Errorf("method %.64q is unknown: %s", method, job.Near(method, []string{pearson, spearman}))
	}
	g, err := numericGram(d, names)
	if err != nil {
		return nil, err
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("columns names one column: a correlation needs two or more")
	}
	p := &Plan{
		Outputs:  []Output{{Name: coefficients, Len: len(pairs(len(names)))}, {Name: rowsOutput, Len: 1}},
		Failures: []string{statusFewRows, statusSingular},
		Reveals: []string{
			"the " + properName(method) + " correlations of all pairs of " + strings.Join(names, ", "),
			"how many rows have a value in all of them",
		},
		Detail: correlating{g, method},
	}
	if method == pearson {
		p.Summaries = g.summaries()
	} else {
		p.Samples = []Sample{{Name: rankedRows, Vectors: columnVectors(names...)}}
	}
	return p, nil
}

// properName writes a method as people do.
func properName(method string) string { return strings.ToUpper(method[:1]) + method[1:] }

// Compute implements Analysis.
func (Correlation) Compute(s *mpc.Session, plan *Plan, in Inputs) Outputs {
	c := plan.Detail.(correlating)
	p, width := len(c.terms), c.centredBits()
	var n, totals, products rss.Vec128
	if c.method == pearson {
		sums := c.of(s, in.Sums)
		n, totals, products = sums.count(), sums.totals(), sums.products()
	} else {
		n, totals, products = c.ranked(s.Step("ranks"), in.Rows[rankedRows])
		width = 4 * (log2(c.rows) + 1)
	}
	r, constant := correlated(s, centred(s.Step("centred"), n, totals, products), p, width)
	rows := rss.Narrow(s, n)
	return Outputs{
		Values: map[string]rss.Vec128{coefficients: r.Share, rowsOutput: n},
		Rows:   rows,
		Failed: map[string]rss.Vec{
			statusFewRows:  fewer(s.Step("few"), rows, 2),
			statusSingular: rss.Sum(s, rss.ToArith(s.Step("singular"), constant)),
		},
	}
}

// fewer tells whether a number of rows is below k: one element, 0 or 1.
func fewer(s *mpc.Session, rows rss.Vec, k int64) rss.Vec {
	return rss.ToArith(s.Step("arith"), rss.LessPublic(s.Step("less"), rows, k, countBits))
}

// ranked returns what the sites' sums are for Pearson's correlation, for the doubled
// average ranks of all columns. Ranks of n rows sum up to n (n+1) when doubled,
// whatever ties there are.
func (c correlating) ranked(s *mpc.Session, rows *Sampled) (n, totals, products rss.Vec128) {
	p := len(c.terms)
	ranks, members := c.rankEach(s, rows)
	defer ranks.Close()
	both := withSquares(p)
	products = rss.Zero[ring.Vec128](len(both))
	for i := range ranks.Chunks() {
		s := s.Step("products", i)
		wide := inParts(s, rss.Lift(s.Step("lift"), rss.Concat(s, ranks.Get(s, i)...)), p)
		var x, y []rss.Vec128
		for _, ij := range both {
			x, y = append(x, wide[ij[0]]), append(y, wide[ij[1]])
		}
		products = rss.Add(s, products, rss.Dots(s.Step("sums"), x, y))
	}
	n = rss.Lift(s.Step("lift n"), members)
	total := rss.Mul(s.Step("total"), n, rss.AddConst(s, n, 1))
	// Rows that are no members are equals in all columns, with the doubled rank all + n + 1.
	all := int64(rows.Rows())
	rank := rss.AddConst(s, n, all+1)
	strangers := rss.Mul(s.Step("strangers"), rss.Mul(s.Step("rank"), rank, rank), rss.AddConst(s, rss.Neg(s, n), all))
	return n, rss.Repeat(s, total, p), rss.Sub(s, products, rss.Repeat(s, strangers, len(both)))
}

// rankEach returns the averageRanks of all columns and how many rows are members. Each
// column is sorted in turn, the others and the ranks that there are go with it.
func (c correlating) rankEach(s *mpc.Session, rows *Sampled) (ranks *rss.Chunked, members rss.Vec) {
	members = rss.Zero[ring.Vec64](1)
	ranks = rows.Like(s, len(c.terms), 0)
	for i := range rows.Chunks() {
		of := rows.chunk(s, i)
		var keys []rss.Vec
		for _, t := range c.terms {
			keys = append(keys, columnKey(s, t.column, of).Column)
		}
		ranks.Put(s, i, keys)
		members = rss.Add(s, members, rss.Sum(s, of.Member))
	}
	for j, t := range c.terms {
		low, high := t.column.Codes()
		next := averageRanks(s.Step("column", j), ranks, len(c.terms), keyBits(low, high))
		ranks.Close()
		ranks = next
	}
	return ranks, members
}

// Finish implements Analysis.
func (Correlation) Finish(p *Plan, opened Opened) (*Result, error) {
	c := p.Detail.(correlating)
	n, err := counts(p, opened[rowsOutput])
	if err != nil {
		return nil, err
	}
	matrix, err := correlationMatrix(opened, len(c.terms))
	if err != nil {
		return nil, err
	}
	return c.result(p, n[0], matrix), nil
}

// PlanSums implements Summarizer: Spearman's ranks are of rows, so that it has
// Pearson's coefficients alone.
func (c Correlation) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := c.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	of := p.Detail.(correlating)
	if of.method != pearson {
		return nil, &Unsupported{
			What: fmt.Sprintf("method %q with engine %q", of.method, job.EngineMHE),
			Hint: "with that engine it has the method pearson; take engine: shares",
		}
	}
	p.Outputs = outputsOf(p.Summaries)
	p.Reveals = []string{of.reveals() + " (hence the Pearson correlations of all pairs, all means and variances)"}
	return p, nil
}

// FinishSums implements Summarizer. The covariances, which follow from what is
// revealed with this engine, are there too.
func (Correlation) FinishSums(p *Plan, sums Opened) (*Result, error) {
	c := p.Detail.(correlating)
	x, err := c.clear(p, sums)
	if err != nil {
		return nil, err
	}
	if end := p.ending(x.rows, map[string]bool{statusFewRows: x.rows < 2, statusSingular: slices.Contains(x.varies(), false)}); end != nil {
		return end, nil
	}
	r := c.result(p, x.rows, x.correlations())
	covariances := x.covariances(c.terms)
	r.Value.(map[string]any)["covariance"] = figuresOf(covariances)
	r.Tables = append(r.Tables, Table{
		Title: "Covariances", Header: slices.Insert(c.numeric(), 0, ""),
		Rows:  c.matrixRows(covariances, significant),
		Notes: []string{"In the columns' units; variances on the diagonal, with n - 1."},
	})
	return r, nil
}

// result tells of n rows.
func (c correlating) result(p *Plan, n int64, matrix [][]float64) *Result {
	table := Table{
		Title:  properName(c.method) + " correlations",
		Header: slices.Insert(c.numeric(), 0, ""),
		Rows:   c.matrixRows(matrix, func(r float64) string { return strconv.FormatFloat(r, 'f', maxDecimals, 64) }),
		Notes:  []string{filterNote(p), fmt.Sprintf("n = %d; rows with a missing value in any of these columns are left out.", n)},
	}
	return &Result{Status: statusOK, Value: map[string]any{"n": n, "matrix": figuresOf(matrix)}, Tables: []Table{table}}
}

// matrixRows prints a matrix of the terms.
func (c correlating) matrixRows(matrix [][]float64, text func(float64) string) [][]string {
	rows := make([][]string, len(matrix))
	for i, row := range matrix {
		rows[i] = []string{c.terms[i].name}
		for _, x := range row {
			rows[i] = append(rows[i], text(x))
		}
	}
	return rows
}

// figuresOf is a matrix as a result holds it.
func figuresOf(matrix [][]float64) []any {
	value := make([]any, len(matrix))
	for i, row := range matrix {
		figures := make([]any, len(row))
		for j, x := range row {
			figures[j] = x
		}
		value[i] = figures
	}
	return value
}

// correlationMatrix reads the correlations of p columns.
func correlationMatrix(opened Opened, p int) ([][]float64, error) {
	const most = 1 + 1e-9 // rounding
	r, err := readFixed(opened[coefficients], correlationFrac, most)
	if err != nil {
		return nil, err
	}
	matrix := make([][]float64, p)
	for i := range matrix {
		matrix[i] = make([]float64, p)
		matrix[i][i] = 1
	}
	for k, ij := range pairs(p) {
		x := math.Max(-1, math.Min(1, r[k]))
		matrix[ij[0]][ij[1]], matrix[ij[1]][ij[0]] = x, x
	}
	return matrix, nil
}
