package rss

import (
	"iter"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// frameElements is how many elements travel in one frame: large enough that its
// overhead vanishes, small enough that computing overlaps sending and that the
// working set stays in the cache.
const frameElements = 64 << 10

// frames yields the bounds of the frames of a vector of n elements.
func frames(n int) iter.Seq2[int, int] {
	return func(yield func(lo, hi int) bool) {
		for lo := 0; lo < n; lo += frameElements {
			if !yield(lo, min(lo+frameElements, n)) {
				return
			}
		}
	}
}

// scratch returns an empty buffer for the frames of v.
func scratch[V ring.Vector[V]](v V) []byte {
	return make([]byte, 0, v.Slice(0, min(v.Len(), frameElements)).Size())
}

// receive returns one frame of a vector: as many elements as part has. It is
// nil when the session has failed.
func receive[V ring.Vector[V]](s *mpc.Session, from mpc.PartyID, part V) []byte {
	return s.Recv(from, part.Size())
}

// draw sets v to the next coins.
func draw[V ring.Vector[V]](coins *mpc.Coins, v V) {
	buf := scratch(v)
	for lo, hi := range frames(v.Len()) {
		part := v.Slice(lo, hi)
		buf = buf[:part.Size()]
		coins.Fill(buf)
		part.SetBytes(buf)
	}
}
