package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Histogram counts the values of a column between given edges: the bins are
// [a,b), the last one is closed. Missing values are left out; a value outside
// the edges ends the job with the status "outside".
//
// The sites push down one count for each bin and one for the values outside. The
// recipient learns the former.
type Histogram struct{}

// Name implements Analysis.
func (Histogram) Name() string { return "histogram" }

const binCounts = "counts"

// bins are a histogram's column and its edges as the job gives them.
type bins struct {
	column *job.Column
	edges  []*big.Rat
}

// Plan implements Analysis. Arguments: column, edges (ascending).
func (Histogram) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	name := args.String("column")
	edges := args.Decimals("edges")
	if err := args.Err(); err != nil {
		return nil, err
	}
	c, ok := d.Schema.Column(name)
	if !ok {
		return nil, unknownColumn(d, name)
	}
	if c.Type == job.Text {
		return nil, fmt.Errorf("column %q is text and has no bins; use frequency for it", name)
	}
	codes, err := edgeCodes(edges, c.StepRat())
	if err != nil {
		return nil, err
	}
	summary := job.Summary{
		Name:     binCounts,
		Complete: []string{name},
		Groups:   []job.Grouping{{Column: name, Edges: codes}},
		Terms:    []job.Term{{}},
	}
	return &Plan{
		Summaries: []job.Summary{summary},
		Outputs:   []Output{{Name: binCounts, Len: len(edges) - 1}},
		Failures:  []string{statusOutside},
		Reveals:   []string{fmt.Sprintf("how many selected rows have a value of %s in each of the %d bins", name, len(edges)-1)},
		Detail:    bins{c, edges},
	}, nil
}

// edgeCodes turns edges into whole steps so that comparing codes is comparing
// values: code >= ceil(a/step) just when value >= a, and at the last edge, which
// is closed, code <= floor(b/step) just when value <= b.
func edgeCodes(edges []*big.Rat, step *big.Rat) ([]int64, error) {
	if len(edges) < 2 {
		return nil, errors.New("edges has fewer than two numbers; a bin needs both its ends")
	}
	codes := make([]int64, len(edges))
	for i, e := range edges {
		if i > 0 && e.Cmp(edges[i-1]) <= 0 {
			return nil, fmt.Errorf("edges do not ascend: number %d is not above the one before", i+1)
		}
		steps := new(big.Rat).Quo(e, step)
		code := new(big.Int).Div(steps.Num(), steps.Denom()) // floor: the denominator is positive
		last := i == len(edges)-1
		if !last && !steps.IsInt() {
			code.Add(code, big.NewInt(1))
		}
		const reach = 1 << 62
		if !code.IsInt64() || code.Int64() > reach || code.Int64() < -reach {
			return nil, fmt.Errorf("edges: number %d is too far out; choose one nearer to the column's range", i+1)
		}
		codes[i] = code.Int64()
		// A bin that holds no whole step is empty; the last one, being closed, would
		// have to end before it begins.
		if i > 0 && codes[i] < codes[i-1] {
			return nil, fmt.Errorf("edges %d and %d are closer together than one step of the column, so nothing can lie between them; drop the last", i, i+1)
		}
	}
	return codes, nil
}

// shortest writes a decimal number exactly, without trailing zeros.
func shortest(x *big.Rat) string {
	digits, _ := x.FloatPrec() // exact: every edge was read as a decimal
	return x.FloatString(digits)
}

// Compute implements Analysis. The summary's last cell is that of the values
// outside the edges.
func (Histogram) Compute(s *mpc.Session, _ *Plan, in Inputs) Outputs {
	sums := in.Sums[binCounts]
	cells := rss.Narrow(s, sums)
	last := cells.Len() - 1
	return Outputs{
		Values: map[string]rss.Vec128{binCounts: rss.Slice(s, sums, 0, last)},
		Rows:   rss.Sum(s, cells),
		Counts: rss.Slice(s, cells, 0, last),
		Failed: map[string]rss.Vec{statusOutside: rss.Slice(s, cells, last, last+1)},
	}
}

// PlanSums implements Summarizer.
func (h Histogram) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := h.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	p.Outputs = outputsOf(p.Summaries)
	p.Reveals = append(p.Reveals, "how many have one outside the edges")
	return p, nil
}

// FinishSums implements Summarizer.
func (h Histogram) FinishSums(p *Plan, sums Opened) (*Result, error) {
	all, rows, err := cells(p, sums[binCounts])
	if err != nil {
		return nil, err
	}
	last := len(all) - 1
	if end := p.ending(rows, map[string]bool{statusOutside: all[last] > 0}); end != nil {
		return end, nil
	}
	return h.Finish(p, Opened{binCounts: sums[binCounts][:last]})
}

// Finish implements Analysis.
func (Histogram) Finish(p *Plan, opened Opened) (*Result, error) {
	flat, err := counts(p, opened[binCounts])
	if err != nil {
		return nil, err
	}
	b := p.Detail.(bins)
	table := Table{
		Title:  "Histogram of " + b.column.Name,
		Header: []string{withUnit(b.column), "n"},
		Notes:  []string{filterNote(p), fmt.Sprintf("Rows with a missing value in %s are left out.", b.column.Name)},
	}
	values := make([]any, len(flat))
	for i, n := range flat {
		values[i] = n
		bracket := ")"
		if i == len(flat)-1 {
			bracket = "]"
		}
		bin := fmt.Sprintf("[%s, %s%s", shortest(b.edges[i]), shortest(b.edges[i+1]), bracket)
		table.Rows = append(table.Rows, []string{bin, strconv.FormatInt(n, 10)})
	}
	return &Result{Status: statusOK, Value: map[string]any{"counts": values}, Tables: []Table{table}}, nil
}
