package protocols

import (
	"errors"
	"fmt"
	"math/big"

	"consilium/job"
)

// outputsOf declares one output for each summary, by its name.
func outputsOf(summaries []job.Summary) []Output {
	var out []Output
	for _, s := range summaries {
		out = append(out, Output{Name: s.Name, Len: s.Len()})
	}
	return out
}

// errImpossible says that the parties' figures contradict each other or the
// declared sizes: no honest computation gives them.
var errImpossible = errors.New("the opened figures are impossible: a site or a party is faulty or cheating")

// counts checks that every number counts something among the plan's rows.
func counts(p *Plan, opened []*big.Int) ([]int64, error) {
	out := make([]int64, len(opened))
	limit := big.NewInt(int64(p.Dataset.Rows()))
	for i, x := range opened {
		if x.Sign() < 0 || x.Cmp(limit) > 0 {
			return nil, errImpossible
		}
		out[i] = x.Int64()
	}
	return out, nil
}

// columns returns the declared columns of those names, each named once.
func columns(d *job.Dataset, names []string) ([]*job.Column, error) {
	var out []*job.Column
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			return nil, fmt.Errorf("column %.64q is named twice", name)
		}
		seen[name] = true
		c, ok := d.Schema.Column(name)
		if !ok {
			return nil, unknownColumn(d, name)
		}
		out = append(out, c)
	}
	return out, nil
}

func unknownColumn(d *job.Dataset, name string) error {
	return fmt.Errorf("dataset %s has no column %.64q: %s", d.Name, name, job.Near(name, d.Schema.Names()))
}

// withUnit returns the column's name and unit as a table's heading has them.
func withUnit(c *job.Column) string {
	if c.Unit == "" {
		return c.Name
	}
	return c.Name + " (" + c.Unit + ")"
}

// filterNote says which rows a table is about.
func filterNote(p *Plan) string {
	if p.Filter == "" {
		return fmt.Sprintf("Dataset %s, all rows.", p.Dataset.Name)
	}
	return fmt.Sprintf("Dataset %s, rows where %s.", p.Dataset.Name, p.Filter)
}

// maxDecimals caps the decimals that a table shows of a value.
const maxDecimals = 3

// decimals returns how many decimals a table shows of a column's own values.
func decimals(c *job.Column) int {
	step := c.StepRat()
	for d := range maxDecimals {
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d)), nil)
		if new(big.Rat).Mul(step, new(big.Rat).SetInt(scale)).IsInt() {
			return d
		}
	}
	return maxDecimals
}

// float returns the nearest float64, or nil for an undefined figure.
func float(x *big.Rat) any {
	if x == nil {
		return nil
	}
	f, _ := x.Float64()
	return f
}

// undefined is what a table shows where a figure does not exist.
const undefined = "-"

// fixed writes x with d decimals.
func fixed(x *big.Rat, d int) string {
	if x == nil {
		return undefined
	}
	return x.FloatString(d)
}
