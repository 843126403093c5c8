package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// Sort sorts rows by one or several keys, the first of which decides first, and
// returns the key columns and the payload columns in that order. It is stable:
// rows with equal keys stay in their order, also where a key descends. Costs of
// SortPermutation, and of Permute for every column, in 2 more rounds. Leaks
// nothing.
func Sort(s *mpc.Session, keys []Key, payload ...Vec) (sorted, carried []Vec) {
	k := len(keys)
	columns := append(keyColumns(keys), payload...)
	if !keyed(s, keys) || !ready(s, columns...) {
		return blank(columns[:k:k]), blank(payload)
	}
	p := SortPermutation(s.Step("order"), keys...)
	columns = Permute(s.Step("move"), p, columns...)
	return columns[:k:k], columns[k:]
}

// SortPermutation returns the secret permutation that sorts rows by the keys:
// Permute moves any column of the same rows by it, now or later, and Unpermute
// brings columns of the sorted rows back.
//
// Each row gets one number of w bits, its keys above its row number, so that no
// two are equal. The rows are shuffled and then sorted by comparisons that are
// opened (Hamada et al.: "Practically efficient multi-party sorting protocols
// from comparison sort algorithms", ICISC 2012): these show the ranks of shuffled
// rows, which are a uniformly random order whatever the data, and whatever keys
// are equal. Leaks nothing.
//
// For n rows about n (log2 n + 2) comparisons of about w bits each, and once for
// each row a decomposition of the keys, a shuffle of w bits and 11 w / 4 bits. A
// batch of comparisons takes 2 + ceil(log2(w / 4)) rounds; of batches there are
// 1 for up to 256 rows, about 4 for 1,000, 10 for 10,000, 25 for 100,000 and 32
// for 1,000,000. One key of 32 bits: 170 bytes a row and party for 1,000,000 rows,
// 21 comparisons of 6 bytes among them, and 1.7 us of one core.
//
// What else was weighed, in bytes a row and party and rounds as predicted: a
// quicksort with comparisons that subtract and take the sign (25 of 12 bytes): 300
// and 350; with comparisons of bits decomposed once (25 of 19 bytes): 475 and 350; a
// radix sort with opened shuffled ranks (Chida et al. 2019; Asharov et al., CCS
// 2022) by digits of two or three bits over Z_2^32: 500 and 100.
func SortPermutation(s *mpc.Session, keys ...Key) *Permutation {
	if !keyed(s, keys) {
		return &Permutation{n: rowCount(keys)}
	}
	return sortFirst(s, keys[0].Column.Len(), keys)
}

// sortFirst is SortPermutation that sorts the first wanted rows and leaves the
// others behind them in any order.
func sortFirst(s *mpc.Session, wanted int, keys []Key) *Permutation {
	n := keys[0].Column.Len()
	p, order := rankShuffled(s, wanted, keys)
	if s.Err() != nil {
		return &Permutation{n: n}
	}
	return p.then(s, order)
}

// rankShuffled shuffles the rows and returns the shuffle and, by rank, the places
// of the shuffled rows, which all parties learn.
func rankShuffled(s *mpc.Session, wanted int, keys []Key) (*Permutation, []int32) {
	n := keys[0].Column.Len()
	numbers := rankable(s, keys)
	p := NewPermutation(s.Step("permutation"), n)
	if s.Err() != nil {
		return p, unmoved(n)
	}
	w := numbers.Width()
	words := move(s.Step("shuffle"), p, moving{rows: n}, rowWords(numbers))
	if few := front(s, words, w, wanted); few != nil {
		return p, rankFew(s.Step("few"), words, w, wanted, few)
	}
	return p, rank(n, wanted, newContest(s, words, w))
}

// rowCount returns the length of the keys' columns.
func rowCount(keys []Key) int {
	if len(keys) == 0 {
		return 0
	}
	return keys[0].Column.Len()
}

// keyColumns returns the columns of the keys.
func keyColumns(keys []Key) []Vec {
	columns := make([]Vec, len(keys))
	for i, k := range keys {
		columns[i] = k.Column
	}
	return columns
}

// blank returns columns of zeros of the lengths of others.
func blank(columns []Vec) []Vec {
	out := make([]Vec, len(columns))
	for i, x := range columns {
		out[i] = Zero[ring.Vec64](x.Len())
	}
	return out
}
