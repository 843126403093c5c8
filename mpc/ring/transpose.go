package ring

// Transpose returns the low w bits of the elements, 0 <= w <= 64, as planes.
func Transpose(v Vec64, w int) Planes {
	p := MakePlanes(len(v), w)
	v.SetPlanes(p, 0)
	return p
}

// Vec64 returns the numbers that the planes, at most 64, hold.
func (p Planes) Vec64() Vec64 {
	v := make(Vec64, p.N)
	n := p.Stride()
	var block [wordBits]uint64
	for i := range n {
		clear(block[p.W:])
		for j := range p.W {
			block[j] = p.Words[j*n+i]
		}
		transpose(&block, wordBits)
		copy(v[i*wordBits:], block[:])
	}
	return v
}

// blockSize returns the power of two from 8 to 64 that holds w planes.
func blockSize(w int) int {
	size := 8
	for size < w {
		size *= 2
	}
	return size
}

// pack puts size bits from bit lo on of 64 elements into size words: word i
// holds those of elements i, i + size, i + 2 size, …, lowest first.
func pack(block *[wordBits]uint64, v []uint64, lo, size int) {
	if len(v) < wordBits {
		var padded [wordBits]uint64
		copy(padded[:], v)
		v = padded[:]
	}
	v = v[:wordBits]
	switch size {
	case 64:
		for i := range 64 {
			block[i] = v[i] >> lo
		}
	case 32:
		for i := range 32 {
			block[i] = v[i]>>lo&(1<<32-1) | v[i+32]>>lo<<32
		}
	case 16:
		for i := range 16 {
			block[i] = v[i]>>lo&(1<<16-1) | v[i+16]>>lo&(1<<16-1)<<16 |
				v[i+32]>>lo&(1<<16-1)<<32 | v[i+48]>>lo<<48
		}
	default:
		for i := range 8 {
			var e uint64
			for k := 56; k >= 0; k -= 8 {
				e = e<<8 | v[i+k]>>lo&(1<<8-1)
			}
			block[i] = e
		}
	}
}

// transpose turns size packed words into size planes: for size 64 bit j of word i
// changes places with bit i of word j. Each step swaps ever smaller quadrants;
// three steps at a time work on eight words in registers.
func transpose(b *[wordBits]uint64, size int) {
	switch size {
	case 64:
		for i := range 8 {
			swap8(b, i, 8, 32, 0x00000000ffffffff, 0x0000ffff0000ffff, 0x00ff00ff00ff00ff)
		}
	case 32:
		for i := range 8 {
			swap4(b, i)
		}
	case 16:
		for i := range 8 {
			b[i], b[i+8] = swap(b[i], b[i+8], 8, 0x00ff00ff00ff00ff)
		}
	}
	for i := 0; i < size; i += 8 {
		swap8(b, i, 1, 4, 0x0f0f0f0f0f0f0f0f, 0x3333333333333333, 0x5555555555555555)
	}
}

// swap exchanges the bits of x at the mask shifted left with those of y at the
// mask.
func swap(x, y uint64, shift uint, mask uint64) (uint64, uint64) {
	t := (x>>(shift&63) ^ y) & mask
	return x ^ t<<(shift&63), y ^ t
}

// swap8 does the steps of shift, shift/2 and shift/4 on the words i, i + step, …
// i + 7 step.
func swap8(b *[wordBits]uint64, i, step int, shift uint, m0, m1, m2 uint64) {
	a0, a1, a2, a3 := b[i&63], b[(i+step)&63], b[(i+2*step)&63], b[(i+3*step)&63]
	a4, a5, a6, a7 := b[(i+4*step)&63], b[(i+5*step)&63], b[(i+6*step)&63], b[(i+7*step)&63]

	a0, a4 = swap(a0, a4, shift, m0)
	a1, a5 = swap(a1, a5, shift, m0)
	a2, a6 = swap(a2, a6, shift, m0)
	a3, a7 = swap(a3, a7, shift, m0)

	a0, a2 = swap(a0, a2, shift/2, m1)
	a1, a3 = swap(a1, a3, shift/2, m1)
	a4, a6 = swap(a4, a6, shift/2, m1)
	a5, a7 = swap(a5, a7, shift/2, m1)

	b[i&63], b[(i+step)&63] = swap(a0, a1, shift/4, m2)
	b[(i+2*step)&63], b[(i+3*step)&63] = swap(a2, a3, shift/4, m2)
	b[(i+4*step)&63], b[(i+5*step)&63] = swap(a4, a5, shift/4, m2)
	b[(i+6*step)&63], b[(i+7*step)&63] = swap(a6, a7, shift/4, m2)
}

// swap4 does the steps of 16 and 8 on the words i, i + 8, i + 16, i + 24.
func swap4(b *[wordBits]uint64, i int) {
	const m0, m1 = 0x0000ffff0000ffff, 0x00ff00ff00ff00ff
	a0, a1, a2, a3 := b[i], b[i+8], b[i+16], b[i+24]
	a0, a2 = swap(a0, a2, 16, m0)
	a1, a3 = swap(a1, a3, 16, m0)
	a0, a1 = swap(a0, a1, 8, m1)
	a2, a3 = swap(a2, a3, 8, m1)
	b[i], b[i+8], b[i+16], b[i+24] = a0, a1, a2, a3
}
