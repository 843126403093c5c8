package rss_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// pairs returns x and y whose differences are those of inRange(k), with y at the
// edges of the ring and at random places in it.
func pairs[V ring.Vector[V]](rng *rand.Rand, kd kind[V], n int, k uint) (x, y []*big.Int) {
	base := inRange(rng, 0, kd.bits)
	for i, d := range inRange(rng, n, k) {
		z := new(big.Int).Set(base[rng.IntN(len(base))])
		if i%3 == 0 {
			z.SetUint64(rng.Uint64())
		}
		y = append(y, z)
		x = append(x, new(big.Int).Add(z, d))
	}
	return x, y
}

func testCompare[V ring.Vector[V]](t *testing.T, kd kind[V], widths []int) {
	rng := rand.New(rand.NewPCG(1, uint64(kd.bits)))
	for _, k := range widths {
		t.Run(name(k), func(t *testing.T) {
			x, y := pairs(rng, kd, soak(400), uint(k))
			low := new(big.Int).Lsh(big.NewInt(1), uint(k))
			var small []*big.Int
			for i := range x {
				small = append(small, new(big.Int).Sub(x[i], y[i]))
			}
			got := circuit(t, kd, func(s *mpc.Session, x ...rss.Share[V]) ring.Planes {
				all := []rss.Bits{
					rss.Less(s.Step("a"), x[0], x[1], k),
					rss.Equal(s.Step("b"), x[0], x[1], k),
					rss.LessPublic(s.Step("c"), x[2], 0, k),
					rss.EqualPublic(s.Step("d"), x[2], -1, k),
					rss.Msb(s.Step("e"), x[2]),
				}
				return rss.OpenBits(s.Step("out"), rss.ConcatPlanes(all...))
			}, x, y, small)
			for i, d := range small {
				zero := new(big.Int).Mod(d, low).Sign() == 0
				minusOne := new(big.Int).Mod(new(big.Int).Add(d, big.NewInt(1)), low).Sign() == 0
				for j, want := range []bool{d.Sign() < 0, zero, d.Sign() < 0, minusOne, d.Sign() < 0} {
					if got.Bit(j, i) != want {
						t.Fatalf("operation %d on %v and %v with %d bits: %v", j, x[i], y[i], k, !want)
					}
				}
			}
		})
	}
}

func TestCompare64(t *testing.T) {
	testCompare(t, kind64, []int{1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 62, 63, 64})
}
func TestCompare128(t *testing.T) { testCompare(t, kind128, []int{1, 33, 64, 65, 127, 128}) }

// Equal values of k bits are found although what lies above these bits differs.
func TestEqualLooksAtLowBits(t *testing.T) {
	x := []*big.Int{big.NewInt(5), big.NewInt(5 + 1<<16), big.NewInt(6), big.NewInt(-3)}
	y := []*big.Int{big.NewInt(5 + 1<<40), big.NewInt(5), big.NewInt(5), big.NewInt(65533)}
	got := circuit(t, kind64, func(s *mpc.Session, x ...rss.Vec) ring.Planes {
		return rss.OpenBits(s.Step("out"), rss.Equal(s.Step("eq"), x[0], x[1], 16))
	}, x, y)
	for i, want := range []bool{true, true, false, true} {
		if got.Bit(0, i) != want {
			t.Errorf("%v = %v in 16 bits: %v", x[i], y[i], !want)
		}
	}
}

func TestComparePublic(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for _, c := range []int64{0, 1, -1, 1 << 20, -1 << 20, 1<<62 - 1, -1 << 62} {
		x := inRange(rng, 100, 63)
		got := circuit(t, kind64, func(s *mpc.Session, x ...rss.Vec) ring.Planes {
			return rss.OpenBits(s.Step("out"), rss.ConcatPlanes(rss.LessPublic(s.Step("lt"), x[0], c, 64), rss.EqualPublic(s.Step("eq"), x[0], c, 64)))
		}, x)
		for i, v := range x {
			if order := v.Cmp(big.NewInt(c)); got.Bit(0, i) != (order < 0) || got.Bit(1, i) != (order == 0) {
				t.Errorf("%v and %d: less %v, equal %v", v, c, got.Bit(0, i), got.Bit(1, i))
			}
		}
	}
}

func testDecompose[V ring.Vector[V]](t *testing.T, kd kind[V], widths []int) {
	rng := rand.New(rand.NewPCG(2, uint64(kd.bits)))
	for _, k := range widths {
		x := inRange(rng, soak(300), kd.bits)
		got := circuit(t, kd, func(s *mpc.Session, x ...rss.Share[V]) ring.Planes {
			return rss.OpenBits(s.Step("out"), rss.Decompose(s.Step("bits"), x[0], k))
		}, x)
		for i, v := range x {
			for j := range k {
				if got.Bit(j, i) != (new(big.Int).Rsh(v, uint(j)).Bit(0) == 1) {
					t.Fatalf("%d bits: bit %d of %v is wrong", k, j, v)
				}
			}
		}
	}
}

func TestDecompose64(t *testing.T) {
	testDecompose(t, kind64, []int{1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 61, 63, 64})
}
func TestDecompose128(t *testing.T) { testDecompose(t, kind128, []int{1, 65, 127, 128}) }

// Long vectors go in strands and chunks: every element comes out at its place.
func TestLongCircuits(t *testing.T) {
	for _, n := range append([]int{260_001}, lengths...) {
		x := make([]*big.Int, n)
		for i := range x {
			x[i] = big.NewInt(int64(i)*0x9e3779b1 - int64(n)<<30)
		}
		got := circuit(t, kind64, func(s *mpc.Session, x ...rss.Vec) ring.Planes {
			bits := rss.Decompose(s.Step("bits"), x[0], 40)
			return rss.OpenBits(s.Step("out"), rss.ConcatPlanes(
				rss.Msb(s.Step("sign"), x[0]), rss.EqualPublic(s.Step("eq"), x[0], -int64(n)<<30, 64), bits.Plane(33), rss.AndAll(s.Step("all"), bits.Planes(2, 5))))
		}, x)
		for i, v := range x {
			e := v.Int64()
			for j, want := range []bool{e < 0, i == 0, e>>33&1 == 1, e>>2&7 == 7} {
				if got.Bit(j, i) != want {
					t.Fatalf("%d elements: plane %d is wrong at %d", n, j, i)
				}
			}
		}
	}
}
