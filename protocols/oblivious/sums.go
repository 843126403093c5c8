package oblivious

import (
	"math/bits"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// pair is a sum over the rows: how often a wire is set, or the sum of a vector, or of
// the products of two.
type pair struct {
	of   form
	a, b int // vectors; of count a is the wire's place among those counted
}

type form int

const (
	count form = iota
	single
	double
)

// sums are the pairs of some summaries, one after the other, in one of the rings.
type sums struct {
	*numbers
	pairs   []pair
	counted []wire // each once
}

// fits64 is how wide a sum in 64 bits may be: Lift takes what is below 2^62.
const fits64 = 62

// span is where a summary's sums are.
type span struct {
	wide   bool
	lo, hi int
	late   bool // the sums of all rows fit 64 bits, not only those of a chunk
}

// summary plans a summary's sums. Those of a chunk are made in 64 bits where they fit.
func (b *builder) summary(sum *job.Summary) span {
	width := 0
	for _, t := range sum.Terms {
		w := 0
		for _, name := range t {
			c, _ := b.schema.Column(name)
			w += c.Bits()
		}
		width = max(width, w)
	}
	at := span{wide: width+bits.Len(mostRows) > fits64, late: width+bits.Len(uint(b.rows)) <= fits64}
	to := &b.program.narrow
	if at.wide {
		to = &b.program.wide
	}
	at.lo = len(to.pairs)
	b.pairs(to, sum)
	at.hi = len(to.pairs)
	return at
}

// pairs adds a summary's pairs, cell by cell and term by term. Codes are 0 where there
// is none, so that sums of one column alone need not look where it has values: the same
// bits then serve several columns.
func (b *builder) pairs(to *sums, sum *job.Summary) {
	others := sum.Complete
	if alone, ok := aloneIn(sum.Terms); ok {
		others = slices.DeleteFunc(slices.Clone(others), func(name string) bool { return name == alone })
	}
	counts, products := b.sides(sum, sum.Complete, false), b.sides(sum, others, true)
	for cell := range sum.Cells() {
		for _, t := range sum.Terms {
			if len(t) == 0 {
				to.pairs = append(to.pairs, b.count(to, counts, cell))
			} else {
				to.pairs = append(to.pairs, b.pair(to, products, cell, t))
			}
		}
	}
}

// aloneIn returns the one column that terms are of, if they are.
func aloneIn(terms []job.Term) (string, bool) {
	all := slices.Concat(terms...)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) != 1 {
		return "", false
	}
	return all[0], true
}

// sides are the cells of a summary, each the AND of a wire on the left and one on the
// right. Rows by c cells times rows by d cells take c + d vectors, and cell by cell c d.
type sides struct {
	lefts, rights []wire // the right one alone varies fastest
	grouped       bool
}

// countBits is what rss.Count takes of a bit, 64 what a vector takes of it.
const countBits = 8

// sides plans the cells for rows complete in some columns: for counts, or for products of
// columns with them.
func (b *builder) sides(sum *job.Summary, complete []string, products bool) sides {
	out := sides{[]wire{b.selected(complete, nil)}, []wire{always}, len(sum.Groups) > 0}
	for i := range sum.Groups {
		cells := b.cells(&sum.Groups[i])
		c, d := len(out.lefts), len(cells)
		together, apart := countBits*c*d, 64*(c+d)
		if products {
			together, apart = 64*c*d, 64*(c+(1+productsOf(sum.Terms))*d)
		}
		if i > 0 && i == len(sum.Groups)-1 && apart < together {
			out.rights = cells
			break
		}
		out.lefts = b.crossed(out.lefts, cells)
	}
	return out
}

func (s *sides) of(cell int) (left, right wire) {
	return s.lefts[cell/len(s.rights)], s.rights[cell%len(s.rights)]
}

// productsOf counts the terms that are more than counts.
func productsOf(terms []job.Term) (n int) {
	for _, t := range terms {
		n += min(len(t), 1)
	}
	return n
}

// crossed are the ANDs of each wire with each, the first varying slowest.
func (b *builder) crossed(xs, ys []wire) []wire {
	var out []wire
	for _, x := range xs {
		for _, y := range ys {
			out = append(out, b.circuit.and(x, y))
		}
	}
	return out
}

// count is the number of rows of a cell.
func (b *builder) count(to *sums, s sides, cell int) pair {
	left, right := s.of(cell)
	if right != always {
		return pair{double, to.bit(left), to.bit(right)}
	}
	at := slices.Index(to.counted, left)
	if at < 0 {
		at, to.counted = len(to.counted), append(to.counted, left)
	}
	return pair{of: count, a: at}
}

// pair is the sum of a term over the rows of a cell. Without groups the first column
// goes with the cell: products in pairs of many columns then take a vector a column, not
// one a pair.
func (b *builder) pair(to *sums, s sides, cell int, t job.Term) pair {
	wire, second := s.of(cell)
	left := -1
	switch {
	case wire == b.has(t[0]), wire == b.exists(): // elsewhere codes are 0
		left, t = to.column(t[0]), t[1:]
	case len(t) > 1 && !s.grouped:
		left, t = to.product(to.bit(wire), to.column(t[0])), t[1:]
	default:
		left = to.bit(wire)
	}
	right := -1
	times := func(x int) {
		if right >= 0 {
			x = to.product(right, x)
		}
		right = x
	}
	if second != always {
		times(to.bit(second))
	}
	for _, name := range t {
		times(to.column(name))
	}
	if right < 0 {
		return pair{of: single, a: left}
	}
	return pair{double, left, right}
}

// addUp computes the sums of a chunk. Beside evaluate: the costs of rss.Count of the
// wires, 1 round and an element a pair of vectors.
func addUp[V ring.Vector[V]](s *mpc.Session, ring arithmetic[V], to *sums, values []rss.Share[V], bits planes) rss.Share[V] {
	out := make([]rss.Share[V], len(to.pairs))
	var at []int
	var a, b []rss.Share[V]
	counts := counts(s, ring, to.counted, bits)
	for i, p := range to.pairs {
		switch p.of {
		case count:
			out[i] = rss.Slice(s, counts, p.a, p.a+1)
		case single:
			out[i] = rss.Sum(s, values[p.a])
		case double:
			at, a, b = append(at, i), append(a, values[p.a]), append(b, values[p.b])
		}
	}
	if len(at) > 0 {
		dots := rss.Dots(s.Step("dots"), a, b)
		for j, i := range at {
			out[i] = rss.Slice(s, dots, j, j+1)
		}
	}
	return rss.Concat(s, out...)
}

// counts returns how often wires are set.
func counts[V ring.Vector[V]](s *mpc.Session, ring arithmetic[V], wires []wire, bits planes) (none rss.Share[V]) {
	if len(wires) == 0 {
		return none
	}
	all := make([]rss.Bits, len(wires))
	for i, w := range wires {
		all[i] = bits.of(s, w)
	}
	return ring.codes(s.Step("counted"), rss.Count(s.Step("count"), rss.ConcatPlanes(all...)))
}

// selected is the wire of rows that the job's filter takes and that have a value of
// every column and a known outcome of every predicate.
func (b *builder) selected(columns []string, known []wire) wire {
	var needs []wire
	for _, name := range slices.Compact(slices.Sorted(slices.Values(columns))) {
		needs = append(needs, b.has(name))
	}
	if len(needs) == 0 { // who has a value exists
		needs = append(needs, b.exists())
	}
	return b.circuit.all(append(append(needs, known...), b.filter)...)
}
