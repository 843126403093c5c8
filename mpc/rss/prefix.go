package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// PrefixSum returns the sums of the elements up to and including each. Local.
func PrefixSum[V ring.Vector[V]](s *mpc.Session, x Share[V]) Share[V] {
	if !ready(s, x) {
		return zero[V](x.Len())
	}
	return Share[V]{prefixSum(x.A), prefixSum(x.B)}
}

func prefixSum[V ring.Vector[V]](v V) V {
	z := v.Make(v.Len())
	switch z := any(z).(type) {
	case ring.Vec64:
		var sum uint64
		for i, e := range any(v).(ring.Vec64) {
			sum += e
			z[i] = sum
		}
	case ring.Vec128:
		var sum ring.U128
		for i, e := range any(v).(ring.Vec128) {
			sum = sum.Add(e)
			z[i] = sum
		}
	}
	return z
}

// Differences returns each element less the one before it, the first less zero:
// it undoes PrefixSum. Local.
func Differences[V ring.Vector[V]](s *mpc.Session, x Share[V]) Share[V] {
	if !ready(s, x) {
		return zero[V](x.Len())
	}
	n := x.Len()
	before := zero[V](1)
	return Sub(s, x, Share[V]{before.A.Join(x.A.Slice(0, n-1)), before.B.Join(x.B.Slice(0, n-1))})
}
