package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Shuffle moves the rows of all columns by one new secret permutation: see
// NewPermutation and Permute.
func Shuffle[V ring.Vector[V]](s *mpc.Session, cols ...Share[V]) []Share[V] {
	if len(cols) == 0 {
		return nil
	}
	p := NewPermutation(s.Step("permutation"), cols[0].Len())
	return Permute(s.Step("permute"), p, cols...)
}

// Permute moves the rows of all columns by p (Araki et al.: "Secure graph
// analysis at scale", CCS 2021). 2 rounds; for each column of n elements the
// party of role 0 sends 2 n elements, each other one n. Leaks nothing.
//
// With x = (x0 + x1) + x2 party 0 adds coins of the first pair to its sum,
// permutes it by the first permutation and sends it to the third party; the
// second takes the same coins from x2, permutes by both permutations that it
// knows, takes coins of the middle pair and sends it to party 0. Neither waits
// for anything. Party 0 and the third then hold the result as a sum of two and
// make a replicated sharing of it: each takes coins that it shares with the
// second from its part and tells the other what is left.
func Permute[V ring.Vector[V]](s *mpc.Session, p *Permutation, cols ...Share[V]) []Share[V] {
	return moveShares(s, p, moving{rows: p.n}, cols)
}

// Unpermute undoes Permute: it brings rows that p has moved, or others that
// belong to them, to where they came from. Costs and leaks as Permute.
func Unpermute[V ring.Vector[V]](s *mpc.Session, p *Permutation, cols ...Share[V]) []Share[V] {
	return moveShares(s, p, moving{rows: p.n, back: true}, cols)
}

// PermuteBits is Permute for planes of bits: up to 64 planes travel as one
// element a row.
func PermuteBits(s *mpc.Session, p *Permutation, b Bits) Bits {
	return moveBits(s, p, moving{rows: p.n}, b)
}

// UnpermuteBits undoes PermuteBits.
func UnpermuteBits(s *mpc.Session, p *Permutation, b Bits) Bits {
	return moveBits(s, p, moving{rows: p.n, back: true}, b)
}

// permuteFirst is Permute that returns the first k rows alone.
func permuteFirst(s *mpc.Session, p *Permutation, k int, cols []Vec) []Vec {
	return moveShares(s, p, moving{rows: k}, cols)
}

func moveShares[V ring.Vector[V]](s *mpc.Session, p *Permutation, m moving, cols []Share[V]) []Share[V] {
	out := make([]Share[V], len(cols))
	if len(cols) == 0 || !ready(s, cols...) {
		for i := range out {
			out[i] = zero[V](m.rows)
		}
		return out
	}
	in := make([]column[V], len(cols))
	for i, x := range cols {
		in[i] = column[V]{x.A, x.B}
	}
	for i, x := range move(s, p, m, in) {
		out[i] = Share[V]{x.a, x.b}
	}
	return out
}

func moveBits(s *mpc.Session, p *Permutation, m moving, b Bits) Bits {
	if !readyBits(s, b) {
		return ZeroBits(b.Len(), b.Width())
	}
	words := move(s, p, m, rowWords(b))
	if s.Err() != nil {
		return ZeroBits(b.Len(), b.Width())
	}
	return rowPlanes(words, b.Width())
}

// rowWords returns planes as words of rows: word i holds planes 64 i on.
func rowWords(b Bits) []column[ring.Words] {
	var words []column[ring.Words]
	for lo := 0; lo < b.Width(); lo += 64 {
		part := b.Planes(lo, min(lo+64, b.Width()))
		words = append(words, column[ring.Words]{ring.Words(part.A.Vec64()), ring.Words(part.B.Vec64())})
	}
	return words
}

// rowPlanes returns the w planes that words of rows hold.
func rowPlanes(words []column[ring.Words], w int) Bits {
	var out []Bits
	for i, x := range words {
		k := min(64, w-64*i)
		out = append(out, Bits{ring.Transpose(ring.Vec64(x.a), k), ring.Transpose(ring.Vec64(x.b), k)})
	}
	return ConcatPlanes(out...)
}

// column is a Share of anything that can be masked: numbers, or words of bits.
type column[V ring.Group[V]] struct{ a, b V }

// moving is one way to move columns.
type moving struct {
	rows int  // how many of the result's first rows are wanted; all to go back
	back bool // undo
}

// move moves columns whose two components have one length.
func move[V ring.Group[V]](s *mpc.Session, p *Permutation, m moving, cols []column[V]) []column[V] {
	if !fits(s, p, cols[0].a.Len()) || !begin(s) {
		return nothing[V](m.rows, len(cols)).split(m.rows)
	}
	second, third := 1, 2
	if m.back {
		second, third = 2, 1 // the pairs come in the other order
	}
	t := trip[V]{moving: m, s: s, p: p, role: s.Role(), all: nothing[V](m.rows, len(cols))}
	for i := range t.spare {
		t.spare[i] = cols[0].a.Make(p.n)
	}
	out := t.all.split(m.rows)
	switch t.role {
	case 0:
		t.asFirst(second, third, cols, out)
	case second:
		t.asSecond(third, cols)
	default:
		t.asThird(second, cols, out)
	}
	if s.Err() != nil {
		return nothing[V](m.rows, len(cols)).split(m.rows)
	}
	return out
}

// nothing returns k columns of n zeros, one after the other.
func nothing[V ring.Group[V]](n, k int) column[V] {
	var kind V
	return column[V]{kind.Make(n * k), kind.Make(n * k)}
}

// split returns the columns of n rows that lie one after the other.
func (x column[V]) split(n int) []column[V] {
	out := make([]column[V], x.a.Len()/n)
	for i := range out {
		out[i] = column[V]{x.a.Slice(i*n, (i+1)*n), x.b.Slice(i*n, (i+1)*n)}
	}
	return out
}

// fits checks a column's length against the permutation's.
func fits(s *mpc.Session, p *Permutation, n int) bool {
	if n != p.n {
		s.Fail(fmt.Errorf("a permutation of %d rows meets a column of %d", p.n, n))
	}
	return n == p.n && s.Err() == nil
}
