package rss_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

func TestReciprocal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ frac, bits, out int }{{0, 32, 29}, {16, 28, 30}, {20, 20, 41}, {24, 27, 20}, {0, 1, 28}, {0, 0, 20}, {3, 2, 28}} {
		top := int64(1) << c.bits
		x := span(rng, soak(400), -top, top)
		got := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Reciprocal(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("Reciprocal ", c), x, got, c.out, 0x1p-24, math.Ldexp(1, -c.out), func(x int64) float64 {
			if x == 0 {
				return 0
			}
			return math.Ldexp(1/float64(x), c.frac)
		})
	}
}

func TestDivide(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ frac, bits, out, outBits int }{{16, 30, 16, 31}, {0, 30, 0, 30}, {0, 28, 24, 33}, {20, 29, 20, 32}, {0, 6, 40, 46}} {
		top := int64(1) << c.bits
		y := span(rng, soak(400), -top, top)
		x := span(rng, len(y), -top, top)
		rng.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		for i := range x { // the caller vouches for the result's bits
			for math.Abs(math.Ldexp(float64(x[i])/float64(y[i]), c.out)) > math.Ldexp(1, c.outBits) {
				if x[i] /= 2; y[i] == 0 {
					break
				}
			}
		}
		got := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed {
			return rss.Divide(s, x[0], x[1], c.out, c.outBits)
		}, x, y)
		quotients := make(map[int64]float64)
		index := make([]int64, len(x))
		for i := range x {
			if index[i] = int64(i); y[i] != 0 {
				quotients[int64(i)] = float64(x[i]) / float64(y[i])
			}
		}
		near(t, fmt.Sprint("Divide ", c), index, got, c.out, 0x1p-24, 2*math.Ldexp(1, -c.out), func(i int64) float64 { return quotients[i] })
	}
}

func TestSqrt(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct{ frac, bits, out int }{{0, 31, 24}, {16, 31, 24}, {15, 31, 24}, {20, 59, 24}, {0, 59, 28}, {0, 0, 28}, {0, 1, 28}, {5, 4, 28}} {
		top := int64(1) << c.bits
		x := span(rng, soak(400), 0, top)
		root := func(x int64) float64 { return math.Sqrt(math.Ldexp(float64(x), -c.frac)) }
		got := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Sqrt(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("Sqrt ", c), x, got, c.out, 0x1p-24, math.Ldexp(1, -c.out), root)
		for i, e := range got {
			if x[i] == 0 && e != 0 {
				t.Errorf("the root of 0 is %d", e)
			}
		}
		got = numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.InvSqrt(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("InvSqrt ", c), x, got, c.out, 0x1p-24, math.Ldexp(1, -c.out), func(x int64) float64 {
			if x == 0 {
				return 0
			}
			return 1 / root(x)
		})
	}
}

func TestExp(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct{ frac, bits, out int }{{24, 27, 24}, {24, 28, 24}, {10, 14, 37}, {28, 31, 30}, {40, 43, 24}, {20, 16, 28}, {0, 3, 28}, {30, 30, 20}} {
		top := int64(1) << c.bits
		x := span(rng, soak(400), -top, top)
		got := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Exp(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("Exp ", c), x, got, c.out, 0x1p-26, math.Ldexp(1, -c.out), func(x int64) float64 {
			return math.Exp(math.Ldexp(float64(x), -c.frac))
		})
	}
}

func TestLog(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, c := range []struct{ frac, bits, out int }{{0, 32, 28}, {16, 31, 24}, {24, 28, 28}, {20, 10, 30}, {0, 1, 28}} {
		x := span(rng, soak(400), 1, int64(1)<<c.bits)
		got := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Log(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("Log ", c), x, got, c.out, 0, 0x1p-24+math.Ldexp(1, -c.out), func(x int64) float64 {
			return math.Log(math.Ldexp(float64(x), -c.frac))
		})
	}
}

func TestSigmoidAndSoftplus(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct{ frac, bits, out int }{{24, 28, 24}, {24, 27, 28}, {24, 29, 24}, {16, 40, 20}, {28, 32, 28}, {30, 59, 24}, {0, 20, 28}} {
		top := int64(1) << c.bits
		x := span(rng, soak(400), -top, top)
		for k := range min(c.frac, 24) {
			x = append(x, int64(21<<c.frac)>>k, -int64(21<<c.frac)>>k)
		}
		kept := x[:0]
		for _, v := range x {
			if v >= -top && v <= top {
				kept = append(kept, v)
			}
		}
		x = kept
		value := func(x int64) float64 { return math.Ldexp(float64(x), -c.frac) }
		got := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Sigmoid(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("Sigmoid ", c), x, got, c.out, 0, 0x1p-24+math.Ldexp(1, -c.out), func(x int64) float64 {
			return 1 / (1 + math.Exp(-value(x)))
		})
		got = numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Softplus(s, x[0], c.out) }, x)
		near(t, fmt.Sprint("Softplus ", c), x, got, c.out, 0, 0x1p-25+2*math.Ldexp(1, -c.out), func(x int64) float64 {
			return max(value(x), 0) + math.Log1p(math.Exp(-math.Abs(value(x))))
		})
	}
}

func TestClamp(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, c := range []struct {
		frac, bits int
		low, high  float64
	}{{20, 40, -8, 8}, {20, 22, -8, 8}, {0, 59, -3, 1 << 40}, {10, 30, 5, 6}} {
		top := int64(1) << c.bits
		lo, hi := int64(math.Ldexp(c.low, c.frac)), int64(math.Ldexp(c.high, c.frac))
		x := append(span(rng, soak(300), -top, top), span(rng, 10, max(lo, -top), max(min(hi, top), lo+1))...)
		both := numbers(t, c.frac, c.bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed {
			y, out := rss.Clamp(s, x[0], c.low, c.high)
			y.Share = rss.Concat(s, y.Share, out)
			return y
		}, x)
		got, outside := both[:len(x)], both[len(x):]
		for i, v := range x {
			want, out := min(max(v, lo), hi), int64(0)
			if want != v {
				out = 1
			}
			if got[i] != want || outside[i] != out {
				t.Fatalf("%v: Clamp(%d) = %d, %d; want %d, %d", c, v, got[i], outside[i], want, out)
			}
		}
	}
}

func TestPoly(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for terms := 1; terms <= 12; terms++ {
		c := make([]float64, terms)
		for i := range c {
			c[i] = (2*rng.Float64() - 1) / float64(terms)
		}
		for _, frac := range []int{20, 28, 33} {
			x := span(rng, soak(200), -1<<frac, 1<<frac)
			got := numbers(t, frac, frac, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return rss.Poly(s, x[0], c, 26) }, x)
			near(t, fmt.Sprint("Poly ", terms, " ", frac), x, got, 26, 0, 0x1p-26+0x1p-26, func(x int64) float64 {
				sum := 0.0
				for i := terms - 1; i >= 0; i-- {
					sum = sum*math.Ldexp(float64(x), -frac) + c[i]
				}
				return sum
			})
		}
	}
}

// The wide ring is as much more exact.
func TestFunctions128(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	const frac, bits, out = 40, 61, 62
	x := span(rng, soak(300)/10+300, 0, 1<<59)
	y := span(rng, len(x), -1<<bits, 1<<bits)
	big128 := func(v []int64) []*big.Int {
		z := make([]*big.Int, len(v))
		for i, e := range v {
			z[i] = big.NewInt(e)
		}
		return z
	}
	// ratio checks got / 2^out against num / den for big.Float.
	check := func(what string, out int, in []int64, got []*big.Int, want func(x *big.Float) *big.Float) {
		t.Helper()
		worst := 0.0
		for i, e := range got {
			w := new(big.Float).SetPrec(200)
			if in[i] != 0 {
				w = want(new(big.Float).SetPrec(200).SetMantExp(new(big.Float).SetInt64(in[i]), -frac))
			}
			d := new(big.Float).SetPrec(200).SetMantExp(new(big.Float).SetInt(e), -out)
			d.Sub(d, w)
			allowed, _ := new(big.Float).Abs(w).Float64()
			allowed = allowed*0x1p-50 + 2*math.Ldexp(1, -out)
			if part, _ := d.Float64(); math.Abs(part)/allowed > worst {
				if worst = math.Abs(part) / allowed; worst > 1 {
					t.Fatalf("%s of %d is off by %g, allowed %g", what, in[i], part, allowed)
				}
			}
		}
		t.Logf("%s: %.2f of the error allowed", what, worst)
	}
	one := big.NewFloat(1).SetPrec(200)
	inverse := func(x *big.Float) *big.Float { return new(big.Float).SetPrec(200).Quo(one, x) }
	root := func(x *big.Float) *big.Float { return new(big.Float).SetPrec(200).Sqrt(x) }
	wide := func(bits int, op func(s *mpc.Session, x rss.Fixed128) rss.Fixed128, v []int64) []*big.Int {
		return opened(t, func(s *mpc.Session, x ...rss.Vec128) rss.Vec128 {
			return op(s, rss.NewFixed128(s, x[0], frac, bits)).Share
		}, ring.FromBig(big128(v))).Big()
	}
	check("Reciprocal128", out, y, wide(bits, func(s *mpc.Session, x rss.Fixed128) rss.Fixed128 { return rss.Reciprocal(s, x, out) }, y), inverse)
	check("Sqrt128", out, x, wide(59, func(s *mpc.Session, x rss.Fixed128) rss.Fixed128 { return rss.Sqrt(s, x, out) }, x), root)
	check("InvSqrt128", out, x, wide(59, func(s *mpc.Session, x rss.Fixed128) rss.Fixed128 { return rss.InvSqrt(s, x, out) }, x),
		func(x *big.Float) *big.Float { return inverse(root(x)) })
	check("Divide128", 38, y, wide(bits, func(s *mpc.Session, x rss.Fixed128) rss.Fixed128 {
		seven := rss.Public(s, x.A.Make(x.Len()).AddConst(7<<frac))
		return rss.Divide(s, rss.NewFixed128(s, seven, frac, frac+3), x, 38, 38+frac+3)
	}, y), func(x *big.Float) *big.Float { return new(big.Float).SetPrec(200).Quo(big.NewFloat(7), x) })
}

// Long vectors go in parts: every element must come out in its place, over a
// network that holds two frames a channel.
func TestFunctionsOfLongVectors(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	const n, frac, bits, out = 2*16384 + 77, 16, 28, 20
	x := span(rng, n, 1, 1<<bits)
	rng.Shuffle(n, func(i, j int) { x[i], x[j] = x[j], x[i] })
	value := func(x int64) float64 { return math.Ldexp(float64(x), -frac) }
	for _, f := range []struct {
		name string
		op   func(s *mpc.Session, x rss.Fixed) rss.Fixed
		want func(x int64) float64
	}{
		{"Reciprocal", func(s *mpc.Session, x rss.Fixed) rss.Fixed { return rss.Reciprocal(s, x, out) }, func(x int64) float64 { return 1 / value(x) }},
		{"Divide", func(s *mpc.Session, x rss.Fixed) rss.Fixed {
			y := x.AddConst(s, 5).Within(s, bits+1)
			return rss.Divide(s, x, y, out, out)
		}, func(x int64) float64 { return value(x) / (value(x) + 5) }},
		{"Sqrt", func(s *mpc.Session, x rss.Fixed) rss.Fixed { return rss.Sqrt(s, x, out) }, func(x int64) float64 { return math.Sqrt(value(x)) }},
		{"InvSqrt", func(s *mpc.Session, x rss.Fixed) rss.Fixed { return rss.InvSqrt(s, x, out) }, func(x int64) float64 { return 1 / math.Sqrt(value(x)) }},
		{"Log", func(s *mpc.Session, x rss.Fixed) rss.Fixed { return rss.Log(s, x, out) }, func(x int64) float64 { return math.Log(value(x)) }},
		{"Exp", func(s *mpc.Session, x rss.Fixed) rss.Fixed {
			return rss.Exp(s, rss.NewFixed(s, x.Share, bits, bits), out)
		}, func(x int64) float64 { return math.Exp(math.Ldexp(float64(x), -bits)) }},
		{"Sigmoid", func(s *mpc.Session, x rss.Fixed) rss.Fixed { return rss.Sigmoid(s, x, out) }, func(x int64) float64 { return 1 / (1 + math.Exp(-value(x))) }},
		{"Softplus", func(s *mpc.Session, x rss.Fixed) rss.Fixed { return rss.Softplus(s, x, out) }, func(x int64) float64 { return value(x) + math.Log1p(math.Exp(-value(x))) }},
		{"Poly", func(s *mpc.Session, x rss.Fixed) rss.Fixed {
			return rss.Poly(s, rss.NewFixed(s, x.Share, bits, bits), []float64{0.5, 0.25, -0.125}, out)
		}, func(x int64) float64 {
			z := math.Ldexp(float64(x), -bits)
			return 0.5 + z*(0.25-0.125*z)
		}},
	} {
		got := numbers(t, frac, bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed { return f.op(s, x[0]) }, x)
		near(t, f.name, x, got, out, 0x1p-24, 0x1p-24+2*math.Ldexp(1, -out), f.want)
	}
}
