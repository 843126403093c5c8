package rss

import (
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Groups are the groups of rows with equal keys, in the order of Sort, in columns
// as long as there are rows: how many groups there are stays secret. Where Valid
// is 0 all columns are.
type Groups struct {
	Valid Vec   // 1 for each group, then 0
	Keys  []Vec // the groups' keys, as they were given
	Count Vec   // how many rows a group has
	Sums  []Vec // the sums of values over its rows
}

// GroupBy groups rows by one or several keys and sums columns of values over each
// group. Rows that do not count are given values of zero; a column of ones for
// those that do, among the values, counts these.
//
// The rows are sorted, neighbours' keys are compared, and the last rows of groups
// move to the front (see CompactPermutation), where each group's sum is the
// difference of two prefix sums. Costs of Sort and CompactPermutation, Equal on
// the keys, and of Permute and one element for every column. Leaks nothing.
func GroupBy(s *mpc.Session, keys []Key, values ...Vec) Groups {
	columns := append(keyColumns(keys), values...)
	if !keyed(s, keys) || !ready(s, columns...) {
		return noGroups(keys, values)
	}
	n := keys[0].Column.Len()
	sorted, carried := Sort(s.Step("sort"), keys, values...)
	last := ToArith(s.Step("last"), lastOfGroup(s.Step("compare"), keys, sorted))

	running := []Vec{numberedFrom(s, 1, n)} // how many rows up to each, and their sums
	for _, x := range carried {
		running = append(running, PrefixSum(s, x))
	}
	columns = Compact(s.Step("compact"), last, slices.Concat(sorted, running, []Vec{last})...)
	k, end := len(keys), len(columns)-1
	for i := k; i < end; i++ {
		columns[i] = Differences(s, columns[i])
	}
	valid := columns[end]
	columns = zeroWhere(s.Step("clear"), valid, columns[:end])
	if s.Err() != nil {
		return noGroups(keys, values)
	}
	return Groups{Valid: valid, Keys: columns[:k:k], Count: columns[k], Sums: columns[k+1:]}
}

// noGroups is what GroupBy returns when it fails.
func noGroups(keys []Key, values []Vec) Groups {
	n := rowCount(keys)
	return Groups{Zero[ring.Vec64](n), blank(keyColumns(keys)), Zero[ring.Vec64](n), blank(values)}
}

// lastOfGroup returns which sorted rows have another key than the next row. The
// last row has no next and is the last of its group. Costs of Equal on each key,
// and of AndAll.
func lastOfGroup(s *mpc.Session, keys []Key, sorted []Vec) Bits {
	n := sorted[0].Len()
	last := ring.MakePlanes(n, 1)
	last.Words[(n-1)/64] = 1 << ((n - 1) % 64)
	if n == 1 {
		return PublicBits(s, last)
	}
	equal := make([]Bits, len(keys))
	for i, x := range sorted {
		// The next row's key; the last row meets itself.
		next := Concat(s, Slice(s, x, 1, n), Slice(s, x, n-1, n))
		equal[i] = Equal(s.Step("key", i), x, next, keys[i].Bits)
	}
	same := AndAll(s.Step("all"), ConcatPlanes(equal...))
	// The last row equals itself, so that adding 1 there makes it "not the same".
	return Not(s, Xor(s, same, PublicBits(s, last)))
}

// numberedFrom returns the public column first, first+1, … as a share.
func numberedFrom(s *mpc.Session, first int64, n int) Vec {
	return AddConst(s, numbered(s, n), first)
}

// zeroWhere returns the columns with zeros where valid is 0. 1 round, 1 element a
// row and column, leaks nothing.
func zeroWhere(s *mpc.Session, valid Vec, columns []Vec) []Vec {
	if len(columns) == 0 {
		return nil
	}
	return mulEach(s, columns, repeatColumn(valid, len(columns)))
}

// repeatColumn returns the column k times.
func repeatColumn(x Vec, k int) []Vec {
	out := make([]Vec, k)
	for i := range out {
		out[i] = x
	}
	return out
}
