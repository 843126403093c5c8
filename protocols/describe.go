package protocols

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Describe gives n, missing, sum, mean, variance and standard deviation, and the
// quartiles (type 7 of Hyndman and Fan, R's default), minimum and maximum of
// columns, each over its own rows with a value; with `by`, in each group of rows
// that share the levels of one or several grouping columns. Minimum and maximum are
// there where the study's rules allow each.
//
// The sites push down n, the sum and the sum of squares of each column in whole
// steps, and the number of selected rows, of each group. For the quartiles each
// column's rows are sorted once on shares, by group and value, and the rows at the
// secret places of the quartiles are picked. The recipient learns exactly these
// figures. All are exact.
//
// For each column the costs of sorting its rows (see rss.SortChunked) and about
// 25 rounds: for 60,000 rows, which are one chunk, 200 rounds and 7 MB a party, for
// 1,000,000 rows 1,500 rounds and 175 MB.
type Describe struct{}

// Name implements Analysis.
func (Describe) Name() string { return "describe" }

// selectedRows is the summary that counts the rows that the filter keeps.
const selectedRows = "selected"

// The names of one column's summary, and of its sample and quartiles.
func momentsOf(column int) string   { return fmt.Sprintf("moments.%d", column) }
func quartilesOf(column int) string { return fmt.Sprintf("quartiles.%d", column) }

// described is what Plan works out for Compute and Finish.
type described struct {
	columns  []*job.Column
	by       []factor
	cells    int
	quarters []int // k of the quantiles at k/4 that are shown; none of sums
}

// Plan implements Analysis. Arguments: columns; by (optional).
func (Describe) Plan(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := planMoments(j, d)
	if err != nil {
		return nil, err
	}
	detail := p.Detail.(*described)
	detail.quarters = shownQuarters(rules)
	p.Reveals = append(p.Reveals, "of the same: "+revealedOrder(rules))
	for i, c := range detail.columns {
		own := slices.Concat(factorColumns(detail.by), []string{c.Name})
		p.Samples = append(p.Samples, Sample{quartilesOf(i), columnVectors(own...)})
		p.Outputs = append(p.Outputs, Output{quartilesOf(i), detail.cells * len(detail.quarters)})
	}
	return p, nil
}

// PlanSums implements Summarizer: all but the quantiles, for which sums do not
// suffice.
func (Describe) PlanSums(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	return planMoments(j, d)
}

// PlanMixed is PlanSums: Compute then finds no quartiles.
func (Describe) PlanMixed(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	return planMoments(j, d)
}

// planMoments plans the counts, the sums and the sums of squares.
func planMoments(j *job.Job, d *job.Dataset) (*Plan, error) {
	args := j.Arguments()
	names, by := args.Strings("columns"), args.OptionalStrings("by")
	if err := args.Err(); err != nil {
		return nil, err
	}
	cols, err := columns(d, names)
	if err != nil {
		return nil, err
	}
	factors, groups, err := grouped(d, by)
	if err != nil {
		return nil, err
	}
	if err := distinctKeys(factors); err != nil {
		return nil, err
	}
	rows := job.Summary{Name: selectedRows, Complete: by, Groups: groups, Terms: []job.Term{{}}}
	p := &Plan{
		Summaries: []job.Summary{rows},
		Reveals:   revealedMoments(names, by),
		Detail:    &described{columns: cols, by: factors, cells: rows.Cells()},
	}
	for i, c := range cols {
		if c.Type == job.Text {
			return nil, fmt.Errorf("column %q is text and has no mean; use frequency for it", c.Name)
		}
		own := append(slices.Clone(by), c.Name)
		p.Summaries = append(p.Summaries, job.Summary{
			Name:     momentsOf(i),
			Complete: own,
			Groups:   groups,
			Terms:    []job.Term{{}, {c.Name}, {c.Name, c.Name}},
		})
	}
	p.Outputs = outputsOf(p.Summaries)
	return p, nil
}

// revealedMoments says what the recipient learns of counts and sums.
func revealedMoments(names, by []string) []string {
	where := ""
	if len(by) > 0 {
		where = " in each group of " + strings.Join(by, " by ")
	}
	return []string{
		"the number of rows that the job selects" + where,
		"of each of " + strings.Join(names, ", ") + where + ": how many rows have a value, their sum and their sum of squares (hence mean, variance and standard deviation)",
	}
}

// revealedOrder says what the recipient learns of the values' order.
func revealedOrder(rules job.Disclosure) string {
	var shown, withheld []string
	for _, bound := range []struct {
		name    string
		allowed bool
	}{{"minimum", rules.AllowMinimum}, {"maximum", rules.AllowMaximum}} {
		if bound.allowed {
			shown = append(shown, bound.name)
		} else {
			withheld = append(withheld, bound.name)
		}
	}
	order := "their quartiles"
	if len(shown) > 0 {
		order = "their " + strings.Join(shown, ", ") + " and quartiles"
	}
	if len(withheld) > 0 {
		order += " (the study withholds " + strings.Join(withheld, " and ") + ")"
	}
	return order
}

// Compute implements Analysis.
func (Describe) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	d := p.Detail.(*described)
	values := maps.Clone(in.Sums)
	rows := rss.Narrow(s, in.Sums[selectedRows])
	counts := []rss.Vec{rows}
	for i, c := range d.columns {
		n := d.sizes(s, rss.Narrow(s, in.Sums[momentsOf(i)]))
		counts = append(counts, n)
		if len(in.Rows) == 0 {
			continue // sums tell no quartiles
		}
		sorted := sortedColumn(s.Step("sort", i), in.Rows[quartilesOf(i)], d.by, c)
		values[quartilesOf(i)] = quartiles(s.Step("quartiles", i), sorted, n, d.quarters)
		sorted.rows.Close()
	}
	return Outputs{Values: values, Rows: rss.Sum(s, rows), Counts: rss.Concat(s, counts...)}
}

// momentTerms are the terms of a column's summary in each cell, of which the first
// counts.
const momentTerms = 3

// sizes returns the number of rows in each cell of a column's summary.
func (d *described) sizes(s *mpc.Session, moments rss.Vec) rss.Vec {
	n := make([]rss.Vec, d.cells)
	for cell := range n {
		n[cell] = rss.Slice(s, moments, momentTerms*cell, momentTerms*cell+1)
	}
	return rss.Concat(s, n...)
}

// moments are one column's figures; those that do not exist are nil.
type moments struct {
	n, missing          int64
	sum, mean, variance *big.Rat
}

// newMoments takes n, the sum and the sum of squares in steps. All is exact.
func newMoments(p *Plan, step *big.Rat, selected int64, opened []*big.Int) (moments, error) {
	n, err := counts(p, opened[:1])
	if err != nil || n[0] > selected {
		return moments{}, errImpossible
	}
	m := moments{n: n[0], missing: selected - n[0]}
	sum, squares, count := opened[1], opened[2], opened[0]
	// (n Q - S^2) / (n (n-1)), in squared steps
	spread := new(big.Int).Sub(new(big.Int).Mul(count, squares), new(big.Int).Mul(sum, sum))
	if spread.Sign() < 0 {
		return moments{}, errImpossible
	}
	m.sum = new(big.Rat).Mul(new(big.Rat).SetInt(sum), step)
	if m.n > 0 {
		m.mean = new(big.Rat).Quo(m.sum, new(big.Rat).SetInt(count))
	}
	if m.n > 1 {
		pairs := new(big.Int).Mul(count, new(big.Int).Sub(count, big.NewInt(1)))
		m.variance = new(big.Rat).SetFrac(spread, pairs)
		m.variance.Mul(m.variance, step).Mul(m.variance, step)
	}
	return m, nil
}

// sd returns the root of the variance, correct to far more than a float64.
func (m *moments) sd() *big.Rat {
	if m.variance == nil {
		return nil
	}
	const bits = 256
	root := new(big.Float).SetPrec(bits).SetRat(m.variance)
	exact, _ := root.Sqrt(root).Rat(nil)
	return exact
}

// description is of one column in one cell.
type description struct {
	moments
	quartiles []*big.Rat
}

func (d *described) value(f *description) map[string]any {
	value := map[string]any{
		"n":        f.n,
		"missing":  f.missing,
		"sum":      float(f.sum),
		"mean":     float(f.mean),
		"variance": float(f.variance),
		"sd":       float(f.sd()),
	}
	for _, k := range d.quarters {
		value[quarterFields[k]] = float(f.quartiles[k])
	}
	return value
}

// heading and row are a table's columns, as a paper's first table has them.
func (d *described) heading() []string {
	heading := []string{"Variable", "n", "Missing", "Mean (SD)"}
	if len(d.quarters) > 0 {
		heading = append(heading, "Median (IQR)")
	}
	if slices.Contains(d.quarters, quarterMinimum) {
		heading = append(heading, "Min")
	}
	if slices.Contains(d.quarters, quarterMaximum) {
		heading = append(heading, "Max")
	}
	return heading
}

func (d *described) row(c *job.Column, f *description) []string {
	places := decimals(c)
	row := []string{withUnit(c), strconv.FormatInt(f.n, 10), strconv.FormatInt(f.missing, 10), undefined}
	if f.n > 0 {
		row[3] = fmt.Sprintf("%s (%s)", fixed(f.mean, places+1), fixed(f.sd(), places+1))
	}
	if len(d.quarters) > 0 {
		row = append(row, medianText(f.quartiles, places))
	}
	if slices.Contains(d.quarters, quarterMinimum) {
		row = append(row, fixed(f.quartiles[quarterMinimum], places))
	}
	if slices.Contains(d.quarters, quarterMaximum) {
		row = append(row, fixed(f.quartiles[quarterMaximum], places))
	}
	return row
}

// FinishSums implements Summarizer.
func (d Describe) FinishSums(p *Plan, sums Opened) (*Result, error) {
	_, rows, err := cells(p, sums[selectedRows])
	if err != nil {
		return nil, err
	}
	if end := p.ending(rows, nil); end != nil {
		return end, nil
	}
	return d.Finish(p, sums)
}

// Finish implements Analysis. A group that no selected row is in is left out.
func (Describe) Finish(p *Plan, opened Opened) (*Result, error) {
	d := p.Detail.(*described)
	selected, err := counts(p, opened[selectedRows])
	if err != nil {
		return nil, err
	}
	table := Table{
		Title:  "Descriptive statistics",
		Header: d.heading(),
		Notes: []string{
			filterNote(p),
			fmt.Sprintf("%d rows selected; each variable over its own rows with a value. %s", sum(selected), d.note()),
		},
	}
	if len(d.by) == 0 {
		value, rows, err := d.group(p, opened, 0, selected[0])
		table.Rows = rows
		return &Result{Status: statusOK, Value: value, Tables: []Table{table}}, err
	}
	table.Header = slices.Insert(table.Header, 0, factorNames(d.by))
	byLevel := map[string]any{}
	for cell, n := range selected {
		if n == 0 {
			continue
		}
		key := cellKey(d.by, cell)
		value, rows, err := d.group(p, opened, cell, n)
		if err != nil {
			return nil, err
		}
		byLevel[key] = value
		for _, row := range rows {
			table.Rows = append(table.Rows, slices.Insert(row, 0, key))
		}
	}
	table.Notes = append(table.Notes, "Rows with a missing group are left out, as are groups that no row is in.")
	return &Result{Status: statusOK, Value: byLevel, Tables: []Table{table}}, nil
}

// note explains the figures of a table.
func (d *described) note() string {
	if len(d.quarters) == 0 {
		return "SD with n - 1. Sums tell no median, minimum or maximum."
	}
	return "SD with n - 1; IQR: lower to upper quartile."
}

// group describes every column over the rows of one cell.
func (d *described) group(p *Plan, opened Opened, cell int, selected int64) (map[string]any, [][]string, error) {
	value := map[string]any{}
	var rows [][]string
	for i, c := range d.columns {
		m, err := newMoments(p, c.StepRat(), selected, opened[momentsOf(i)][momentTerms*cell:momentTerms*(cell+1)])
		if err != nil {
			return nil, nil, err
		}
		var quarters []*big.Int
		for k := range d.quarters {
			quarters = append(quarters, opened[quartilesOf(i)][k*d.cells+cell])
		}
		q, err := newQuartiles(c, m.n, d.quarters, quarters)
		if err != nil {
			return nil, nil, err
		}
		f := &description{m, q}
		value[c.Name] = d.value(f)
		rows = append(rows, d.row(c, f))
	}
	return value, rows, nil
}
