package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// TopK returns the first k rows of what Sort returns by one key: the key's column
// and the payload columns, k rows each. Of equal keys the rows that come first
// count first. With a Descending key these are the k greatest.
//
// As Sort, but only what is to be sorted is compared, n comparisons and a few for
// k far below n, and of each column only k rows travel back from the shuffle. Of
// very many rows those that come first are found first, so that memory is needed
// for their digits alone. Leaks nothing.
func TopK(s *mpc.Session, key Key, k int, payload ...Vec) (top Vec, carried []Vec) {
	columns := append([]Vec{key.Column}, payload...)
	out := make([]Vec, len(columns))
	for i := range out {
		out[i] = Zero[ring.Vec64](max(k, 0))
	}
	if !keyed(s, []Key{key}) || !ready(s, columns...) {
		return out[0], out[1:]
	}
	if n := key.Column.Len(); k < 1 || k > n {
		s.Fail(fmt.Errorf("the first %d of %d rows", k, n))
		return out[0], out[1:]
	}
	p := sortFirst(s.Step("order"), k, []Key{key})
	out = permuteFirst(s.Step("move"), p, k, columns)
	return out[0], out[1:]
}
