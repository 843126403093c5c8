package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// MatMul returns the product of x, r rows of k elements, and y, k rows of c
// elements, row by row. Products are summed before anything is sent. 1 round, r*c
// elements, leaks nothing.
func MatMul[V ring.Vector[V]](s *mpc.Session, x, y Share[V], r, k, c int) Share[V] {
	n := max(r, 0) * max(c, 0)
	if r <= 0 || k <= 0 || c <= 0 || x.Len() != r*k || y.Len() != k*c {
		s.Fail(fmt.Errorf("a %d x %d matrix of %d elements meets a %d x %d matrix of %d", r, k, x.Len(), k, c, y.Len()))
		return zero[V](n)
	}
	if !ready(s, x) || !ready(s, y) {
		return zero[V](n)
	}
	return reshare(s, n, func(part V, lo, _ int) {
		part.SetCrossMatMul(x.A, x.B, y.A, y.B, k, c, lo)
	})
}

// DotRows returns the inner products of the rows of n elements of x with those of
// y, one element a row. 1 round, 1 element a row, leaks nothing.
func DotRows[V ring.Vector[V]](s *mpc.Session, x, y Share[V], n int) Share[V] {
	if n <= 0 || x.Len()%n != 0 {
		s.Fail(fmt.Errorf("rows of %d elements in a vector of %d", n, x.Len()))
		return zero[V](0)
	}
	rows := x.Len() / n
	if !ready(s, x, y) {
		return zero[V](rows)
	}
	return reshare(s, rows, func(part V, lo, hi int) {
		for i := lo; i < hi; i++ {
			x, y := x.slice(i*n, (i+1)*n), y.slice(i*n, (i+1)*n)
			part.Slice(i-lo, i-lo+1).SetCrossDot(x.A, x.B, y.A, y.B)
		}
	})
}
