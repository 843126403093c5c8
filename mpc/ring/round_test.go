package ring_test

import (
	"bytes"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc/ring"
)

// divide does in one place what a dealer and a pair do: it splits x at a, and the
// dealer's signs at mask.
func divide[V ring.Vector[V], W ring.Vector[W]](r ring.Rounding, a, b V, out W, shared, mask ring.Vec64) W {
	n := a.Len()
	t, wraps, z, second := out.Make(n), make(ring.Vec64, n), out.Make(n), make(ring.Vec64, n)
	ring.SetLone(r, t, wraps, a)
	first := wraps.Sub(shared)
	rest := out.Make(n)
	ring.SetPair(r, z, wraps, b, first, mask)
	ring.SetPair(r, rest, second, b, shared, mask)
	ring.AddWraps(r, z, wraps)
	ring.AddWraps(r, z, second)
	ring.AddWraps(r, z, mask)
	ring.AddWraps(r, z, mask)
	return z.Add(t)
}

func testRounding[V ring.Vector[V], W ring.Vector[W]](t *testing.T, in, out uint, enter func([]*big.Int) V, leave func(W) []*big.Int) {
	most := new(big.Int).Lsh(big.NewInt(1), in-3)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		f := rapid.IntRange(1, min(int(in)-3, int(in)-int(out)+64)).Draw(t, "f")
		x := rapid.SliceOfN(genElement(), n, n).Draw(t, "x")
		for i, e := range x { // within bounds, on both sides
			x[i] = new(big.Int).Rem(e, new(big.Int).Add(most, big.NewInt(1)))
		}
		a := enter(rapid.SliceOfN(genElement(), n, n).Draw(t, "a"))
		words := rapid.SliceOfN(rapid.Uint64(), n, n)
		r := ring.NewRounding(int(in), int(out), f)
		var kind W
		got := leave(divide(r, a, enter(x).Sub(a), kind, words.Draw(t, "shared"), words.Draw(t, "mask")))
		o := newOracle(out)
		for i, e := range x {
			floor := new(big.Int).Rsh(e, uint(f))
			exact := new(big.Int).Lsh(floor, uint(f)).Cmp(e) == 0
			up := new(big.Int).Add(floor, big.NewInt(1))
			if got[i].Cmp(o.signed(floor)) != 0 && (exact || got[i].Cmp(o.signed(up)) != 0) {
				t.Fatalf("%v / 2^%d = %v", e, f, got[i])
			}
		}
	})
}

func TestRounding64(t *testing.T)     { testRounding(t, 64, 64, unsigned64, signed64) }
func TestRounding128(t *testing.T)    { testRounding(t, 128, 128, ring.FromBig, signed128) }
func TestRoundingNarrow(t *testing.T) { testRounding(t, 128, 64, ring.FromBig, signed64) }

func FuzzWraps(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(bytes.Repeat([]byte{0xff}, 16), true)
	f.Add(bytes.Repeat([]byte{0x80}, 20), false)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		r := ring.NewRounding(64, 64, 16)
		if wide {
			r = ring.NewRounding(64, 64, 33)
		}
		b = b[:len(b)/r.Wrap*r.Wrap]
		wraps := make(ring.Vec64, len(b)/r.Wrap)
		r.SetWraps(wraps, b)
		if got := r.AppendWraps(nil, wraps); !bytes.Equal(got, b) {
			t.Fatalf("got %x, want %x", got, b)
		}
	})
}
