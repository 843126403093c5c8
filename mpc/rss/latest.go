package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// latest returns for each query the columns of the last row of a table whose key
// is not greater than the query, zeros where there is none. The table is sorted by
// its key; keys and queries are not negative and have the given number of bits.
//
// The table's rows carry how much their columns differ from the row before, the
// queries carry zeros, and all are sorted together, a table's row before queries
// of the same key: the prefix sums at a query are then the columns of the last
// table's row before it (derived here, checked by simulation, not reviewed). They
// go back to the order of the queries by the inverse permutation. Costs of
// SortPermutation for all m + n rows and of Permute and Unpermute for every column
// of them. Leaks nothing.
func latest(s *mpc.Session, key Vec, columns []Vec, queries Vec, bits int) []Vec {
	if len(columns) == 0 {
		return nil
	}
	m, n := key.Len(), queries.Len()
	both := Concat(s, key, queries)
	p := SortPermutation(s.Step("order"), Key{Column: both, Bits: bits})
	steps := make([]Vec, len(columns))
	for i, x := range columns {
		steps[i] = Concat(s, Differences(s, x), Zero[ring.Vec64](n))
	}
	steps = Permute(s.Step("merge"), p, steps...)
	for i, x := range steps {
		steps[i] = PrefixSum(s, x)
	}
	found := Unpermute(s.Step("return"), p, steps...)
	for i, x := range found {
		found[i] = Slice(s, x, m, m+n)
	}
	return found
}
