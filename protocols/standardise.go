package protocols

import (
	"consilium/mpc"
	"consilium/mpc/rss"
)

// standardised are the secret constants that turn a design into numbers of known size,
// whatever the columns' units and declared ranges: z = (x - mean) / 2^spread over the
// rows of the sample, 0 elsewhere. The mean is rounded to a whole step and the power of
// two is the standard deviation rounded up. So the squares of a term sum up to between
// an eighth of the number of rows and that number. What is not kept is 0 throughout.
type standardised struct {
	design *design
	mean   rss.Vec128 // one element a term, in steps
	// spread has one element a term, as has kept, 0 or 1.
	spread rss.Vec
	kept   rss.Vec128
	// members is how many rows the sample has, counts the rows of every level of the
	// categorical columns, for min_count.
	members, counts rss.Vec
	extra           extraMoments
	bits            int // of the widest code
	z               *scaling
	// z has frac fractional bits, and zBits bits with them.
	frac, zBits int
}

// extraMoments are those of the columns that moments was asked for besides the
// terms.
type extraMoments struct {
	count        rss.Vec128 // of the summary's rows
	countSize    rss.Vec    // the least e with count <= 2^e, or one more
	sum, squares []rss.Vec128
}

// standardise takes the sample with the design's vectors and its moments; z will have
// frac fractional bits, at most rowFrac. About 130 rounds, none of them by row or
// chunk: of the rows it takes sums alone.
func (m *design) standardise(s *mpc.Session, rows *Sampled, sums rss.Vec128, frac int) *standardised {
	t := m.totals(s.Step("totals"), rows, sums)
	x := &standardised{
		design: m, members: t.members, counts: t.counts, extra: t.extra, bits: m.bits(),
		frac: frac, zBits: frac + log2(m.rows)/2 + 2,
	}
	width := x.bits + log2(m.rows)
	p := len(m.terms)

	sizes := rss.Normalise128(s.Step("sizes"), rss.NewFixed128(s, rss.Concat(s, t.sum, t.count), 0, width))
	count := sizes.Slice(s, p, 2*p)
	mean := sizes.Slice(s, 0, p).Div(s.Step("mean"), count)
	x.mean = mean.Fixed(s.Step("whole"), 0, x.bits+1).Share

	// Distances from the mean: their sum and the sum of their squares.
	shift := rss.Mul(s.Step("shift"), t.count, x.mean)
	distance := rss.Sub(s, t.sum, shift)
	about := rss.Mul(s.Step("about"), x.mean, rss.Sub(s, rss.Add(s, t.sum, t.sum), shift))
	squares := rss.Sub(s, t.squares, about)

	x.kept = m.kept(s.Step("kept"), t, distance, squares)
	x.extra.countSize = rss.Slice(s, count.Exponent, 0, 1)
	x.spread = spreads(s.Step("spread"), squares, 2*(x.bits+1)+log2(m.rows), count.Exponent)
	widths := make([]int, p)
	for i, t := range m.terms {
		widths[i] = t.bits()
	}
	x.z = newScaling(s.Step("scale"), widths, x.mean, x.spread, x.kept, frac, m.rows)
	return x
}

// columns returns z for some rows of the sample, a column a term. Rows of equal values
// have equal z, also those of other chunks. A row costs 8 bytes a term, and some 120
// for one whose codes are as wide as frac; up to 12 rounds.
func (x *standardised) columns(s *mpc.Session, rows *Rows) []rss.Vec {
	codes := make([]rss.Vec, len(x.design.terms))
	for i, t := range x.design.terms {
		codes[i] = rows.Value[t.vector.Name]
	}
	return x.z.of(s, codes, rows.Member)
}

// bits is the width of a term's codes.
func (t *term) bits() int {
	if t.factor >= 0 {
		return 1
	}
	return t.column.Bits()
}

// bits is the width of the widest codes.
func (m *design) bits() int {
	widest := 1
	for _, t := range m.terms {
		widest = max(widest, t.bits())
	}
	return widest
}

// totals are exact sums over rows, one element a term.
type totals struct {
	count, sum, squares rss.Vec128
	members             rss.Vec
	counts              rss.Vec // of rows by factor and level
	extra               extraMoments
}

// totals puts the sums that the sites give with the counts of the levels, which are
// sums of the sample itself.
func (m *design) totals(s *mpc.Session, rows *Sampled, sums rss.Vec128) totals {
	columns := []int{rows.member()}
	for _, t := range m.terms {
		if t.factor >= 0 {
			columns = append(columns, rows.at(t.vector.Name))
		}
	}
	small := columnSums(s, rows.Chunked, columns...)
	lifted := rss.Lift(s, rss.Concat(s, small...))
	at := 0
	next := func() rss.Vec128 {
		at++
		return rss.Slice(s, sums, at-1, at)
	}
	var count, sum, squares []rss.Vec128
	out := totals{members: small[0]}
	out.extra.count = next()
	level := 0
	for _, t := range m.terms {
		if t.factor < 0 {
			count, sum, squares = append(count, out.extra.count), append(sum, next()), append(squares, next())
			continue
		}
		level++
		k := rss.Slice(s, lifted, level, level+1)
		count, sum, squares = append(count, rss.Slice(s, lifted, 0, 1)), append(sum, k), append(squares, k)
	}
	for at < sums.Len() {
		out.extra.sum, out.extra.squares = append(out.extra.sum, next()), append(out.extra.squares, next())
	}
	out.count, out.sum, out.squares = rss.Concat(s, count...), rss.Concat(s, sum...), rss.Concat(s, squares...)
	out.counts = m.levelCounts(s, out.members, small[1:])
	return out
}

// levelCounts returns the rows of all levels of all factors, given those above the
// lowest. Local.
func (m *design) levelCounts(s *mpc.Session, members rss.Vec, above []rss.Vec) rss.Vec {
	var out []rss.Vec
	for _, f := range m.factors {
		k := len(f.levels) - 1
		lowest := rss.Sub(s, members, rss.Sum(s, rss.Concat(s, above[:k]...)))
		out = append(append(out, lowest), above[:k]...)
		above = above[k:]
	}
	if len(out) == 0 {
		return rss.Vec{}
	}
	return rss.Concat(s, out...)
}

// kept returns which terms have a coefficient: numeric columns that vary, that is,
// n times the sum of squares is not the square of the sum, and levels that a row has
// besides a lower one.
func (m *design) kept(s *mpc.Session, t totals, distance, squares rss.Vec128) rss.Vec128 {
	p := len(m.terms)
	both := rss.Mul(s.Step("squares"), rss.Concat(s, t.count, distance), rss.Concat(s, squares, distance))
	constant := rss.EqualPublic(s.Step("constant"),
		rss.Sub(s, rss.Slice(s, both, 0, p), rss.Slice(s, both, p, 2*p)), 0, 128).Across()
	var counts []rss.Vec
	if len(m.factors) > 0 {
		counts = elements(s, t.counts)
	}
	return m.keptTerms(s, rss.Not(s, constant), counts)
}

// spreads returns the least e, or one more, with squares <= 4^e count, for sums of
// squares of that many bits over counts of a size as in extraMoments.
func spreads(s *mpc.Session, squares rss.Vec128, bits int, countSize rss.Vec) rss.Vec {
	size := rss.Normalise128(s.Step("size"), rss.NewFixed128(s, squares, 0, bits)).Exponent
	return rss.Trunc(s.Step("half"), rss.AddConst(s, rss.Sub(s, size, countSize), 2), 1)
}

// perStep turns coefficients or standard errors of z, one a term, into those of a
// step of the column. Local.
func (x *standardised) perStep(s *mpc.Session, of rss.Float) rss.Float {
	return rss.Float{Mantissa: of.Mantissa, Exponent: rss.Sub(s, of.Exponent, x.spread)}
}

// origins returns mean / 2^spread of every term: the z at which x is 0, but for the
// sign. 0 for what is not kept.
func (x *standardised) origins(s *mpc.Session) rss.Float {
	mean := rss.Normalise128(s.Step("size"), rss.NewFixed128(s, x.mean, 0, x.bits+1))
	mean.Mantissa = rss.Mul(s.Step("kept"), mean.Mantissa, x.kept)
	return x.perStep(s, mean)
}
