package rss

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// Strands and their chunks cover a vector once, in order, cut at whole words.
func TestStrandsCoverAVector(t *testing.T) {
	for _, n := range []int{1, 64, 8192, 8193, 8256, 30000, 1 << 17, 1<<17 + 1, 400_000} {
		if err := memnet.New(memnet.Config{}).Run(func(s *mpc.Session) error {
			var mu sync.Mutex
			seen, sizes := make(map[int]int), []int{}
			strands(s.Step("op"), n, wordBits, func(l *strand) {
				for lo, hi := range l.chunks(chunkElements) {
					mu.Lock()
					seen[lo] = hi
					sizes = append(sizes, hi-lo)
					mu.Unlock()
				}
			})
			at := 0
			for range len(seen) {
				if at%wordBits != 0 || seen[at] <= at {
					return fmt.Errorf("%d elements: a chunk from %d to %d", n, at, seen[at])
				}
				at = seen[at]
			}
			if at != n {
				return fmt.Errorf("%d elements: chunks end at %d: %v", n, at, sizes)
			}
			for _, size := range sizes {
				if size > chunkElements+2*chunkUnit {
					return fmt.Errorf("%d elements: a chunk of %d", n, size)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// A panic in a strand is one of the caller's, when all strands are over, and the
// peers hear of it.
func TestPanicInAStrand(t *testing.T) {
	var caught any
	w := memnet.New(memnet.Config{})
	_ = w.Run(func(s *mpc.Session) error {
		if s.Self() != 1 {
			<-s.Context().Done()
			return s.Err()
		}
		defer func() { caught = recover() }()
		strands(s.Step("op"), 10000, 1, func(l *strand) {
			if l.dealer == 1 {
				panic("out of range")
			}
			<-l.s.Context().Done()
		})
		return errors.New("the panic was lost")
	})
	if caught != "out of range" {
		t.Errorf("caught %v", caught)
	}
	for _, p := range []int{0, 2} {
		if err := w.Errors()[p]; err == nil || !strings.Contains(err.Error(), "p1, step op: internal error") {
			t.Errorf("p%d hears %v", p, err)
		}
	}
}

// What an arena hands out does not overlap until it is reset, and then its memory
// is used again.
func TestArena(t *testing.T) {
	a := new(arena)
	for range 3 {
		first, second := a.words(10), a.words(5000)
		third := a.words(1)
		for i := range first {
			first[i] = 1
		}
		for i := range second {
			second[i] = 2
		}
		third[0] = 3
		if first[9] != 1 || second[0] != 2 || second[4999] != 2 || cap(first) != 10 {
			t.Fatal("words overlap")
		}
		a.reset()
	}
	block := &a.block[0]
	if w := a.words(5011); &w[0] != block {
		t.Error("the memory is not used again")
	}
}
