package rss_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// openedBits runs op at three parties and returns what it opens.
func openedBits(t *testing.T, w *memnet.World, op func(s *mpc.Session) rss.Bits) ring.Planes {
	t.Helper()
	out, err := memnet.Collect(w, func(s *mpc.Session) (ring.Planes, error) {
		return rss.OpenBits(s.Step("out"), op(s)), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func TestMatMulBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ batch, r, k, c int }{
		{1, 1, 1, 1},
		{1, 3, 64, 65},
		{1, 70, 130, 5},
		{4, 2, 63, 70},
		{20, 1, 20, 46},
		{1, 90, 70, 8192}, // several strands
	} {
		// Complements have ones beyond the ends of planes, where nothing may count.
		x, y := drawPlanes(rng, c.k, c.batch*c.r), drawPlanes(rng, c.c, c.batch*c.k)
		w := memnet.New(memnet.Config{Seed: 2, Window: 2})
		got := openedBits(t, w, func(s *mpc.Session) rss.Bits {
			masked := func(step string, p ring.Planes) rss.Bits {
				mask := rss.RandomBits(s.Step(step), p.N, p.W)
				return rss.Xor(s, rss.Not(s, rss.Xor(s, rss.PublicBits(s, p), mask)), mask)
			}
			return rss.MatMulBits(s.Step("product"), masked("x", x), masked("y", y), c.batch)
		})
		if got.N != c.c || got.W != c.batch*c.r {
			t.Fatalf("%v: %d planes of %d", c, got.W, got.N)
		}
		for i := range got.W {
			for j := range got.N {
				want := false
				for k := range c.k {
					want = want != (!x.Bit(i, k) && !y.Bit(i/c.r*c.k+k, j))
				}
				if got.Bit(i, j) != want {
					t.Fatalf("%v: bit %d of plane %d is %v", c, j, i, got.Bit(i, j))
				}
			}
		}
		if sent, want := w.Transcript().At("product").Bytes(1), 8*c.batch*c.r*ring.Stride(c.c); sent != want {
			t.Errorf("%v: %d bytes, want %d", c, sent, want)
		}
	}
}

// TestRandomBits: bits are fair, differ by step, and no two parties' components alone
// tell them. Nothing is sent.
func TestRandomBits(t *testing.T) {
	const n = 1 << 14
	w := memnet.New(memnet.Config{Seed: 1})
	components, err := memnet.Collect(w, func(s *mpc.Session) ([]ring.Planes, error) {
		one, other := rss.RandomBits(s.Step("one"), n, 1), rss.RandomBits(s.Step("other"), n, 1)
		return []ring.Planes{one.A, other.A, one.B}, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Transcript()) > 0 {
		t.Error("something was sent")
	}
	vectors := map[string]func(i int) bool{}
	for role := range 3 {
		a, b := components[role], components[(role+1)%3]
		vectors[name("component ", role)] = func(i int) bool { return a[0].Bit(0, i) }
		vectors[name("component ", role, " of two steps")] = func(i int) bool { return a[0].Bit(0, i) != a[1].Bit(0, i) }
		vectors[name("components but ", (role+2)%3)] = func(i int) bool { return a[0].Bit(0, i) != b[0].Bit(0, i) }
		for i := range n {
			if a[2].Bit(0, i) != b[0].Bit(0, i) {
				t.Fatalf("two parties differ about component %d", (role+1)%3)
			}
		}
	}
	vectors["bits"] = func(i int) bool {
		return components[0][0].Bit(0, i) != components[1][0].Bit(0, i) != components[2][0].Bit(0, i)
	}
	for what, bit := range vectors {
		ones := 0
		for i := range n {
			if bit(i) {
				ones++
			}
		}
		if ones < n/2-6*64 || ones > n/2+6*64 { // six standard deviations
			t.Errorf("%s: %d of %d are one", what, ones, n)
		}
	}
}

func TestBitMatrixMisuse(t *testing.T) {
	p, q := rss.ZeroBits(3, 2), rss.ZeroBits(4, 2)
	for what, c := range map[string]struct {
		op          func(s *mpc.Session) rss.Bits
		shape, want string
	}{
		"other shapes":  {func(s *mpc.Session) rss.Bits { return rss.MatMulBits(s, p, q, 1) }, "2x4", "2 planes of 3 bits meet 2 planes of 4 in a batch of 1"},
		"part batches":  {func(s *mpc.Session) rss.Bits { return rss.MatMulBits(s, p, rss.ZeroBits(4, 9), 3) }, "2x4", "in a batch of 3"},
		"no batch":      {func(s *mpc.Session) rss.Bits { return rss.MatMulBits(s, p, q, 0) }, "2x4", "in a batch of 0"},
		"a torn share":  {func(s *mpc.Session) rss.Bits { return rss.MatMulBits(s, p, rss.Bits{A: rss.ZeroBits(4, 3).A}, 1) }, "2x4", "planes of 4 bits meet 0 planes"},
		"random of 0":   {func(s *mpc.Session) rss.Bits { return rss.RandomBits(s, 0, 2) }, "2x0", "vector of 0 elements"},
		"random of -1":  {func(s *mpc.Session) rss.Bits { return rss.RandomBits(s, 3, -1) }, "0x3", "vector of -1 elements"},
		"random, again": {func(s *mpc.Session) rss.Bits { rss.RandomBits(s, 3, 1); return rss.RandomBits(s, 3, 1) }, "", "used twice"},
	} {
		t.Run(what, func(t *testing.T) {
			w := memnet.New(memnet.Config{})
			defer func() {
				if r := recover(); (r != nil) != (c.shape == "") {
					t.Errorf("panic: %v", r)
				}
			}()
			err := w.Run(func(s *mpc.Session) error {
				if got := shapeOf(c.op(s.Step("cells"))); c.shape != "" && got != c.shape {
					t.Errorf("%s came back, want %s", got, c.shape)
				}
				return s.Err()
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if len(w.Transcript().At("cells")) > 0 {
				t.Error("something was sent")
			}
		})
	}
}
