package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// The functions of this file divide by 2^f and round to one of the two nearest
// integers, drawn so that the mean is right: reshareRounded says how. Trunc
// rounds down always and costs more.

// Round returns x / 2^f rounded, 1 <= f <= 61 (64 for Vec128), for |x| <= 2^61
// (2^125). 2 rounds; 12 bytes an element (f <= 32), 16 beyond, 24 for Vec128.
// Leaks nothing beyond what reshareRounded says.
func Round[V ring.Vector[V]](s *mpc.Session, x Share[V], f int) Share[V] {
	if !ready(s, x) {
		return zero[V](x.Len())
	}
	return reshareRounded[V, V](s, x.Len(), f, func(_ *strand, part V, lo, hi int) {
		part.Set(x.A.Slice(lo, hi))
	})
}

// MulRound returns x * y / 2^f, rounded. Bounds and costs of Round: the product
// itself costs nothing more.
func MulRound[V ring.Vector[V]](s *mpc.Session, x, y Share[V], f int) Share[V] {
	if !ready(s, x, y) {
		return zero[V](x.Len())
	}
	return reshareRounded[V, V](s, x.Len(), f, cross(x, y))
}

// MatMulRound is MatMul divided by 2^f and rounded, each sum once. Bounds and
// costs of Round for r*c elements.
func MatMulRound[V ring.Vector[V]](s *mpc.Session, x, y Share[V], r, k, c, f int) Share[V] {
	n := max(r, 0) * max(c, 0)
	if !matrices(s, x, y, r, k, c) {
		return zero[V](n)
	}
	return reshareRounded[V, V](s, n, f, func(_ *strand, part V, lo, _ int) {
		part.SetCrossMatMul(x.A, x.B, y.A, y.B, k, c, lo)
	})
}

// DotRowsRound is DotRows divided by 2^f and rounded, each sum once. Bounds and
// costs of Round for one element a row.
func DotRowsRound[V ring.Vector[V]](s *mpc.Session, x, y Share[V], n, f int) Share[V] {
	rows, ok := rowsOf(s, x, n)
	if !ok || !ready(s, x, y) {
		return zero[V](rows)
	}
	return reshareRounded[V, V](s, rows, f, crossRows(x, y, n))
}

// mulSum returns x0 * y0 + x1 * y1 + … 1 round, n elements.
func mulSum[V ring.Vector[V]](s *mpc.Session, xs, ys []Share[V]) Share[V] {
	n := xs[0].Len()
	for i := range xs {
		if !ready(s, xs[0], xs[i], ys[i]) {
			return zero[V](n)
		}
	}
	return reshare(s, n, alone(crossSum(xs, ys)))
}

// alone is local for reshare, which knows no strands.
func alone[V ring.Vector[V]](local func(l *strand, part V, lo, hi int)) func(part V, lo, hi int) {
	return func(part V, lo, hi int) { local(nil, part, lo, hi) }
}

// cross returns what a party computes of x * y.
func cross[V ring.Vector[V]](x, y Share[V]) func(l *strand, part V, lo, hi int) {
	return func(_ *strand, part V, lo, hi int) {
		x, y := x.slice(lo, hi), y.slice(lo, hi)
		part.SetCross(x.A, x.B, y.A, y.B)
	}
}

// crossSum returns what a party computes of x0 * y0 + x1 * y1 + …
func crossSum[V ring.Vector[V]](xs, ys []Share[V]) func(l *strand, part V, lo, hi int) {
	return func(l *strand, part V, lo, hi int) {
		cross(xs[0], ys[0])(l, part, lo, hi)
		for i := 1; i < len(xs); i++ {
			x, y := xs[i].slice(lo, hi), ys[i].slice(lo, hi)
			term := part.Make(hi - lo)
			term.SetCross(x.A, x.B, y.A, y.B)
			part.Set(part.Add(term))
		}
	}
}

// crossRows returns what a party computes of the inner products of rows of n.
func crossRows[V ring.Vector[V]](x, y Share[V], n int) func(l *strand, part V, lo, hi int) {
	return func(_ *strand, part V, lo, hi int) {
		for i := lo; i < hi; i++ {
			x, y := x.slice(i*n, (i+1)*n), y.slice(i*n, (i+1)*n)
			part.Slice(i-lo, i-lo+1).SetCrossDot(x.A, x.B, y.A, y.B)
		}
	}
}

// matrices checks the operands of a matrix product.
func matrices[V ring.Vector[V]](s *mpc.Session, x, y Share[V], r, k, c int) bool {
	if r <= 0 || k <= 0 || c <= 0 || x.Len() != r*k || y.Len() != k*c {
		s.Fail(fmt.Errorf("a %d x %d matrix of %d elements meets a %d x %d matrix of %d", r, k, x.Len(), k, c, y.Len()))
		return false
	}
	return ready(s, x) && ready(s, y)
}

// rowsOf returns the number of rows of n elements of x.
func rowsOf[V ring.Vector[V]](s *mpc.Session, x Share[V], n int) (int, bool) {
	if n <= 0 || x.Len()%n != 0 {
		s.Fail(fmt.Errorf("rows of %d elements in a vector of %d", n, x.Len()))
		return 0, false
	}
	return x.Len() / n, true
}
