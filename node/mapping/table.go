package mapping

import (
	"math/big"

	"consilium/job"
)

// Cell is what a table's cell becomes by a column's rule: another word, or the
// number times the factor, rounded to the declared step. A cell that is blank, that
// the schema declares missing or that is no number stays as it is: the schema says
// what becomes of it.
func (c *Column) Cell(cell string, declared *job.Column) string {
	if c.Values != nil {
		if to, ok := c.Values[cell]; ok {
			return to
		}
		return cell
	}
	if c.Factor == "" || declared.Type == job.Text {
		return cell
	}
	for _, s := range declared.Missing {
		if s == cell {
			return cell
		}
	}
	if _, problem := value(cell); problem != "" {
		return cell
	}
	x, _ := new(big.Rat).SetString(cell)
	f, _ := new(big.Rat).SetString(c.Factor)
	code := roundTo(x.Mul(x, f), declared.StepRat())
	if !code.IsInt64() {
		return cell
	}
	return declared.Format(code.Int64())
}
