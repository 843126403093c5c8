package source

import (
	"math/bits"
	"strings"
)

// factor is a column of a product, with the bits of its codes' magnitude.
type factor struct {
	column string
	bits   int
}

// wordBits is what a product may take before it needs more than a 64-bit word.
const wordBits = 62

// sum is the exact sum of a product over at most that many rows, in those where a
// condition holds ("": all). The empty product counts rows.
func (d *dialect) sum(factors []factor, condition string, rows int) termSum {
	over := func(x string) string {
		if condition == "" {
			return x
		}
		return "CASE WHEN " + condition + " THEN " + x + " END"
	}
	if len(factors) == 0 {
		if condition == "" {
			return termSum{{sum: "count(*)"}}
		}
		return termSum{{sum: "count(" + over("1") + ")"}}
	}
	width := 0
	for _, f := range factors {
		width += f.bits
	}
	switch {
	case d.wide == nil:
		return d.split(factors, width, over, bits.Len(uint(rows-1)))
	case width > wordBits:
		return termSum{{sum: "sum(" + over(product(factors, d.wide)) + ")"}}
	case d.sumsWide:
		return termSum{{sum: "sum(" + over(product(factors, d.same)) + ")"}}
	}
	return termSum{{sum: "sum(" + over(d.wide(product(factors, d.same))) + ")"}}
}

func (d *dialect) same(x string) string { return x }

func product(factors []factor, widen func(string) string) string {
	columns := make([]string, len(factors))
	for i, f := range factors {
		columns[i] = widen(f.column)
	}
	return strings.Join(columns, " * ")
}
