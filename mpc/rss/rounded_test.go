package rss_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// computeIn shares vectors, at the site, and returns what op gives at party 0.
func computeIn[V ring.Vector[V], T any](t *testing.T, op func(s *mpc.Session, x ...rss.Share[V]) T, xs ...V) T {
	t.Helper()
	cfg := four(11)
	cfg.Window = 2
	out, err := memnet.Collect(memnet.New(cfg), func(s *mpc.Session) (T, error) {
		var none T
		var in []rss.Share[V]
		for i, x := range xs {
			in = append(in, rss.Input(s.Step("x", i), site, x.Len(), only(s, site, x)))
		}
		if s.Role() < 0 {
			return none, s.Err()
		}
		return op(s, in...), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// opened computes op and opens its result.
func opened[V ring.Vector[V], W ring.Vector[W]](t *testing.T, op func(s *mpc.Session, x ...rss.Share[V]) rss.Share[W], xs ...V) W {
	t.Helper()
	return computeIn(t, func(s *mpc.Session, x ...rss.Share[V]) W {
		return rss.Open(s.Step("result"), op(s.Step("op"), x...))
	}, xs...)
}

// bounded returns n integers of magnitude at most 2^b, edges first.
func bounded(rng *rand.Rand, n int, b uint) []*big.Int {
	top := new(big.Int).Lsh(big.NewInt(1), b)
	out := []*big.Int{top, new(big.Int).Neg(top)}
	for _, k := range []int64{0, 1, -1, 2, -2, 3} {
		out = append(out, big.NewInt(k), new(big.Int).Sub(top, big.NewInt(max(k, 0))), new(big.Int).Neg(new(big.Int).Sub(top, big.NewInt(max(k, 0)))))
	}
	for len(out) < n {
		x := new(big.Int)
		for range 3 {
			x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(rng.Uint64()))
		}
		x.Rsh(x, 192-b).Rsh(x, uint(rng.IntN(int(b)+1)))
		if rng.IntN(2) == 0 {
			x.Neg(x)
		}
		out = append(out, x)
	}
	return out[:n]
}

// checkRounded checks that got is x / 2^f rounded up or down, or exact.
func checkRounded(t *testing.T, what string, got, x []*big.Int, f uint) {
	t.Helper()
	for i, e := range x {
		floor := new(big.Int).Rsh(e, f)
		rest := new(big.Int).Sub(e, new(big.Int).Lsh(floor, f))
		up := new(big.Int).Add(floor, big.NewInt(1))
		if got[i].Cmp(floor) != 0 && (rest.Sign() == 0 || got[i].Cmp(up) != 0) {
			t.Fatalf("%s: %v / 2^%d = %v, want %v or, if there is a rest, %v", what, e, f, got[i], floor, up)
		}
	}
}

func testRound[V ring.Vector[V]](t *testing.T, k kind[V], shifts []int) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range shifts {
		x := bounded(rng, soak(200)/len(shifts)+40, k.bits-3)
		got := opened(t, func(s *mpc.Session, x ...rss.Share[V]) rss.Share[V] { return rss.Round(s, x[0], f) }, k.enter(x))
		checkRounded(t, "Round", k.leave(got), x, uint(f))
		// Factors whose product stays in bounds.
		a, b := bounded(rng, len(x), (k.bits-3)/2), bounded(rng, len(x), (k.bits-3)/2)
		b[0], b[1] = b[1], b[0]
		got = opened(t, func(s *mpc.Session, x ...rss.Share[V]) rss.Share[V] { return rss.MulRound(s, x[0], x[1], f) }, k.enter(a), k.enter(b))
		checkRounded(t, "MulRound", k.leave(got), k.zip(a, b, (*big.Int).Mul), uint(f))
	}
}

func TestRound64(t *testing.T)  { testRound(t, kind64, []int{1, 2, 16, 28, 31, 32, 33, 48, 60, 61}) }
func TestRound128(t *testing.T) { testRound(t, kind128, []int{1, 2, 31, 32, 33, 48, 63, 64}) }

// A matrix product and dot products are rounded once, after summing.
func TestRoundedSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const r, k, c, f = 3, 5, 4, 20
	x, y := bounded(rng, r*k, 28), bounded(rng, k*c, 28)
	product := make([]*big.Int, r*c)
	for i := range product {
		product[i] = new(big.Int)
		for l := range k {
			product[i].Add(product[i], new(big.Int).Mul(x[i/c*k+l], y[l*c+i%c]))
		}
	}
	got := opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec { return rss.MatMulRound(s, x[0], x[1], r, k, c, f) }, kind64.enter(x), kind64.enter(y))
	checkRounded(t, "MatMulRound", kind64.leave(got), product, f)
	wide := opened(t, func(s *mpc.Session, x ...rss.Vec128) rss.Vec128 { return rss.MatMulRound(s, x[0], x[1], r, k, c, f) }, kind128.enter(x), kind128.enter(y))
	checkRounded(t, "MatMulRound", kind128.leave(wide), product, f)

	rows := make([]*big.Int, r)
	for i := range rows {
		rows[i] = new(big.Int)
		for l := range k {
			rows[i].Add(rows[i], new(big.Int).Mul(x[i*k+l], x[i*k+l]))
		}
	}
	got = opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec { return rss.DotRowsRound(s, x[0], x[0], k, f) }, kind64.enter(x))
	checkRounded(t, "DotRowsRound", kind64.leave(got), rows, f)
}

// Frames of a long vector have different lone parties: all three must work, over
// a network that holds two frames a channel.
func TestRoundLong(t *testing.T) {
	x := ramp(3*65536+5, 1<<40+12345)
	got := opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec { return rss.MulRound(s, x[0], x[0], 24) }, x.Shr(33))
	for i, e := range x.Shr(33) {
		if d := got[i] - e*e>>24; d > 1 {
			t.Fatalf("element %d is off by %d", i, int64(d))
		}
	}
}

// Which way a number is rounded is drawn with the right chances: the mean of
// many is right, for either sign.
func TestRoundIsRightOnAverage(t *testing.T) {
	const n, f = 1 << 14, 8
	for _, v := range []int64{1, 64, 128, 200, 255, -1, -100, -255, 5*256 + 77} {
		x := make([]int64, n)
		for i := range x {
			x[i] = v
		}
		got := opened(t, func(s *mpc.Session, x ...rss.Vec) rss.Vec { return rss.Round(s, x[0], f) }, ring.FromInt64(x))
		sum := int64(0)
		for _, e := range got.Int64() {
			sum += e
		}
		// A deviation of n/25 steps is over five standard deviations of a fair coin.
		if d := sum - v*n>>f; d > n/25 || d < -n/25 {
			t.Errorf("%d / 256 is on average off by %d / %d", v, d, n)
		}
	}
}

// No frame of a rounding tells its receiver anything: each of its bits is one
// about half of the time, whatever the numbers.
func TestRoundFramesAreBalanced(t *testing.T) {
	const n = 4096
	for _, v := range []uint64{0, 1 << 60, 15 << 60} {
		var mu sync.Mutex
		frames := make(map[string][]byte)
		w := memnet.New(memnet.Config{Seed: 5, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			mu.Lock()
			defer mu.Unlock()
			frames[fmt.Sprintf("%s %d>%d", m.Channel.Step, m.From, m.To)] = slices.Clone(m.Frame)
			return m.Frame, true
		}}})
		if err := w.Run(func(s *mpc.Session) error {
			rss.Round(s.Step("round"), rss.Public(s, slices.Repeat(ring.Vec64{v}, n)), 16)
			return s.Err()
		}); err != nil {
			t.Fatal(err)
		}
		if len(frames) != 5 {
			t.Fatalf("%d frames, want 5", len(frames))
		}
		for name, b := range frames {
			if len(b) == 12*n { // quotients, then signs
				balanced(t, name+" signs", b[8*n:], 4)
				b = b[:8*n]
			}
			balanced(t, name, b, len(b)/n)
		}
	}
}

// balanced checks that each bit of elements of size bytes is one in about half.
func balanced(t *testing.T, what string, b []byte, size int) {
	t.Helper()
	n := len(b) / size
	for bit := range 8 * size {
		ones := 0
		for i := range n {
			ones += int(b[i*size+bit/8] >> (bit % 8) & 1)
		}
		if d := ones - n/2; d*d > 9*n { // six standard deviations of sqrt(n)/2
			t.Errorf("%s: bit %d is one in %d of %d elements", what, bit, ones, n)
		}
	}
}
