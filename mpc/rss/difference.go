package rss

import "consilium/mpc/ring"

// A difference is x - y + shift, or x + shift when y is empty, seen as the sum of
// two numbers: the dealer of a strand knows one of them, as the sum of two
// components; the other is the third component, which the others know.
type difference[V ring.Vector[V]] struct {
	x, y  Share[V]
	shift ring.U128
}

// known sets v to what this party knows of elements lo to hi-1: at the dealer one
// of the two numbers, elsewhere the other.
func (d difference[V]) known(l *strand, v V, lo, hi int) {
	x := d.x.slice(lo, hi)
	minus := d.y.Len() > 0
	if l.seat() == dealer {
		v.SetAdd(x.A, x.B)
		if minus {
			y := d.y.slice(lo, hi)
			v.SetSub(v, y.A)
			v.SetSub(v, y.B)
		}
		return
	}
	v.Set(outside(l, x.A, x.B))
	if minus {
		y := d.y.slice(lo, hi)
		v.SetSub(v, outside(l, y.A, y.B))
	}
	if d.shift != (ring.U128{}) {
		v.Shift(d.shift)
	}
}

// knownBits returns bits lo to lo+w-1 of what this party knows of a chunk.
func knownBits[V ring.Vector[V]](l *strand, v V, lo, w int) ring.Planes {
	p := l.planes(v.Len(), w)
	v.SetPlanes(p, lo)
	return p
}
