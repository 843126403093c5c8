package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Mul returns x * y elementwise (Araki et al. 2016, section 2). With
// (a, b) = (x_i, x_{i+1}) and (c, d) = (y_i, y_{i+1}) party i computes
// z_i = a c + a d + b c. 1 round, n elements, leaks nothing.
func Mul[V ring.Vector[V]](s *mpc.Session, x, y Share[V]) Share[V] {
	n := x.Len()
	if !ready(s, x, y) {
		return zero[V](n)
	}
	return reshare(s, n, func(part V, lo, hi int) {
		x, y := x.slice(lo, hi), y.slice(lo, hi)
		part.SetCross(x.A, x.B, y.A, y.B)
	})
}
