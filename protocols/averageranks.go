package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// averageRanks sorts rows by their first column, a rankKey of that many bits, and
// returns the other columns and, as the last one, the doubled average ranks. All rows
// that are no members have that of their places behind the members, as equals. Costs of
// rss.SortChunked; for each chunk of Equal and ToArith of the key, and beyond that 9
// rounds and 72 bytes a row; for each but the first one of EqualPublic and ToArith of a
// row's number, and 1 round and 8 bytes a row.
func averageRanks(s *mpc.Session, rows *rss.Chunked, columns, bits int) *rss.Chunked {
	sorted := rss.SortChunked(s.Step("sort"), rows, rss.ChunkedKey{Column: 0, Bits: bits})
	defer sorted.Close()
	own := runRanks(s.Step("runs"), sorted, bits)
	defer own.Close()
	out := rows.Like(s, columns, 0)
	for i := range out.Chunks() {
		s := s.Step("chunk", i)
		of := own.Get(s, i)
		rank := of[0]
		if i > 0 {
			over := rss.Mul(s.Step("over"), of[1], rss.Repeat(s, out.Last(s, i-1, columns-1), of[1].Len()))
			rank = rss.Add(s, rank, over)
		}
		out.Put(s, i, append(sorted.Get(s, i)[1:], rank))
	}
	return out
}

// runRanks returns for sorted rows the doubled average ranks of those whose run starts
// in the chunk, with 0 for those of a run that comes over from the chunk before; and 1
// for the latter, else 0.
//
// A run from place a to place b - 1, counted from 0, has the ranks a + 1 to b, whose
// doubled mean is a + b + 1. How much that is above the run before goes back to where
// the run starts, and prefix sums carry it over the run.
func runRanks(s *mpc.Session, sorted *rss.Chunked, width int) *rss.Chunked {
	out := sorted.Like(s, 2, 0)
	after := []rss.Vec{rss.Public(s, ring.Vec64{uint64(sorted.Rows())})}
	for i := sorted.Chunks() - 1; i >= 0; i-- {
		s := s.Step("chunk", i)
		lo, hi := sorted.Bounds(i)
		starts := startsIn(s.Step("starts"), sorted, i, 0, width)
		runs := newTiedRuns(s.Step("runs"), starts, after, []rss.Vec{rowNumbers(s, lo, hi)})
		doubled := rss.AddConst(s, rss.Add(s, runs.from[0], runs.to[0]), 1)
		rises := rss.Unpermute(s.Step("back"), runs.front, rss.Differences(s, doubled))[0]
		// Behind the last run stands what belongs to none.
		rank := rss.PrefixSum(s, rss.Mul(s.Step("rises"), rises, starts))
		over := rss.Zero[ring.Vec64](hi - lo)
		if i > 0 {
			none := rss.EqualPublic(s.Step("none"), rss.PrefixSum(s, starts), 0, bits.Len(uint(hi-lo)))
			over = rss.ToArith(s.Step("over"), none)
		}
		out.Put(s, i, []rss.Vec{rank, over})
		after = runs.first(s)
	}
	return out
}
