package protocols

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What analyses of survival share: rows in the order of the risk sets.
//
// Rows are sorted by descending time, those of one time with the censored ones
// first, and rows outside the sample behind all others. The rows at risk at a time
// are then all rows down to the last one of that time, so that sums over risk sets
// are prefix sums, which are local, and the number at risk at the last row of a
// time is its place, which is public.
//
// Better still, the place stands for the number at risk at every event: with
// n at risk, d events at one time make the factor 1 - d/n of a survival curve,
// which is (1 - 1/n)(1 - 1/(n-1)) … (1 - 1/(n-d+1)), that of d events one after
// the other. Likewise d/(n(n-d)) is the sum of 1/(m(m-1)) over m from n-d+1 to n,
// and S d/n that of the steps of S. What a formula needs of n is then a public
// number.
//
// Rows are worked on chunk by chunk: prefix sums, and sums over a time that goes on in
// the next chunk, pass from one to the next.

// riskRows are rows in the order of the risk sets. Several blocks may have as many rows
// each: the same rows, of which each block has those of one group in the order of the
// group's risk sets.
type riskRows struct {
	// blocks have the columns riskKey, riskEvent and, from riskCarried on, carried ones.
	blocks  []*rss.Chunked
	carried int
	width   int // of the doubled times, in bits
}

const (
	riskKey     = iota // the doubled time with the stratum above it, less the event
	riskEvent          // 0 or 1
	riskCarried        // the first of these
)

// takeRisk returns of a chunk of a sample the event and further columns to be carried
// along, all 0 outside the sample.
type takeRisk func(*mpc.Session, *Rows) (event rss.Vec, columns []rss.Vec)

// byRisk sorts the rows of a sample into the order of the risk sets, with what take
// returns of each chunk; strata lie one after the other in descending order. Costs of
// SortChunked with a key of axis.width bits.
func byRisk(s *mpc.Session, axis timeAxis, rows *Sampled, take takeRisk) *riskRows {
	var unsorted *rss.Chunked
	out := &riskRows{width: axis.width}
	for i := range rows.Chunks() {
		chunk := rows.chunk(s, i)
		event, columns := take(s.Step("take", i), chunk)
		if unsorted == nil {
			out.carried = len(columns)
			unsorted = rows.Like(s, riskCarried+len(columns), 0)
		}
		unsorted.Put(s, i, append([]rss.Vec{axis.key(s, chunk, event), event}, columns...))
	}
	out.blocks = []*rss.Chunked{rss.SortChunked(s, unsorted, rss.ChunkedKey{Column: riskKey, Bits: axis.width, Descending: true})}
	unsorted.Close()
	return out
}

// key is what rows are sorted by: 0 outside the sample. Local.
func (a timeAxis) key(s *mpc.Session, rows *Rows, event rss.Vec) rss.Vec {
	// Above an origin in the sample, and 0 outside.
	above := func(name string, origin int64) rss.Vec {
		return rss.Sub(s, rows.Value[name], rss.Scale(s, rows.Member, origin))
	}
	key := rss.Sub(s, rss.Scale(s, above(timeVector, a.least-1), 2), event)
	if a.strata != nil {
		key = rss.Add(s, key, rss.Scale(s, above(stratumVector, a.stratum), 1<<a.bits))
	}
	return key
}

// Close ends the rows before all others end.
func (r *riskRows) Close() {
	for _, b := range r.blocks {
		b.Close()
	}
}

// block returns the rows of block g alone.
func (r *riskRows) block(g int) *riskRows {
	return &riskRows{r.blocks[g : g+1], r.carried, r.width}
}

// split returns a block for each of several disjoint groups, given as flags 0 or 1, of
// rows in one block: the first carried columns are the flags, the others go along. In
// each block the rows of other groups lie behind and have 0 in every column. Of rows that
// memory holds it takes for each group 7 rounds, 5 elements a row, and about 3 for each
// column; of more, see CompactChunked.
func (r *riskRows) split(s *mpc.Session, groups int) *riskRows {
	out := &riskRows{carried: r.carried - groups, width: r.width}
	columns := []int{riskKey, riskEvent}
	for j := range out.carried {
		columns = append(columns, riskCarried+groups+j)
	}
	for g := range groups {
		out.blocks = append(out.blocks, group(s.Step("group", g), r.blocks[0], riskCarried+g, columns))
	}
	return out
}

// group returns columns of the rows that a flag marks, in their order, and behind them
// zeros.
func group(s *mpc.Session, rows *rss.Chunked, flag int, columns []int) *rss.Chunked {
	k := len(columns)
	own := rows.Like(s, k+1, 0)
	defer own.Close()
	for i := range rows.Chunks() {
		x := rows.Get(s, i, append([]int{flag}, columns...)...)
		marked := rss.Mul(s.Step("own", i), rss.Repeat(s, x[0], k), rss.Concat(s, x[1:]...))
		own.Put(s, i, append(inParts(s, marked, k), x[0]))
	}
	return rss.CompactChunked(s.Step("compact"), own)
}

// riskPart tells which rows are worked on at once: one chunk of a block, or several
// short blocks.
type riskPart struct{ from, to, chunk int }

// parts are all rows in their order, no more of them at once than a chunk may have.
func (r *riskRows) parts() []riskPart {
	var out []riskPart
	block := r.blocks[0]
	together := 1
	if block.Chunks() == 1 {
		together = max(1, rss.ChunkRows/block.Rows())
	}
	for b := 0; b < len(r.blocks); b += together {
		for i := range block.Chunks() {
			out = append(out, riskPart{b, min(b+together, len(r.blocks)), i})
		}
	}
	return out
}

// riskPiece is a part of riskRows in memory: blocks of as many rows each one after the
// other, or one chunk of a block.
type riskPiece struct {
	blocks  int
	place   int     // of the first row in its block, from 0
	more    bool    // whether the block goes on in the next part
	time    rss.Vec // doubled, and the stratum above it
	event   rss.Vec // 0 or 1
	carried []rss.Vec
	next    rss.Vec // the time of the row after the last one, 0 at the end of a block
	width   int     // of the times, in bits
}

// piece reads a part.
func (r *riskRows) piece(s *mpc.Session, at riskPart) *riskPiece {
	parts := make([][]rss.Vec, riskCarried+r.carried)
	for _, block := range r.blocks[at.from:at.to] {
		for j, x := range block.Get(s, at.chunk) {
			parts[j] = append(parts[j], x)
		}
	}
	all := make([]rss.Vec, len(parts))
	for j, x := range parts {
		all[j] = rss.Concat(s, x...)
	}
	block := r.blocks[at.from]
	place, _ := block.Bounds(at.chunk)
	return &riskPiece{
		blocks: at.to - at.from, place: place, more: at.chunk+1 < block.Chunks(),
		time: rss.Add(s, all[riskKey], all[riskEvent]), event: all[riskEvent], carried: all[riskCarried:],
		next:  rss.Add(s, block.First(s, at.chunk+1, riskKey), block.First(s, at.chunk+1, riskEvent)),
		width: r.width,
	}
}

// rows is how many rows the piece has.
func (c *riskPiece) rows() int { return c.time.Len() }

// prefixSums returns sums over risk sets: of each row and those before it in its block.
// They go on from the last one of the piece before, as those of chunks do. Local.
func (c *riskPiece) prefixSums(s *mpc.Session, x rss.Vec, last *rss.Vec) rss.Vec {
	out := inParts(s, x, c.blocks)
	for i, block := range out {
		if c.place == 0 {
			*last = rss.Vec{}
		}
		out[i] = prefixSums(s, block, last)
	}
	return rss.Concat(s, out...)
}

// lastOfTie returns 1 in the last row of each time (and stratum) of a block, else
// 0; and 0 outside the sample. Costs of Equal and ToArith.
func (c *riskPiece) lastOfTie(s *mpc.Session) rss.Vec {
	var next []rss.Vec
	for _, block := range inParts(s, c.time, c.blocks) {
		if n := block.Len(); n > 1 {
			next = append(next, rss.Slice(s, block, 1, n))
		}
		next = append(next, c.next)
	}
	same := rss.Equal(s.Step("same"), c.time, rss.Concat(s, next...), c.width)
	return rss.ToArith(s.Step("last"), rss.Not(s, same))
}

// tieSums returns the sums over the rows of the same time (and stratum) up to and
// including each: at the last row that over all of them. before is what the piece before
// returned as left: the sum over the rows of its last time, where that may go on. Costs
// of SegmentedSum, and 1 round if the block goes on.
func (c *riskPiece) tieSums(s *mpc.Session, last, x, before rss.Vec) (sums, left rss.Vec) {
	n := c.rows()
	start, first := rss.Public(s, ring.Vec64{1}), rss.Slice(s, x, 0, 1)
	if c.place > 0 {
		first = rss.Add(s, first, before)
	}
	if n > 1 {
		start = rss.Concat(s, start, rss.Slice(s, last, 0, n-1))
		first = rss.Concat(s, first, rss.Slice(s, x, 1, n))
	}
	// A block that ends outside the sample goes on into the next one, with zeros.
	sums = rss.SegmentedSum(s, start, first)[0]
	left = rss.Zero[ring.Vec64](1)
	if c.more {
		left = rss.Mul(s.Step("left"), subtractFrom(s, 1, lastRow(s, last)), lastRow(s, sums))
	}
	return sums, left
}

// atRisk returns a public vector: f of each row's place in its block, from 1.
func (c *riskPiece) atRisk(f func(n float64) float64) ring.Vec64 {
	v := make(ring.Vec64, c.rows())
	rows := len(v) / c.blocks
	for i := range v {
		if i < rows {
			v[i] = uint64(int64(math.Round(f(float64(c.place + i + 1)))))
		} else {
			v[i] = v[i-rows]
		}
	}
	return v
}

// places returns each row's place in its block, from 1. Local.
func (c *riskPiece) places(s *mpc.Session) rss.Vec {
	return rss.Public(s, c.atRisk(func(n float64) float64 { return n }))
}

// sum returns the sum over all rows of what a local function makes of them. Local.
func (r *riskRows) sum(s *mpc.Session, of func(*riskPiece) rss.Vec) rss.Vec {
	sum := rss.Zero[ring.Vec64](1)
	for _, part := range r.parts() {
		sum = rss.Add(s, sum, rss.Sum(s, of(r.piece(s, part))))
	}
	return sum
}

// logFrac is how many fractional bits logarithms of survival have.
const logFrac = 52

// logStep is -log(1 - 1/n) in steps of 2^-logFrac: what one event among n > 1 at
// risk takes from log S.
func logStep(n float64) float64 { return -math.Ldexp(math.Log1p(-1/n), logFrac) }

// eventLogs returns what each row's event takes from log S, in steps of 2^-logFrac; of the
// one row that has nobody else at risk the event takes what is given. Local.
func (c *riskPiece) eventLogs(s *mpc.Session, ofLast float64) rss.Vec {
	return rss.MulPublic(s, c.event, c.atRisk(func(n float64) float64 {
		if n == 1 {
			return math.Ldexp(ofLast, logFrac)
		}
		return logStep(n)
	}))
}
