package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Levels that no row is in are dropped, but which these are is secret until the
// recipient learns it, if it does.

// withRows returns of each vector of counts how many are not 0, one element each.
// 9 rounds.
func withRows(s *mpc.Session, counts ...rss.Vec) []rss.Vec {
	empty := rss.ToArith(s.Step("arith"), rss.EqualPublic(s.Step("zero"), rss.Concat(s, counts...), 0, countBits))
	out := make([]rss.Vec, len(counts))
	at := 0
	for i, c := range counts {
		part := rss.Slice(s, empty, at, at+c.Len())
		out[i] = rss.AddConst(s, rss.Neg(s, rss.Sum(s, part)), int64(c.Len()))
		at += c.Len()
	}
	return out
}

// negatives tells of single small numbers whether they are below 0, 1 or 0 each. 9
// rounds.
func negatives(s *mpc.Session, xs ...rss.Vec) []rss.Vec {
	negative := rss.ToArith(s.Step("arith"), rss.LessPublic(s.Step("sign"), rss.Concat(s, xs...), 0, countBits))
	return elements(s, negative)
}

// elements returns the elements of a vector one by one. Local.
func elements[V ring.Vector[V]](s *mpc.Session, x rss.Share[V]) []rss.Share[V] {
	out := make([]rss.Share[V], x.Len())
	for i := range out {
		out[i] = rss.Slice(s, x, i, i+1)
	}
	return out
}

// subtractFrom returns k - x for a public k. Local.
func subtractFrom(s *mpc.Session, k int64, x rss.Vec) rss.Vec {
	return rss.AddConst(s, rss.Neg(s, x), k)
}

// margins returns the sums of a table's rows and of its columns. Local.
func margins[V ring.Vector[V]](s *mpc.Session, cells rss.Share[V], width int) (rows, columns rss.Share[V]) {
	var sums []rss.Share[V]
	columns = rss.Zero[V](width)
	for at := 0; at < cells.Len(); at += width {
		row := rss.Slice(s, cells, at, at+width)
		sums = append(sums, rss.Sum(s, row))
		columns = rss.Add(s, columns, row)
	}
	return rss.Concat(s, sums...), columns
}

// nonzero returns where counts are not 0.
func nonzero(counts []int64) []int {
	var out []int
	for i, n := range counts {
		if n > 0 {
			out = append(out, i)
		}
	}
	return out
}
