package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// pairsBelow counts the pairs of a marked row and a row before it of a smaller rank.
// Ranks are 0 to n-1, each once. Of one chunk the costs of pairsBelowIn; of several, one
// of which has r rows, besides for each chunk about 60 bytes a row, and SortChunked by
// log2 (n / r) bits. In memory are some elements a row of one chunk, for each chunk.
//
// Where ranks of two rows lie in ranges of r with a border between them, this tells
// which is smaller, and counts of smaller ranks go on from chunk to chunk. Then rows of
// each range come together, in their order, and pairs within it are counted.
func pairsBelow(s *mpc.Session, rows *rss.Chunked, rank, mark int) rss.Vec {
	var count rss.Vec
	if rows.Chunks() > 1 {
		apart := rows.Like(s, apartColumns, 0)
		defer apart.Close()
		count = pairsApart(s.Step("apart"), rows, apart, rank, mark)
		rows = rss.SortChunked(s.Step("ranges"), apart, rss.ChunkedKey{Column: apartRange, Bits: bits.Len(uint(rows.Chunks() - 1))})
		defer rows.Close()
		rank, mark = apartRank, apartMark
	}
	for i := range rows.Chunks() {
		s := s.Step("chunk", i)
		lo, hi := rows.Bounds(i)
		x := rows.Get(s, i, rank, mark)
		ranks := rss.Decompose(s.Step("ranks"), rss.AddConst(s, x[0], int64(-lo)), max(1, bits.Len(uint(hi-lo-1))))
		count = plus(s, count, pairsBelowIn(s.Step("below"), ranks, rss.Decompose(s.Step("marks"), x[1], 1)))
	}
	return count
}

// Columns of rows that come together by ranges of ranks.
const (
	apartRange = iota // the number of the chunk that has the rank's place
	apartRank
	apartMark
	apartColumns
)

// pairsApart counts the pairs of which the ranks lie in ranges of different chunks, and
// puts the ranges, ranks and marks of all rows.
func pairsApart(s *mpc.Session, rows, out *rss.Chunked, rank, mark int) rss.Vec {
	var count rss.Vec
	borders := rows.Chunks() - 1
	smaller := make([]rss.Vec, borders) // in chunks before, the ranks below each border
	for i := range rows.Chunks() {
		s := s.Step("chunk", i)
		x := rows.Get(s, i, rank, mark)
		ranks, marks, n := x[0], x[1], x[0].Len()
		flags := belowBorders(s.Step("below"), rows, ranks)
		marked := inParts(s, rss.Mul(s.Step("marked"), flags, rss.Repeat(s, marks, borders)), borders)
		marked = append(marked, marks)
		// The number of a row's range is how many borders are not above it.
		number := rss.Public(s, ring.Vec64(nil).Make(n).AddConst(int64(borders)))
		hits, before := make([]rss.Vec, borders), make([]rss.Vec, borders)
		for k, below := range inParts(s, flags, borders) {
			number = rss.Sub(s, number, below)
			before[k] = prefixSums(s, below, &smaller[k])
			// Marked rows that lie between this border and the next.
			hits[k] = rss.Sub(s, marked[k+1], marked[k])
		}
		count = plus(s, count, rss.Sum(s, rss.Dots(s.Step("count"), hits, before)))
		out.Put(s, i, []rss.Vec{number, ranks, marks})
	}
	return count
}

// belowBorders returns for each chunk but the first 1 where a rank is below all that have
// their range there, else 0: one after the other.
func belowBorders(s *mpc.Session, rows *rss.Chunked, ranks rss.Vec) rss.Vec {
	n, borders := ranks.Len(), rows.Chunks()-1
	bounds := make(ring.Vec64, 0, n*borders)
	for k := range borders {
		lo, _ := rows.Bounds(k + 1)
		bounds = append(bounds, ring.Vec64(nil).Make(n).AddConst(int64(lo))...)
	}
	less := rss.Less(s.Step("less"), rss.Repeat(s, ranks, borders), rss.Public(s, bounds), log2(rows.Rows())+2)
	return rss.ToArith(s.Step("flags"), less)
}

// pairsBelowIn is pairsBelow of rows in memory, given the bits of ranks and of marks.
//
// Bit after bit from the highest, rows are parted by the bit, each part keeping its
// order: a part holds the rows of a public range of ranks, so that its place is
// public. A pair counts where it parts: the row before has a 0 and the marked one a
// 1. Each bit takes 11 rounds and about 60 bytes a row; what is opened are places of
// shuffled rows, a uniformly random order.
func pairsBelowIn(s *mpc.Session, ranks, marks rss.Bits) rss.Vec {
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
