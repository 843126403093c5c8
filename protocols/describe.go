package protocols

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
)

// Describe gives n, missing, sum, mean, variance and standard deviation of
// columns, each over its own rows with a value; with `by`, in each group of
// rows that share the levels of one or several grouping columns.
//
// The sites push down n, the sum and the sum of squares of each column in whole
// steps, and the number of selected rows, of each group. The recipient learns
// exactly these.
type Describe struct{}

// Name implements Analysis.
func (Describe) Name() string { return "describe" }

// selectedRows is the summary that counts the rows that the filter keeps.
const selectedRows = "selected"

func momentsOf(column int) string { return fmt.Sprintf("moments.%d", column) }

// described is what Plan works out for Finish.
type described struct {
	columns []*job.Column
	by      []factor
}

// Plan implements Analysis. Arguments: columns; by (optional).
func (Describe) Plan(j *job.Job, d *job.Dataset) (*Plan, error) {
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
	where := ""
	if len(by) > 0 {
		where = " in each group of " + strings.Join(by, " by ")
	}
	p := &Plan{
		Summaries: []job.Summary{{Name: selectedRows, Complete: by, Groups: groups, Terms: []job.Term{{}}}},
		Reveals: []string{
			"the number of rows that the job selects" + where,
			"of each of " + strings.Join(names, ", ") + where + ": how many rows have a value, their sum and their sum of squares (hence mean, variance and standard deviation)",
		},
		Detail: described{cols, factors},
	}
	for i, c := range cols {
		if c.Type == job.Text {
			return nil, fmt.Errorf("column %q is text and has no mean; use frequency for it", c.Name)
		}
		p.Summaries = append(p.Summaries, job.Summary{
			Name:     momentsOf(i),
			Complete: append(slices.Clone(by), c.Name),
			Groups:   groups,
			Terms:    []job.Term{{}, {c.Name}, {c.Name, c.Name}},
		})
	}
	p.Outputs = outputsOf(p.Summaries)
	return p, nil
}

// Compute implements Analysis.
func (Describe) Compute(_ *mpc.Session, _ *Plan, in Inputs) Outputs { return sumsAsOutputs(in) }

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

func (m *moments) value() map[string]any {
	return map[string]any{
		"n":        m.n,
		"missing":  m.missing,
		"sum":      float(m.sum),
		"mean":     float(m.mean),
		"variance": float(m.variance),
		"sd":       float(m.sd()),
	}
}

func (m *moments) row(c *job.Column) []string {
	d := decimals(c)
	return []string{
		withUnit(c), strconv.FormatInt(m.n, 10), strconv.FormatInt(m.missing, 10),
		fixed(m.mean, d+1), fixed(m.sd(), d+1), fixed(m.variance, d+2), fixed(m.sum, d),
	}
}

// Finish implements Analysis. A group that no selected row is in is left out.
func (Describe) Finish(p *Plan, opened Opened) (*Result, error) {
	d := p.Detail.(described)
	selected, err := counts(p, opened[selectedRows])
	if err != nil {
		return nil, err
	}
	table := Table{
		Title:  "Descriptive statistics",
		Header: []string{"Variable", "n", "Missing", "Mean", "SD", "Variance", "Sum"},
		Notes:  []string{filterNote(p), fmt.Sprintf("%d rows selected; each variable over its own rows with a value. SD and variance with n - 1.", sum(selected))},
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

// group describes every column over the rows of one cell.
func (d *described) group(p *Plan, opened Opened, cell int, selected int64) (map[string]any, [][]string, error) {
	const terms = 3
	value := map[string]any{}
	var rows [][]string
	for i, c := range d.columns {
		m, err := newMoments(p, c.StepRat(), selected, opened[momentsOf(i)][terms*cell:terms*(cell+1)])
		if err != nil {
			return nil, nil, err
		}
		value[c.Name] = m.value()
		rows = append(rows, m.row(c))
	}
	return value, rows, nil
}
