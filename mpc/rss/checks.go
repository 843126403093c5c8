package rss

import (
	"fmt"

	"consilium/mpc"
)

// width checks a public number of bits.
func width(s *mpc.Session, k, most int) bool { return between(s, "width", k, 1, most) }

// matching checks two public lengths against each other.
func matching(s *mpc.Session, n, m int) bool {
	if n != m {
		s.Fail(fmt.Errorf("vectors of %d and %d elements meet", n, m))
	}
	return n == m
}

// between checks a public number.
func between(s *mpc.Session, what string, k, lo, hi int) bool {
	if k < lo || k > hi {
		s.Fail(outOfRange{what, k, lo, hi})
		return false
	}
	return true
}

// outOfRange says which public number is not what an operation can do.
type outOfRange struct {
	what      string
	k, lo, hi int
}

func (o outOfRange) Error() string {
	return fmt.Sprintf("%s of %d, want %d to %d", o.what, o.k, o.lo, o.hi)
}
