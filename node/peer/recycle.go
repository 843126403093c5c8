package peer

import (
	"math/bits"
	"sync"
)

// smallFrame is the size in bytes below which new memory is as cheap as old.
const smallFrame = 4 << 10

// shelf keeps memory of frames that Recv's callers gave back. New memory for
// every frame of a long vector costs about a fifth of a link's processor time:
// it is cleared, it is cold, and it makes the garbage collector run. What lies on
// a shelf is forgotten by the garbage collector when nobody takes it.
type shelf struct{ classes [32]sync.Pool } // by the bits of the capacity

// get returns n bytes with any content.
func (s *shelf) get(n int) []byte {
	if n >= smallFrame {
		if b, ok := s.classes[bits.Len(uint(n))].Get().(*[]byte); ok && cap(*b) >= n {
			return (*b)[:n]
		}
	}
	return make([]byte, n)
}

func (s *shelf) put(b []byte) {
	if cap(b) >= smallFrame && bits.Len(uint(cap(b))) < len(s.classes) {
		s.classes[bits.Len(uint(cap(b)))].Put(&b)
	}
}
