package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// MulPublic returns x * c elementwise for a vector that all parties know. Local.
func MulPublic[V ring.Vector[V]](s *mpc.Session, x Share[V], c V) Share[V] {
	if !ready(s, x, Share[V]{c, c}) {
		return zero[V](x.Len())
	}
	return Share[V]{x.A.Mul(c), x.B.Mul(c)}
}
