package ring_test

import (
	"bytes"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc/ring"
)

// oracle computes with big.Int modulo 2^bits what a ring vector must hold.
type oracle struct{ modulus *big.Int }

func newOracle(bits uint) oracle {
	return oracle{new(big.Int).Lsh(big.NewInt(1), bits)}
}

// signed reduces x to the ring's signed range.
func (o oracle) signed(x *big.Int) *big.Int {
	z := new(big.Int).Mod(x, o.modulus)
	if new(big.Int).Lsh(z, 1).Cmp(o.modulus) >= 0 {
		z.Sub(z, o.modulus)
	}
	return z
}

func (o oracle) each(x, y []*big.Int, f func(z, a, b *big.Int) *big.Int) []*big.Int {
	z := make([]*big.Int, len(x))
	for i := range x {
		z[i] = o.signed(f(new(big.Int), x[i], y[i]))
	}
	return z
}

func (o oracle) sum(x []*big.Int) []*big.Int {
	z := new(big.Int)
	for _, e := range x {
		z.Add(z, e)
	}
	return []*big.Int{o.signed(z)}
}

func constant(k int64, n int) []*big.Int {
	z := make([]*big.Int, n)
	for i := range z {
		z[i] = big.NewInt(k)
	}
	return z
}

func signed64(v ring.Vec64) []*big.Int {
	z := make([]*big.Int, len(v))
	for i, e := range v.Int64() {
		z[i] = big.NewInt(e)
	}
	return z
}

func unsigned64(x []*big.Int) ring.Vec64 {
	v := make(ring.Vec64, len(x))
	low := new(big.Int).SetUint64(math.MaxUint64)
	for i, e := range x {
		v[i] = new(big.Int).And(e, low).Uint64()
	}
	return v
}

func signed128(v ring.Vec128) []*big.Int { return v.Big() }

// edges are the values at which carries and signs go wrong.
func edges() []*big.Int {
	var out []*big.Int
	for _, shift := range []uint{0, 1, 31, 32, 62, 63, 64, 65, 126, 127} {
		for d := int64(-2); d <= 2; d++ {
			e := new(big.Int).Lsh(big.NewInt(1), shift)
			e.Add(e, big.NewInt(d))
			out = append(out, e, new(big.Int).Neg(e))
		}
	}
	return out
}

func genElement() *rapid.Generator[*big.Int] {
	return rapid.Custom(func(t *rapid.T) *big.Int {
		if all := edges(); rapid.Bool().Draw(t, "edge") {
			return rapid.SampledFrom(all).Draw(t, "value")
		}
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
		return new(big.Int).SetBytes(b)
	})
}

func same(t *rapid.T, what string, got, want []*big.Int) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func testVector[V ring.Vector[V]](t *testing.T, bits uint, enter func([]*big.Int) V, leave func(V) []*big.Int) {
	o := newOracle(bits)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 9).Draw(t, "n")
		draw := func(name string) ([]*big.Int, V) {
			x := rapid.SliceOfN(genElement(), n, n).Draw(t, name)
			return x, enter(x)
		}
		a, va := draw("a")
		b, vb := draw("b")
		c, vc := draw("c")
		d, vd := draw("d")
		k := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64})).Draw(t, "k")
		ks := constant(k, n)

		same(t, "enter", leave(va), o.each(a, a, func(z, x, _ *big.Int) *big.Int { return z.Set(x) }))
		same(t, "Add", leave(va.Add(vb)), o.each(a, b, (*big.Int).Add))
		same(t, "Sub", leave(va.Sub(vb)), o.each(a, b, (*big.Int).Sub))
		same(t, "Mul", leave(va.Mul(vb)), o.each(a, b, (*big.Int).Mul))
		same(t, "Neg", leave(va.Neg()), o.each(constant(0, n), a, (*big.Int).Sub))
		same(t, "Scale", leave(va.Scale(k)), o.each(a, ks, (*big.Int).Mul))
		same(t, "AddConst", leave(va.AddConst(k)), o.each(a, ks, (*big.Int).Add))
		same(t, "Sum", leave(va.Sum()), o.sum(a))
		same(t, "Dot", leave(va.Dot(vb)), o.sum(o.each(a, b, (*big.Int).Mul)))

		ac, ad, bc := o.each(a, c, (*big.Int).Mul), o.each(a, d, (*big.Int).Mul), o.each(b, c, (*big.Int).Mul)
		cross := o.each(o.each(ac, ad, (*big.Int).Add), bc, (*big.Int).Add)
		got := va.Make(n)
		got.SetCross(va, vb, vc, vd)
		same(t, "SetCross", leave(got), cross)
		one := va.Make(1)
		one.SetCrossDot(va, vb, vc, vd)
		same(t, "SetCrossDot", leave(one), o.sum(cross))

		bytesOfB := vb.Append(nil)
		got.SetBytes(va.Append(nil))
		same(t, "SetBytes", leave(got), leave(va))
		got.AddBytes(bytesOfB)
		same(t, "AddBytes", leave(got), leave(va.Add(vb)))
		got.SubBytes(bytesOfB)
		same(t, "SubBytes", leave(got), leave(va))

		same(t, "Join", leave(va.Join(vb, vc)), slices.Concat(leave(va), leave(vb), leave(vc)))
		lo := rapid.IntRange(0, n).Draw(t, "lo")
		hi := rapid.IntRange(lo, n).Draw(t, "hi")
		same(t, "Slice", leave(va.Slice(lo, hi)), leave(va)[lo:hi])
		same(t, "Make", leave(va.Make(n)), constant(0, n))
		same(t, "operands unchanged", leave(va), o.each(a, constant(0, n), (*big.Int).Add))
	})
}

func TestVec64(t *testing.T)  { testVector(t, 64, unsigned64, signed64) }
func TestVec128(t *testing.T) { testVector(t, 128, ring.FromBig, signed128) }

func TestInt64RoundTrip(t *testing.T) {
	x := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}
	if got := ring.FromInt64(x).Int64(); !slices.Equal(got, x) {
		t.Errorf("got %v, want %v", got, x)
	}
}

// The layout on the wire is part of the protocol: little-endian, low half first.
func TestWireLayout(t *testing.T) {
	got := ring.Vec64{0x0807060504030201, 0x10}.Append([]byte{0xff})
	want := []byte{0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0, 0, 0, 0, 0, 0, 0}
	if !bytes.Equal(got, want) {
		t.Errorf("Vec64: got %x, want %x", got, want)
	}
	got = ring.FromBig([]*big.Int{big.NewInt(-2)}).Append(nil)
	want = append([]byte{0xfe}, bytes.Repeat([]byte{0xff}, 15)...)
	if !bytes.Equal(got, want) {
		t.Errorf("Vec128: got %x, want %x", got, want)
	}
}

func TestDecodeRefusesPartElements(t *testing.T) {
	for name, decode := range map[string]func(){
		"Vec64":  func() { ring.Vec64{}.Decode(make([]byte, 9)) },
		"Vec128": func() { ring.Vec128{}.Decode(make([]byte, 24)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			decode()
		})
	}
}

func TestShortOperandPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ring.Vec64{1, 2}.Add(ring.Vec64{1}.Slice(0, 1))
}

func fuzzRoundTrip[V ring.Vector[V]](f *testing.F, size int) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x80}, 3*size))
	f.Add(bytes.Repeat([]byte{0xff}, 2*size+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b)/size*size]
		var kind V
		v := kind.Decode(b)
		if v.Len() != len(b)/size || v.Size() != len(b) {
			t.Fatalf("%d bytes gave %d elements of %d bytes", len(b), v.Len(), v.Size())
		}
		if got := v.Append(nil); !bytes.Equal(got, b) {
			t.Fatalf("got %x, want %x", got, b)
		}
	})
}

func FuzzVec64RoundTrip(f *testing.F)  { fuzzRoundTrip[ring.Vec64](f, ring.Size64) }
func FuzzVec128RoundTrip(f *testing.F) { fuzzRoundTrip[ring.Vec128](f, ring.Size128) }

// benchLen is one frame of a protocol.
const benchLen = 64 << 10

func benchVector[V ring.Vector[V]](b *testing.B) {
	var kind V
	x, y, frame := kind.Make(benchLen).AddConst(-3), kind.Make(benchLen).AddConst(5), []byte(nil)
	one := kind.Make(1)
	for _, bench := range []struct {
		name string
		run  func()
	}{
		{"Add", func() { x.Add(y) }},
		{"Mul", func() { x.Mul(y) }},
		{"Dot", func() { x.Dot(y) }},
		{"SetCross", func() { x.SetCross(x, y, y, x) }},
		{"SetCrossDot", func() { one.SetCrossDot(x, y, y, x) }},
		{"Append", func() { frame = x.Append(frame[:0]) }},
		{"AddBytes", func() { x.AddBytes(frame) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			frame = x.Append(frame[:0])
			b.SetBytes(int64(x.Size()))
			for b.Loop() {
				bench.run()
			}
		})
	}
}

func BenchmarkVec64(b *testing.B)  { benchVector[ring.Vec64](b) }
func BenchmarkVec128(b *testing.B) { benchVector[ring.Vec128](b) }
