package protocols

import (
	"fmt"
	"math/big"
	"strings"
)

// reveals says that all sums of a gram are shown.
func (g *gram) reveals() string {
	numbers := strings.Join(g.numeric(), ", ")
	all := numbers
	for _, f := range g.factors {
		all += ", " + f.column.Name
	}
	text := fmt.Sprintf("how many rows have a value in all of %s; over these rows the sums of %s and the sums of all their squares and products", all, numbers)
	if len(g.factors) > 0 {
		text += fmt.Sprintf("; the same count and sums in each level of %s", strings.Join(factorColumns(g.factors), ", "))
	}
	if len(g.factors) > 1 {
		text += "; how many rows there are of each two levels of two of these"
	}
	return text
}

// gramInClear are a gram's sums at the recipient, centred while they are exact.
type gramInClear struct {
	rows    int64
	n       *big.Int
	sum     []*big.Int   // of each term
	centred [][]*big.Int // n^2 times the terms' covariances
	levels  [][]int64    // rows of each factor's levels
}

// clear reads the sums.
func (g *gram) clear(p *Plan, sums Opened) (*gramInClear, error) {
	at := func(p sumOf) *big.Int { return sums[p.summary][p.at] }
	x := &gramInClear{n: at(g.countPlace())}
	_, rows, err := cells(p, []*big.Int{x.n})
	if err != nil {
		return nil, err
	}
	x.rows = rows
	for i, f := range g.factors {
		var opened []*big.Int
		for k := range f.levels {
			opened = append(opened, at(g.levelPlace(i, k)))
		}
		levels, all, err := cells(p, opened)
		if err != nil || all != rows {
			return nil, errImpossible
		}
		x.levels = append(x.levels, levels)
	}
	for i := range g.terms {
		x.sum = append(x.sum, at(g.sumPlace(i)))
	}
	for i := range g.terms {
		x.centred = append(x.centred, make([]*big.Int, len(g.terms)))
		for j := range i + 1 {
			products := new(big.Int)
			if p, ok := g.productPlace(i, j); ok {
				products = at(p)
			}
			c := centredSum(x.n, x.sum[i], x.sum[j], products)
			x.centred[i][j], x.centred[j][i] = c, c
		}
		if x.centred[i][i].Sign() < 0 {
			return nil, errImpossible
		}
	}
	return x, nil
}

// varies tells of each term whether it does.
func (x *gramInClear) varies() []bool {
	out := make([]bool, len(x.centred))
	for i, row := range x.centred {
		out[i] = row[i].Sign() > 0
	}
	return out
}

// correlations are those of all pairs of terms, which all have to vary.
func (x *gramInClear) correlations() [][]float64 {
	roots, out := make([]float64, len(x.centred)), make([][]float64, len(x.centred))
	for i := range roots {
		roots[i] = root(wide(x.centred[i][i]))
	}
	for i, row := range x.centred {
		for j, c := range row {
			r := nearest(wide(c)) / roots[i] / roots[j]
			if i == j {
				r = 1
			}
			out[i] = append(out[i], max(-1, min(1, r)))
		}
	}
	return out
}

// covariances are those of all pairs of terms, in the columns' units.
func (x *gramInClear) covariances(terms []term) [][]float64 {
	out := make([][]float64, len(x.centred))
	less := new(big.Int).Sub(x.n, big.NewInt(1))
	for i, row := range x.centred {
		for j, c := range row {
			steps := new(big.Rat).Mul(terms[i].column.StepRat(), terms[j].column.StepRat())
			out[i] = append(out[i], quotient(product(c, steps.Num()), product(x.n, less, steps.Denom())))
		}
	}
	return out
}

// only returns what there is of those terms.
func (x *gramInClear) only(terms []int) *gramInClear {
	out := &gramInClear{rows: x.rows, n: x.n, sum: those(x.sum, terms), levels: x.levels}
	for _, row := range those(x.centred, terms) {
		out.centred = append(out.centred, those(row, terms))
	}
	return out
}
