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

// plus adds x to a sum over chunks, which is empty before the first. Local.
func plus[V ring.Vector[V]](s *mpc.Session, sum, x rss.Share[V]) rss.Share[V] {
	if sum.Len() == 0 {
		return x
	}
	return rss.Add(s, sum, x)
}
