package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Dots returns the inner product of each x with the y of its place, one element a
// pair: Dot of many pairs at once, which may be of vectors that lie anywhere and are
// used several times. Products are summed before anything is sent. 1 round, 1 element
// a pair whatever the length, leaks nothing.
func Dots[V ring.Vector[V]](s *mpc.Session, x, y []Share[V]) Share[V] {
	if len(x) == 0 || len(x) != len(y) {
		s.Fail(fmt.Errorf("inner products of %d vectors with %d", len(x), len(y)))
		return zero[V](len(x))
	}
	for i := range x {
		if !ready(s, x[i], y[i]) {
			return zero[V](len(x))
		}
	}
	return reshare(s, len(x), func(part V, lo, hi int) {
		for i := lo; i < hi; i++ {
			part.Slice(i-lo, i-lo+1).SetCrossDot(x[i].A, x[i].B, y[i].A, y[i].B)
		}
	})
}
