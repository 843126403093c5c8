package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// What Fisher scoring takes from rows: in each step one pass over their chunks, which
// leaves sums of a model's size.

// family is a kind of generalised linear model.
type family interface {
	// start returns what the first step takes of a chunk, which starts from
	// coefficients 0.
	start(s *mpc.Session, chunk int) working
	// at returns what a step takes of a chunk with these linear predictors.
	at(s *mpc.Session, chunk int, eta predicted) working
}

// working are rows as a step of Fisher scoring takes them: what they weigh in H,
// and what they are in the sum that g is, with the bits of precision.score.
type working struct {
	weight, score rss.Fixed
	outside       rss.Vec // how many linear predictors were clamped; empty where none ever is
}

// predicted are rows' linear predictors, not rounded: rows of equal values have the
// same.
type predicted struct {
	eta  rss.Vec
	frac int
}

// rounded returns them with frac fractional bits. 2 rounds.
func (x predicted) rounded(s *mpc.Session, frac int) rss.Fixed {
	const widest = 61
	return rss.NewFixed(s, x.eta, x.frac, widest).Round(s, frac).Within(s, frac+etaBits)
}

// precision says how many fractional bits row vectors have.
type precision struct {
	z      int // the design
	weight int // weights, whose products with z then fit 64 bits
	work   int // weighted columns of the design, whose sums with z then fit 64 bits
	score  int // scores: more than fit
}

// newPrecision is for weights and scores of which the sums of squares, also times a
// column of z, are at most 4^spare times the number of rows.
func newPrecision(rows, spare int) precision {
	const room, mostWork = 61, 24
	z := rowFrac(rows, spare/2)
	weight := min(fullFrac, room-(log2(rows)+1)/2-spare-z)
	work := min(mostWork, room-log2(rows)-spare-z)
	// What rounding scores to work leaves is below 1 in steps of work.
	return precision{z, weight, work, min(fullFrac, room-1-log2(rows)-z+work)}
}

// fisher is a model's design as the steps take it.
type fisher struct {
	// rows are the members, the columns of z, and the offset if there is one.
	rows *rss.Chunked
	p, n int // coefficients, and rows
	frac precision
	// offset is the column that is added to the linear predictor, or -1.
	offset int
	// 2^size is about the number of rows; scale is 2^(top-size).
	size  rss.Vec
	scale rss.Vec128
	top   int
	// idle has 1 on the diagonal for the terms that are not kept, whose rows and
	// columns in H are 0.
	idle rss.Fixed128
	read readRows
}

// readRows are the chunk that was read last, laid out: p rows of n elements, the first
// of which is a column of ones, and n rows of p elements.
type readRows struct {
	z, across rss.Vec
	offset    rss.Fixed // of length 0 if there is none
	chunk, n  int
}

// newFisher takes the rows that standardisedRows returns.
func newFisher(s *mpc.Session, x *standardised, frac precision, rows *rss.Chunked, offset bool) *fisher {
	n := rows.Rows()
	m := &fisher{
		rows: rows, p: 1 + len(x.design.terms), n: n, frac: frac, offset: -1,
		size: x.extra.countSize, top: log2(n) + 1, read: readRows{chunk: -1},
	}
	if offset {
		m.offset = m.p
	}
	m.scale = powers(s, ones(s, 1), rss.AddConst(s, rss.Neg(s, m.size), int64(m.top)), m.top+1)
	m.idle = rss.NewFixed128(s, rss.Zero[ring.Vec128](m.p*m.p), coefFrac, coefFrac)
	unkept := rss.AddConst(s, rss.Neg(s, x.kept), 1)
	for i := range m.p - 1 {
		at := (i + 1) * (m.p + 1)
		cell := rss.Slice(s, m.idle.Share, at, at+1)
		one := rss.Slice(s, unkept, i, i+1)
		cell.A.Set(one.A.Shl(coefFrac))
		cell.B.Set(one.B.Shl(coefFrac))
	}
	return m
}

// alone is the model of the column of ones alone, and of the offset.
func (m *fisher) alone(s *mpc.Session) *fisher {
	null := *m
	null.p, null.read = 1, readRows{chunk: -1}
	null.idle = m.idle.Slice(s, 0, 1)
	return &null
}

// chunk lays chunk i out, unless it is the one laid out last. Local.
func (m *fisher) chunk(s *mpc.Session, i int) *readRows {
	if m.read.chunk == i {
		return &m.read
	}
	m.read = readRows{chunk: i} // what was read is no longer in the way
	columns := m.rows.Get(s, i, firstColumns(m.p)...)
	columns[0] = rss.Scale(s, columns[0], 1<<m.frac.z)
	x := readRows{z: rss.Concat(s, columns...), chunk: i, n: columns[0].Len()}
	x.across = rss.Transpose(s, x.z, m.p, x.n)
	if m.offset >= 0 {
		x.offset = rss.NewFixed(s, m.rows.Get(s, i, m.offset)[0], offsetFrac, offsetBits)
	}
	m.read = x
	return &m.read
}

// firstColumns are the numbers of the first n columns.
func firstColumns(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// predict returns the linear predictors of a chunk. 1 round, 8 bytes a row.
func (f *fit) predict(s *mpc.Session, chunk int) predicted {
	m := f.model
	x := m.chunk(s, chunk)
	out := predicted{frac: m.frac.z + rowCoefFrac}
	out.eta = rss.MatMul(s, f.ofRows, x.z, 1, m.p, x.n)
	if x.offset.Len() > 0 {
		out.eta = rss.Add(s, out.eta, rss.Scale(s, x.offset.Share, 1<<(out.frac-x.offset.Frac)))
	}
	return out
}

// without takes the offset out of what the first step regresses. 4 rounds, if there
// is one.
func (m *fisher) without(s *mpc.Session, chunk int, now working) working {
	if x := m.chunk(s, chunk); x.offset.Len() > 0 {
		weight := now.weight.Round(s.Step("weight"), m.frac.work)
		part := rss.MulRound(s, weight.Share, x.offset.Share, weight.Frac+x.offset.Frac-m.frac.score)
		now.score.Share = rss.Sub(s, now.score.Share, part)
	}
	return now
}

// squares returns the sums over rows that Z'Z has.
func (m *fisher) squares(s *mpc.Session) rss.Vec {
	var sums rss.Vec
	for i := range m.rows.Chunks() {
		x := m.chunk(s, i)
		sums = plus(s, sums, rss.MatMul(s.Step("chunk", i), x.z, x.across, m.p, x.n, m.p))
	}
	return sums
}

// stepSums are what a step takes from all rows.
type stepSums struct {
	few     rss.Vec    // of H and, in two parts, g
	fine    rss.Vec128 // of H, in the last step
	outside rss.Vec
}

// pass sums what the rows of each chunk are in a step.
func (m *fisher) pass(s *mpc.Session, last bool, of func(s *mpc.Session, chunk int) working) stepSums {
	var out stepSums
	for i := range m.rows.Chunks() {
		s := s.Step("chunk", i)
		now := of(s, i)
		out.few = plus(s, out.few, m.sums(s.Step("sums"), i, now))
		if last {
			out.fine = plus(s, out.fine, m.fineSums(s.Step("fine"), i, now.weight))
		}
		out.outside = plus(s, out.outside, now.outside)
	}
	return out
}

// sums returns a chunk's part of H and g. Scores are taken apart, into what they are
// with few fractional bits and what that leaves: both sums fit 64 bits, and
// together they are exact.
func (m *fisher) sums(s *mpc.Session, chunk int, now working) rss.Vec {
	x := m.chunk(s, chunk)
	weight := now.weight.Round(s.Step("weight"), m.frac.weight)
	finer := m.frac.score - m.frac.work
	high := rss.Round(s.Step("score"), now.score.Share, finer)
	low := rss.Sub(s, now.score.Share, rss.Scale(s, high, 1<<finer))
	var sums rss.Vec
	for i, rows := range x.pieces(pieceElements / m.p) {
		s := s.Step("piece", i)
		z, across := x.piece(s, rows, m.p)
		weights := rss.Repeat(s, rows.of(s, weight.Share), m.p)
		weighted := rss.MulRound(s.Step("weigh"), weights, z, weight.Frac+m.frac.z-m.frac.work)
		sums = plus(s, sums, rss.MatMul(s.Step("sums"),
			rss.Concat(s, weighted, rows.of(s, high), rows.of(s, low)), across, m.p+2, rows.n(), m.p))
	}
	return sums
}

// fineFrac is how many fractional bits the columns have that fineSums weighs.
const fineFrac = 40

// fineSums returns a chunk's part of H in 128 bits, from weights that lose no digits:
// the standard errors' H, where rows may weigh so little that those of the other steps
// hardly tell their weights. 31 bytes a row and term.
func (m *fisher) fineSums(s *mpc.Session, chunk int, weight rss.Fixed) rss.Vec128 {
	x := m.chunk(s, chunk)
	var sums rss.Vec128
	for i, rows := range x.pieces(pieceElements / 2 / m.p) {
		s := s.Step("piece", i)
		z, _ := x.piece(s, rows, m.p)
		wide := rss.Lift(s.Step("z"), z)
		weights := rss.Repeat(s, rss.Lift(s.Step("weights"), rows.of(s, weight.Share)), m.p)
		weighted := rss.MulRound(s.Step("weigh"), weights, wide, weight.Frac+m.frac.z-fineFrac)
		across := rss.Transpose(s, wide, m.p, rows.n())
		sums = plus(s, sums, rss.MatMul(s.Step("sums"), weighted, across, m.p, rows.n(), m.p))
	}
	return sums
}

// pieceElements caps rows times columns of what is weighed at a time: of wide models a
// chunk goes in pieces, which take a few rounds each.
const pieceElements = 1 << 20

// someRows are some rows of a chunk.
type someRows struct{ lo, hi int }

func (r someRows) n() int { return r.hi - r.lo }

// of returns these rows of a column. Local.
func (r someRows) of(s *mpc.Session, column rss.Vec) rss.Vec { return rss.Slice(s, column, r.lo, r.hi) }

// pieces are all rows, in pieces of at most that many.
func (x *readRows) pieces(most int) []someRows {
	var out []someRows
	for lo := 0; lo < x.n; lo += most {
		out = append(out, someRows{lo, min(lo+most, x.n)})
	}
	return out
}

// piece returns z of some rows, p rows of elements, and its transpose. Local.
func (x *readRows) piece(s *mpc.Session, rows someRows, p int) (z, across rss.Vec) {
	if rows.n() == x.n {
		return x.z, x.across
	}
	columns := make([]rss.Vec, p)
	for j := range columns {
		columns[j] = rss.Slice(s, x.z, j*x.n+rows.lo, j*x.n+rows.hi)
	}
	return rss.Concat(s, columns...), rss.Slice(s, x.across, rows.lo*p, rows.hi*p)
}
