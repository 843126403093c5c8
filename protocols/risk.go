package protocols

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"consilium/job"
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

// Names of a sample's vectors, which no column can have.
const (
	timeVector    = ".time"
	endVector     = ".event"
	stratumVector = ".stratum"
)

// timeAxis is the public side of a column of times, and of strata if there are any.
type timeAxis struct {
	column  *job.Column
	least   int64 // the least code
	bits    int   // of a doubled time
	strata  *job.Column
	stratum int64 // the least code of a stratum
	width   int   // of a doubled time with the stratum above it
}

const (
	// widestTimes is how many bits doubled times may have, with strata.
	widestTimes = 60
	// mostRiskRows is for how many rows the numbers of these analyses fit: its
	// logarithm is less than 16.
	mostRiskRows = 8_000_000
)

// newTimeAxis refuses what is no time.
func newTimeAxis(d *job.Dataset, name string) (timeAxis, error) {
	c, ok := d.Schema.Column(name)
	if !ok {
		return timeAxis{}, fmt.Errorf("time: %w", unknownColumn(d, name))
	}
	if c.Type == job.Text {
		return timeAxis{}, fmt.Errorf("time: column %q is text; name the column of the times until event or censoring", name)
	}
	if d.Rows() > mostRiskRows {
		return timeAxis{}, fmt.Errorf("an analysis of survival takes up to %d rows; dataset %s declares %d", mostRiskRows, d.Name, d.Rows())
	}
	least, greatest := c.Codes()
	width := bits.Len64(uint64(greatest-least)+1) + 1
	if width > widestTimes {
		return timeAxis{}, fmt.Errorf("time: column %q has 2^%d steps or more from its minimum to its maximum; declare a narrower range or a larger step", name, widestTimes-1)
	}
	return timeAxis{column: c, least: least, bits: width, width: width}, nil
}

// within returns the axis with risk sets of their own for each value of a column.
func (a timeAxis) within(d *job.Dataset, name string) (timeAxis, error) {
	c, ok := d.Schema.Column(name)
	if !ok {
		return a, fmt.Errorf("strata: %w", unknownColumn(d, name))
	}
	levels, err := c.Levels()
	if err != nil {
		return a, fmt.Errorf("strata: %w", err)
	}
	span := bits.Len64(uint64(levels[len(levels)-1] - levels[0]))
	if a.bits+span > widestTimes {
		return a, fmt.Errorf("strata: columns %q and %q together have 2^%d steps or more; declare narrower ranges or larger steps", a.column.Name, name, widestTimes-1)
	}
	a.strata, a.stratum, a.width = c, levels[0], a.bits+span
	return a, nil
}

// vectors are those of the time and the strata.
func (a timeAxis) vectors() []job.Vector {
	v := []job.Vector{{Name: timeVector, Column: a.column.Name}}
	if a.strata != nil {
		v = append(v, job.Vector{Name: stratumVector, Column: a.strata.Name})
	}
	return v
}

// endOf is the vector of the event expression with which a time ends, if it is not
// censored.
func endOf(expression string, d *job.Dataset) (job.Vector, error) {
	v, err := eventVector("event", expression, d)
	v.Name = endVector
	return v, err
}

// A row's doubled time counts from 2 for the least time that the column may have;
// it is 0 for rows outside the sample. An odd number lies between two times.

// after returns the doubled time of which rows later than t have more, and others
// less.
func (a timeAxis) after(t *big.Rat) int64 { return a.doubled(t, false) }

// from returns the doubled time of which rows at t or later have more, and others
// less.
func (a timeAxis) from(t *big.Rat) int64 { return a.doubled(t, true) }

func (a timeAxis) doubled(t *big.Rat, including bool) int64 {
	steps := new(big.Rat).Quo(t, a.column.StepRat())
	code := new(big.Int).Div(steps.Num(), steps.Denom()) // floor: the denominator is positive
	if including && steps.IsInt() {
		code.Sub(code, big.NewInt(1))
	}
	// Rows beyond that code are later.
	code.Sub(code, big.NewInt(a.least-1))
	switch most := int64(1)<<(a.bits-1) - 1; {
	case code.Sign() < 0:
		return 1
	case !code.IsInt64() || code.Int64() > most:
		return 2*most + 1
	default:
		return 2*code.Int64() + 1
	}
}

// value returns the time of a doubled time, which may lie between two steps.
func (a timeAxis) value(doubled *big.Rat) *big.Rat {
	code := new(big.Rat).Quo(doubled, big.NewRat(2, 1))
	code.Add(code, new(big.Rat).SetInt64(a.least-1))
	return code.Mul(code, a.column.StepRat())
}

// riskRows are rows in the order of the risk sets. Several blocks of as many rows
// each may lie one after the other: the same rows, of which each block has those of
// one group in the order of the group's risk sets.
type riskRows struct {
	rows, blocks int
	width        int     // of the doubled times, in bits
	time         rss.Vec // doubled, and the stratum above it
	event        rss.Vec // 0 or 1
	carried      []rss.Vec
}

// byRisk sorts the rows of a sample, and further columns of theirs, into the order
// of the risk sets; strata lie one after the other in descending order. Columns are
// 0 outside the sample. Costs of Sort with keys of axis.width bits.
func byRisk(s *mpc.Session, axis timeAxis, rows *Rows, event rss.Vec, columns ...rss.Vec) *riskRows {
	// Above an origin in the sample, and 0 outside.
	above := func(name string, origin int64) rss.Vec {
		return rss.Sub(s, rows.Value[name], rss.Scale(s, rows.Member, origin))
	}
	key := rss.Sub(s, rss.Scale(s, above(timeVector, axis.least-1), 2), event)
	if axis.strata != nil {
		key = rss.Add(s, key, rss.Scale(s, above(stratumVector, axis.stratum), 1<<axis.bits))
	}
	keys, carried := rss.Sort(s, []rss.Key{{Column: key, Bits: axis.width, Descending: true}}, append([]rss.Vec{event}, columns...)...)
	return &riskRows{rows.N, 1, axis.width, rss.Add(s, keys[0], carried[0]), carried[0], carried[1:]}
}

// split returns a block for each of several disjoint groups, given as flags 0 or 1
// of sorted rows in one block, with further columns of these. In each block the
// rows of other groups lie behind and have 0 in every column. For each group 7
// rounds, 5 elements a row, and about 3 for each column.
func (r *riskRows) split(s *mpc.Session, groups []rss.Vec, columns ...rss.Vec) *riskRows {
	columns = append([]rss.Vec{r.time, r.event}, columns...)
	all := make([][]rss.Vec, len(columns))
	for g, flag := range groups {
		s := s.Step("group", g)
		own := rss.Mul(s.Step("own"), rss.Repeat(s, flag, len(columns)), rss.Concat(s, columns...))
		for i, x := range rss.Compact(s.Step("compact"), flag, inParts(s, own, len(columns))...) {
			all[i] = append(all[i], x)
		}
	}
	joined := make([]rss.Vec, len(columns))
	for i, parts := range all {
		joined[i] = rss.Concat(s, parts...)
	}
	return &riskRows{r.rows, len(groups), r.width, joined[0], joined[1], joined[2:]}
}

// indicators are vectors that tell the rows of each level.
func (f *factor) indicators() []job.Vector {
	out := make([]job.Vector, len(f.levels))
	for i, level := range f.levels {
		out[i] = levelVector(fmt.Sprintf(".%s.%d", f.column.Name, i), f.column.Name, level)
	}
	return out
}

// values returns the columns of those vectors.
func (r *Rows) values(vectors []job.Vector) []rss.Vec {
	out := make([]rss.Vec, len(vectors))
	for i, v := range vectors {
		out[i] = r.Value[v.Name]
	}
	return out
}

// sumEach returns the sum of each column. Local.
func sumEach(s *mpc.Session, columns []rss.Vec) rss.Vec {
	out := make([]rss.Vec, len(columns))
	for i, x := range columns {
		out[i] = rss.Sum(s, x)
	}
	return rss.Concat(s, out...)
}

// inParts cuts a vector into k of one length. Local.
func inParts[V ring.Vector[V]](s *mpc.Session, x rss.Share[V], k int) []rss.Share[V] {
	n := x.Len() / k
	out := make([]rss.Share[V], k)
	for i := range out {
		out[i] = rss.Slice(s, x, i*n, (i+1)*n)
	}
	return out
}

// prefixSums returns sums over risk sets: of each row and those before it in its
// block. Local.
func (r *riskRows) prefixSums(s *mpc.Session, x rss.Vec) rss.Vec {
	out := inParts(s, x, r.blocks)
	for i, block := range out {
		out[i] = rss.PrefixSum(s, block)
	}
	return rss.Concat(s, out...)
}

// lastOfTie returns 1 in the last row of each time (and stratum) of a block, else
// 0; and 0 outside the sample. Costs of Equal and ToArith.
func (r *riskRows) lastOfTie(s *mpc.Session) rss.Vec {
	var next []rss.Vec
	for _, block := range inParts(s, r.time, r.blocks) {
		if r.rows > 1 {
			next = append(next, rss.Slice(s, block, 1, r.rows))
		}
		next = append(next, rss.Zero[ring.Vec64](1)) // what follows the last row is outside
	}
	same := rss.Equal(s.Step("same"), r.time, rss.Concat(s, next...), r.width)
	return rss.ToArith(s.Step("last"), rss.Not(s, same))
}

// tieSums returns for each column the sums over the rows of the same time (and
// stratum) up to and including each: at the last row that over all of them. Costs
// of SegmentedSum.
func (r *riskRows) tieSums(s *mpc.Session, last rss.Vec, columns ...rss.Vec) []rss.Vec {
	n := last.Len()
	start := rss.Public(s, ring.Vec64{1})
	if n > 1 {
		start = rss.Concat(s, start, rss.Slice(s, last, 0, n-1))
	}
	// A block that ends outside the sample goes on into the next one, with zeros.
	return rss.SegmentedSum(s, start, columns...)
}

// atRisk returns a public vector: f of each row's place in its block, from 1.
func (r *riskRows) atRisk(f func(n float64) float64) ring.Vec64 {
	v := make(ring.Vec64, r.rows*r.blocks)
	for i := range v {
		if i < r.rows {
			v[i] = uint64(int64(math.Round(f(float64(i + 1)))))
		} else {
			v[i] = v[i-r.rows]
		}
	}
	return v
}

// logFrac is how many fractional bits logarithms of survival have.
const logFrac = 52

// logStep is -log(1 - 1/n) in steps of 2^-logFrac: what one event among n > 1 at
// risk takes from log S.
func logStep(n float64) float64 { return -math.Ldexp(math.Log1p(-1/n), logFrac) }

// upTo returns for each public time the sums of columns over the rows of a block up
// to that time and, last, the number at risk: of rows at that time or later. Costs
// of lastNotBelow.
func (a timeAxis) upTo(s *mpc.Session, times []*big.Rat, time rss.Vec, columns ...rss.Vec) []rss.Vec {
	var bounds []int64
	for _, t := range times {
		bounds = append(bounds, a.after(t))
	}
	for _, t := range times {
		bounds = append(bounds, a.from(t))
	}
	rows, n := time.Len(), len(times)
	sums := make([]rss.Vec, len(columns), len(columns)+1)
	for i, x := range columns {
		sums[i] = rss.PrefixSum(s, x)
	}
	found := lastNotBelow(s, time, a.bits, bounds, append(sums, placeNumbers(s, rows))...)
	// The rows down to the last one that is later than t do not count yet at t.
	for i, x := range sums {
		total := rss.Repeat(s, rss.Slice(s, x, rows-1, rows), n)
		sums[i] = rss.Sub(s, total, rss.Slice(s, found[i], 0, n))
	}
	return append(sums, rss.Slice(s, found[len(columns)], n, 2*n))
}

// placeNumbers returns the places 1, 2, …, n. Local.
func placeNumbers(s *mpc.Session, n int) rss.Vec {
	v := make(ring.Vec64, n)
	for i := range v {
		v[i] = uint64(i + 1)
	}
	return rss.Public(s, v)
}

// lastNotBelow finds for each public bound the last row whose key is not below it
// and returns, column by column, the elements there, bound by bound; 0 where there
// is no such row. The keys do not ascend from row to row, are not negative and have
// the given number of bits; bounds lie from 1 to 2^width.
//
// Of blocks of sqrt(n) rows the first rows are compared, then the rows of the block
// that this tells. 20 rounds; about 9 sqrt(n) elements a bound. Leaks nothing.
func lastNotBelow(s *mpc.Session, key rss.Vec, width int, bounds []int64, columns ...rss.Vec) []rss.Vec {
	n, k := key.Len(), len(bounds)
	size := int(math.Ceil(math.Sqrt(float64(n))))
	blocks := (n + size - 1) / size
	columns = append([]rss.Vec{key}, columns...)
	var table []rss.Vec // block by block: the keys, then each column
	for b := range blocks {
		for _, x := range columns {
			table = append(table, rss.Slice(s, x, b*size, min((b+1)*size, n)))
			if short := (b+1)*size - n; short > 0 {
				table = append(table, rss.Zero[ring.Vec64](short))
			}
		}
	}
	all := rss.Concat(s, table...)
	var heads []rss.Vec
	for b := range blocks {
		heads = append(heads, rss.Slice(s, key, b*size, b*size+1))
	}
	block := lastSteps(s.Step("blocks"), rss.Repeat(s, rss.Concat(s, heads...), k), width, bounds)
	found := rss.MatMul(s.Step("block"), block, all, k, blocks, size*len(columns))

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

// isNone returns 1 for a count of 0, else 0. 9 rounds.
func isNone(s *mpc.Session, count rss.Vec) rss.Vec {
	return rss.ToArith(s.Step("number"), rss.EqualPublic(s.Step("zero"), count, 0, countBits))
}

// lifted returns the plan's outputs over 128 bits. Costs of Lift.
func lifted(s *mpc.Session, p *Plan, values map[string]rss.Vec) map[string]rss.Vec128 {
	var all []rss.Vec
	for _, o := range p.Outputs {
		all = append(all, values[o.Name])
	}
	wide := rss.Lift(s, rss.Concat(s, all...))
	out, at := map[string]rss.Vec128{}, 0
	for _, o := range p.Outputs {
		out[o.Name] = rss.Slice(s, wide, at, at+o.Len)
		at += o.Len
	}
	return out
}
