package rss_test

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// genValues draws vectors with many values at which a ring wraps.
func genValues(n int) *rapid.Generator[[]*big.Int] {
	value := rapid.Custom(func(t *rapid.T) *big.Int {
		shift := rapid.SampledFrom([]uint{0, 31, 32, 62, 63, 64, 126, 127}).Draw(t, "shift")
		z := new(big.Int).Lsh(big.NewInt(1), shift)
		z.Add(z, big.NewInt(rapid.Int64Range(-2, 2).Draw(t, "offset")))
		if rapid.Bool().Draw(t, "random") {
			z.SetBytes(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		}
		if rapid.Bool().Draw(t, "negative") {
			z.Neg(z)
		}
		return z
	})
	return rapid.SliceOfN(value, n, n)
}

func testOperations[V ring.Vector[V]](t *testing.T, k kind[V]) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		x, y := genValues(n).Draw(t, "x"), genValues(n).Draw(t, "y")
		c := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64})).Draw(t, "c")
		lo := rapid.IntRange(0, n-1).Draw(t, "lo")
		hi := rapid.IntRange(lo+1, n).Draw(t, "hi")
		owner := mpc.PartyID(rapid.IntRange(0, 3).Draw(t, "owner"))
		cfg := four(rapid.Uint64().Draw(t, "seed"))
		cfg.Window = rapid.SampledFrom([]int{0, 2}).Draw(t, "window") // 2 is what mpc.Transport promises

		want := map[string][]*big.Int{
			"input":  k.wrap(x...),
			"public": k.wrap(y...),
			"zero":   repeat(0, n),
			"add":    k.zip(x, y, (*big.Int).Add),
			"sub":    k.zip(x, y, (*big.Int).Sub),
			"neg":    k.zip(repeat(0, n), x, (*big.Int).Sub),
			"scale":  k.zip(x, repeat(c, n), (*big.Int).Mul),
			"const":  k.zip(x, repeat(c, n), (*big.Int).Add),
			"sum":    k.sum(x),
			"concat": k.wrap(append(append([]*big.Int{}, x...), y...)...),
			"slice":  k.wrap(x[lo:hi]...),
			"mul":    k.zip(x, y, (*big.Int).Mul),
			"dot":    k.sum(k.zip(x, y, (*big.Int).Mul)),
		}
		outputs, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) (map[string]V, error) {
			a := rss.Input(s.Step("x"), owner, n, only(s, owner, k.enter(x)))
			b := rss.Input(s.Step("y"), site, n, only(s, site, k.enter(y)))
			if s.Role() < 0 {
				if a.Len() != 0 || b.Len() != 0 {
					return nil, fmt.Errorf("a site got shares")
				}
				return nil, nil
			}
			shares := map[string]rss.Share[V]{
				"input":  a,
				"public": rss.Public(s, k.enter(y)),
				"zero":   rss.Zero[V](n),
				"add":    rss.Add(s, a, b),
				"sub":    rss.Sub(s, a, b),
				"neg":    rss.Neg(s, a),
				"scale":  rss.Scale(s, a, c),
				"const":  rss.AddConst(s, a, c),
				"sum":    rss.Sum(s, a),
				"concat": rss.Concat(s, a, b),
				"slice":  rss.Slice(s, a, lo, hi),
				"mul":    rss.Mul(s.Step("mul"), a, b),
				"dot":    rss.Dot(s.Step("dot"), a, b),
			}
			opened := make(map[string]V)
			for _, name := range slices.Sorted(maps.Keys(shares)) {
				opened[name] = rss.Open(s.Step("out").Step(name), shares[name])
			}
			return opened, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for p, opened := range outputs[:3] {
			for name, w := range want {
				if got := k.leave(opened[name]); !equal(got, w) {
					t.Fatalf("%s at party %d: got %v, want %v", name, p, got, w)
				}
			}
		}
	})
}

func TestOperations64(t *testing.T)  { testOperations(t, kind64) }
func TestOperations128(t *testing.T) { testOperations(t, kind128) }
