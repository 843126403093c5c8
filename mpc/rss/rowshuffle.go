package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// rowShuffle is Permute by a new secret permutation, as one party takes part in it, of
// rows that memory does not hold: whole rows move by three permutations on the parties'
// disks (see stirring), of which each pair knows one. All messages have lengths, and come
// in an order, that follow from the numbers of rows and columns alone.
//
// It goes in passes over the rows, as trip does over a column: in the first, party 0 and
// the second prepare what they put in; then party 0 sends its part to the third; then the
// second sends its part to party 0; at last party 0 and the third make shares of what
// they have. Permutations are applied where one pass ends and the next begins.
type rowShuffle struct {
	s       *mpc.Session
	secrets *mpc.Session // the step of the permutations' coins
	pace    pace
	rows    *Chunked
	width   int // columns, the rows' numbers as the last of them
	load    int // rows that use gets at a time
	use     func(columns []Vec)
}

// passes is how many passes over the rows there are before the last.
const passes = 3

// shuffleRows gives use all rows of narrow columns in a new uniformly random secret
// order, so many at a time and at the end fewer, with the rows' numbers as one more
// column. For each element that moves, party 0 sends 2 and each other party one; rounds
// are hidden but for about 7, and 2 for each time that use is called. Leaks nothing.
//
// In memory are a chunk, twice a load, and what bins take. On its disk a party has twice
// 8 bytes for each element, which are free again when shuffleRows returns.
func shuffleRows(s *mpc.Session, rows *Chunked, load int, use func(columns []Vec)) {
	me, ok := self(s)
	if !ok || !countable(s, rows.rows) || !begin(s) {
		return
	}
	rows.Meet(s.Step("begin"))
	h := &rowShuffle{
		s: s, secrets: s.Step("permutation"), pace: newPace(s.Step("pace"), me, passes*rows.Chunks()),
		rows: rows, width: rows.narrow + 1, load: load, use: use,
	}
	switch me.role {
	case 0:
		h.asFirst()
	case 1:
		h.asSecond()
	default:
		h.asThird()
	}
}

// asFirst is the part of party 0: it masks what it has for the third, and takes from the
// second.
func (h *rowShuffle) asFirst() {
	coins := h.s.PairCoins(at(h.s, 1))
	first, last := h.permutation(1), h.permutation(2)
	defer first.close()
	defer last.close()
	h.mine(func(x Vec) ring.Vec64 { return x.A.Add(x.B) }, func(part []ring.Vec64) {
		mask(coins, part, ring.Vec64.AddBytes)
		first.add(h.s, part)
	})
	first.each(h.s, h.rows.chunk, func(part []ring.Vec64) {
		for _, x := range part {
			sendVector(h.s, at(h.s, 2), x)
		}
		h.pace.tick()
	})
	first.close()
	h.received(1, func(part []ring.Vec64) { last.add(h.s, part) })
	last.each(h.s, h.load, func(part []ring.Vec64) { h.settle(coins, 1, 2, part) })
}

// asSecond is the part of party 1, which takes no part in the last permutation. Its
// shares of the result are coins alone.
func (h *rowShuffle) asSecond() {
	before, after := h.s.PairCoins(at(h.s, 0)), h.s.PairCoins(at(h.s, 2))
	first, middle := h.permutation(0), h.permutation(2)
	defer first.close()
	defer middle.close()
	h.mine(func(x Vec) ring.Vec64 { return x.B.AddConst(0) }, func(part []ring.Vec64) {
		mask(before, part, ring.Vec64.SubBytes)
		first.add(h.s, part)
	})
	first.each(h.s, h.rows.chunk, func(part []ring.Vec64) {
		middle.add(h.s, part)
		h.pace.tick()
	})
	first.close()
	middle.each(h.s, h.rows.chunk, func(part []ring.Vec64) {
		mask(after, part, ring.Vec64.SubBytes)
		for _, x := range part {
			sendVector(h.s, at(h.s, 0), x)
		}
		h.pace.tick()
	})
	middle.close()
	for lo := 0; lo < h.rows.rows && h.s.Err() == nil; lo += h.load {
		t := h.trip(min(h.load, h.rows.rows-lo))
		maskVector(before, t.part(t.all, 0, 1), ring.Vec64.AddBytes)
		maskVector(after, t.part(t.all, 1, 2), ring.Vec64.AddBytes)
		h.give(t)
	}
}

// asThird is the part of party 2, which takes no part in the first permutation.
func (h *rowShuffle) asThird() {
	coins := h.s.PairCoins(at(h.s, 1))
	middle, last := h.permutation(1), h.permutation(0)
	defer middle.close()
	defer last.close()
	for range h.rows.Chunks() {
		h.pace.tick()
	}
	h.received(0, func(part []ring.Vec64) { middle.add(h.s, part) })
	middle.each(h.s, h.rows.chunk, func(part []ring.Vec64) {
		mask(coins, part, ring.Vec64.AddBytes)
		last.add(h.s, part)
		h.pace.tick()
	})
	middle.close()
	last.each(h.s, h.load, func(part []ring.Vec64) { h.settle(coins, 1, 0, part) })
}

// permutation draws the one that this party and that of a role know.
func (h *rowShuffle) permutation(with int) *stirring {
	coins := h.secrets.PairCoins(at(h.s, with))
	return newStirring(h.s, h.rows.spill, coins, h.rows.rows, h.width)
}

// mine gives use what this party puts in, chunk by chunk: of each share its part.
func (h *rowShuffle) mine(part func(x Vec) ring.Vec64, use func(part []ring.Vec64)) {
	for i := range h.rows.Chunks() {
		if h.s.Err() != nil {
			return
		}
		lo, hi := h.rows.Bounds(i)
		columns := append(h.rows.Get(h.s, i), numberedFrom(h.s, int64(lo), hi-lo))
		parts := make([]ring.Vec64, len(columns))
		for j, x := range columns {
			parts[j] = part(x)
		}
		use(parts)
		h.pace.tick()
	}
}

// received gives use what the party of a role sends, as many rows at a time as a chunk
// has.
func (h *rowShuffle) received(role int, use func(part []ring.Vec64)) {
	part := make([]ring.Vec64, h.width)
	for i := range h.rows.Chunks() {
		for j := range part {
			part[j] = part[j].Make(h.rows.size(i))
			receiveVector(h.s, at(h.s, role), part[j])
		}
		if h.s.Err() != nil {
			return
		}
		use(part)
		h.pace.tick()
	}
}

// trip returns the end of a trip of some rows, whose columns are still to come.
func (h *rowShuffle) trip(rows int) trip[ring.Vec64] {
	return trip[ring.Vec64]{
		moving: moving{rows: rows}, s: h.s, role: h.s.Role(), all: nothing[ring.Vec64](rows, h.width),
	}
}

// settle makes shares of what this party and another hold the two parts of.
func (h *rowShuffle) settle(coins *mpc.Coins, second, other int, part []ring.Vec64) {
	t := h.trip(part[0].Len())
	for j, z := range t.all.split(t.rows) {
		copy(t.part(z, t.role, other), part[j])
	}
	t.settle(coins, second, other)
	h.give(t)
}

// give gives the columns of a trip to who uses them.
func (h *rowShuffle) give(t trip[ring.Vec64]) {
	columns := make([]Vec, h.width)
	for j, z := range t.all.split(t.rows) {
		columns[j] = Vec{z.a, z.b}
	}
	if h.s.Err() == nil {
		h.use(columns)
	}
}

// mask applies the next coins to columns by add, which is AddBytes or SubBytes.
func mask(coins *mpc.Coins, columns []ring.Vec64, add func(v ring.Vec64, b []byte)) {
	for _, x := range columns {
		maskVector(coins, x, add)
	}
}

// pace keeps parties that work on their disks within two pieces of work of each other,
// so that none waits longer for another's message than for a few pieces, however long the
// whole takes.
type pace struct {
	s     *mpc.Session
	me    party
	ticks int
	left  int
}

// newPace is for so many pieces of work.
func newPace(s *mpc.Session, me party, pieces int) pace {
	begin(s)
	return pace{s: s, me: me, left: pieces}
}

// tick is called by all parties after each piece of work: they tell each other, and hear
// of the piece before.
func (p *pace) tick() {
	if p.left--; p.left > 0 {
		p.s.Send(p.me.next, nil)
		p.s.Send(p.me.prev, nil)
	}
	if p.ticks > 0 {
		p.s.Recv(p.me.next, 0)
		p.s.Recv(p.me.prev, 0)
	}
	p.ticks++
}
