package rss

import (
	"fmt"
	"math/bits"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Table is a shared table with a key to join by.
type Table struct {
	Key     Key // at most 60 bits
	Valid   Vec // 1 for rows that count, 0 for others; no elements: all count
	Columns []Vec
}

// Joined are pairs of rows of two tables.
type Joined struct {
	Valid       Vec   // 1 where there is a pair; where it is 0 the columns below are too
	Left, Right []Vec // the columns of the left and the right row
}

// widestJoin is the widest key: four bits more must fit into a number.
const widestJoin = 60

// Join finds for each row of the left table the row of the right table with the
// same key. Keys of the right table's valid rows differ from each other (else the
// last of equal ones is found). The result has the left table's rows in their
// order, whether or not they have a partner.
//
// The right table is sorted, and the left rows find the latest of its rows in a
// sort of both tables. Costs of Sort of the right table with its columns, of
// SortPermutation of both with Permute and Unpermute for each right column and
// one more, of Equal, ToArith, and of one element for each column and row of the
// left. Leaks nothing.
func Join(s *mpc.Session, left, right Table) Joined {
	none := func() Joined { return noPairs(left.Key.Column.Len(), left, right) }
	if !joinable(s, left, right) {
		return none()
	}
	width := left.Key.Bits + 1
	query := Scale(s, left.Key.natural(s), 2)
	sorted, columns := Sort(s.Step("right"), []Key{{Column: marked(s, right), Bits: width}}, right.Columns...)
	valid, found := matchRows(s, query, sorted[0], columns, width)
	if left.Valid.Len() > 0 {
		valid = Mul(s.Step("both"), valid, left.Valid)
	}
	return pairsWhere(s, valid, left.Columns, found, none)
}

// matchRows finds for each query the last row of a table, sorted by a key of so many
// bits, that has the query as its key. It returns 1 where there is one, and there
// the row's columns.
func matchRows(s *mpc.Session, query, key Vec, columns []Vec, width int) (valid Vec, found []Vec) {
	// Zero is no key plus one: what queries find for which there is no row.
	columns = append([]Vec{AddConst(s, key, 1)}, columns...)
	found = latest(s.Step("find"), key, columns, query, width)
	same := Equal(s.Step("match"), found[0], AddConst(s, query, 1), width+1)
	return ToArith(s.Step("valid"), same), found[1:]
}

// pairsWhere returns columns of the left and the right rows as pairs, cleared
// where they are not valid.
func pairsWhere(s *mpc.Session, valid Vec, left, right []Vec, none func() Joined) Joined {
	all := zeroWhere(s.Step("clear"), valid, slices.Concat(left, right))
	if s.Err() != nil {
		return none()
	}
	k := len(left)
	return Joined{valid, all[:k:k], all[k:]}
}

// noPairs is what joins return when they fail.
func noPairs(n int, left, right Table) Joined {
	return Joined{Zero[ring.Vec64](max(n, 0)), blankOf(n, left.Columns), blankOf(n, right.Columns)}
}

// JoinMany finds all pairs of rows of two tables with the same key and returns the
// first rows of them, in the order of the left table's rows and then the right's,
// and the secret number of pairs, which may be greater: then some are left out.
//
// The right table is grouped by key, each left row finds its group's size and
// place among the sorted right rows, and each row of the result finds its left
// row, by the prefix sums of the sizes, and its right row. Costs of Sort and
// GroupBy of the right table, and of three sorts of two columns of keys with
// Permute and Unpermute for what is found: left and groups, left and result,
// right and result. Leaks nothing but the sizes and the bound, which are public.
func JoinMany(s *mpc.Session, left, right Table, rows int) (Joined, Vec) {
	none, noCount := func() Joined { return noPairs(rows, left, right) }, Zero[ring.Vec64](1)
	if !joinable(s, left, right) || !positive(s, rows) || !countable(s, rows) {
		return none(), noCount
	}
	n, m := left.Key.Column.Len(), right.Key.Column.Len()
	key := Key{Column: marked(s, right), Bits: left.Key.Bits + 1}
	sorted, columns := Sort(s.Step("right"), []Key{key}, right.Columns...)
	first, count := partners(s.Step("partners"), left, Key{Column: sorted[0], Bits: key.Bits})

	// Each row of the result finds the last left row that begins at or before it.
	ends := PrefixSum(s, count)
	total := Slice(s, ends, n-1, n)
	begins, out := Sub(s, ends, count), numbered(s, rows)
	width := max(bits.Len64(uint64(n)*uint64(m)), bits.Len(uint(rows)))
	found := latest(s.Step("left"), begins, append([]Vec{Sub(s, first, begins)}, left.Columns...), out, width)
	within := Less(s.Step("within"), out, copies(total, rows), width+1)
	valid := ToArith(s.Step("valid"), within)

	// Its right row is as far from the left row's first partner as the row itself
	// is from where the left row begins.
	place := Mul(s.Step("place"), valid, Add(s, found[0], out))
	rights := latest(s.Step("find"), numbered(s, m), columns, place, bits.Len(uint(m)))
	pairs := pairsWhere(s, valid, found[1:], rights, none)
	if s.Err() != nil {
		return none(), noCount
	}
	return pairs, total
}

// partners returns for each row of the left table how many rows of a sorted key's
// column have its key, and where they begin.
func partners(s *mpc.Session, left Table, key Key) (first, count Vec) {
	groups := GroupBy(s.Step("groups"), []Key{key})
	starts := Sub(s, PrefixSum(s, groups.Count), groups.Count)
	// Rows that are no groups get the greatest key, which is odd.
	width := key.Bits + 1
	none := AddConst(s, Neg(s, groups.Valid), 1)
	keys := Add(s, Scale(s, groups.Keys[0], 2), Scale(s, none, 1<<width-1))
	query := Scale(s, left.Key.natural(s), 4)
	valid, found := matchRows(s, query, keys, []Vec{starts, groups.Count}, width)
	if left.Valid.Len() > 0 {
		valid = Mul(s.Step("both"), valid, left.Valid)
	}
	found = zeroWhere(s.Step("clear"), valid, found)
	return found[0], found[1]
}

// marked returns a table's keys as twice the key, plus 1 for rows that do not
// count: these equal no query, which is even. Local.
func marked(s *mpc.Session, t Table) Vec {
	key := Scale(s, t.Key.natural(s), 2)
	if t.Valid.Len() == 0 {
		return key
	}
	return Sub(s, AddConst(s, key, 1), t.Valid)
}

// joinable checks two tables.
func joinable(s *mpc.Session, left, right Table) bool {
	for _, t := range []Table{left, right} {
		if t.Key.Bits < 1 || t.Key.Bits > widestJoin {
			s.Fail(fmt.Errorf("a key of %d bits, want 1 to %d to join by", t.Key.Bits, widestJoin))
			return false
		}
		columns := append([]Vec{t.Key.Column}, t.Columns...)
		if t.Valid.Len() > 0 {
			columns = append(columns, t.Valid)
		}
		if !ready(s, columns...) {
			return false
		}
	}
	if left.Key.Bits != right.Key.Bits {
		s.Fail(fmt.Errorf("keys of %d and %d bits meet", left.Key.Bits, right.Key.Bits))
		return false
	}
	return countable(s, left.Key.Column.Len()+right.Key.Column.Len())
}

// blankOf returns as many columns of n zeros as there are columns.
func blankOf(n int, columns []Vec) []Vec {
	out := make([]Vec, len(columns))
	for i := range out {
		out[i] = Zero[ring.Vec64](max(n, 0))
	}
	return out
}
