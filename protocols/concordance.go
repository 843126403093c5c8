package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// concordancePairs are counts of pairs of rows of which it is known which one
// outlives the other: that of an event, and any row that lives longer; one censored
// at the time of the event does, two events at one time do not tell (Harrell et al.:
// "Evaluating the yield of medical tests", JAMA 247, 1982; as in R's
// survival::concordance). Strata do not mix.
type concordancePairs struct {
	all        rss.Vec
	tied       rss.Vec // the scores are equal
	concordant rss.Vec // the shorter life has the greater score
}

// scoreBits is how many bits of a score are looked at, so that a number below n fits
// above it.
func scoreBits(n int) int { return 62 - bits.Len(uint(n)) }

// Columns of rows in the order of scores, and then of rows in the order of risk sets of
// which ties are in descending order of rank.
const (
	scoredKey = iota // the score, and then its rank
	scoredRun        // of ties
	scoredEvent
	scoredColumns
)

// concordance counts the pairs of rows in the order of the risk sets: those before a
// run of tied events outlive them. Scores of a chunk have scoreBits bits, with their
// sign. Costs of two SortChunked, of about 65 and of 2 log2 n bits, and of pairsBelow.
//
// Rows are ranked by score. A pair counts when a row before the event has a smaller
// rank, once tied events are put in descending order of rank, and equal scores have
// ascending ranks: concordant and tied pairs then count, and ties are counted apart.
func (c *coxRows) concordance(s *mpc.Session, scores func(i int) rss.Vec) concordancePairs {
	width, few := scoreBits(c.n), bits.Len(uint(c.n))
	rows := c.order.Like(s, scoredColumns, 0)
	for i := range rows.Chunks() {
		key := rss.AddConst(s, scores(i), 1<<(width-1))
		if c.strata != nil {
			// Rows of an earlier stratum have greater ranks, and never count.
			stratum := c.order.Get(s, i, orderStratum)[0]
			key = rss.Sub(s, key, rss.Scale(s, rss.AddConst(s, stratum, int64(-c.n)), 1<<width))
		}
		rows.Put(s, i, append([]rss.Vec{key}, c.order.Get(s, i, orderRun, orderEvent)...))
	}
	if c.strata != nil {
		width += few
	}
	scored := rss.SortChunked(s.Step("order"), rows, rss.ChunkedKey{Column: scoredKey, Bits: width})
	rows.Close()
	tied := tiedPairs(s.Step("tied"), scored, width)

	ranked := c.order.Like(s, scoredColumns, 0)
	for i := range scored.Chunks() {
		lo, hi := scored.Bounds(i)
		rank := rowNumbers(s, lo, hi)
		ranked.Put(s, i, append([]rss.Vec{rank}, scored.Get(s, i, scoredRun, scoredEvent)...))
	}
	scored.Close()
	turned := rss.SortChunked(s.Step("turn"), ranked,
		rss.ChunkedKey{Column: scoredRun, Bits: few}, rss.ChunkedKey{Column: scoredKey, Bits: few, Descending: true})
	ranked.Close()
	defer turned.Close()
	counted := pairsBelow(s.Step("below"), turned, scoredKey, scoredEvent)
	return concordancePairs{all: c.comparable, tied: tied, concordant: rss.Sub(s, counted, tied)}
}

// tiedPairs takes rows sorted by key, then by run, and counts the pairs of an event
// and a row of the same key in an earlier run. About 2 log2 n rounds for a chunk of n
// rows.
func tiedPairs(s *mpc.Session, rows *rss.Chunked, width int) rss.Vec {
	var pairs rss.Vec
	var firsts [2]rss.Vec // the numbers of the first rows of the last row's run and key
	for i := range rows.Chunks() {
		s := s.Step("chunk", i)
		keys := startsIn(s.Step("keys"), rows, i, scoredKey, width)
		other := startsIn(s.Step("runs"), rows, i, scoredRun, bits.Len(uint(rows.Rows())))
		both := rss.Mul(s.Step("both"), keys, other)
		groups := rss.Sub(s, rss.Add(s, keys, other), both)
		first := func(s *mpc.Session, starts rss.Vec, before *rss.Vec) rss.Vec {
			lo, hi := rows.Bounds(i)
			numbers := rss.MulPublic(s, starts, numbersTo(lo, hi))
			if i > 0 {
				// What goes on begins with the number that it began with.
				starts, numbers = carryOn(s.Step("on"), starts, numbers, *before)
			}
			out := rss.SegmentedSum(s, starts, numbers)[0]
			*before = rss.Slice(s, out, hi-lo-1, hi-lo)
			return out
		}
		earlier := rss.Sub(s, first(s.Step("first of run"), groups, &firsts[0]), first(s.Step("first of key"), keys, &firsts[1]))
		pairs = plus(s, pairs, rss.Dot(s.Step("pairs"), rows.Get(s, i, scoredEvent)[0], earlier))
	}
	return pairs
}

// carryOn has the first row start a segment in any case: with a value from before where
// it goes on.
func carryOn(s *mpc.Session, starts, values, before rss.Vec) (all, carried rss.Vec) {
	goesOn := rss.AddConst(s, rss.Neg(s, rss.Slice(s, starts, 0, 1)), 1)
	first := rss.Add(s, rss.Slice(s, values, 0, 1), rss.Mul(s, goesOn, before))
	return put(s, starts, 0, rss.Public(s, ring.Vec64{1})), put(s, values, 0, first)
}
