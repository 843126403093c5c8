package rss

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"

	"consilium/mpc"
)

// Permutation is a secret permutation of rows that nobody knows: three
// permutations one after the other, of which each pair of parties knows one. It
// may move any number of columns in either direction. It prints as "redacted".
type Permutation struct {
	n int
	// The two that this party knows, in the order in which they are applied:
	// row i of the result is row known[i] of the operand.
	known [2][]int32
}

// NewPermutation draws a uniformly random secret permutation of n rows from the
// pairs' coins. Nothing is sent.
func NewPermutation(s *mpc.Session, n int) *Permutation {
	me, ok := self(s)
	if !ok || !positive(s, n) || !countable(s, n) || !begin(s) {
		return &Permutation{n: n}
	}
	next, prev := randomOrder(s.PairCoins(me.next), n), randomOrder(s.PairCoins(me.prev), n)
	// The pairs come in the order (0,1), (1,2), (2,0).
	if me.role == 0 {
		return &Permutation{n, [2][]int32{next, prev}}
	}
	return &Permutation{n, [2][]int32{prev, next}}
}

// Len returns the public number of rows.
func (p *Permutation) Len() int { return p.n }

// then returns the permutation followed by a public one: row i of the result is
// row order[i] of what p makes. The two parties that know the last of the three
// take it into theirs, at no cost in moving. Local.
func (p *Permutation) then(s *mpc.Session, order []int32) *Permutation {
	me, ok := self(s)
	if !ok || me.role == 1 {
		return p
	}
	last := make([]int32, len(order))
	pick(last, p.known[1], order)
	return &Permutation{p.n, [2][]int32{p.known[0], last}}
}

// countable checks that row numbers fit into the 31 bits that hold them.
func countable(s *mpc.Session, n int) bool {
	if n > math.MaxInt32 {
		s.Fail(fmt.Errorf("%d rows, at most %d can be counted", n, math.MaxInt32))
	}
	return n <= math.MaxInt32
}

// randomOrder returns a uniformly random order of n rows.
func randomOrder(coins *mpc.Coins, n int) []int32 {
	d := dice{coins: coins}
	return d.order(n)
}

// order returns a uniformly random order of n rows (Fisher and Yates).
func (d *dice) order(n int) []int32 {
	order := unmoved(n)
	for i := n - 1; i > 0; i-- {
		j := d.below(uint32(i + 1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// unmoved returns the rows in their own order.
func unmoved(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

// dice turns coins into uniformly random numbers.
type dice struct {
	coins *mpc.Coins
	cast  [4096]byte
	rest  []byte
}

// below returns a uniformly random number less than bound: the high half of a
// product, where the few coins that would favour some numbers are thrown again.
func (d *dice) below(bound uint32) uint32 {
	for {
		product := uint64(d.next()) * uint64(bound)
		if low := uint32(product); low >= bound || low >= -bound%bound {
			return uint32(product >> 32)
		}
	}
}

func (d *dice) next() uint32 {
	if len(d.rest) == 0 {
		d.coins.Fill(d.cast[:])
		d.rest = d.cast[:]
	}
	v := binary.LittleEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return v
}

// pick sets row i of dst to row order[i] of src.
func pick[E any](dst, src []E, order []int32) {
	dst = dst[:len(order)]
	for i, j := range order {
		dst[i] = src[j]
	}
}

// place sets row order[i] of dst to row i of src: it undoes pick.
func place[E any](dst, src []E, order []int32) {
	src = src[:len(order)]
	for i, j := range order {
		dst[j] = src[i]
	}
}

// String keeps a permutation out of logs.
func (*Permutation) String() string { return redacted }

// GoString keeps a permutation out of %#v.
func (*Permutation) GoString() string { return redacted }

// Format keeps a permutation out of every verb: %d would print its parts.
func (*Permutation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a permutation out of structured logs.
func (*Permutation) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a permutation out of JSON, also as a field of something else.
func (*Permutation) MarshalText() ([]byte, error) { return []byte(redacted), nil }
