package peer

import (
	"math/bits"
	"sync"

	"consilium/mpc"
)

// smallFrame is the size in bytes below which new memory is as cheap as old.
const smallFrame = 4 << 10

// shelf keeps memory of frames that Recv's callers gave back. New memory for
// every frame of a long vector costs about a fifth of a link's processor time:
// it is cleared, it is cold, and it makes the garbage collector run. What lies on
// a shelf is forgotten by the garbage collector when nobody takes it.
type shelf struct{ classes [sizeClasses]sync.Pool }

const sizeClasses = 32 * 8

// sizeClass is the same for sizes that differ by less than an eighth: each
// doubling has eight classes.
func sizeClass(n int) int {
	b := bits.Len(uint(n))
	return 8*b + n>>(b-4)&7
}

// get returns n bytes with any content, with memory for at most an eighth more.
func (s *shelf) get(n int) []byte {
	if n >= smallFrame {
		if b, ok := s.classes[sizeClass(n)].Get().(*[]byte); ok && cap(*b) >= n {
			return (*b)[:n]
		}
	}
	return make([]byte, n)
}

func (s *shelf) put(b []byte) {
	if n := cap(b); n >= smallFrame && n <= mpc.MaxFrame {
		s.classes[sizeClass(n)].Put(&b)
	}
}
