package ring_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc/ring"
)

func testInPlace[V ring.Vector[V]](t *testing.T, bits uint, enter func([]*big.Int) V, leave func(V) []*big.Int) {
	o := newOracle(bits)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 70).Draw(t, "n")
		draw := func(name string) ([]*big.Int, V) {
			x := rapid.SliceOfN(genElement(), n, n).Draw(t, name)
			return x, enter(x)
		}
		a, va := draw("a")
		b, vb := draw("b")
		sign, vt := draw("t")
		k := rapid.IntRange(0, int(bits)-1).Draw(t, "k")
		power := new(big.Int).Lsh(big.NewInt(1), uint(k))
		plane := ring.MakePlanes(n, 1)
		for i := range n {
			plane.SetBit(0, i, rapid.Bool().Draw(t, "bit"))
		}
		v := va.Make(n)

		v.Set(va)
		same(t, "Set", leave(v), leave(va))
		v.SetAdd(va, vb)
		same(t, "SetAdd", leave(v), o.each(a, b, (*big.Int).Add))
		v.SetSub(va, vb)
		same(t, "SetSub", leave(v), o.each(a, b, (*big.Int).Sub))
		v.Set(va)
		v.Shift(ring.U128{Lo: 1}.Shl(k))
		same(t, "Shift", leave(v), o.each(a, a, func(z, x, _ *big.Int) *big.Int { return z.Add(x, power) }))
		same(t, "Shl", leave(va.Shl(k)), o.each(a, a, func(z, x, _ *big.Int) *big.Int { return z.Lsh(x, uint(k)) }))
		v.SetSar(va, k)
		same(t, "SetSar", leave(v), o.each(a, a, func(z, x, _ *big.Int) *big.Int { return z.Rsh(o.signed(x), uint(k)) }))
		unsigned := func(z, x, _ *big.Int) *big.Int { return z.Rsh(z.Mod(x, o.modulus), uint(k)) }
		v.SetShr(va, k)
		same(t, "SetShr", leave(v), o.each(a, a, unsigned))
		v.SetPick(vt, va, vb)
		same(t, "SetPick", leave(v), pick(o, a, b, func(i int) bool { return o.signed(sign[i]).Sign() < 0 }))
		v.SetBits(plane.Words)
		same(t, "SetBits", leave(v), pick(o, constant(1, n), constant(0, n), func(i int) bool { return plane.Bit(0, i) }))
		for _, one := range []uint64{0, 1} {
			flipped := o.each(constant(int64(one), n), a, (*big.Int).Sub)
			v.SetFlip(va, plane.Words, one)
			same(t, "SetFlip", leave(v), pick(o, flipped, a, func(i int) bool { return plane.Bit(0, i) }))
		}
	})
}

// pick returns a where yes and b elsewhere.
func pick(o oracle, a, b []*big.Int, yes func(i int) bool) []*big.Int {
	out := make([]*big.Int, len(a))
	for i := range out {
		if out[i] = o.signed(b[i]); yes(i) {
			out[i] = o.signed(a[i])
		}
	}
	return out
}

func TestInPlace64(t *testing.T)  { testInPlace(t, 64, unsigned64, signed64) }
func TestInPlace128(t *testing.T) { testInPlace(t, 128, ring.FromBig, signed128) }

func TestShr(t *testing.T) {
	if got := (ring.Vec64{1 << 63, 7}).Shr(2); got[0] != 1<<61 || got[1] != 1 {
		t.Errorf("64 bits: %x", got)
	}
	if got := (ring.Vec128{{Lo: 4, Hi: 1 << 63}}).Shr(2); got[0] != (ring.U128{Lo: 1, Hi: 1 << 61}) {
		t.Errorf("128 bits: %x", got)
	}
}

func TestWrapsAndHalves(t *testing.T) {
	v := make(ring.Vec64, 3)
	v.SetWraps(ring.Vec64{1 << 63, 1<<64 - 1, 5}, ring.Vec64{1<<63 - 1, 1, 6})
	if v[0] != 0 || v[1] != 1<<64-1 || v[2] != 0 {
		t.Errorf("SetWraps: %x", v)
	}
	w := make(ring.Vec128, 1)
	w.SetHalves(ring.Vec64{3}, ring.Vec64{4})
	if w[0] != (ring.U128{Lo: 3, Hi: 4}) {
		t.Errorf("SetHalves: %x", w)
	}
}
