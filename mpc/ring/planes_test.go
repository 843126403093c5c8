package ring_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"consilium/mpc/ring"
)

// words reads b as 64-bit words, the last one padded with zeros.
func words(b []byte) ring.Vec64 {
	b = append(slices.Clone(b), make([]byte, 7)...)
	return ring.Vec64{}.Decode(b[:len(b)/8*8])
}

// checkPlanes compares planes with bits lo, lo+1, … of each element, one by one.
func checkPlanes(t *testing.T, p ring.Planes, lo int, bit func(i, j int) bool) {
	t.Helper()
	for j := range p.W {
		for i := range p.N {
			if p.Bit(j, i) != bit(i, lo+j) {
				t.Fatalf("%d planes of %d from bit %d: bit %d of plane %d is wrong", p.W, p.N, lo, i, j)
			}
		}
	}
}

func checkTranspose(t *testing.T, v ring.Vec64, lo, w int) {
	t.Helper()
	p := ring.MakePlanes(len(v), w)
	for i := range p.Words {
		p.Words[i] = 0xdead << (i % 48) // what was there must not matter
	}
	v.SetPlanes(p, lo)
	checkPlanes(t, p, lo, func(i, j int) bool { return j < 64 && v[i]>>j&1 == 1 })
	back := p.Vec64()
	for i, e := range v {
		if want := e >> lo & (1<<w - 1); back[i] != want {
			t.Fatalf("%d planes of %d from bit %d: element %d comes back as %x, want %x", w, len(v), lo, i, back[i], want)
		}
	}
}

func TestTransposeAllWidths(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 63, 64, 65, 200} {
		v := make(ring.Vec64, n)
		for i := range v {
			v[i] = rng.Uint64()
		}
		for w := 1; w <= 64; w++ {
			checkTranspose(t, v, 0, w)
			checkTranspose(t, v, 64-w, w)
			if got := ring.Transpose(v, w); !got.Whole() || got.N != n || got.W != w {
				t.Fatalf("Transpose of %d elements to %d planes is %d x %d", n, w, got.N, got.W)
			}
		}
	}
}

func FuzzTranspose(f *testing.F) {
	f.Add([]byte{1, 2, 3}, byte(0), byte(64))
	f.Add(make([]byte, 64*8+1), byte(3), byte(8))
	f.Add(slices.Repeat([]byte{0x80, 0xff}, 300), byte(31), byte(33))
	f.Fuzz(func(t *testing.T, b []byte, lo, w byte) {
		if len(b) > 1<<14 {
			b = b[:1<<14]
		}
		checkTranspose(t, words(b), int(lo%64), 1+int(w)%64)
	})
}

func TestPlanesOf128(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	v := make(ring.Vec128, 70)
	for i := range v {
		v[i] = ring.U128{Lo: rng.Uint64(), Hi: rng.Uint64()}
	}
	for _, c := range [][2]int{{0, 1}, {0, 64}, {0, 65}, {0, 128}, {1, 127}, {60, 10}, {64, 64}, {100, 28}, {127, 1}} {
		p := ring.MakePlanes(len(v), c[1])
		v.SetPlanes(p, c[0])
		checkPlanes(t, p, c[0], func(i, j int) bool { return v[i].Shr(j).Lo&1 == 1 })
	}
}

func TestFlat(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range [][2]int{{1, 1}, {1, 200}, {63, 5}, {64, 3}, {65, 1}, {65, 7}, {130, 33}} {
		p := ring.MakePlanes(c[0], c[1])
		for i := range p.Words {
			p.Words[i] = rng.Uint64() // also past the ends
		}
		flat := p.Flat()
		if !flat.Whole() || flat.N != p.N*p.W || flat.W != 1 {
			t.Fatalf("%d planes of %d are flat as %d x %d", p.W, p.N, flat.W, flat.N)
		}
		checkPlanes(t, p, 0, func(i, j int) bool { return flat.Bit(0, j*p.N+i) })
	}
}

func TestPlaneViews(t *testing.T) {
	p := ring.MakePlanes(70, 3)
	p.SetBit(1, 69, true)
	p.SetBit(2, 0, true)
	p.SetBit(2, 0, false)
	if got := p.Planes(1, 3); got.W != 2 || !got.Bit(0, 69) || got.Bit(1, 0) || !got.Whole() {
		t.Error("Planes or SetBit is wrong")
	}
	p.Words.Not()
	p.Mask()
	if got := p.Plane(1); !slices.Equal(got, ring.Words{^uint64(0), 1<<5 - 1}) {
		t.Errorf("after Not and Mask plane 1 is %x", got)
	}
	if whole := (ring.Planes{N: 65, W: 1, Words: make(ring.Words, 1)}).Whole(); whole {
		t.Error("a plane that lacks a word is whole")
	}
}

func TestWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	draw := func() ring.Words {
		v := make(ring.Words, 5)
		for i := range v {
			v[i] = rng.Uint64()
		}
		return v
	}
	a, b, c, d, e, v := draw(), draw(), draw(), draw(), draw(), make(ring.Words, 5)
	check := func(what string, want func(i int) uint64) {
		t.Helper()
		for i := range v {
			if v[i] != want(i) {
				t.Errorf("%s: word %d is %x, want %x", what, i, v[i], want(i))
			}
		}
	}
	v.Xor(a, b)
	check("Xor", func(i int) uint64 { return a[i] ^ b[i] })
	v.And(a, b)
	check("And", func(i int) uint64 { return a[i] & b[i] })
	v.SetCross(a, b, c, d)
	check("SetCross", func(i int) uint64 { return a[i]&c[i] ^ a[i]&d[i] ^ b[i]&c[i] })
	v.SetCrossXor(a, b, c, d, e)
	check("SetCrossXor", func(i int) uint64 { return a[i]&c[i] ^ a[i]&d[i] ^ b[i]&c[i] ^ e[i] })
	v.SetBytes(a.Append(nil))
	check("SetBytes", func(i int) uint64 { return a[i] })
	v.AddBytes(b.Append(nil))
	check("AddBytes", func(i int) uint64 { return a[i] ^ b[i] })
	v.SubBytes(b.Append(nil))
	check("SubBytes", func(i int) uint64 { return a[i] })
	if got := a.Append(nil); binary.LittleEndian.Uint64(got[8:]) != a[1] || len(got) != a.Size() || a.Len() != 5 {
		t.Error("the wire layout is wrong")
	}
	if got := a.Slice(1, 3); !slices.Equal(got, a[1:3]) || a.Make(2).Len() != 2 {
		t.Error("Slice or Make is wrong")
	}
}
