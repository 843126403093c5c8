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

// concordance counts the pairs of rows in the order of the risk sets: those before a
// run of tied events outlive them. Scores have scoreBits bits, with their sign.
// Costs of two SortPermutations, of about 65 and of 3 log2 n bits, and beyond these
// 16 log2 n rounds and 60 log2 n bytes a row.
//
// Rows are ranked by score. A pair counts when a row before the event has a smaller
// rank, once tied events are put in descending order of rank, and equal scores have
// ascending ranks: concordant and tied pairs then count, and ties are counted apart.
func (c *coxRows) concordance(s *mpc.Session, score rss.Vec) concordancePairs {
	n := c.n
	width := scoreBits(n)
	key := rss.AddConst(s, score, 1<<(width-1))
	if c.strata != nil {
		// Rows of an earlier stratum have greater ranks, and never count.
		key = rss.Sub(s, key, rss.Scale(s, rss.AddConst(s, c.stratum, int64(-n)), 1<<width))
		width += bits.Len(uint(n))
	}
	order := rss.SortPermutation(s.Step("order"), rss.Key{Column: key, Bits: width})
	sorted := rss.Permute(s.Step("sorted"), order, key, c.run, c.events)
	rank := rss.Unpermute(s.Step("rank"), order, rowNumbers(s, n))[0]
	tied := tiedPairs(s.Step("tied"), sorted[0], width, sorted[1], sorted[2])

	few := bits.Len(uint(n))
	turned := rss.SortPermutation(s.Step("turn"),
		rss.Key{Column: c.run, Bits: few}, rss.Key{Column: rank, Bits: few, Descending: true})
	again := rss.Permute(s.Step("turned"), turned, rank, c.events)
	ranks := rss.Decompose(s.Step("ranks"), again[0], max(1, bits.Len(uint(n-1))))
	counted := pairsBelow(s.Step("below"), ranks, rss.Decompose(s.Step("events"), again[1], 1))
	return concordancePairs{
		all:        rss.Dot(s.Step("all"), c.events, c.survived),
		tied:       tied,
		concordant: rss.Sub(s, counted, tied),
	}
}

// tiedPairs takes rows sorted by key, then by run, and counts the pairs of an event
// and a row of the same key in an earlier run.
func tiedPairs(s *mpc.Session, key rss.Vec, width int, run, event rss.Vec) rss.Vec {
	n := key.Len()
	keys := runStarts(s.Step("keys"), key, width)
	other := runStarts(s.Step("runs"), run, bits.Len(uint(n)))
	both := rss.Mul(s.Step("both"), keys, other)
	groups := rss.Sub(s, rss.Add(s, keys, other), both)
	first := func(s *mpc.Session, starts rss.Vec) rss.Vec {
		return rss.SegmentedSum(s, starts, rss.MulPublic(s, starts, numbersTo(n)))[0]
	}
	earlier := rss.Sub(s, first(s.Step("first of run"), groups), first(s.Step("first of key"), keys))
	return rss.Dot(s.Step("pairs"), event, earlier)
}

// pairsBelow counts the pairs of a marked row and a row before it of a smaller rank.
// Ranks are 0 to n-1, each once, given by their bits.
//
// Bit after bit from the highest, rows are parted by the bit, each part keeping its
// order: a part holds the rows of a public range of ranks, so that its place is
// public. A pair counts where it parts: the row before has a 0 and the marked one a
// 1. Each bit takes 11 rounds and about 60 bytes a row; what is opened are places of
// shuffled rows, a uniformly random order.
func pairsBelow(s *mpc.Session, ranks, marks rss.Bits) rss.Vec {
	n := ranks.Len()
	count := rss.Zero[ring.Vec64](1)
	for level := ranks.Width() - 1; level >= 0; level-- {
		s := s.Step("bit", level)
		one := ranks.Plane(level)
		hit := rss.And(s.Step("hit"), one, marks)
		flags := inParts(s, rss.ToArith(s.Step("arith"), rss.ConcatPlanes(one, hit)), 2)
		place := newParting(n, level)
		// Ones before a row in its part, and zeros.
		ones := rss.Sub(s, rss.Sub(s, rss.PrefixSum(s, flags[0]), flags[0]), rss.Public(s, place.ones))
		zeros := rss.Sub(s, rss.Public(s, place.row), ones)
		count = rss.Add(s, count, rss.Dot(s.Step("count"), flags[1], zeros))
		if level == 0 {
			break
		}
		to := rss.Select(s.Step("to"), flags[0],
			rss.Add(s, ones, rss.Public(s, place.upper)), rss.Add(s, zeros, rss.Public(s, place.lower)))
		p := rss.PermutationTo(s.Step("places"), to)
		moved := rss.PermuteBits(s.Step("move"), p, rss.ConcatPlanes(ranks.Planes(0, level), marks))
		ranks, marks = moved.Planes(0, level), moved.Plane(level)
	}
	return count
}

// parting is the public side of parting n rows by a bit of their ranks, row by row.
type parting struct {
	ones         ring.Vec64 // ones in the parts before the row's
	row          ring.Vec64 // rows before the row in its part
	lower, upper ring.Vec64 // the places of the first zero and the first one of the part
}

func newParting(n, bit int) parting {
	p := parting{make(ring.Vec64, n), make(ring.Vec64, n), make(ring.Vec64, n), make(ring.Vec64, n)}
	half := 1 << bit
	for i := range n {
		first := i &^ (2*half - 1)
		p.ones[i] = uint64(first / 2) // parts before are full
		p.row[i] = uint64(i - first)
		p.lower[i] = uint64(first)
		p.upper[i] = uint64(min(first+half, n))
	}
	return p
}
