package rss

import "consilium/mpc"

// A gate is one layer of a strand: a step with its coins, used for every chunk of
// the strand in order.
type gate struct {
	s          *mpc.Session
	me         party
	next, prev *mpc.Coins // with the two neighbours, when first needed
	arena      *arena
}

// gateName is a step's name and index; index -1 is none.
type gateName struct {
	name  string
	index int
}

// gate returns the strand's gate of a name, with an index where layers repeat.
func (l *strand) gate(name string, index ...int) *gate {
	key := gateName{name, -1}
	if len(index) > 0 {
		key.index = index[0]
	}
	g := l.gates[key]
	if g == nil {
		g = &gate{s: l.s.Step(name, index...), me: l.me, arena: l.arena}
		begin(g.s) // when that fails so has the session, and nothing is sent
		if l.gates == nil {
			l.gates = make(map[gateName]*gate)
		}
		l.gates[key] = g
	}
	return g
}

// ownGate returns the gate of the strand's own step, which is claimed already: for
// strands of one layer.
func (l *strand) ownGate() *gate { return &gate{s: l.s, me: l.me, arena: l.arena} }

// withNext draws size bytes of the coins shared with the next party.
func (g *gate) withNext(size int) []byte {
	if g.next == nil {
		g.next = g.s.PairCoins(g.me.next)
	}
	return g.draw(g.next, size)
}

// withPrev draws size bytes of the coins shared with the previous party.
func (g *gate) withPrev(size int) []byte {
	if g.prev == nil {
		g.prev = g.s.PairCoins(g.me.prev)
	}
	return g.draw(g.prev, size)
}

// draw returns coins in a buffer that is good until the next draw of the strand.
func (g *gate) draw(coins *mpc.Coins, size int) []byte {
	buf := g.arena.coins(size)
	coins.Fill(buf)
	return buf
}
