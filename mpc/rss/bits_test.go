package rss_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

func TestBitOperations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths {
		w := 1 + n%5
		x, y := drawPlanes(rng, n, w), drawPlanes(rng, n, w)
		all := func(i int, found bool) bool {
			for j := range w {
				if x.Bit(j, i) == found {
					return found
				}
			}
			return !found
		}
		for what, c := range map[string]struct {
			w    int
			op   func(s *mpc.Session, x, y rss.Bits) rss.Bits
			want func(i, j int) bool
		}{
			"Xor":          {w, rss.Xor, func(i, j int) bool { return x.Bit(j, i) != y.Bit(j, i) }},
			"And":          {w, rss.And, func(i, j int) bool { return x.Bit(j, i) && y.Bit(j, i) }},
			"Or":           {w, rss.Or, func(i, j int) bool { return x.Bit(j, i) || y.Bit(j, i) }},
			"Not":          {w, func(s *mpc.Session, x, _ rss.Bits) rss.Bits { return rss.Not(s, x) }, func(i, j int) bool { return !x.Bit(j, i) }},
			"PublicBits":   {w, func(s *mpc.Session, _, _ rss.Bits) rss.Bits { return rss.PublicBits(s, x) }, func(i, j int) bool { return x.Bit(j, i) }},
			"AndAll":       {1, func(s *mpc.Session, x, _ rss.Bits) rss.Bits { return rss.AndAll(s, x) }, func(i, _ int) bool { return all(i, false) }},
			"OrAll":        {1, func(s *mpc.Session, x, _ rss.Bits) rss.Bits { return rss.OrAll(s, x) }, func(i, _ int) bool { return all(i, true) }},
			"ConcatPlanes": {2 * w, func(_ *mpc.Session, x, y rss.Bits) rss.Bits { return rss.ConcatPlanes(x, y) }, func(i, j int) bool { return j < w && x.Bit(j%w, i) || j >= w && y.Bit(j%w, i) }},
			"Plane":        {1, func(_ *mpc.Session, x, _ rss.Bits) rss.Bits { return x.Plane(w - 1) }, func(i, _ int) bool { return x.Bit(w-1, i) }},
		} {
			t.Run(name(what, n), func(t *testing.T) { bitwise(t, x, y, c.w, c.op, c.want) })
		}
	}
}

// TestParity: bits to numbers and back, and the lowest bit of any number.
func TestParity(t *testing.T) {
	v := ramp(200, 1)
	got := openedBits(t, memnet.New(memnet.Config{Seed: 1}), func(s *mpc.Session) rss.Bits {
		b := rss.Parity(s, rss.Public(s, v))
		return rss.ConcatPlanes(b, rss.Parity(s, rss.ToArith(s.Step("back"), b)))
	})
	for i, x := range v {
		if want := x&1 == 1; got.Bit(0, i) != want || got.Bit(1, i) != want {
			t.Fatalf("element %d is wrong", i)
		}
	}
}

// TestCount: planes shorter and longer than what is put together, and of one word.
func TestCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, n := range append(slices.Clone(lengths), 64*3, 64*100+17, 70_000) {
		p := drawPlanes(rng, n, 3)
		want := make([]int64, p.W)
		for j := range want {
			for i := range n {
				if p.Bit(j, i) {
					want[j]++
				}
			}
		}
		got := opened(t, func(s *mpc.Session, _ ...rss.Vec) rss.Vec {
			return rss.Count(s.Step("count"), rss.PublicBits(s, p))
		})
		if !slices.Equal(got.Int64(), want) {
			t.Errorf("%d bits: %v, want %v", n, got.Int64(), want)
		}
	}
}

// TestCountCosts: of many bits the adders leave few that become numbers.
func TestCountCosts(t *testing.T) {
	count := func(n int) (bitsEach float64, rounds int) {
		w := memnet.New(memnet.Config{Seed: 1})
		if err := w.Run(func(s *mpc.Session) error {
			rss.Count(s.Step("count"), rss.ZeroBits(n, 2))
			return s.Err()
		}); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for party := range mpc.PartyID(3) {
			sent += w.Transcript().Bytes(party)
		}
		return float64(8*sent) / 3 / float64(2*n), w.Rounds()
	}
	if _, rounds := count(1 << 13); rounds != 8 {
		t.Errorf("%d rounds, want 8", rounds)
	}
	if each, _ := count(1 << 18); each > 7 {
		t.Errorf("%.2f bits a bit, want 7", each)
	}
}

func TestManyPlanes(t *testing.T) {
	x := drawPlanes(rand.New(rand.NewPCG(2, 3)), 3, 200)
	for j := range x.W {
		x.SetBit(j, 1, true)
	}
	bitwise(t, x, x, 1, func(s *mpc.Session, x, _ rss.Bits) rss.Bits { return rss.AndAll(s, x) }, func(i, _ int) bool { return i == 1 })
}

// arithmetic opens op of shared planes and numbers.
func arithmetic[V ring.Vector[V]](t *testing.T, p ring.Planes, op func(s *mpc.Session, b rss.Bits) rss.Share[V]) V {
	t.Helper()
	cfg := four(5)
	cfg.Window = 2
	out, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) (V, error) {
		b := inputBits(s.Step("b"), p)
		if s.Role() < 0 {
			return nil, nil
		}
		return rss.Open(s.Step("out"), op(s.Step("op"), b)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[1]
}

func TestToArith(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	for _, n := range lengths {
		for _, w := range []int{1, 3} {
			p := drawPlanes(rng, n, w)
			var want ring.Vec64
			for j := range w {
				for i := range n {
					want = append(want, map[bool]uint64{true: 1}[p.Bit(j, i)])
				}
			}
			if got := arithmetic(t, p, rss.ToArith); !slices.Equal(got, want) {
				t.Errorf("%d planes of %d are wrong", w, n)
			}
			wide := make(ring.Vec128, len(want))
			wide.SetHalves(want, make(ring.Vec64, len(want)))
			if got := arithmetic(t, p, rss.ToArith128); !slices.Equal(got, wide) {
				t.Errorf("%d planes of %d are wrong in 128 bits", w, n)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	for _, n := range lengths {
		p := drawPlanes(rng, n, 1)
		x, y := make(ring.Vec64, n), make(ring.Vec64, n)
		for i := range x {
			x[i], y[i] = rng.Uint64(), rng.Uint64()
		}
		want := make(ring.Vec64, n)
		for i := range want {
			if want[i] = y[i]; p.Bit(0, i) {
				want[i] = x[i]
			}
		}
		got := arithmetic(t, p, func(s *mpc.Session, b rss.Bits) rss.Vec {
			return rss.SelectBit(s, b, rss.Public(s, x), rss.Public(s, y))
		})
		if !slices.Equal(got, want) {
			t.Errorf("SelectBit of %d is wrong", n)
		}
		got = arithmetic(t, p, func(s *mpc.Session, b rss.Bits) rss.Vec {
			return rss.Select(s.Step("select"), rss.ToArith(s.Step("bit"), b), rss.Public(s, x), rss.Public(s, y))
		})
		if !slices.Equal(got, want) {
			t.Errorf("Select of %d is wrong", n)
		}
	}
}

// What lies past the end of a plane is not opened, and stays as it is.
func TestOpenBitsHidesTheRest(t *testing.T) {
	seen := 0
	cfg := memnet.Config{Seed: 1, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		for _, b := range m.Frame[1:] {
			seen |= int(b)
		}
		return m.Frame, true
	}}}
	err := memnet.New(cfg).Run(func(s *mpc.Session) error {
		x := rss.ZeroBits(8, 1)
		x.A.Words[0], x.B.Words[0] = ^uint64(0), ^uint64(0)
		if got := rss.OpenBits(s, x); got.Words[0] != 0xff {
			t.Errorf("opened %x", got.Words)
		}
		if x.A.Words[0] != ^uint64(0) {
			t.Error("the share was changed")
		}
		return s.Err()
	})
	if err != nil || seen != 0 {
		t.Errorf("bits past the end were sent: %x, %v", seen, err)
	}
}
