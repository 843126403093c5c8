package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// runs are stretches of sorted rows that have something in common, such as the
// events of one time. Where they begin is secret.
type runs struct {
	first, last rss.Vec128       // 1 in the first and in the last row of each
	mirror      *rss.Permutation // turns each run round
}

// newRuns takes where runs start, as runStarts returns it. Costs of SortPermutation
// for keys of 2 log2 n bits, and of Lift.
func newRuns(s *mpc.Session, starts rss.Vec) *runs {
	n := starts.Len()
	ends := rss.Public(s, ring.Vec64{1})
	if n > 1 {
		ends = rss.Concat(s, rss.Slice(s, starts, 1, n), ends)
	}
	flags := rss.Lift(s.Step("flags"), rss.Concat(s, starts, ends))
	width := bits.Len(uint(n))
	return &runs{
		first: rss.Slice(s, flags, 0, n),
		last:  rss.Slice(s, flags, n, 2*n),
		mirror: rss.SortPermutation(s.Step("mirror"),
			rss.Key{Column: rss.PrefixSum(s, starts), Bits: width},
			rss.Key{Column: rowNumbers(s, n), Bits: width, Descending: true}),
	}
}

// rowNumbers returns 0, 1, … n-1. Local.
func rowNumbers(s *mpc.Session, n int) rss.Vec { return rss.Public(s, numbersTo(n)) }

// numbersTo returns 0, 1, … n-1.
func numbersTo(n int) ring.Vec64 {
	v := make(ring.Vec64, n)
	for i := range v {
		v[i] = uint64(i)
	}
	return v
}

// sums returns for each row sums over all rows through the end of its run, of some
// columns, and over all rows before its run, of some others. 3 rounds; 40 bytes a
// row and column.
//
// Turned round, a run's first row meets the prefix sum of its last one, and the last
// row that of the first. What a run adds so stands at its first row, or its last, and
// prefix sums carry it on.
func (r *runs) sums(s *mpc.Session, through, before []rss.Vec128) (ends, starts []rss.Vec128) {
	var own, there, flags []rss.Vec128
	for _, x := range through {
		sum := rss.PrefixSum(s, x)
		own, there, flags = append(own, rss.Sub(s, sum, x)), append(there, sum), append(flags, r.first)
	}
	for _, x := range before {
		sum := rss.Neg(s, rss.PrefixSum(s, x))
		own, there, flags = append(own, sum), append(there, rss.Add(s, sum, x)), append(flags, r.last)
	}
	there = rss.Permute(s.Step("turn"), r.mirror, there...)
	gains := rss.Mul(s.Step("gains"), rss.Sub(s, rss.Concat(s, there...), rss.Concat(s, own...)), rss.Concat(s, flags...))
	for i, gain := range inParts(s, gains, len(flags)) {
		sum := rss.PrefixSum(s, gain)
		if i < len(through) {
			ends = append(ends, sum)
		} else {
			starts = append(starts, rss.Sub(s, sum, gain))
		}
	}
	return ends, starts
}

// totals returns at the first row of each run the sum over its rows, and 0 elsewhere.
func (r *runs) totals(s *mpc.Session, x rss.Vec) rss.Vec {
	sum := rss.PrefixSum(s, x)
	end := rss.Permute(s.Step("turn"), r.mirror, sum)[0]
	return rss.Mul(s.Step("own"), rss.Narrow(s, r.first), rss.Add(s, rss.Sub(s, end, sum), x))
}
