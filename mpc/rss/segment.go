package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// SegmentedSum returns for each column the sums of its elements from the start of
// their segment up to and including each. start holds 1 where a segment starts
// and 0 elsewhere; the first row starts one in any case. At a segment's last row
// stands the sum over the segment.
//
// It is the scan of Brent and Kung ("A regular layout for parallel adders", 1982)
// over pairs (does the row go on, sum). About 2 log2 n rounds, n (1 + 2 c)
// elements for c columns of n rows. Leaks nothing.
func SegmentedSum[V ring.Vector[V]](s *mpc.Session, start Share[V], columns ...Share[V]) []Share[V] {
	out := make([]Share[V], len(columns))
	for i := range out {
		out[i] = zero[V](start.Len())
	}
	if len(columns) == 0 || !ready(s, append([]Share[V]{start}, columns...)...) {
		return out
	}
	return scan(s, AddConst(s, Neg(s, start), 1), columns)
}

// scan sums pairs of rows, scans the sums, and from these gets the rows between.
// goesOn holds 1 where a row continues the segment of the one before it.
func scan[V ring.Vector[V]](s *mpc.Session, goesOn Share[V], columns []Share[V]) []Share[V] {
	n := goesOn.Len()
	if n == 1 || s.Err() != nil {
		return columns
	}
	half, between := n/2, (n-1)/2
	odd := alternate(goesOn, 1, half)
	lefts, rights := []Share[V]{alternate(goesOn, 0, half)}, []Share[V]{odd}
	for _, x := range columns {
		lefts, rights = append(lefts, alternate(x, 0, half)), append(rights, odd)
	}
	products := mulEach(s.Step("up"), lefts, rights)
	sums := make([]Share[V], len(columns))
	for i, x := range columns {
		sums[i] = Add(s, alternate(x, 1, half), products[1+i])
	}
	sums = scan(s.Step("half"), products[0], sums)
	if between > 0 {
		// Row 2 i + 2 adds what row 2 i + 1 has, which is that of pair i.
		on := alternate(goesOn, 2, between)
		lefts, rights = nil, nil
		for _, x := range sums {
			lefts, rights = append(lefts, x.slice(0, between)), append(rights, on)
		}
		products = mulEach(s.Step("down"), lefts, rights)
	}
	out := make([]Share[V], len(columns))
	for i, x := range columns {
		even := x.slice(0, 1)
		if between > 0 {
			even = Concat(s, even, Add(s, alternate(x, 2, between), products[i]))
		}
		out[i] = interleave(even, sums[i])
	}
	return out
}

// mulEach multiplies columns pair by pair, all of one length. 1 round.
func mulEach[V ring.Vector[V]](s *mpc.Session, x, y []Share[V]) []Share[V] {
	n := x[0].Len()
	z := Mul(s, Concat(s, x...), Concat(s, y...))
	out := make([]Share[V], len(x))
	for i := range out {
		out[i] = z.slice(i*n, (i+1)*n)
	}
	return out
}

// alternate returns k elements of x, every second one from the given one on. Local.
func alternate[V ring.Vector[V]](x Share[V], from, k int) Share[V] {
	z := zero[V](k)
	spread(z.A, x.A, 0, 1, from, 2, k)
	spread(z.B, x.B, 0, 1, from, 2, k)
	return z
}

// interleave returns the elements of x and y in turn; x may have one more. Local.
func interleave[V ring.Vector[V]](x, y Share[V]) Share[V] {
	z := zero[V](x.Len() + y.Len())
	for _, side := range [][3]V{{z.A, x.A, y.A}, {z.B, x.B, y.B}} {
		spread(side[0], side[1], 0, 2, 0, 1, x.Len())
		spread(side[0], side[2], 1, 2, 0, 1, y.Len())
	}
	return z
}

// spread copies k elements of src, from one on by a stride, to dst, likewise.
func spread[V ring.Vector[V]](dst, src V, to, toStride, from, stride, k int) {
	switch d := any(dst).(type) {
	case ring.Vec64:
		v := any(src).(ring.Vec64)
		for i := range k {
			d[to+i*toStride] = v[from+i*stride]
		}
	case ring.Vec128:
		v := any(src).(ring.Vec128)
		for i := range k {
			d[to+i*toStride] = v[from+i*stride]
		}
	}
}
