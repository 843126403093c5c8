package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// trip is a move under way at one party.
type trip[V ring.Group[V]] struct {
	moving
	s     *mpc.Session
	p     *Permutation
	role  int
	spare [2]V      // where columns in between lie
	all   column[V] // the result's columns, one after the other
}

// asFirst is the part of party 0.
func (t *trip[V]) asFirst(second, third int, cols, out []column[V]) {
	coins := t.s.PairCoins(at(t.s, second))
	for _, x := range cols {
		copyVector(t.spare[0], x.a)
		addVector(t.spare[0], x.b)
		maskVector(coins, t.spare[0], V.AddBytes)
		t.step(t.spare[1], t.spare[0], 0)
		sendVector(t.s, at(t.s, third), t.spare[1])
	}
	for _, z := range out {
		receiveVector(t.s, at(t.s, second), t.spare[0])
		t.step(t.part(z, 0, third), t.spare[0], 1)
	}
	t.settle(coins, second, third)
}

// asSecond is the part of the one who takes no part in the last permutation.
func (t *trip[V]) asSecond(third int, cols []column[V]) {
	before, after := t.s.PairCoins(at(t.s, 0)), t.s.PairCoins(at(t.s, third))
	for _, x := range cols {
		copyVector(t.spare[0], t.part(x, t.role, third))
		maskVector(before, t.spare[0], V.SubBytes)
		t.step(t.spare[1], t.spare[0], 0)
		t.step(t.spare[0], t.spare[1], 1)
		maskVector(after, t.spare[0], V.SubBytes)
		sendVector(t.s, at(t.s, 0), t.spare[0])
	}
	maskVector(before, t.part(t.all, 0, t.role), V.AddBytes)
	maskVector(after, t.part(t.all, t.role, third), V.AddBytes)
}

// asThird is the part of the one who takes no part in the first permutation.
func (t *trip[V]) asThird(second int, cols, out []column[V]) {
	coins := t.s.PairCoins(at(t.s, second))
	for i := range cols {
		receiveVector(t.s, at(t.s, 0), t.spare[0])
		t.step(t.spare[1], t.spare[0], 0)
		maskVector(coins, t.spare[1], V.AddBytes)
		t.step(t.part(out[i], 0, t.role), t.spare[1], 1)
	}
	t.settle(coins, second, 0)
}

// settle turns the part of the result that lies where other and this party hold a
// component into a replicated sharing: coins shared with the second make one
// component, and what both parts leave makes the other.
func (t *trip[V]) settle(coins *mpc.Coins, second, other int) {
	mine, with := t.part(t.all, t.role, other), t.part(t.all, t.role, second)
	to, buf := at(t.s, other), buffer(mine)
	take := func(lo, hi int) {
		part := mine.Slice(lo, hi)
		if frame := t.s.Recv(to, part.Size()); frame != nil {
			part.AddBytes(frame)
			t.s.Recycle(frame)
		}
	}
	// One frame ahead, as in reshare.
	last := [2]int{}
	for lo, hi := range frames(mine.Len()) {
		part, w := mine.Slice(lo, hi), with.Slice(lo, hi)
		buf = buf[:part.Size()]
		coins.Fill(buf)
		w.SetBytes(buf)
		part.SubBytes(buf)
		t.s.Send(to, part.Append(buf[:0]))
		if lo > 0 {
			take(last[0], last[1])
		}
		last = [2]int{lo, hi}
	}
	take(last[0], last[1])
}

// part returns the component of x that the parties of two roles, of which this is
// one, both hold.
func (t *trip[V]) part(x column[V], p, q int) V {
	component := max(p, q)
	if p+q == 2 {
		component = 0 // roles 2 and 0
	}
	if component == t.role {
		return x.a
	}
	return x.b
}

// step applies the first (0) or second (1) of this party's permutations. dst may
// be shorter than src where only its first rows are wanted.
func (t *trip[V]) step(dst, src V, which int) {
	if t.back {
		which = 1 - which
	}
	order := t.p.known[which][:dst.Len()]
	switch d := any(dst).(type) {
	case ring.Words:
		rearrange(d, any(src).(ring.Words), order, t.back)
	case ring.Vec64:
		rearrange(d, any(src).(ring.Vec64), order, t.back)
	case ring.Vec128:
		rearrange(d, any(src).(ring.Vec128), order, t.back)
	}
}

// rearrange sets row i of dst to row order[i] of src, or to undo this row
// order[i] of dst to row i of src.
func rearrange[E any](dst, src []E, order []int32, undo bool) {
	if undo {
		place(dst, src, order)
	} else {
		pick(dst, src, order)
	}
}

// buffer returns an empty buffer for the frames of v.
func buffer[V ring.Group[V]](v V) []byte {
	return make([]byte, 0, v.Slice(0, min(v.Len(), frameElements)).Size())
}

// maskVector applies the next coins to v by add, which is AddBytes or SubBytes.
func maskVector[V ring.Group[V]](coins *mpc.Coins, v V, add func(v V, b []byte)) {
	buf := buffer(v)
	for lo, hi := range frames(v.Len()) {
		part := v.Slice(lo, hi)
		buf = buf[:part.Size()]
		coins.Fill(buf)
		add(part, buf)
	}
}

// copyVector copies w to v.
func copyVector[V ring.Group[V]](v, w V) {
	buf := buffer(v)
	for lo, hi := range frames(v.Len()) {
		v.Slice(lo, hi).SetBytes(w.Slice(lo, hi).Append(buf))
	}
}

// addVector adds w to v.
func addVector[V ring.Group[V]](v, w V) {
	buf := buffer(v)
	for lo, hi := range frames(v.Len()) {
		v.Slice(lo, hi).AddBytes(w.Slice(lo, hi).Append(buf))
	}
}

// sendVector sends v, frame by frame.
func sendVector[V ring.Group[V]](s *mpc.Session, to mpc.PartyID, v V) {
	buf := buffer(v)
	for lo, hi := range frames(v.Len()) {
		s.Send(to, v.Slice(lo, hi).Append(buf))
	}
}

// receiveVector sets v to what sendVector sends.
func receiveVector[V ring.Group[V]](s *mpc.Session, from mpc.PartyID, v V) {
	for lo, hi := range frames(v.Len()) {
		part := v.Slice(lo, hi)
		if frame := s.Recv(from, part.Size()); frame != nil {
			part.SetBytes(frame)
			s.Recycle(frame)
		}
	}
}
