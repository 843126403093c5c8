package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Transpose returns the transpose of a matrix of r rows of c elements, row by row.
// Local.
func Transpose[V ring.Vector[V]](s *mpc.Session, x Share[V], r, c int) Share[V] {
	z := zero[V](x.Len())
	if r <= 0 || c <= 0 || x.Len() != r*c {
		s.Fail(fmt.Errorf("a %d x %d matrix of %d elements", r, c, x.Len()))
		return z
	}
	if !ready(s, x) {
		return z
	}
	for i := range r {
		spread(z.A, x.A, i, r, i*c, 1, c)
		spread(z.B, x.B, i, r, i*c, 1, c)
	}
	return z
}
