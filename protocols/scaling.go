package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// powers returns factor 2^exponent, for a factor 0 or 1, as integers of at most that
// many bits.
func powers(s *mpc.Session, factor rss.Vec128, exponent rss.Vec, bits int) rss.Vec128 {
	const half = 1 << 55 // the mantissa of powers of two
	x := rss.Float{Mantissa: rss.Scale(s, factor, half), Exponent: rss.AddConst(s, exponent, 1)}
	return x.Fixed(s, 0, bits).Share
}

// scaling takes columns of codes x to (x - mean member) / 2^spread, times kept, with a
// number of fractional bits.
//
// A code of few bits takes a power of two that makes it exact. The others are
// computed in 128 bits and rounded to the nearest step, the same way in every row:
// who ranks rows finds the ties that the data have.
type scaling struct {
	narrow, wide  []int // the columns of either kind
	scale, offset rss.Vec128
	down          int // how many bits the wide ones are rounded by
}

// newScaling is for columns of codes of such widths, over that many rows.
func newScaling(s *mpc.Session, bits []int, mean rss.Vec128, spread rss.Vec, kept rss.Vec128, frac, rows int) *scaling {
	// 2^spread is at most this many bits wider than a code.
	const slack = 3
	top := frac
	for _, b := range bits {
		top = max(top, b+slack)
	}
	c := &scaling{down: top - frac}
	up := make([]int64, len(bits))
	for i, b := range bits {
		if up[i] = int64(frac); b+slack <= frac {
			c.narrow = append(c.narrow, i)
		} else {
			up[i] = int64(top)
			c.wide = append(c.wide, i)
		}
	}
	exponent := rss.Sub(s, rss.Public(s, ring.FromInt64(up)), spread)
	c.scale = powers(s.Step("powers"), kept, exponent, top+log2(rows)/2+2)
	c.offset = rss.Mul(s.Step("offset"), c.scale, mean)
	return c
}

// of returns columns of some rows, scaled.
func (c *scaling) of(s *mpc.Session, columns []rss.Vec, member rss.Vec) []rss.Vec {
	out := make([]rss.Vec, len(columns))
	if len(c.narrow) > 0 {
		z := affine(s.Step("narrow"), those(columns, c.narrow), member,
			rss.Narrow(s, only(s, c.scale, c.narrow)), rss.Narrow(s, only(s, c.offset, c.narrow)))
		place(s, out, c.narrow, z)
	}
	if len(c.wide) > 0 {
		lifted := make([]rss.Vec128, len(c.wide))
		for i, k := range c.wide {
			lifted[i] = rss.Lift(s.Step("lift", i), columns[k])
		}
		z := affine(s.Step("wide"), lifted, rss.Lift(s.Step("lift member"), member), only(s, c.scale, c.wide), only(s, c.offset, c.wide))
		if c.down > 0 {
			z = rss.Trunc128(s.Step("round"), rss.AddConst(s, z, 1<<(c.down-1)), c.down)
		}
		place(s, out, c.wide, rss.Narrow(s, z))
	}
	return out
}

// affine returns scale x - offset member for several columns x, one after the
// other, as one matrix product. 1 round, an element a row and column.
func affine[V ring.Vector[V]](s *mpc.Session, columns []rss.Share[V], member, scale, offset rss.Share[V]) rss.Share[V] {
	k := len(columns)
	var rows []rss.Share[V]
	for i := range k {
		for j := range k {
			if i == j {
				rows = append(rows, rss.Slice(s, scale, i, i+1))
			} else {
				rows = append(rows, rss.Zero[V](1))
			}
		}
		rows = append(rows, rss.Neg(s, rss.Slice(s, offset, i, i+1)))
	}
	all := rss.Concat(s, append(columns, member)...)
	return rss.MatMul(s, rss.Concat(s, rows...), all, k, k+1, member.Len())
}

// those returns those columns, in order.
func those[T any](columns []T, which []int) []T {
	out := make([]T, len(which))
	for i, k := range which {
		out[i] = columns[k]
	}
	return out
}

// only returns those elements, in order. Local.
func only[V ring.Vector[V]](s *mpc.Session, x rss.Share[V], which []int) rss.Share[V] {
	out := make([]rss.Share[V], len(which))
	for i, k := range which {
		out[i] = rss.Slice(s, x, k, k+1)
	}
	return rss.Concat(s, out...)
}

// place puts the columns that z holds to their places. Local.
func place(s *mpc.Session, out []rss.Vec, where []int, z rss.Vec) {
	n := z.Len() / len(where)
	for i, k := range where {
		out[k] = rss.Slice(s, z, i*n, (i+1)*n)
	}
}
