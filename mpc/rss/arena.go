package rss

import (
	"sync"

	"consilium/mpc/ring"
)

// An arena is a strand's memory: words that live until the next reset, some
// vectors, and the buffers of the frame and the coins that it is at. None of it is
// cleared.
type arena struct {
	block       ring.Words
	used        int
	asked       int // words asked for since the last reset
	vectors     [slots]any
	coinBuffer  []byte
	frameBuffer []byte
}

// arenas keeps the memory of strands that are done for the next ones: operations
// are short, and a circuit needs several times the memory of its operands.
var arenas = sync.Pool{New: func() any { return new(arena) }}

func takeArena() *arena { return arenas.Get().(*arena) }

// giveBack ends the use of the arena.
func (a *arena) giveBack() {
	a.reset()
	arenas.Put(a)
}

// words returns n words of any content.
func (a *arena) words(n int) ring.Words {
	a.asked += n
	if a.used+n > len(a.block) {
		a.block, a.used = make(ring.Words, max(n, arenaWords)), 0
	}
	a.used += n
	return a.block.Slice(a.used-n, a.used)
}

// arenaWords is the least that an arena allocates.
const arenaWords = 1 << 10

// reset takes all words back. The arena then is as large as was needed.
func (a *arena) reset() {
	if a.asked > len(a.block) {
		a.block = make(ring.Words, a.asked)
	}
	a.used, a.asked = 0, 0
}

// coins returns a buffer of size bytes: always the same.
func (a *arena) coins(size int) []byte {
	if len(a.coinBuffer) < size {
		a.coinBuffer = make([]byte, size)
	}
	return a.coinBuffer[:size]
}

// frame returns an empty buffer for size bytes: always the same.
func (a *arena) frame(size int) []byte {
	if cap(a.frameBuffer) < size {
		a.frameBuffer = make([]byte, 0, size)
	}
	return a.frameBuffer
}

// slot names a vector of an arena.
type slot int

const (
	slotKnown slot = iota
	slotDealt
	slotShifted
	slotA
	slotB
	slotTerm
	slots
)

// spare returns n elements of the strand's memory of any content: the same for the
// same slot.
func spare[V ring.Vector[V]](l *strand, at slot, n int) V {
	v, _ := l.arena.vectors[at].(V)
	if v.Len() < n {
		v = v.Make(n)
		l.arena.vectors[at] = v
	}
	return v.Slice(0, n)
}
