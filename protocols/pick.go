package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

const (
	// mostUnits is how many places are looked up by unit vectors. Each costs about as
	// much as 2 multiplications a row in memory, so that for more a sort costs less.
	mostUnits = 1 << 10
	// mostUnitElements is how many elements all these vectors have together, which
	// memory must hold.
	mostUnitElements = 1 << 21
)

// pick returns the elements of a column at secret places, from 0 to n - 1 of n rows;
// at other places it returns anything.
//
// The column is laid out as a matrix of about sqrt(n) columns, and a place is the
// unit vectors of its row and of its column there: two small products, of which the
// first one sums up over the chunks. 11 rounds, and for n = 1,000,000 about 27 KB a
// place; for each chunk but one 1 round and 8 KB more. For very many places the costs
// of pickSorted.
func pick(s *mpc.Session, rows *rss.Chunked, column int, places rss.Vec) rss.Vec {
	n, k := rows.Rows(), places.Len()
	low := rowBits(rows)
	width := 1 << low
	height := (n + width - 1) / width
	if k > min(mostUnits, mostUnitElements/(height+width)) {
		return pickSorted(s, rows, column, places)
	}

	row := rss.Trunc(s.Step("row"), places, low)
	inRow := rss.Sub(s, places, rss.Scale(s, row, int64(width)))
	// Both differ by max(height, width) at most from what they are compared with.
	distances := rss.Concat(s, countdowns(s, row, height), countdowns(s, inRow, width))
	within := bits.Len(uint(max(height, width))) + 1
	units := rss.ToArith(s.Step("units"), rss.EqualPublic(s.Step("equal"), distances, 0, within))

	found := rss.Zero[ring.Vec64](k * width)
	for i := range rows.Chunks() {
		lo, hi := rows.Bounds(i)
		first, last := lo/width, (hi+width-1)/width
		part := rows.Get(s, i, column)[0]
		if rest := (last-first)*width - part.Len(); rest > 0 {
			part = rss.Concat(s, part, rss.Zero[ring.Vec64](rest))
		}
		var own []rss.Vec // of each place the unit vector of its row, as far as it is of the chunk
		for j := range k {
			own = append(own, rss.Slice(s, units, j*height+first, j*height+last))
		}
		found = rss.Add(s, found, rss.MatMul(s.Step("rows", i), rss.Concat(s, own...), part, k, last-first, width))
	}
	return rss.DotRows(s.Step("columns"), found, rss.Slice(s, units, k*height, units.Len()), width)
}

// rowBits is the base-2 logarithm of the width of the matrix in which pick lays out
// rows: such that chunks begin with a row of it.
func rowBits(rows *rss.Chunked) int {
	low := bits.Len(uint(rows.Rows()-1)) / 2
	if _, chunk := rows.Bounds(0); rows.Chunks() > 1 {
		low = min(low, bits.TrailingZeros(uint(chunk)))
	}
	return low
}

// pickSorted is pick for many places: costs of rss.LookupSecret for each chunk, and
// for each but one of a comparison and a multiplication for each place.
func pickSorted(s *mpc.Session, rows *rss.Chunked, column int, places rss.Vec) rss.Vec {
	k := places.Len()
	ones := rss.AddConst(s, rss.Zero[ring.Vec64](k), 1)
	found, reached := rss.Zero[ring.Vec64](k), ones // who reaches the chunk
	for i := range rows.Chunks() {
		s := s.Step("chunk", i)
		lo, hi := rows.Bounds(i)
		table := rows.Get(s, i, column)[0]
		if rows.Chunks() == 1 {
			return rss.LookupSecret(s, table, places)
		}
		next := rss.Zero[ring.Vec64](k)
		if i < rows.Chunks()-1 {
			below := rss.LessPublic(s.Step("below"), places, int64(hi), countBits)
			next = rss.Sub(s, ones, rss.ToArith(s.Step("arith"), below))
		}
		inside := rss.Sub(s, reached, next)
		at := rss.Mul(s.Step("at"), inside, rss.AddConst(s, places, int64(-lo)))
		own := rss.LookupSecret(s.Step("found"), table, at)
		found = rss.Add(s, found, rss.Mul(s.Step("own"), own, inside))
		reached = next
	}
	return found
}

// countdowns returns for each element x the numbers x, x - 1, …, x - m + 1. Local.
func countdowns(s *mpc.Session, x rss.Vec, m int) rss.Vec {
	numbers := make(ring.Vec64, m)
	for i := range numbers {
		numbers[i] = uint64(i)
	}
	public := rss.Public(s, numbers)
	out := make([]rss.Vec, x.Len())
	for i := range out {
		out[i] = rss.Sub(s, rss.Repeat(s, rss.Slice(s, x, i, i+1), m), public)
	}
	return rss.Concat(s, out...)
}
