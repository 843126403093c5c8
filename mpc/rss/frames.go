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
func frames(n int) iter.Seq2[int, int] { return cuts(n, 1) }

// cuts is frames with bounds at multiples of unit, where a unit fits a frame.
func cuts(n, unit int) iter.Seq2[int, int] {
	step := frameElements
	if unit < frameElements {
		step = frameElements / unit * unit
	}
	return func(yield func(lo, hi int) bool) {
		for lo := 0; lo < n; lo += step {
			if !yield(lo, min(lo+step, n)) {
				return
			}
		}
	}
}

// scratch returns an empty buffer for the frames of v.
func scratch[V ring.Group[V]](v V) []byte {
	return make([]byte, 0, v.Slice(0, min(v.Len(), frameElements)).Size())
}

// receive returns one frame of a vector: as many elements as part has. It is
// nil when the session has failed.
func receive[V ring.Group[V]](s *mpc.Session, from mpc.PartyID, part V) []byte {
	return s.Recv(from, part.Size())
}

// fetch sets part to one frame of a vector, unless the session has failed.
func fetch[V ring.Group[V]](s *mpc.Session, from mpc.PartyID, part V) {
	if frame := receive(s, from, part); frame != nil {
		part.SetBytes(frame)
		s.Recycle(frame)
	}
}

// draw sets v to the next coins.
func draw[V ring.Group[V]](coins *mpc.Coins, v V) {
	buf := make([]byte, v.Slice(0, min(v.Len(), blockElements)).Size())
	for block := range blocks(v) {
		buf = buf[:block.Size()]
		coins.Fill(buf)
		block.SetBytes(buf)
	}
}
