package match

import "math"

// tolerance is what rounding may add to the numbers of a relaxation.
const tolerance = 1e-7

// relaxation answers the linear programme in which cycles may be used in part, and no
// pair by more than one cycle in all.
type relaxation struct {
	worth func(c cycle) float64
	part  []float64 // of each cycle
	price []float64 // of each pair, so that no cycle is worth more than its pairs
	bound float64   // the sum of the prices: no choice of cycles is worth more
}

// gain is what a cycle is worth beyond its pairs' prices: zero at most.
func (r *relaxation) gain(c cycle) float64 {
	g := r.worth(c)
	for _, v := range c {
		g -= r.price[v]
	}
	return g
}

// relax solves the relaxation by the revised simplex method, for cycles that are worth up
// to some units. Whatever rounding does, the bound is one: prices are raised until they
// cover every cycle.
func relax(n int, cycles []cycle, worth func(c cycle) float64) *relaxation {
	x := newSimplex(n, cycles, worth)
	for range 100 * (n + 1) { // many times what is needed
		if !x.step() {
			break
		}
	}
	r := &relaxation{worth: worth, part: make([]float64, len(cycles)), price: x.price}
	for row, k := range x.basis {
		if k >= 0 {
			r.part[k] = x.amount[row]
		}
	}
	short := 0.0
	for _, c := range cycles {
		short = max(short, r.gain(c)/float64(len(c)))
	}
	for v := range r.price {
		r.price[v] = max(r.price[v], 0) + short
		r.bound += r.price[v]
	}
	return r
}

// simplex is the state of the method. A basic variable is a cycle k, or what pair v
// has left, which is -1-v.
type simplex struct {
	n       int
	cycles  []cycle
	worth   []float64 // of each cycle
	basis   []int     // the variable of each row
	amount  []float64 // and its value
	inverse []float64 // of the basis, n x n
	price   []float64 // of each pair
}

// newSimplex starts with no cycle used. The pairs' limits differ a little, which keeps
// the method from going in circles.
func newSimplex(n int, cycles []cycle, worth func(c cycle) float64) *simplex {
	x := &simplex{
		n: n, cycles: cycles, worth: make([]float64, len(cycles)),
		basis: make([]int, n), amount: make([]float64, n), inverse: make([]float64, n*n), price: make([]float64, n),
	}
	for v := range n {
		x.basis[v], x.inverse[v*n+v] = -1-v, 1
		x.amount[v] = 1 + 1e-9*float64(v*7919%1009)
	}
	for k, c := range cycles {
		x.worth[k] = worth(c)
	}
	return x
}

// step brings the variable of the greatest gain into the basis, and reports whether
// there was one.
func (x *simplex) step() bool {
	enter, gain := 0, tolerance
	for k, c := range x.cycles {
		g := x.worth[k]
		for _, v := range c {
			g -= x.price[v]
		}
		if g > gain {
			enter, gain = k, g
		}
	}
	for v, p := range x.price {
		if -p > gain {
			enter, gain = -1-v, -p
		}
	}
	if gain == tolerance {
		return false
	}
	column := x.column(enter)
	leave, least := -1, math.Inf(1)
	for row, c := range column {
		if c > tolerance && x.amount[row]/c < least {
			leave, least = row, x.amount[row]/c
		}
	}
	if leave >= 0 {
		x.swap(leave, enter, gain, column)
	}
	return leave >= 0
}

// column is the variable's column of the programme in terms of the basis.
func (x *simplex) column(variable int) []float64 {
	pairs := cycle{-1 - variable}
	if variable >= 0 {
		pairs = x.cycles[variable]
	}
	column := make([]float64, x.n)
	for row := range column {
		for _, v := range pairs {
			column[row] += x.inverse[row*x.n+v]
		}
	}
	return column
}

// swap puts a variable in the place of a row's. Conversions keep products and sums
// apart, so that all machines round alike and the parties find the same.
func (x *simplex) swap(row, variable int, gain float64, column []float64) {
	own := x.inverse[row*x.n : (row+1)*x.n]
	for v := range own {
		own[v] /= column[row]
	}
	x.amount[row] /= column[row]
	for r, c := range column {
		if r == row || c == 0 {
			continue
		}
		other := x.inverse[r*x.n : (r+1)*x.n]
		for v, y := range own {
			other[v] -= float64(c * y)
		}
		x.amount[r] -= float64(c * x.amount[row])
	}
	for v, y := range own {
		x.price[v] += float64(gain * y)
	}
	x.basis[row] = variable
}
