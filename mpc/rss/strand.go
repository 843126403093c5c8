package rss

import (
	"errors"
	"iter"
	"sync"

	"consilium/mpc"
	"consilium/mpc/ring"
)

const (
	// strandCount is in how many strands a long vector goes: as many as there are
	// roles, so that each is dealer of one and all send the same.
	strandCount = roles
	// strandElements is up to how many elements a vector goes in one strand: below
	// it the strands' own steps and goroutines cost more than they save.
	strandElements = 8 << 10
)

// A strand computes one part of a long vector, chunk by chunk, side by side with the
// other strands: while one waits for its neighbours, others compute, so that cores
// and links are busy, and memory is bounded by the chunk. A short vector is one
// strand on the operation's own step. Cuts depend on the length alone and a strand
// has steps of its own, so that what is sent is the same at every speed.
type strand struct {
	s      *mpc.Session
	me     party
	dealer int // the role that deals in this strand
	lo, hi int // its elements of the vector
	gates  map[gateName]*gate
	arena  *arena
}

// strands claims the step, runs work for each strand of a vector of n elements, cut
// at multiples of unit, and waits for all. It reports whether the session still
// lives.
func strands(s *mpc.Session, n, unit int, work func(l *strand)) bool {
	me, ok := self(s)
	if !ok || !begin(s) {
		return false
	}
	if n <= strandElements {
		l := &strand{s: s, me: me, hi: n, arena: takeArena()}
		work(l)
		l.arena.giveBack()
		return s.Err() == nil
	}
	var (
		wg     sync.WaitGroup
		panics [strandCount]any
		part   = ceil(ceil(n, strandCount), unit) * unit
	)
	for i := range strandCount {
		l := &strand{me: me, dealer: i % roles, lo: min(i*part, n), hi: min((i+1)*part, n)}
		if l.lo == l.hi {
			continue
		}
		if l.s = s.Step("strand", i); !begin(l.s) {
			break
		}
		wg.Go(func() {
			defer func() {
				if panics[i] = recover(); panics[i] != nil {
					s.Fail(errors.New("internal error"))
				}
			}()
			l.arena = takeArena()
			work(l)
			l.arena.giveBack()
		})
	}
	wg.Wait()
	for _, v := range panics {
		if v != nil {
			panic(v)
		}
	}
	return s.Err() == nil
}

// chunks yields the bounds of the strand's chunks of at most about size elements,
// cut at multiples of 64, and frees the arena after each. It ends when the
// session fails.
func (l *strand) chunks(size int) iter.Seq2[int, int] {
	return func(yield func(lo, hi int) bool) {
		n := l.hi - l.lo
		step := ceil(ceil(n, ceil(n, size)), chunkUnit)
		step = (step + 1 - step%2) * chunkUnit
		for lo := l.lo; lo < l.hi && l.s.Err() == nil; lo += step {
			if !yield(lo, min(lo+step, l.hi)) {
				return
			}
			l.arena.reset()
		}
	}
}

// ceil returns n / d rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }

// chunkUnit is one cache line of a plane. Chunks are odd multiples of it, so that
// planes do not all begin at the same place of the cache.
const chunkUnit = 8 * 64

// seat is where this party stands in the strand.
type seat int

const (
	dealer seat = iota // knows two components' sum
	after              // the next party: knows the third component as its B
	before             // the one before: knows it as its A
)

// seat returns where this party stands.
func (l *strand) seat() seat { return seat((l.me.role - l.dealer + roles) % roles) }

// outside is the component that the dealer does not know, at the others.
func outside[V any](l *strand, a, b V) V {
	if l.seat() == after {
		return b
	}
	return a
}

// inside is the component of which the parties other than the dealer know one each.
func inside[V any](l *strand, a, b V) V {
	if l.seat() == after {
		return a
	}
	return b
}

// planes returns w planes of n bits from the arena, not cleared.
func (l *strand) planes(n, w int) ring.Planes {
	return ring.Planes{N: n, W: w, Words: l.arena.words(w * ring.Stride(n))}
}

// bits returns a share of w planes of n bits from the arena, not cleared.
func (l *strand) bits(n, w int) Bits { return Bits{l.planes(n, w), l.planes(n, w)} }
