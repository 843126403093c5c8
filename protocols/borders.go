package protocols

import (
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// borders make sums over runs, of which parts lie in other chunks. They are told of the
// columns of every chunk, in any order, and settled; then sums are made chunk by chunk.
// They hold a few elements a chunk and column.
type borders struct {
	*runs
	through, before int // how many columns are summed through runs, and before them
	// By chunk and column: the sum over the chunk, and over that piece of it which a run
	// may have in common with chunks beyond: the first piece for sums through runs, the
	// last one for sums before them.
	totals, pieces [][]rss.Vec128
	// By chunk and column, once settled: the sum over the chunks before, for sums before
	// runs less what of it belongs to the run of the first row; and what the run of the
	// last row has in later chunks, or that of the first row in earlier ones.
	base, beyond [][]rss.Vec128
	all          []rss.Vec128 // by column the sum over all chunks
}

// borders returns those for so many columns to be summed through runs, and before them.
func (r *runs) borders(through, before int) *borders {
	chunks := len(r.mirrors)
	return &borders{
		runs: r, through: through, before: before,
		totals: make([][]rss.Vec128, chunks), pieces: make([][]rss.Vec128, chunks),
	}
}

// tell takes the columns of chunk i. 1 round, 1 element a column; local if it is the only
// chunk.
func (b *borders) tell(s *mpc.Session, i int, through, before []rss.Vec128) {
	for _, x := range slices.Concat(through, before) {
		b.totals[i] = append(b.totals[i], rss.Sum(s, x))
	}
	if len(b.mirrors) == 1 {
		return
	}
	ends := b.flags.Wide(s, i, firstPieceEnd, lastPieceStart)
	var flags, sums []rss.Vec128
	for _, x := range through {
		flags, sums = append(flags, ends[0]), append(sums, rss.PrefixSum(s, x))
	}
	for _, x := range before {
		flags, sums = append(flags, ends[1]), append(sums, rss.Sub(s, rss.PrefixSum(s, x), x))
	}
	b.pieces[i] = elements(s, rss.Dots(s.Step("pieces"), flags, sums))
	for k := b.through; k < len(flags); k++ {
		// What no row before the last piece has.
		b.pieces[i][k] = rss.Sub(s, b.totals[i][k], b.pieces[i][k])
	}
}

// settle takes what all chunks have told. As many rounds as chunks, a few elements each;
// local if there is one chunk.
func (b *borders) settle(s *mpc.Session) {
	chunks, columns := len(b.totals), b.through+b.before
	b.base, b.beyond = make([][]rss.Vec128, chunks), make([][]rss.Vec128, chunks)
	b.all = zeros(columns)
	for i, totals := range b.totals {
		b.base[i], b.beyond[i] = slices.Clone(b.all), zeros(columns)
		for k, x := range totals {
			b.all[k] = rss.Add(s, b.all[k], x)
		}
	}
	if chunks == 1 {
		return
	}
	next := b.nextTo(s.Step("next"))
	for t := 1; t < chunks; t++ {
		// Border j lies before chunk j. For sums through runs what is beyond comes from
		// the chunk after it, for sums before them from the one before it.
		var flags, from []rss.Vec128
		for k := range columns {
			if k < b.through {
				flags, from = append(flags, b.down[chunks-t]), append(from, b.beyond[chunks-t][k])
			} else {
				flags, from = append(flags, b.up[t]), append(from, b.beyond[t-1][k])
			}
		}
		far := elements(s, rss.Mul(s.Step("border", t), rss.Concat(s, flags...), rss.Concat(s, from...)))
		for k, x := range far {
			if k < b.through {
				b.beyond[chunks-t-1][k] = rss.Add(s, next[chunks-t][k], x)
			} else {
				b.beyond[t][k] = rss.Add(s, next[t][k], x)
				b.base[t][k] = rss.Sub(s, b.base[t][k], b.beyond[t][k])
			}
		}
	}
}

// nextTo returns for each border what the run over it has in the piece that lies there.
func (b *borders) nextTo(s *mpc.Session) [][]rss.Vec128 {
	chunks, columns := len(b.totals), b.through+b.before
	var flags, pieces []rss.Vec128
	for j := range chunks {
		for k := range columns {
			from := j
			if k >= b.through {
				from = max(j-1, 0) // nothing goes on into the first chunk
			}
			flags, pieces = append(flags, b.goesOn[j]), append(pieces, b.pieces[from][k])
		}
	}
	own := elements(s, rss.Mul(s, rss.Concat(s, flags...), rss.Concat(s, pieces...)))
	return slices.Collect(slices.Chunk(own, columns))
}

// sums returns for each row of chunk i sums over all rows through the end of its run, of
// some columns, and over all rows before its run, of some others: the columns of which
// these borders were told. 3 rounds; 40 bytes a row and column.
//
// Turned round, a piece's first row meets the prefix sum of its last one, and the last
// row that of the first. What a piece adds so stands at its first row, or its last, and
// prefix sums carry it on. What its run has in other chunks stands, before it turns, at
// the end of the chunk that lies next to these.
func (b *borders) sums(s *mpc.Session, i int, through, before []rss.Vec128) (ends, starts []rss.Vec128) {
	first := b.flags.Wide(s, i, pieceStart)[0]
	n := first.Len()
	last := rss.Public(s, ring.Vec128{ring.Int128(1)})
	if n > 1 {
		last = rss.Concat(s, rss.Slice(s, first, 1, n), last)
	}
	var own, there, flags []rss.Vec128
	for k, x := range through {
		sum := rss.PrefixSum(s, x)
		own, there, flags = append(own, rss.Sub(s, sum, x)), append(there, b.later(s, i, k, sum)), append(flags, first)
	}
	for k, x := range before {
		sum := rss.Neg(s, rss.PrefixSum(s, x))
		own, there, flags = append(own, sum), append(there, b.earlier(s, i, len(through)+k, rss.Add(s, sum, x))), append(flags, last)
	}
	there = rss.Permute(s.Step("turn"), b.mirrors[i], there...)
	gains := rss.Mul(s.Step("gains"), rss.Sub(s, rss.Concat(s, there...), rss.Concat(s, own...)), rss.Concat(s, flags...))
	for k, gain := range inParts(s, gains, len(flags)) {
		sum := b.prefixSums(s, i, k, gain)
		if k < len(through) {
			ends = append(ends, sum)
		} else {
			starts = append(starts, rss.Sub(s, sum, gain))
		}
	}
	return ends, starts
}

// later adds to the last row of column k of chunk i what its run has in later chunks.
// Local.
func (b *borders) later(s *mpc.Session, i, k int, x rss.Vec128) rss.Vec128 {
	return b.add(s, x, x.Len()-1, b.beyond[i][k])
}

// earlier adds to the first row of column k of chunk i what its run has in earlier
// chunks. Local.
func (b *borders) earlier(s *mpc.Session, i, k int, x rss.Vec128) rss.Vec128 {
	return b.add(s, x, 0, b.beyond[i][k])
}

// prefixSums returns the sums of column k of chunk i that go on from earlier chunks.
// Local.
func (b *borders) prefixSums(s *mpc.Session, i, k int, x rss.Vec128) rss.Vec128 {
	return rss.PrefixSum(s, b.add(s, x, 0, b.base[i][k]))
}

// add adds something to one row, if there are several chunks. Local.
func (b *borders) add(s *mpc.Session, x rss.Vec128, row int, what rss.Vec128) rss.Vec128 {
	if len(b.mirrors) == 1 {
		return x
	}
	return put(s, x, row, rss.Add(s, rss.Slice(s, x, row, row+1), what))
}

// put returns x with another element in one place. Local.
func put[V ring.Vector[V]](s *mpc.Session, x rss.Share[V], at int, element rss.Share[V]) rss.Share[V] {
	var parts []rss.Share[V]
	if at > 0 {
		parts = append(parts, rss.Slice(s, x, 0, at))
	}
	parts = append(parts, element)
	if n := x.Len(); at < n-1 {
		parts = append(parts, rss.Slice(s, x, at+1, n))
	}
	return rss.Concat(s, parts...)
}

// zeros returns n zeros, each for itself. Local.
func zeros(n int) []rss.Vec128 {
	out := make([]rss.Vec128, n)
	for k := range out {
		out[k] = rss.Zero[ring.Vec128](1)
	}
	return out
}
