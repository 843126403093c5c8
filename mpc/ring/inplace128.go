package ring

// Set copies w to v.
func (v Vec128) Set(w Vec128) { copy(v, w[:len(v)]) }

// SetAdd sets v to a + b.
func (v Vec128) SetAdd(a, b Vec128) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		v[i] = a[i].Add(b[i])
	}
}

// SetSub sets v to a - b.
func (v Vec128) SetSub(a, b Vec128) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		v[i] = a[i].Sub(b[i])
	}
}

// Shift adds k to each element of v.
func (v Vec128) Shift(k U128) {
	for i := range v {
		v[i] = v[i].Add(k)
	}
}

// SetShr sets v to u / 2^k, rounded down, of unsigned elements.
func (v Vec128) SetShr(u Vec128, k int) {
	u = u[:len(v)]
	for i := range v {
		v[i] = u[i].Shr(k)
	}
}

// SetSar sets v to u / 2^k, rounded down, of signed elements.
func (v Vec128) SetSar(u Vec128, k int) {
	u = u[:len(v)]
	for i := range v {
		v[i] = u[i].Sar(k)
	}
}

// SetPick sets v to a where t is negative and to b elsewhere.
func (v Vec128) SetPick(t, a, b Vec128) {
	n := len(v)
	t, a, b = t[:n], a[:n], b[:n]
	for i := range v {
		mask := uint64(int64(t[i].Hi) >> 63)
		v[i] = U128{b[i].Lo ^ (a[i].Lo^b[i].Lo)&mask, b[i].Hi ^ (a[i].Hi^b[i].Hi)&mask}
	}
}

// SetBits sets v to the bits of a plane as elements 0 or 1.
func (v Vec128) SetBits(bits Words) {
	for i := range v {
		v[i] = U128{bits[i/wordBits] >> (i % wordBits) & 1, 0}
	}
}

// SetFlip sets v to a where the plane's bit is 0 and to k - a where it is 1.
func (v Vec128) SetFlip(a Vec128, bits Words, k uint64) {
	a = a[:len(v)]
	for i := range v {
		b := bits[i/wordBits] >> (i % wordBits) & 1
		v[i] = U128{a[i].Lo ^ -b, a[i].Hi ^ -b}.Add(U128{b + k&-b, 0})
	}
}

// SetPlanes sets the planes of p, at most 128, to bits lo, lo+1, … of the
// elements.
func (v Vec128) SetPlanes(p Planes, lo int) {
	const half = wordBits
	var low, high [half]uint64
	first := p.Planes(0, min(p.W, half))
	n, size, rest := p.Stride(), blockSize(first.W), blockSize(p.W-first.W)
	for i := range n {
		clear(low[:])
		clear(high[:])
		for k, e := range v[i*half : min((i+1)*half, len(v))] {
			e = e.Shr(lo)
			low[k], high[k] = e.Lo, e.Hi
		}
		var block [wordBits]uint64
		pack(&block, low[:], 0, size)
		transpose(&block, size)
		for j := range first.W {
			p.Words[j*n+i] = block[j]
		}
		if p.W == first.W {
			continue
		}
		pack(&block, high[:], 0, rest)
		transpose(&block, rest)
		for j := half; j < p.W; j++ {
			p.Words[j*n+i] = block[j-half]
		}
	}
}

// SetHalves sets v to the elements whose halves are those of low and high.
func (v Vec128) SetHalves(low, high Vec64) {
	low, high = low[:len(v)], high[:len(v)]
	for i := range v {
		v[i] = U128{low[i], high[i]}
	}
}
