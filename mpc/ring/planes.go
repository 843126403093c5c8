package ring

// Planes are W vectors of N bits each, packed 64 to a word: "bit-sliced" N
// numbers of W bits, of which plane j holds bit j (0 is the least significant).
// Plane j lies in words j*Stride() to (j+1)*Stride()-1, and its bit i is bit i%64
// of word i/64. Bits past N in a plane's last word mean nothing.
type Planes struct {
	N, W  int
	Words Words
}

// wordBits is the number of bits of a word of Planes.
const wordBits = 64

// MakePlanes returns w planes of n zero bits.
func MakePlanes(n, w int) Planes {
	return Planes{n, w, make(Words, w*Stride(n))}
}

// Stride returns how many words a plane of n bits takes.
func Stride(n int) int { return (n + wordBits - 1) / wordBits }

// Stride returns the number of words of a plane.
func (p Planes) Stride() int { return Stride(p.N) }

// Plane returns the words of plane j, in the same memory.
func (p Planes) Plane(j int) Words {
	n := p.Stride()
	return p.Words.Slice(j*n, (j+1)*n)
}

// Planes returns planes lo to hi-1, in the same memory.
func (p Planes) Planes(lo, hi int) Planes {
	n := p.Stride()
	return Planes{p.N, hi - lo, p.Words.Slice(lo*n, hi*n)}
}

// Bit returns bit i of plane j.
func (p Planes) Bit(j, i int) bool {
	return p.Plane(j)[i/wordBits]>>(i%wordBits)&1 == 1
}

// SetBit sets bit i of plane j.
func (p Planes) SetBit(j, i int, bit bool) {
	w, mask := p.Plane(j), uint64(1)<<(i%wordBits)
	if w[i/wordBits] &^= mask; bit {
		w[i/wordBits] |= mask
	}
}

// Mask clears the bits past N.
func (p Planes) Mask() {
	if p.N%wordBits == 0 {
		return
	}
	for j := range p.W {
		w := p.Plane(j)
		w[len(w)-1] &= 1<<(p.N%wordBits) - 1
	}
}

// Flat returns all planes' bits, lowest plane first, as one plane of N*W bits. It
// may be in the same memory.
func (p Planes) Flat() Planes {
	n := p.N * p.W
	if p.W == 1 || p.N%wordBits == 0 {
		return Planes{n, 1, p.Words}
	}
	flat := MakePlanes(n, 1)
	for j := range p.W {
		plane, at := p.Plane(j), j*p.N
		for i, e := range plane {
			if i == len(plane)-1 {
				e &= 1<<(p.N%wordBits) - 1
			}
			to, shift := at/wordBits, at%wordBits
			flat.Words[to] |= e << shift
			if to+1 < len(flat.Words) {
				flat.Words[to+1] |= e >> 1 >> (wordBits - 1 - shift)
			}
			at += wordBits
		}
	}
	return flat
}

// Whole reports whether the words are as many as N and W say.
func (p Planes) Whole() bool {
	return p.N >= 0 && p.W >= 0 && len(p.Words) == p.W*p.Stride()
}
