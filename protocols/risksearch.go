package protocols

import (
	"math"
	"math/big"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What is looked up in the order of the risk sets is prefix sums, in rows with these
// columns first.
const (
	soughtTime  = iota // the doubled time
	soughtPlace        // the place, from 1
	soughtSums         // the first of the prefix sums
)

// upTo returns for each public time the sums up to that time of columns whose prefix
// sums over all rows lie in as many columns from soughtSums on and, last, the number at
// risk: of rows at that time or later. Costs of lastNotBelow.
func (a timeAxis) upTo(s *mpc.Session, times []*big.Rat, rows *rss.Chunked, columns int) []rss.Vec {
	var bounds []int64
	for _, t := range times {
		bounds = append(bounds, a.after(t))
	}
	for _, t := range times {
		bounds = append(bounds, a.from(t))
	}
	wanted := []int{soughtPlace}
	for j := range columns {
		wanted = append(wanted, soughtSums+j)
	}
	found := lastNotBelow(s, rows, soughtTime, a.bits, bounds, wanted...)
	// The rows down to the last one that is later than t do not count yet at t.
	n := len(times)
	var out []rss.Vec
	for j, at := range found[1:] {
		total := rows.Last(s, rows.Chunks()-1, soughtSums+j)
		out = append(out, rss.Sub(s, rss.Repeat(s, total, n), rss.Slice(s, at, 0, n)))
	}
	return append(out, rss.Slice(s, found[0], n, 2*n))
}

// lastNotBelow finds for each public bound the last row whose key, a column, is not below
// it and returns, column by column, the elements there, bound by bound; 0 where there
// is no such row. The keys do not ascend from row to row, are not negative and have
// the given number of bits; bounds lie from 1 to 2^width.
//
// Of blocks of sqrt(n) rows the first rows are compared, then the rows of the block
// that this tells. 20 rounds, and 1 for each chunk after the first, as often as
// mostSought asks for; about 9 sqrt(n) elements a bound, and for each further chunk
// sqrt(n) for each column. Leaks nothing.
func lastNotBelow(s *mpc.Session, rows *rss.Chunked, key, width int, bounds []int64, columns ...int) []rss.Vec {
	size := int(math.Ceil(math.Sqrt(float64(rows.Rows()))))
	columns = append([]int{key}, columns...)
	found := make([][]rss.Vec, len(columns)-1)
	for lo, most := 0, max(1, mostSought/(size*len(columns))); lo < len(bounds); lo += most {
		some := bounds[lo:min(lo+most, len(bounds))]
		for c, x := range lastNotBelowIn(s.Step("bounds", lo), rows, size, width, some, columns) {
			found[c] = append(found[c], x)
		}
	}
	out := make([]rss.Vec, len(found))
	for c, parts := range found {
		out[c] = rss.Concat(s, parts...)
	}
	return out
}

// mostSought is how many elements of blocks are looked at together: bounds times columns
// times sqrt(n), which memory must hold.
const mostSought = 1 << 19

// lastNotBelowIn is lastNotBelow for blocks of that size; the key is the first column.
func lastNotBelowIn(s *mpc.Session, rows *rss.Chunked, size, width int, bounds []int64, columns []int) []rss.Vec {
	k := len(bounds)
	var heads []rss.Vec
	for i := range rows.Chunks() {
		for _, block := range inRuns(s, rows.Get(s, i, columns[0])[0], size) {
			heads = append(heads, rss.Slice(s, block, 0, 1))
		}
	}
	block := lastSteps(s.Step("blocks"), rss.Repeat(s, rss.Concat(s, heads...), k), width, bounds)
	found := rss.Zero[ring.Vec64](k * size * len(columns))
	for i, at := 0, 0; i < rows.Chunks(); i++ {
		table, blocks := asBlocks(s, rows.Get(s, i, columns...), size)
		var here []rss.Vec
		for _, run := range inParts(s, block, k) {
			here = append(here, rss.Slice(s, run, at, at+blocks))
		}
		found = rss.Add(s, found, rss.MatMul(s.Step("block", i), rss.Concat(s, here...), table, k, blocks, size*len(columns)))
		at += blocks
	}

	// Of each bound's block the keys, and each column.
	parts := make([][]rss.Vec, len(columns))
	for j := range k {
		for c := range columns {
			at := (j*len(columns) + c) * size
			parts[c] = append(parts[c], rss.Slice(s, found, at, at+size))
		}
	}
	row := lastSteps(s.Step("rows"), rss.Concat(s, parts[0]...), width, bounds)
	var values []rss.Vec
	for _, x := range parts[1:] {
		values = append(values, x...)
	}
	picked := rss.DotRows(s.Step("row"), rss.Repeat(s, row, len(parts)-1), rss.Concat(s, values...), size)
	return inParts(s, picked, len(parts)-1)
}

// inRuns cuts a vector into runs of so many elements; the last one may be shorter. Local.
func inRuns(s *mpc.Session, x rss.Vec, size int) []rss.Vec {
	var out []rss.Vec
	for lo := 0; lo < x.Len(); lo += size {
		out = append(out, rss.Slice(s, x, lo, min(lo+size, x.Len())))
	}
	return out
}

// asBlocks lays columns out block by block of so many rows, each block column by column;
// the last block ends in zeros. Local.
func asBlocks(s *mpc.Session, columns []rss.Vec, size int) (table rss.Vec, blocks int) {
	runs := make([][]rss.Vec, len(columns))
	for c, x := range columns {
		runs[c] = inRuns(s, x, size)
	}
	blocks = len(runs[0])
	var all []rss.Vec
	for b := range blocks {
		for c := range columns {
			all = append(all, runs[c][b])
			if short := size - runs[c][b].Len(); short > 0 {
				all = append(all, rss.Zero[ring.Vec64](short))
			}
		}
	}
	return rss.Concat(s, all...), blocks
}

// lastSteps takes for each bound a run of keys and returns 1 for the last key that
// is not below the bound, 0 elsewhere.
func lastSteps(s *mpc.Session, keys rss.Vec, width int, bounds []int64) rss.Vec {
	n := keys.Len() / len(bounds)
	public := make(ring.Vec64, keys.Len())
	for i := range public {
		public[i] = uint64(bounds[i/n])
	}
	below := rss.Less(s.Step("below"), keys, rss.Public(s, public), width+2)
	var out []rss.Vec
	for _, run := range inParts(s, rss.ToArith(s.Step("steps"), rss.Not(s, below)), len(bounds)) {
		if n > 1 {
			out = append(out, rss.Sub(s, rss.Slice(s, run, 0, n-1), rss.Slice(s, run, 1, n)))
		}
		out = append(out, rss.Slice(s, run, n-1, n))
	}
	return rss.Concat(s, out...)
}
