package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Zero returns the trivial share of n zeros. Local.
func Zero[V ring.Vector[V]](n int) Share[V] { return zero[V](n) }

// Public returns the trivial share of a vector that all parties know: component
// 0 is v, the others are zero. Local.
func Public[V ring.Vector[V]](s *mpc.Session, v V) Share[V] {
	x := zero[V](v.Len())
	me, ok := self(s)
	if !ok || !positive(s, v.Len()) {
		return x
	}
	switch me.role {
	case 0:
		x.A = x.A.Add(v)
	case roles - 1:
		x.B = x.B.Add(v)
	}
	return x
}

// Add returns x + y. Local.
func Add[V ring.Vector[V]](s *mpc.Session, x, y Share[V]) Share[V] {
	if !ready(s, x, y) {
		return zero[V](x.Len())
	}
	return Share[V]{x.A.Add(y.A), x.B.Add(y.B)}
}

// Sub returns x - y. Local.
func Sub[V ring.Vector[V]](s *mpc.Session, x, y Share[V]) Share[V] {
	if !ready(s, x, y) {
		return zero[V](x.Len())
	}
	return Share[V]{x.A.Sub(y.A), x.B.Sub(y.B)}
}

// Neg returns -x. Local.
func Neg[V ring.Vector[V]](s *mpc.Session, x Share[V]) Share[V] {
	if !ready(s, x) {
		return zero[V](x.Len())
	}
	return Share[V]{x.A.Neg(), x.B.Neg()}
}

// Scale returns k x for a public constant. Local.
func Scale[V ring.Vector[V]](s *mpc.Session, x Share[V], k int64) Share[V] {
	if !ready(s, x) {
		return zero[V](x.Len())
	}
	return Share[V]{x.A.Scale(k), x.B.Scale(k)}
}

// AddConst returns x with a public constant added to each element. Local.
func AddConst[V ring.Vector[V]](s *mpc.Session, x Share[V], k int64) Share[V] {
	if !ready(s, x) {
		return zero[V](x.Len())
	}
	return Add(s, x, Public(s, x.A.Make(x.Len()).AddConst(k)))
}

// Sum returns the sum of the elements as one element. Local.
func Sum[V ring.Vector[V]](s *mpc.Session, x Share[V]) Share[V] {
	if !ready(s, x) {
		return zero[V](1)
	}
	return Share[V]{x.A.Sum(), x.B.Sum()}
}

// Concat returns the vectors one after the other. Local.
func Concat[V ring.Vector[V]](s *mpc.Session, xs ...Share[V]) Share[V] {
	n, a, b := 0, make([]V, len(xs)), make([]V, len(xs))
	for i, x := range xs {
		n += x.Len()
		a[i], b[i] = x.A, x.B
	}
	if !positive(s, n) {
		return zero[V](n)
	}
	for _, x := range xs {
		if !ready(s, x) {
			return zero[V](n)
		}
	}
	var none V
	return Share[V]{none.Join(a...), none.Join(b...)}
}

// Slice returns elements lo to hi-1, in the same memory. Local.
func Slice[V ring.Vector[V]](s *mpc.Session, x Share[V], lo, hi int) Share[V] {
	if lo < 0 || hi <= lo || hi > x.Len() {
		s.Fail(fmt.Errorf("elements %d to %d of a vector of %d", lo, hi-1, x.Len()))
		return zero[V](max(hi-lo, 0))
	}
	if !ready(s, x) {
		return zero[V](hi - lo)
	}
	return x.slice(lo, hi)
}

// ready reports whether a local function may compute: at a compute party, in a
// session that has not failed, on operands of one length.
func ready[V ring.Vector[V]](s *mpc.Session, operands ...Share[V]) bool {
	_, ok := self(s)
	return ok && whole(s, operands...)
}

// Repeat returns k copies of x one after the other. Local.
func Repeat[V ring.Vector[V]](s *mpc.Session, x Share[V], k int) Share[V] {
	xs := make([]Share[V], k)
	for i := range xs {
		xs[i] = x
	}
	return Concat(s, xs...)
}

// Narrow returns x modulo 2^64: x itself where it fits. Local.
func Narrow(s *mpc.Session, x Vec128) Vec {
	if !ready(s, x) {
		return zero[ring.Vec64](x.Len())
	}
	return narrow(x)
}
