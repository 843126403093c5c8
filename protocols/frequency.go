package protocols

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Frequency counts the rows of each level of one column, or of each pair of
// levels of two. Rows with a missing value in a named column are left out.
//
// The sites push down one count for each cell. The recipient learns exactly
// these, zeros included.
type Frequency struct{}

// Name implements Analysis.
func (Frequency) Name() string { return "frequency" }

const cellCounts = "counts"

// Plan implements Analysis. Arguments: columns, one or two.
func (Frequency) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	names := args.Strings("columns")
	if err := args.Err(); err != nil {
		return nil, err
	}
	if len(names) > 2 {
		return nil, fmt.Errorf("columns has %d names: give one or two", len(names))
	}
	factors, groups, err := grouped(d, names)
	if err != nil {
		return nil, err
	}
	cells := job.Summary{Name: cellCounts, Complete: names, Groups: groups, Terms: []job.Term{{}}}
	p := &Plan{Summaries: []job.Summary{cells}, Detail: factors}
	p.Outputs = outputsOf(p.Summaries)
	p.Reveals = []string{fmt.Sprintf("how many selected rows there are of each of the %d declared levels of %s", cells.Cells(), strings.Join(names, " by "))}
	return p, nil
}

// Compute implements Analysis.
func (Frequency) Compute(s *mpc.Session, _ *Plan, in Inputs) Outputs {
	cells := rss.Narrow(s, in.Sums[cellCounts])
	return Outputs{Values: in.Sums, Rows: rss.Sum(s, cells), Counts: cells}
}

// PlanSums implements Summarizer: the counts are the result.
func (f Frequency) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	return f.Plan(j, d, rules)
}

// FinishSums implements Summarizer.
func (f Frequency) FinishSums(p *Plan, sums Opened) (*Result, error) {
	_, rows, err := cells(p, sums[cellCounts])
	if err != nil {
		return nil, err
	}
	if end := p.ending(rows, nil); end != nil {
		return end, nil
	}
	return f.Finish(p, sums)
}

// Finish implements Analysis.
func (Frequency) Finish(p *Plan, opened Opened) (*Result, error) {
	flat, err := counts(p, opened[cellCounts])
	if err != nil {
		return nil, err
	}
	factors := p.Detail.([]factor)
	missing := strings.Join(factorColumns(factors), " or ")
	notes := []string{filterNote(p), fmt.Sprintf("Rows with a missing value in %s are left out, as are levels that no row has.", missing)}
	if len(factors) == 1 {
		return frequencyOfOne(&factors[0], flat, notes), nil
	}
	return frequencyOfTwo(&factors[0], &factors[1], flat, notes), nil
}

func frequencyOfOne(f *factor, flat []int64, notes []string) *Result {
	total := sum(flat)
	value := map[string]any{}
	table := Table{Title: "Frequency of " + f.column.Name, Header: []string{withUnit(f.column), "n", "%"}, Notes: notes}
	for i, n := range flat {
		if n > 0 {
			value[f.key(i)] = n
			table.Rows = append(table.Rows, []string{f.key(i), strconv.FormatInt(n, 10), percent(n, total)})
		}
	}
	table.Rows = append(table.Rows, []string{"Total", strconv.FormatInt(total, 10), percent(total, total)})
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}
}

func frequencyOfTwo(first, second *factor, flat []int64, notes []string) *Result {
	width := len(second.levels)
	rows := slices.Collect(slices.Chunk(flat, width))
	columnTotals := make([]int64, width)
	for _, row := range rows {
		for k, n := range row {
			columnTotals[k] += n
		}
	}
	table := Table{
		Title:  fmt.Sprintf("Frequency of %s (rows) by %s (columns)", first.column.Name, second.column.Name),
		Header: []string{withUnit(first.column)},
		Notes:  notes,
	}
	for k, total := range columnTotals {
		if total > 0 {
			table.Header = append(table.Header, second.key(k))
		}
	}
	table.Header = append(table.Header, "Total")
	// Columns that no row has are left out of every line.
	line := func(label string, row []int64) []string {
		out := []string{label}
		for k, n := range row {
			if columnTotals[k] > 0 {
				out = append(out, strconv.FormatInt(n, 10))
			}
		}
		return append(out, strconv.FormatInt(sum(row), 10))
	}
	value := map[string]any{}
	for i, row := range rows {
		if sum(row) == 0 {
			continue
		}
		inner := map[string]any{}
		for k, n := range row {
			if columnTotals[k] > 0 {
				inner[second.key(k)] = n
			}
		}
		value[first.key(i)] = inner
		table.Rows = append(table.Rows, line(first.key(i), row))
	}
	table.Rows = append(table.Rows, line("Total", columnTotals))
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}
}

func sum(xs []int64) int64 {
	var total int64
	for _, x := range xs {
		total += x
	}
	return total
}

// percent returns n of total in percent with one decimal.
func percent(n, total int64) string {
	if total == 0 {
		return undefined
	}
	return big.NewRat(100*n, total).FloatString(1)
}
