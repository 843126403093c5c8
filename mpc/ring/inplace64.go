package ring

import "math/bits"

// Set copies w to v.
func (v Vec64) Set(w Vec64) { copy(v, w[:len(v)]) }

// SetAdd sets v to a + b.
func (v Vec64) SetAdd(a, b Vec64) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		v[i] = a[i] + b[i]
	}
}

// SetSub sets v to a - b.
func (v Vec64) SetSub(a, b Vec64) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		v[i] = a[i] - b[i]
	}
}

// Shift adds k to each element of v.
func (v Vec64) Shift(k U128) {
	for i := range v {
		v[i] += k.Lo
	}
}

// SetShr sets v to u / 2^k, rounded down, of unsigned elements.
func (v Vec64) SetShr(u Vec64, k int) {
	u = u[:len(v)]
	for i := range v {
		v[i] = u[i] >> (k & 63)
	}
}

// SetSar sets v to u / 2^k, rounded down, of signed elements.
func (v Vec64) SetSar(u Vec64, k int) {
	u = u[:len(v)]
	for i := range v {
		v[i] = uint64(int64(u[i]) >> (k & 63))
	}
}

// SetPick sets v to a where t is negative and to b elsewhere.
func (v Vec64) SetPick(t, a, b Vec64) {
	n := len(v)
	t, a, b = t[:n], a[:n], b[:n]
	for i := range v {
		v[i] = b[i] ^ (a[i]^b[i])&uint64(int64(t[i])>>63)
	}
}

// SetWraps sets v to -1 where a + b, of unsigned elements, does not fit 64 bits
// and to 0 elsewhere.
func (v Vec64) SetWraps(a, b Vec64) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		_, carry := bits.Add64(a[i], b[i], 0)
		v[i] = -carry
	}
}

// SetBits sets v to the bits of a plane as elements 0 or 1.
func (v Vec64) SetBits(plane Words) {
	for len(v) > 0 {
		word, part := plane[0], v[:min(wordBits, len(v))]
		for i := range part {
			part[i] = word & 1
			word >>= 1
		}
		v, plane = v[len(part):], plane[1:]
	}
}

// SetFlip sets v to a where the plane's bit is 0 and to k - a where it is 1.
func (v Vec64) SetFlip(a Vec64, plane Words, k uint64) {
	a, k = a[:len(v)], k+1
	for len(v) > 0 {
		word, part := plane[0], v[:min(wordBits, len(v))]
		for i, e := range a[:len(part)] {
			mask := -(word & 1)
			part[i] = (e ^ mask) + k&mask // k - e = ^e + k + 1
			word >>= 1
		}
		v, a, plane = v[len(part):], a[len(part):], plane[1:]
	}
}

// SetPlanes sets the planes of p, at most 64, to bits lo, lo+1, … of the elements.
func (v Vec64) SetPlanes(p Planes, lo int) {
	var block [wordBits]uint64
	n, size := p.Stride(), blockSize(p.W)
	for i := range n {
		pack(&block, v[i*wordBits:], lo, size)
		transpose(&block, size)
		for j, e := range block[:p.W] {
			p.Words[j*n+i] = e
		}
	}
}
