package oblivious

import (
	"errors"
	"fmt"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Run applies a program to the rows of a dataset.
type Run struct {
	*Program
	narrowSums rss.Vec    // of all rows so far, where they fit
	wideSums   rss.Vec128 // the same, beyond 64 bits, and then the wide ones
	samples    []*rss.Filler
	rows       int // so far
	pieces     int
}

// Start begins a run, which puts every sample of the question where it is told: in its
// vectors as narrow columns, and last a column of who is a member, 0 or 1. The rows are
// in the order in which they come, the declared number of them. Those outside a sample
// have 0 in every column.
func (p *Program) Start(samples ...*rss.Chunked) *Run {
	r := &Run{
		Program:    p,
		narrowSums: rss.Zero[ring.Vec64](len(p.narrow.pairs)),
		wideSums:   rss.Zero[ring.Vec128](len(p.narrow.pairs) + len(p.wide.pairs)),
	}
	for _, sample := range samples {
		r.samples = append(r.samples, sample.Fill())
	}
	return r
}

// errRows says that what is stored has more than the declared number of rows.
var errRows = errors.New("the stored rows are more than the roster declares: the dataset has to be deposited again")

// Add takes the next rows. The rounds are those of compare, circuit.run, evaluate and
// addUp, once for every 65,536 rows, or fewer where much is asked of each.
func (r *Run) Add(s *mpc.Session, c *Chunk) {
	if r.rows+c.Rows() > r.Program.rows {
		s.Fail(errRows)
		return
	}
	for lo := 0; lo < c.Rows() && s.Err() == nil; lo += r.step {
		hi := min(lo+r.step, c.Rows())
		r.piece(s.Step("piece", r.pieces), c.cut(s, lo, hi), hi-lo)
		r.pieces++
	}
}

// cut returns rows lo to hi-1, lo being a multiple of 64, filled up to a multiple of 64
// with rows that do not exist.
func (c *Chunk) cut(s *mpc.Session, lo, hi int) *Chunk {
	out := &Chunk{Exists: cutBits(c.Exists, lo, hi), Columns: map[string]Column{}}
	for name, column := range c.Columns {
		codes := rss.Slice(s, column.Codes, lo, hi)
		if fill := out.Rows() - codes.Len(); fill > 0 {
			codes = rss.Concat(s, codes, rss.Zero[ring.Vec64](fill))
		}
		out.Columns[name] = Column{codes, cutBits(column.Valid, lo, hi)}
	}
	return out
}

// cutBits cuts a plane in the same way.
func cutBits(b rss.Bits, lo, hi int) rss.Bits {
	part := func(p ring.Planes) ring.Planes {
		out := ring.Planes{N: hi - lo, W: 1, Words: slices.Clone(p.Plane(0)[lo/word : ring.Stride(hi)])}
		out.Mask()
		out.N = len(out.Words) * word
		return out
	}
	return rss.Bits{A: part(b.A), B: part(b.B)}
}

// piece computes on n rows and what fills them up.
func (r *Run) piece(s *mpc.Session, c *Chunk, n int) {
	inputs := map[gate]rss.Bits{{op: given}: c.Exists}
	for i, name := range r.columns {
		inputs[gate{op: given, input: i + 1}] = c.Columns[name].Valid
	}
	compare(s.Step("compare"), r.tests, c, inputs)
	bits := r.circuit.run(s.Step("circuit"), c.Rows(), inputs)
	values := evaluate(s.Step("narrow"), narrow, r.narrow.numbers, c, bits)
	r.addNarrow(s.Step("sums"), values, bits)
	if at := len(r.narrow.pairs); len(r.wide.pairs) > 0 {
		values := evaluate(s.Step("wide"), wide, r.wide.numbers, c, bits)
		r.accumulate(s, at, addUp(s.Step("wide-sums"), wide, &r.wide, values, bits))
	}
	r.keep(s, values, n)
	r.rows += n
}

// addNarrow adds a piece's narrow sums to those so far. Where the sums of all rows
// may not fit 64 bits those of the piece are lifted.
func (r *Run) addNarrow(s *mpc.Session, values []rss.Vec, bits planes) {
	if len(r.narrow.pairs) == 0 {
		return
	}
	sums := addUp(s, narrow, &r.narrow, values, bits)
	r.narrowSums = rss.Add(s, r.narrowSums, sums)
	if r.liftsPieces() {
		r.accumulate(s, 0, rss.Lift(s.Step("lift"), sums))
	}
}

// liftsPieces tells whether some narrow sums fit 64 bits only piece by piece.
func (p *Program) liftsPieces() bool {
	for _, at := range p.spans {
		if !at.wide && !at.late {
			return true
		}
	}
	return false
}

// accumulate adds sums to the wide ones from number at on.
func (r *Run) accumulate(s *mpc.Session, at int, sums rss.Vec128) {
	if s.Err() != nil {
		return
	}
	lo, hi := at, at+sums.Len()
	r.wideSums.A.Slice(lo, hi).SetAdd(r.wideSums.A.Slice(lo, hi), sums.A)
	r.wideSums.B.Slice(lo, hi).SetAdd(r.wideSums.B.Slice(lo, hi), sums.B)
}

// keep puts n rows of every sample after those so far.
func (r *Run) keep(s *mpc.Session, values []rss.Vec, n int) {
	if !r.hasRoom(s) {
		return
	}
	for i, sample := range r.Program.samples {
		var columns []rss.Vec
		for _, at := range append(slices.Clone(sample.values), sample.member) {
			columns = append(columns, rss.Slice(s, values[at], 0, n))
		}
		r.samples[i].Append(s, columns...)
	}
}

// hasRoom tells whether Start was told of every sample where it goes.
func (r *Run) hasRoom(s *mpc.Session) bool {
	if len(r.samples) != len(r.Program.samples) {
		s.Fail(fmt.Errorf("there is room for %d samples of %d", len(r.samples), len(r.Program.samples)))
		return false
	}
	return true
}

// End returns the summaries' vectors, laid out as job.Summary says, and fills the samples
// up: rows that may still be added to what is stored, and have not come, are rows of no
// patient. 2 rounds.
func (r *Run) End(s *mpc.Session) []rss.Vec128 {
	for _, sample := range r.samples {
		sample.End(s)
	}
	var late rss.Vec128
	if len(r.narrow.pairs) > 0 {
		late = rss.Lift(s.Step("lift"), r.narrowSums)
	}
	var sums []rss.Vec128
	for _, at := range r.spans {
		switch {
		case at.wide:
			from := len(r.narrow.pairs)
			sums = append(sums, rss.Slice(s, r.wideSums, from+at.lo, from+at.hi))
		case at.late:
			sums = append(sums, rss.Slice(s, late, at.lo, at.hi))
		default:
			sums = append(sums, rss.Slice(s, r.wideSums, at.lo, at.hi))
		}
	}
	return sums
}
