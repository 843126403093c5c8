package protocols

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// standardised is a design on shares in numbers of known size, whatever the
// columns' units and declared ranges: z = (x - mean) / 2^spread over the rows of the
// sample, 0 elsewhere. The mean is rounded to a whole step and the power of two is
// the standard deviation rounded up, both secret. So the squares of a term sum up
// to between an eighth of the number of rows and that number. What is not kept is 0
// throughout.
type standardised struct {
	// z holds the terms' columns one after the other. Rows of equal values have
	// equal z.
	z    rss.Fixed
	mean rss.Vec128 // one element a term, in steps
	// spread has one element a term, as has kept, 0 or 1.
	spread rss.Vec
	kept   rss.Vec128
	// counts are the rows of every level of the categorical columns, for min_count.
	counts rss.Vec
	extra  extraMoments
	bits   int // of the widest code
}

// extraMoments are those of the columns that moments was asked for besides the
// terms.
type extraMoments struct {
	count        rss.Vec128 // of the summary's rows
	countSize    rss.Vec    // the least e with count <= 2^e, or one more
	sum, squares []rss.Vec128
}

// standardise takes the sample with the design's vectors and its moments; z gets
// frac fractional bits, at most rowFrac. About 130 rounds; a row costs 8 bytes a
// term, and some 120 for one whose codes are as wide as frac.
func (m *design) standardise(s *mpc.Session, rows *Rows, sums rss.Vec128, frac int) *standardised {
	t := m.totals(s.Step("totals"), rows, sums)
	x := &standardised{counts: t.counts, extra: t.extra, bits: m.bits()}
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
	columns, bits := make([]rss.Vec, p), make([]int, p)
	for i, t := range m.terms {
		columns[i], bits[i] = rows.Value[t.vector.Name], t.bits()
	}
	z := scaled(s.Step("scale"), columns, bits, rows.Member, x.mean, x.spread, x.kept, frac)
	x.z = rss.NewFixed(s, z, frac, frac+log2(m.rows)/2+2)
	return x
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
	counts              rss.Vec // of rows by factor and level
	extra               extraMoments
}

// totals puts the sums that the sites give with the counts of the levels, which are
// sums of the sample itself.
func (m *design) totals(s *mpc.Session, rows *Rows, sums rss.Vec128) totals {
	members := rss.Sum(s, rows.Member)
	small := []rss.Vec{members}
	for _, t := range m.terms {
		if t.factor >= 0 {
			small = append(small, rss.Sum(s, rows.Value[t.vector.Name]))
		}
	}
	lifted := rss.Lift(s, rss.Concat(s, small...))
	at := 0
	next := func() rss.Vec128 {
		at++
		return rss.Slice(s, sums, at-1, at)
	}
	var count, sum, squares []rss.Vec128
	var out totals
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
	out.counts = m.levelCounts(s, members, small[1:])
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

// powers returns factor 2^exponent, for a factor 0 or 1, as integers of at most that
// many bits.
func powers(s *mpc.Session, factor rss.Vec128, exponent rss.Vec, bits int) rss.Vec128 {
	const half = 1 << 55 // the mantissa of powers of two
	x := rss.Float{Mantissa: rss.Scale(s, factor, half), Exponent: rss.AddConst(s, exponent, 1)}
	return x.Fixed(s, 0, bits).Share
}

// scaled returns (x - mean member) / 2^spread, times kept, with frac fractional
// bits for columns of codes of such widths, one after the other.
//
// A code of few bits takes a power of two that makes it exact. The others are
// computed in 128 bits and rounded to the nearest step, the same way in every row:
// who ranks rows finds the ties that the data have.
func scaled(s *mpc.Session, columns []rss.Vec, bits []int, member rss.Vec, mean rss.Vec128, spread rss.Vec, kept rss.Vec128, frac int) rss.Vec {
	// 2^spread is at most this many bits wider than a code.
	const slack = 3
	top := frac
	for _, b := range bits {
		top = max(top, b+slack)
	}
	var narrow, wide []int
	up := make([]int64, len(bits))
	for i, b := range bits {
		if up[i] = int64(frac); b+slack <= frac {
			narrow = append(narrow, i)
		} else {
			up[i] = int64(top)
			wide = append(wide, i)
		}
	}
	exponent := rss.Sub(s, rss.Public(s, ring.FromInt64(up)), spread)
	scale := powers(s.Step("powers"), kept, exponent, top+log2(member.Len())/2+2)
	offset := rss.Mul(s.Step("offset"), scale, mean)

	out := make([]rss.Vec, len(columns))
	if len(narrow) > 0 {
		z := affine(s.Step("narrow"), those(columns, narrow), member,
			rss.Narrow(s, only(s, scale, narrow)), rss.Narrow(s, only(s, offset, narrow)))
		place(s, out, narrow, z)
	}
	if len(wide) > 0 {
		lifted := make([]rss.Vec128, len(wide))
		for i, k := range wide {
			lifted[i] = rss.Lift(s.Step("lift", i), columns[k])
		}
		z := affine(s.Step("wide"), lifted, rss.Lift(s.Step("lift member"), member), only(s, scale, wide), only(s, offset, wide))
		if down := top - frac; down > 0 {
			z = rss.Trunc128(s.Step("round"), rss.AddConst(s, z, 1<<(down-1)), down)
		}
		place(s, out, wide, rss.Narrow(s, z))
	}
	return rss.Concat(s, out...)
}

// affine returns scale x - offset member for several columns x, one after the
// other, as one matrix product. 1 round, an element a row and column.
func affine[V ring.Vector[V]](s *mpc.Session, columns []rss.Share[V], member, scale, offset rss.Share[V]) rss.Share[V] {
	k := len(columns)
	var rows []rss.Share[V]
	for i := range k {
		for j := range k {
			if i == j {
				rows = append(rows, rss.Slice(s, scale, i, i+1))
			} else {
				rows = append(rows, rss.Zero[V](1))
			}
		}
		rows = append(rows, rss.Neg(s, rss.Slice(s, offset, i, i+1)))
	}
	all := rss.Concat(s, append(columns, member)...)
	return rss.MatMul(s, rss.Concat(s, rows...), all, k, k+1, member.Len())
}

// those returns those columns, in order.
func those[T any](columns []T, which []int) []T {
	out := make([]T, len(which))
	for i, k := range which {
		out[i] = columns[k]
	}
	return out
}

// only returns those elements, in order. Local.
func only[V ring.Vector[V]](s *mpc.Session, x rss.Share[V], which []int) rss.Share[V] {
	out := make([]rss.Share[V], len(which))
	for i, k := range which {
		out[i] = rss.Slice(s, x, k, k+1)
	}
	return rss.Concat(s, out...)
}

// place puts the columns that z holds to their places. Local.
func place(s *mpc.Session, out []rss.Vec, where []int, z rss.Vec) {
	n := z.Len() / len(where)
	for i, k := range where {
		out[k] = rss.Slice(s, z, i*n, (i+1)*n)
	}
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
