package rss

import "consilium/mpc"

const wordBits = 64

const (
	// chunkElements is about how many elements of a vector go through a circuit at
	// once: enough that frames are large, few enough that the planes stay in the
	// cache.
	chunkElements = 40 << 10
	// planesAtOnce is the same for planes: of w planes so many bits by w.
	planesAtOnce = 64 * chunkElements
)

// perElement computes w planes of n bits, strand by strand and chunk by chunk of
// about size elements: circuit returns those of elements lo to hi-1.
func perElement(s *mpc.Session, n, w, size int, circuit func(l *strand, lo, hi int) Bits) Bits {
	z := ZeroBits(n, w)
	ok := strands(s, n, wordBits, func(l *strand) {
		for lo, hi := range l.chunks(min(max(size, chunkUnit), chunkElements)) {
			part := circuit(l, lo, hi)
			for j := range w {
				copy(z.A.Plane(j)[lo/wordBits:], part.A.Plane(j))
				copy(z.B.Plane(j)[lo/wordBits:], part.B.Plane(j))
			}
		}
	})
	if !ok {
		return ZeroBits(n, w)
	}
	return z
}

// cut copies elements lo to hi-1 of all planes into the arena. lo is a multiple of
// 64.
func (l *strand) cut(x Bits, lo, hi int) Bits {
	z := l.bits(hi-lo, x.Width())
	for j := range x.Width() {
		copy(z.A.Plane(j), x.A.Plane(j)[lo/wordBits:])
		copy(z.B.Plane(j), x.B.Plane(j)[lo/wordBits:])
	}
	return z
}
