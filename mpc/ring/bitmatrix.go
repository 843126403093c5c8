package ring

// Transpose returns bit i of plane j as bit j of plane i: W planes of N bits as N
// planes of W.
func (p Planes) Transpose() Planes {
	z := MakePlanes(p.W, p.N)
	from, to := p.Stride(), z.Stride()
	var block [wordBits]uint64
	for j := 0; j < p.W; j += wordBits {
		for i := range from {
			clear(block[:])
			for k := range min(wordBits, p.W-j) {
				block[k] = p.Words[(j+k)*from+i]
			}
			Transpose64(&block)
			for k := range min(wordBits, p.N-wordBits*i) {
				z.Words[(wordBits*i+k)*to+j/wordBits] = block[k]
			}
		}
	}
	return z
}

// Shift returns planes of which bit i is bit i-d of p, d >= 0, and the first d bits
// are zero.
func (p Planes) Shift(d int) Planes {
	z := MakePlanes(p.N, p.W)
	words, bits := d/wordBits, d%wordBits
	for j := range p.W {
		from, to := p.Plane(j), z.Plane(j)
		for i := words; i < len(to); i++ {
			to[i] = from[i-words] << bits
			if bits > 0 && i > words {
				to[i] |= from[i-words-1] >> (wordBits - bits)
			}
		}
	}
	return z
}

// AddCrossRows adds, by XOR, to part of a row of a product of bit matrices what a
// party contributes: with the row (a, b) of k bits of one factor and components
// (c, d) of the other, of which both is c XOR d, the sum over i of
// a_i (c_i XOR d_i) XOR b_i c_i. c and both hold rows of stride words; the part is
// that of v's length from word lo on.
func (v Words) AddCrossRows(a, b Words, k int, both, c Words, lo, stride int) {
	for i := range k {
		ma := -(a[i/wordBits] >> (i % wordBits) & 1)
		mb := -(b[i/wordBits] >> (i % wordBits) & 1)
		at := i*stride + lo
		both, c := both[at:at+len(v)], c[at:at+len(v)]
		for j := range v {
			v[j] ^= ma&both[j] ^ mb&c[j]
		}
	}
}
