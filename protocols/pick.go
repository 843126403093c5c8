package protocols

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// mostUnits is how many places are looked up by unit vectors. Each costs about as
// much as 2 multiplications a row in memory, so that for more a sort costs less.
const mostUnits = 1 << 10

// pick returns the elements of a column at secret places, from 0 to n - 1 of n rows;
// at other places it returns anything.
//
// The column is laid out as a matrix of about sqrt(n) columns, and a place is the
// unit vectors of its row and of its column there: two small products. 11 rounds,
// and for n = 1,000,000 about 27 KB a place; for very many places the costs of
// rss.LookupSecret.
func pick(s *mpc.Session, column, places rss.Vec) rss.Vec {
	if places.Len() > mostUnits {
		return rss.LookupSecret(s, column, places)
	}
	n, k := column.Len(), places.Len()
	low := bits.Len(uint(n-1)) / 2
	width := 1 << low
	height := (n + width - 1) / width

	row := rss.Trunc(s.Step("row"), places, low)
	inRow := rss.Sub(s, places, rss.Scale(s, row, int64(width)))
	// Both are below 2^(low+1), and so are their distances to what they are compared with.
	distances := rss.Concat(s, countdowns(s, row, height), countdowns(s, inRow, width))
	units := rss.ToArith(s.Step("units"), rss.EqualPublic(s.Step("equal"), distances, 0, low+2))

	if rest := height*width - n; rest > 0 {
		column = rss.Concat(s, column, rss.Zero[ring.Vec64](rest))
	}
	rows := rss.MatMul(s.Step("rows"), rss.Slice(s, units, 0, k*height), column, k, height, width)
	return rss.DotRows(s.Step("columns"), rows, rss.Slice(s, units, k*height, units.Len()), width)
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
