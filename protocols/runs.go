package protocols

import (
	"math/bits"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// runs are stretches of sorted rows that have something in common, such as the
// events of one time. Where they begin is secret. A run may go on over chunks; what
// lies of it in one chunk is a piece.
type runs struct {
	// flags are wide: 1 in the first row of each piece. Of several chunks there are also
	// flags of the last row of a chunk's first piece, and of the first row of its last
	// piece.
	flags   *rss.Chunked
	mirrors []*rss.Permutation // of each chunk: turns each piece round
	// Of several chunks: goesOn is 1 for a chunk that begins within a run, down if that
	// run ends in a later chunk or with this one, up if it starts in an earlier chunk
	// than the one before, or with that.
	goesOn, down, up []rss.Vec128
}

// Columns of flags.
const (
	pieceStart = iota
	firstPieceEnd
	lastPieceStart
)

// newRuns takes a narrow column that has 1 in rows where a run starts, and 0 elsewhere.
// Costs of SortPermutation for keys of 2 log2 n bits, for chunks of n rows, and of Lift;
// for several chunks 40 bytes a row more. In memory stay 8 bytes a row.
func newRuns(s *mpc.Session, rows *rss.Chunked, starts int) *runs {
	several := rows.Chunks() > 1
	r, whole := &runs{flags: rows.Like(s, 0, 1)}, []rss.Vec128{rss.Zero[ring.Vec128](1)}
	if several {
		r.flags = rows.Like(s, 0, 3)
	}
	for i := range rows.Chunks() {
		s := s.Step("chunk", i)
		start := put(s, rows.Get(s, i, starts)[0], 0, rss.Public(s, ring.Vec64{1}))
		n, width := start.Len(), bits.Len(uint(start.Len()))
		mirror := rss.SortPermutation(s.Step("mirror"),
			rss.Key{Column: rss.PrefixSum(s, start), Bits: width},
			rss.Key{Column: rowNumbers(s, 0, n), Bits: width, Descending: true})
		flags := []rss.Vec128{rss.Lift(s.Step("flags"), start)}
		if several {
			ends := rss.Permute(s.Step("ends"), mirror, oneAt(s, n, 0), oneAt(s, n, n-1))
			whole = append(whole, rss.Slice(s, ends[0], n-1, n)) // it is one piece
			flags = append(flags, ends...)
		}
		r.flags.Put(s, i, nil, flags...)
		r.mirrors = append(r.mirrors, mirror)
	}
	if several {
		firsts := make([]rss.Vec, rows.Chunks())
		for i := range firsts {
			firsts[i] = rows.First(s, i, starts)
		}
		goesOn := rss.Lift(s.Step("goes on"), rss.AddConst(s, rss.Neg(s, rss.Concat(s, firsts...)), 1))
		r.goesOn = elements(s, goesOn)
		both := rss.Mul(s.Step("goes through"), rss.Repeat(s, goesOn, 2), rss.Concat(s, slices.Concat(whole[1:], whole[:len(firsts)])...))
		r.down, r.up = elements(s, inParts(s, both, 2)[0]), elements(s, inParts(s, both, 2)[1])
	}
	return r
}

// oneAt returns n elements that are all 0 but for one, which is 1. Local.
func oneAt(s *mpc.Session, n, at int) rss.Vec128 {
	v := make(ring.Vec128, n)
	v[at] = ring.Int128(1)
	return rss.Public(s, v)
}

// rowNumbers returns lo to hi-1. Local.
func rowNumbers(s *mpc.Session, lo, hi int) rss.Vec { return rss.Public(s, numbersTo(lo, hi)) }

// numbersTo returns lo to hi-1.
func numbersTo(lo, hi int) ring.Vec64 {
	v := make(ring.Vec64, hi-lo)
	for i := range v {
		v[i] = uint64(lo + i)
	}
	return v
}
