package protocols

import (
	"fmt"
	"math/bits"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// gram are the sums of several columns and of their squares and products, over the
// rows that have a value in all of them. The sites push them down as exact
// integers, so that nothing goes row by row. A categorical column is there by the
// indicators of its levels, whose products are sums by group.
type gram struct {
	terms   []term
	factors []factor
	rows    int // declared
}

// newGram refuses columns so wide that a centred sum could overflow: n times a sum
// of products less the product of the sums has at most n^2 / 4 times both ranges.
func newGram(terms []term, factors []factor, rows int) (*gram, error) {
	g := &gram{terms, factors, rows}
	for _, t := range terms {
		if max(g.squareBits(t), 2*t.bits()+log2(rows)) > widestGram {
			return nil, fmt.Errorf("column %q has values of up to 2^%d steps, too wide for products over %d rows: declare a larger step or a narrower range",
				t.column.Name, t.bits(), rows)
		}
	}
	return g, nil
}

// numericGram is that of columns of numbers alone.
func numericGram(d *job.Dataset, names []string) (*gram, error) {
	cols, err := columns(d, names)
	if err != nil {
		return nil, err
	}
	var terms []term
	for _, c := range cols {
		t, err := numericTerm(c)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return newGram(terms, nil, d.Rows())
}

// numericTerm is a column of numbers as a term.
func numericTerm(c *job.Column) (term, error) {
	if c.Type == job.Text {
		return term{}, fmt.Errorf("column %q is text, and a number is needed; use frequency or chisq for it", c.Name)
	}
	return term{name: c.Name, column: c, vector: columnVector(c.Name), factor: -1}, nil
}

// widestGram is how many bits centred sums may have.
const widestGram = 124

// rangeBits returns the least b with values that differ by at most 2^b.
func (t *term) rangeBits() int {
	if t.factor >= 0 {
		return 1
	}
	low, high := t.column.Codes()
	return bits.Len64(uint64(high - low))
}

// squareBits bounds the centred sum of a term's squares.
func (g *gram) squareBits(t term) int { return max(2*(log2(g.rows)+t.rangeBits()-1), 1) }

// centredBits bounds all centred sums.
func (g *gram) centredBits() int {
	widest := 0
	for _, t := range g.terms {
		widest = max(widest, g.squareBits(t))
	}
	return widest
}

// totalBits bounds all sums of terms, and the count.
func (g *gram) totalBits() int {
	widest := 1
	for _, t := range g.terms {
		widest = max(widest, t.bits())
	}
	return widest + log2(g.rows)
}

// Names of the summaries: of the numeric columns, of these by one factor, and of
// counts by two.
const gramSums = "products"

func gramBy(factors ...int) string {
	name := gramSums
	for _, f := range factors {
		name += fmt.Sprintf(".%d", f)
	}
	return name
}

// numeric are the names of the numeric columns.
func (g *gram) numeric() []string {
	var out []string
	for _, t := range g.terms {
		if t.factor < 0 {
			out = append(out, t.column.Name)
		}
	}
	return out
}

// summaries are what the sites push down.
func (g *gram) summaries() []job.Summary {
	numeric := g.numeric()
	complete, firsts := slices.Clone(numeric), []job.Term{{}}
	for _, name := range numeric {
		firsts = append(firsts, job.Term{name})
	}
	var groups []job.Grouping
	for _, f := range g.factors {
		complete = append(complete, f.column.Name)
		groups = append(groups, job.Grouping{Column: f.column.Name, Levels: f.levels})
	}
	seconds := slices.Clone(firsts)
	for i, name := range numeric {
		for _, other := range numeric[i:] {
			seconds = append(seconds, job.Term{name, other})
		}
	}
	out := []job.Summary{{Name: gramSums, Complete: complete, Terms: seconds}}
	for i, f := range groups {
		out = append(out, job.Summary{Name: gramBy(i), Complete: complete, Groups: groups[i : i+1], Terms: firsts})
		for j := i + 1; j < len(groups); j++ {
			two := []job.Grouping{f, groups[j]}
			out = append(out, job.Summary{Name: gramBy(i, j), Complete: complete, Groups: two, Terms: []job.Term{{}}})
		}
	}
	return out
}

// gramOf reads the sums.
type gramOf struct {
	*gram
	s    *mpc.Session
	sums map[string]rss.Vec128
}

func (g *gram) of(s *mpc.Session, sums map[string]rss.Vec128) gramOf { return gramOf{g, s, sums} }

// sumOf is where a sum stands: in which summary, and at which element of it.
type sumOf struct {
	summary string
	at      int
}

func (g gramOf) at(p sumOf) rss.Vec128 { return rss.Slice(g.s, g.sums[p.summary], p.at, p.at+1) }

// countPlace is that of the number of rows.
func (g *gram) countPlace() sumOf { return sumOf{gramSums, 0} }

// count is the number of rows.
func (g gramOf) count() rss.Vec128 { return g.at(g.countPlace()) }

// before returns how many numeric terms are before term i.
func (g *gram) before(i int) int {
	n := 0
	for _, t := range g.terms[:i] {
		if t.factor < 0 {
			n++
		}
	}
	return n
}

// sumPlace is that of the sum of term i.
func (g *gram) sumPlace(i int) sumOf {
	if t := g.terms[i]; t.factor >= 0 {
		return g.levelPlace(t.factor, t.level)
	}
	return sumOf{gramSums, 1 + g.before(i)}
}

// levelPlace is that of the number of rows of a factor's level.
func (g *gram) levelPlace(factor, level int) sumOf {
	return sumOf{gramBy(factor), level * (len(g.numeric()) + 1)}
}

// productPlace is that of the sum of products of terms i and j; ok is false where it
// is none, since no row has two levels of one factor.
func (g *gram) productPlace(i, j int) (p sumOf, ok bool) {
	t, u := g.terms[i], g.terms[j]
	if t.factor > u.factor || t.factor == u.factor && i > j {
		i, j, t, u = j, i, u, t
	}
	m := len(g.numeric())
	switch {
	case u.factor < 0:
		a, b := g.before(i), g.before(j)
		return sumOf{gramSums, 1 + m + a*m - a*(a-1)/2 + b - a}, true
	case t.factor < 0:
		return sumOf{gramBy(u.factor), u.level*(m+1) + 1 + g.before(i)}, true
	case t.factor < u.factor:
		return sumOf{gramBy(t.factor, u.factor), t.level*len(g.factors[u.factor].levels) + u.level}, true
	case t.level == u.level:
		return g.sumPlace(i), true
	}
	return sumOf{}, false
}

// product is the sum of products of terms i and j.
func (g gramOf) product(i, j int) rss.Vec128 {
	p, ok := g.productPlace(i, j)
	if !ok {
		return rss.Zero[ring.Vec128](1)
	}
	return g.at(p)
}

// totals are the sums of all terms.
func (g gramOf) totals() rss.Vec128 {
	out := make([]rss.Vec128, len(g.terms))
	for i := range out {
		out[i] = g.at(g.sumPlace(i))
	}
	return rss.Concat(g.s, out...)
}

// products are the sums of squares of all terms, and then those of products of all
// pairs.
func (g gramOf) products() rss.Vec128 {
	var out []rss.Vec128
	for _, ij := range withSquares(len(g.terms)) {
		out = append(out, g.product(ij[0], ij[1]))
	}
	return rss.Concat(g.s, out...)
}

// levelCounts are the numbers of rows of all levels of all factors, in the factors'
// order.
func (g gramOf) levelCounts() []rss.Vec {
	var out []rss.Vec
	for i, f := range g.factors {
		for k := range f.levels {
			out = append(out, rss.Narrow(g.s, g.at(g.levelPlace(i, k))))
		}
	}
	return out
}

// pairs are the pairs i < j of n things.
func pairs(n int) [][2]int {
	var out [][2]int
	for i := range n {
		for j := i + 1; j < n; j++ {
			out = append(out, [2]int{i, j})
		}
	}
	return out
}

// withSquares are the things each with itself, and then the pairs.
func withSquares(n int) [][2]int {
	var out [][2]int
	for i := range n {
		out = append(out, [2]int{i, i})
	}
	return append(out, pairs(n)...)
}

// centred returns n sum(x y) - sum(x) sum(y) for all that products lists: n^2 times
// the covariances, exactly. What is between may pass the ring's size, what comes
// out does not. 1 round.
func centred(s *mpc.Session, count, totals, products rss.Vec128) rss.Vec128 {
	var left, right []rss.Vec128
	for k, ij := range withSquares(totals.Len()) {
		left = append(left, count, rss.Slice(s, totals, ij[0], ij[0]+1))
		right = append(right, rss.Slice(s, products, k, k+1), rss.Neg(s, rss.Slice(s, totals, ij[1], ij[1]+1)))
	}
	return rss.DotRows(s, rss.Concat(s, left...), rss.Concat(s, right...), 2)
}

// correlationFrac is how many fractional bits correlations have: all that their
// floating-point form gives.
const correlationFrac = 54

// correlations returns r = c_ij / sqrt(c_ii c_jj) of all pairs, for centred sums of
// p terms as floating-point numbers, given the inverse roots of the first p. 0 where
// one of these is 0. 33 rounds.
func correlations(s *mpc.Session, centred, inverseRoots rss.Float) rss.Fixed128 {
	p := inverseRoots.Len()
	var left, right []rss.Float
	for _, ij := range pairs(p) {
		left = append(left, inverseRoots.Slice(s, ij[0], ij[0]+1))
		right = append(right, inverseRoots.Slice(s, ij[1], ij[1]+1))
	}
	r := centred.Slice(s, p, centred.Len()).Mul(s.Step("left"), rss.ConcatFloats(s, left...))
	return r.Mul(s.Step("right"), rss.ConcatFloats(s, right...)).Fixed(s.Step("fixed"), correlationFrac, correlationFrac+1)
}

// correlated returns the correlations of all pairs of p columns, and which columns do
// not vary, given centred sums of that many bits. 117 rounds.
func correlated(s *mpc.Session, centred rss.Vec128, p, bits int) (r rss.Fixed128, constant rss.Bits) {
	c := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, centred, 0, bits))
	squares := c.Slice(s, 0, p)
	inverse := squares.Sqrt(s.Step("roots")).Recip(s.Step("inverse"))
	return correlations(s.Step("correlations"), c, inverse), isZero(s.Step("constant"), squares)
}

// isZero returns which numbers are 0, one plane each. 6 rounds.
func isZero(s *mpc.Session, x rss.Float) rss.Bits {
	const mantissaBits = 58
	return rss.EqualPublic(s, rss.Narrow(s, x.Mantissa), 0, mantissaBits).Across()
}

// keptTerms returns which terms have a coefficient, given which vary and how many
// rows each level has: numeric columns that vary, and levels that a row has besides a
// lower one.
func (m *design) keptTerms(s *mpc.Session, vary rss.Bits, counts []rss.Vec) rss.Vec128 {
	planes := make([]rss.Bits, len(m.terms))
	var here, lower []rss.Vec
	var levels []int // the terms that are levels
	for i, t := range m.terms {
		planes[i] = vary.Plane(i)
		if t.factor < 0 {
			continue
		}
		first := 0
		for _, f := range m.factors[:t.factor] {
			first += len(f.levels)
		}
		levels = append(levels, i)
		here = append(here, counts[first+t.level])
		lower = append(lower, rss.Sum(s, rss.Concat(s, counts[first:first+t.level]...)))
	}
	if k := len(levels); k > 0 {
		some := rss.Not(s, rss.EqualPublic(s.Step("absent"), rss.Concat(s, append(here, lower...)...), 0, countBits).Across())
		both := rss.And(s.Step("levels"), some.Planes(0, k), some.Planes(k, 2*k))
		for j, i := range levels {
			planes[i] = both.Plane(j)
		}
	}
	return rss.ToArith128(s.Step("arith"), rss.ConcatPlanes(planes...))
}
