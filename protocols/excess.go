package protocols

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What the log-rank test takes of rows in the order of the risk sets, and makes of it.

const (
	// logRankFrac is how many fractional bits correlations have, and logRankBits
	// how many bits a difference z in units of its deviation: that is hardly more
	// than the root of the number of rows.
	logRankFrac = 44
	logRankBits = logRankFrac + 14
	// leastPivot is of correlations.
	leastPivot = 0x1p-20
	// shareFrac is how many fractional bits 1/n has before it is multiplied with a
	// number of rows, which is less than n.
	shareFrac = 60
)

// excess are z and V, with the expected events.
type excess struct {
	k        int          // groups
	rows     int          // log2 of the number of rows
	frac     int          // of z; V has twice as many fractional bits
	observed rss.Vec      // integers
	expected rss.Vec      // frac fractional bits
	z        rss.Fixed128 // k elements
	v        rss.Fixed128 // k x k, row by row
}

// newExcess sums over the last rows of ties, whose carried columns are the groups. It
// takes the declared number of rows.
func newExcess(s *mpc.Session, r *riskRows, rows int) *excess {
	k, size := r.carried, log2(rows)
	e := &excess{
		k: k, rows: size, frac: min(52, shareFrac-size),
		observed: rss.Zero[ring.Vec64](k), expected: rss.Zero[ring.Vec64](k),
	}
	v := rss.Zero[ring.Vec128](k * k)
	carry := &excessCarry{events: rss.Zero[ring.Vec64](1), groups: make([]rss.Vec, k)}
	for i, part := range r.parts() {
		v = rss.Add(s, v, e.add(s.Step("part", i), r.piece(s, part), carry))
	}
	z := rss.Sub(s, rss.Scale(s, e.observed, 1<<e.frac), e.expected)
	e.z = rss.NewFixed128(s, rss.Lift(s.Step("z"), z), e.frac, e.frac+size+1)
	e.v = rss.NewFixed128(s, v, 2*e.frac, 2*e.frac+size+1)
	return e
}

// excessCarry is what a piece leaves to the next one: the events of its last time, and
// the rows of each group so far.
type excessCarry struct {
	events rss.Vec
	groups []rss.Vec
}

// add adds the events of a piece of the rows and returns what it adds to V.
func (e *excess) add(s *mpc.Session, c *riskPiece, carry *excessCarry) rss.Vec128 {
	k, n := e.k, c.rows()
	last := c.lastOfTie(s.Step("ties"))
	tied, left := c.tieSums(s.Step("tied"), last, c.event, carry.events)
	carry.events = left
	events := rss.Mul(s.Step("events"), last, tied)

	// n_j/n of each group, and (n-d)/(n-1).
	var parts []rss.Vec
	perRisk := c.atRisk(func(n float64) float64 { return math.Ldexp(1/n, shareFrac) })
	for j, group := range c.carried {
		sums := c.prefixSums(s, group, &carry.groups[j])
		parts = append(parts, rss.MulPublic(s, sums, perRisk))
	}
	perOther := c.atRisk(func(n float64) float64 { return math.Ldexp(1/max(n-1, 1), shareFrac) })
	parts = append(parts, rss.MulPublic(s, rss.Sub(s, c.places(s), events), perOther))
	rounded := inParts(s, rss.Round(s.Step("shares"), rss.Concat(s, parts...), shareFrac-e.frac), k+1)
	shares, leftOver := rounded[:k], rounded[k]
	weight := rss.Mul(s.Step("weight"), events, leftOver)

	of := rss.Concat(s, append(shares, c.carried...)...)
	both := rss.DotRows(s.Step("sums"), of, rss.Concat(s, rss.Repeat(s, events, k), rss.Repeat(s, c.event, k)), n)
	e.expected = rss.Add(s, e.expected, rss.Slice(s, both, 0, k))
	e.observed = rss.Add(s, e.observed, rss.Slice(s, both, k, 2*k))

	wide := rss.Lift(s.Step("wide"), rss.Concat(s, append(shares, weight)...))
	share, weights := rss.Slice(s, wide, 0, k*n), rss.Repeat(s, rss.Slice(s, wide, k*n, (k+1)*n), k)
	weighted := rss.MulRound(s.Step("weighted"), share, weights, e.frac)
	products := rss.MatMul(s.Step("products"), weighted, rss.Transpose(s, share, k, n), k, n, k)
	return e.covariances(s, weighted, products)
}

// covariances takes the sums of w p_j p_l off those of w p_j on the diagonal.
func (e *excess) covariances(s *mpc.Session, weighted, products rss.Vec128) rss.Vec128 {
	n := weighted.Len() / e.k
	out := elements(s, rss.Neg(s, products))
	for j := range e.k {
		sum := rss.Sum(s, rss.Slice(s, weighted, j*n, (j+1)*n))
		out[j*e.k+j] = rss.Add(s, out[j*e.k+j], rss.Scale(s, sum, 1<<e.frac))
	}
	return rss.Concat(s, out...)
}

// active returns 1 for each group with an expected event: who was never at risk when
// one occurred has no share, and that sums up to exactly 0. 9 rounds.
func (e *excess) active(s *mpc.Session) rss.Vec {
	none := rss.EqualPublic(s.Step("none"), e.expected, 0, 64)
	return rss.ToArith(s.Step("number"), rss.Not(s, none))
}

// still counts the active groups whose events do not vary, since nobody of another
// group was at risk then or nobody survived: their variance is 0 but for rounding,
// where that of others is at least (N-1)/N^2 for N rows. 12 rounds.
func (e *excess) still(s *mpc.Session, active rss.Vec) rss.Vec {
	variances := make([]rss.Vec128, e.k)
	for j := range e.k {
		variances[j] = rss.Slice(s, e.v.Share, j*e.k+j, j*e.k+j+1)
	}
	rounded := rss.Narrow(s, rss.Round(s.Step("round"), rss.Concat(s, variances...), e.frac))
	least := int64(1) << (e.frac - e.rows - 2)
	small := rss.ToArith(s.Step("number"), rss.LessPublic(s.Step("small"), rounded, least, 64))
	return rss.Dot(s.Step("count"), small, active)
}

// quadratic returns z' V^- z with logRankFrac fractional bits, and how many pivots
// were weak. With D the diagonal of V and u = D^(1/2) 1, which the correlations
// D^(-1/2) V D^(-1/2) map to 0, it solves with these plus u u' / (u' u), and 1 in the
// place of groups that are not active.
func (e *excess) quadratic(s *mpc.Session, active rss.Vec) (chi rss.Vec128, weak rss.Vec) {
	k := e.k
	variances := make([]rss.Fixed128, k)
	all := []rss.Vec128{e.v.Share, e.z.Round(s, 2*e.frac).Share}
	for j := range k {
		variances[j] = e.v.Slice(s, j*k+j, j*k+j+1)
		all = append(all, variances[j].Share)
	}
	trace := rss.Sum(s, rss.Concat(s, all[2:]...))
	all = append(all, trace)
	x := rss.Normalise128(s.Step("floats"), rss.NewFixed128(s, rss.Concat(s, all...), 2*e.frac, e.v.Bits+1))
	v, z, variance := x.Slice(s, 0, k*k), x.Slice(s, k*k, k*k+k), x.Slice(s, k*k+k, x.Len())

	// Deviations, and last the length of u; then the inverse of each.
	deviation := variance.Sqrt(s.Step("root"))
	inverse := deviation.Recip(s.Step("inverse"))
	var rows, columns, length []rss.Float
	for i := range k * k {
		rows, columns = append(rows, inverse.Slice(s, i/k, i/k+1)), append(columns, inverse.Slice(s, i%k, i%k+1))
	}
	for range k {
		length = append(length, inverse.Slice(s, k, k+1))
	}
	scaled := rss.ConcatFloats(s, v, z, deviation.Slice(s, 0, k)).Mul(s.Step("rows"),
		rss.ConcatFloats(s, append(append(rows, inverse.Slice(s, 0, k)), length...)...))
	v = scaled.Slice(s, 0, k*k).Mul(s.Step("columns"), rss.ConcatFloats(s, columns...))
	fixed := rss.ConcatFloats(s, v, scaled.Slice(s, k*k, scaled.Len())).Fixed(s.Step("fixed"), logRankFrac, logRankBits)

	units := fixed.Slice(s, k*k+k, k*k+2*k).Within(s, logRankFrac+1)
	square := units.MatMul(s.Step("square"), units, k, 1, k, logRankFrac)
	absent := rss.Lift(s.Step("absent"), subtractFrom(s, 1, active))
	a := fixed.Slice(s, 0, k*k).Within(s, logRankFrac+1).Add(s, square).Add(s, onDiagonal(s, absent))
	b := fixed.Slice(s, k*k, k*k+k)
	solution, weak := rss.Solve(s.Step("solve"), a, b, k, 1, logRankBits, leastPivot)
	return b.Dot(s.Step("chi"), solution, logRankFrac).Share, weak
}

// onDiagonal returns the matrix with that diagonal of integers, 0 or 1.
func onDiagonal(s *mpc.Session, x rss.Vec128) rss.Fixed128 {
	k := x.Len()
	zero := rss.Zero[ring.Vec128](1)
	out := make([]rss.Vec128, k*k)
	for i := range out {
		out[i] = zero
	}
	for j, e := range elements(s, x) {
		out[j*k+j] = rss.Scale(s, e, 1<<logRankFrac)
	}
	return rss.NewFixed128(s, rss.Concat(s, out...), logRankFrac, logRankFrac)
}
