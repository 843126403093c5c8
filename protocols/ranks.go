package protocols

import (
	"math/bits"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What analyses by ranks share. Ranks are those of the members of a sample alone,
// with the mean of their places for rows of equal value, and stand doubled: 2 for
// the least of all, 2 n for the greatest, an integer in any case.

// rankKey is the key by which the members of a sample come first, in the order of
// their values, and all other rows after them, as equals of each other. The values
// lie from low to high, those of rows that are no members are 0. It has no more
// bits than high - low + 1. Local.
func rankKey(s *mpc.Session, value, member rss.Vec, low, high int64) rss.Key {
	above := high - low + 1 // the key of those that are no members
	column := rss.Sub(s, value, rss.Scale(s, member, high+1))
	return rss.Key{Column: rss.AddConst(s, column, above), Bits: bits.Len64(uint64(above))}
}

// columnKey is the rankKey of a column's codes in a sample.
func columnKey(s *mpc.Session, c *job.Column, rows *Rows) rss.Key {
	low, high := c.Codes()
	return rankKey(s, rows.Value[c.Name], rows.Member, low, high)
}

// averageRanks returns the doubled average rank of every member by a rankKey, and 0
// for other rows, in the order of the rows. Costs of SortPermutation, Permute, Equal
// and ToArith of the key, and beyond that 11 rounds and 82 bytes a row.
//
// Sorted rows of equal key lie together. The places where such runs start move to
// the front, so that each run meets the next: one from place a to place b - 1,
// counted from 0, has the ranks a + 1 to b, whose doubled mean is a + b + 1. How
// much that is above the run before goes back to where the run starts, and prefix
// sums carry it over the run.
func averageRanks(s *mpc.Session, key rss.Key, member rss.Vec) rss.Vec {
	order := rss.SortPermutation(s.Step("order"), key)
	sorted := rss.Permute(s.Step("sorted"), order, key.Column)[0]
	starts := runStarts(s.Step("runs"), sorted, key.Bits)

	front := rss.CompactPermutation(s.Step("front"), starts)
	places := rss.Permute(s.Step("places"), front, placesOf(s, starts))[0]
	doubled := rss.AddConst(s, rss.Add(s, places, nextOf(s, places)), 1)
	rises := rss.Unpermute(s.Step("back"), front, rss.Differences(s, doubled))[0]
	// Behind the last run stands what belongs to none.
	rises = rss.Mul(s.Step("rises"), rises, starts)

	ranks := rss.Unpermute(s.Step("ranks"), order, rss.PrefixSum(s, rises))[0]
	return rss.Mul(s.Step("members"), ranks, member)
}

// runStarts returns 1 where a sorted row of that many bits differs from the one
// before it, and in the first row, else 0.
func runStarts(s *mpc.Session, sorted rss.Vec, width int) rss.Vec {
	n := sorted.Len()
	first := rss.Public(s, ring.Vec64{1})
	if n == 1 {
		return first
	}
	same := rss.Equal(s.Step("same"), rss.Slice(s, sorted, 0, n-1), rss.Slice(s, sorted, 1, n), width)
	return rss.Concat(s, first, rss.ToArith(s.Step("start"), rss.Not(s, same)))
}

// placesOf returns the row's number, from 0, where flag is 1, and how many rows
// there are where it is 0. Local.
func placesOf(s *mpc.Session, flag rss.Vec) rss.Vec {
	n := flag.Len()
	below := make(ring.Vec64, n)
	for i := range below {
		below[i] = uint64(i - n)
	}
	return rss.AddConst(s, rss.MulPublic(s, flag, below), int64(n))
}

// nextOf returns for each row's place that of the next row, and for the last one
// how many rows there are. Local.
func nextOf(s *mpc.Session, places rss.Vec) rss.Vec {
	n := places.Len()
	end := rss.Public(s, ring.Vec64{uint64(n)})
	if n == 1 {
		return end
	}
	return rss.Concat(s, rss.Slice(s, places, 1, n), end)
}

// pairsWon returns twice the number of pairs of a row inside a group and a member
// outside of it in which the former has the greater value, ties one half: the
// group's rank sum less the least that it can be. ranks are those of averageRanks,
// group holds 1 for the group's rows, which are members, and 0 for all others. 2
// rounds, 2 elements.
func pairsWon(s *mpc.Session, ranks, group rss.Vec) rss.Vec {
	n := rss.Sum(s, group)
	least := rss.Mul(s.Step("least"), n, rss.AddConst(s, n, 1)) // 2 (1 + … + n)
	return rss.Sub(s, rss.Dot(s.Step("sum"), ranks, group), least)
}
