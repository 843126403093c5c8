package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// CompactPermutation returns the secret permutation that moves rows whose flag is
// 1 before those whose flag is 0 and else keeps their order: a sort by one bit.
// flag holds elements 0 or 1; an element of another value is a mistake that may be
// noticed, too late to hide it, and then ends the session.
//
// Each row's place follows from prefix sums: see PermutationTo. 4 rounds, 5 elements a
// row or less; leaks nothing.
func CompactPermutation(s *mpc.Session, flag Vec) *Permutation {
	n := flag.Len()
	if !ready(s, flag) || !countable(s, n) {
		return &Permutation{n: n}
	}
	// A row with flag 1 comes after the ones before it; one with flag 0 after all
	// ones and the zeros before it.
	ones := PrefixSum(s, flag)
	total := Slice(s, ones, n-1, n)
	ifOne := AddConst(s, ones, -1)
	ifZero := Add(s, Sub(s, numbered(s, n), ones), copies(total, n))
	places := Select(s.Step("place"), flag, ifOne, ifZero)
	return PermutationTo(s, places)
}

// Compact moves rows whose flag is 1 before those whose flag is 0 and else keeps
// their order: see CompactPermutation and Permute.
func Compact(s *mpc.Session, flag Vec, columns ...Vec) []Vec {
	if !ready(s, append([]Vec{flag}, columns...)...) {
		return blank(columns)
	}
	p := CompactPermutation(s.Step("order"), flag)
	return Permute(s.Step("move"), p, columns...)
}

// copies returns a share of one element n times. Local.
func copies(x Vec, n int) Vec {
	z := zero[ring.Vec64](n)
	for i := range n {
		z.A[i], z.B[i] = x.A[0], x.B[0]
	}
	return z
}
