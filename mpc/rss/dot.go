package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Dot returns the inner product of x and y as one element. Products are summed
// before anything is sent. 1 round, 1 element whatever the length, leaks
// nothing.
func Dot[V ring.Vector[V]](s *mpc.Session, x, y Share[V]) Share[V] {
	if !ready(s, x, y) {
		return zero[V](1)
	}
	return reshare(s, 1, func(part V, _, _ int) {
		part.SetCrossDot(x.A, x.B, y.A, y.B)
	})
}
