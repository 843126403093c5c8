package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// columnSums returns the sum of each of those narrow columns over all chunks. Local.
func columnSums(s *mpc.Session, rows *rss.Chunked, columns ...int) []rss.Vec {
	out := make([]rss.Vec, len(columns))
	for k, column := range columns {
		for i := range rows.Chunks() {
			out[k] = plus(s, out[k], rss.Sum(s, rows.Get(s, i, column)[0]))
		}
	}
	return out
}

// prefixSums returns the prefix sums of a chunk's rows. They go on from last, the last one
// of the chunk before, which is empty before the first; it is their own last one then.
// Local.
func prefixSums(s *mpc.Session, x rss.Vec, last *rss.Vec) rss.Vec {
	sums := rss.PrefixSum(s, x)
	if last.Len() > 0 {
		sums = rss.Add(s, sums, rss.Repeat(s, *last, sums.Len()))
	}
	*last = lastRow(s, sums)
	return sums
}

// lastRow returns the last element. Local.
func lastRow(s *mpc.Session, x rss.Vec) rss.Vec { return rss.Slice(s, x, x.Len()-1, x.Len()) }

// plus adds x to a sum over chunks, which is empty before the first. Local.
func plus[V ring.Vector[V]](s *mpc.Session, sum, x rss.Share[V]) rss.Share[V] {
	if sum.Len() == 0 {
		return x
	}
	return rss.Add(s, sum, x)
}
