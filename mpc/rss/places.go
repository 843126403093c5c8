package rss

import (
	"errors"

	"consilium/mpc"
)

// PermutationTo returns the secret permutation that moves row i to place places[i].
// The places are 0 to n-1, each once; others are a mistake that may be noticed, too
// late to hide it, and then ends the session.
//
// Rows and places are shuffled, and the places of shuffled rows, a uniformly random
// order, are opened (Chida et al. 2019). 3 rounds, 4 elements a row or less; leaks
// nothing.
func PermutationTo(s *mpc.Session, places Vec) *Permutation {
	n := places.Len()
	if !ready(s, places) || !countable(s, n) {
		return &Permutation{n: n}
	}
	p := NewPermutation(s.Step("permutation"), n)
	shuffled := Permute(s.Step("shuffle"), p, places)
	opened := Open(s.Step("places"), shuffled[0])
	order := make([]int32, n)
	for i := range order {
		order[i] = -1
	}
	for i, place := range opened {
		if s.Err() != nil {
			return &Permutation{n: n}
		}
		if place >= uint64(n) || order[place] >= 0 {
			s.Fail(errors.New("flags are not all 0 or 1, or two rows have one place"))
			return &Permutation{n: n}
		}
		order[place] = int32(i)
	}
	return p.then(s, order)
}
