package rss_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

const exact = 300 // bits of the big.Floats that results are held against

// scaled returns x * 2^k.
func scaled(x *big.Int, k int) *big.Float {
	f := new(big.Float).SetPrec(exact).SetInt(x)
	return f.SetMantExp(f, k)
}

// floats shares fixed-point numbers, normalises them, and returns what op makes of
// them. It checks the mantissas.
func floats(t *testing.T, frac, bits int, op func(s *mpc.Session, x ...rss.Float) rss.Float, xs ...[]*big.Int) []*big.Float {
	t.Helper()
	vs := make([]ring.Vec128, len(xs))
	for i, x := range xs {
		vs[i] = ring.FromBig(x)
	}
	both := opened(t, func(s *mpc.Session, x ...rss.Vec128) rss.Vec128 {
		in := make([]rss.Float, len(x))
		for i, v := range x {
			in[i] = rss.Normalise128(s.Step("in", i), rss.NewFixed128(s, v, frac, bits))
		}
		z := op(s.Step("op"), in...)
		return rss.Concat(s, z.Mantissa, rss.Lift(s.Step("lift"), z.Exponent))
	}, vs...).Big()
	n := len(both) / 2
	out := make([]*big.Float, n)
	for i, m := range both[:n] {
		if m.Sign() != 0 && (m.BitLen() < 55 || new(big.Int).Abs(m).Cmp(big.NewInt(1<<56+8)) > 0) {
			t.Errorf("a mantissa of %d bits", m.BitLen())
		}
		out[i] = scaled(m, int(both[n+i].Int64())-56)
	}
	return out
}

// agree checks got against want to a relative 2^-bits, and zeros exactly.
func agree(t *testing.T, what string, got, want []*big.Float, bits int) {
	t.Helper()
	worst := 0.0
	for i, w := range want {
		d := new(big.Float).Sub(got[i], w)
		if w.Sign() == 0 {
			if got[i].Sign() != 0 {
				t.Fatalf("%s: element %d is %v, want 0", what, i, got[i])
			}
			continue
		}
		part, _ := d.Quo(d, w).Float64()
		worst = max(worst, math.Abs(part))
	}
	if worst > math.Ldexp(1, -bits) {
		t.Errorf("%s is off by a relative 2^%.1f, allowed 2^-%d", what, math.Log2(worst), bits)
	}
}

// every applies f to the numbers that integers in steps of 2^-frac stand for.
func every(frac int, f func(x ...*big.Float) *big.Float, xs ...[]*big.Int) []*big.Float {
	out := make([]*big.Float, len(xs[0]))
	for i := range out {
		args := make([]*big.Float, len(xs))
		for j, x := range xs {
			args[j] = scaled(x[i], -frac)
		}
		out[i] = f(args...)
	}
	return out
}

func blank() *big.Float { return new(big.Float).SetPrec(exact) }

// rooted is 0 for negative numbers.
func rooted(x *big.Float) *big.Float {
	if x.Sign() <= 0 {
		return blank()
	}
	return blank().Sqrt(x)
}

// divided is 0 for divisor 0.
func divided(x, y *big.Float) *big.Float {
	if y.Sign() == 0 {
		return blank()
	}
	return blank().Quo(x, y)
}

func TestFloats(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, c := range []struct{ frac, bits int }{{0, 124}, {40, 124}, {124, 124}, {0, 121}, {0, 120}, {3, 119}, {10, 57}, {10, 56}, {0, 55}, {0, 54}, {60, 20}, {7, 2}, {0, 1}, {0, 0}} {
		x, y := bounded(rng, 300, uint(c.bits)), bounded(rng, 300, uint(c.bits))
		rng.Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
		if c.bits < 2 {
			x, y = []*big.Int{big.NewInt(1), big.NewInt(-1), big.NewInt(0)}, repeat(1, 3)
		}
		for _, f := range []struct {
			name string
			bits int
			op   func(s *mpc.Session, x ...rss.Float) rss.Float
			want func(x ...*big.Float) *big.Float
		}{
			{"Normalise128", 54, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0] }, func(x ...*big.Float) *big.Float { return x[0] }},
			{"Neg", 54, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0].Neg(s) }, func(x ...*big.Float) *big.Float { return blank().Neg(x[0]) }},
			{"Scale", 54, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0].Scale(s, -70) }, func(x ...*big.Float) *big.Float { return blank().SetMantExp(x[0], -70) }},
			{"Mul", 52, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0].Mul(s, x[1]) }, func(x ...*big.Float) *big.Float { return blank().Mul(x[0], x[1]) }},
			{"Recip", 51, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0].Recip(s) }, func(x ...*big.Float) *big.Float { return divided(big.NewFloat(1), x[0]) }},
			{"Div", 50, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0].Div(s, x[1]) }, func(x ...*big.Float) *big.Float { return divided(x[0], x[1]) }},
			{"Sqrt", 51, func(s *mpc.Session, x ...rss.Float) rss.Float { return x[0].Sqrt(s) }, func(x ...*big.Float) *big.Float { return rooted(x[0]) }},
			{"all", 48, func(s *mpc.Session, x ...rss.Float) rss.Float {
				n := x[0].Len()
				z := rss.ConcatFloats(s, x...)
				z = z.Mul(s.Step("mul"), z).Sqrt(s.Step("sqrt")).Div(s.Step("div"), rss.ConcatFloats(s, z.Slice(s, n, 2*n), z.Slice(s, 0, n)))
				return z.Slice(s, 0, n)
			}, func(x ...*big.Float) *big.Float { return divided(blank().Abs(x[0]), x[1]) }},
			{"SumFloats of one sign", 50, func(s *mpc.Session, x ...rss.Float) rss.Float {
				square := x[0].Mul(s.Step("square"), x[0])
				return rss.SumFloats(s.Step("sum"), square, square.Mul(s.Step("fourth"), square), square.Scale(s, 1))
			}, func(x ...*big.Float) *big.Float {
				square := blank().Mul(x[0], x[0])
				return square.Add(blank().Mul(square, square), blank().Mul(square, big.NewFloat(3)))
			}},
		} {
			got := floats(t, c.frac, c.bits, f.op, x, y)
			agree(t, fmt.Sprint(f.name, c), got, every(c.frac, f.want, x, y), f.bits)
		}
	}
}

// A sum of numbers of two signs is as exact as its greatest summand lets it be, and
// zeros do not disturb it, whatever exponent they carry.
func TestSumFloats(t *testing.T) {
	rng := rand.New(rand.NewPCG(29, 30))
	const bits = 100
	x, y := bounded(rng, 300, bits), bounded(rng, 300, bits)
	rng.Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
	for i := range x {
		if i%3 == 0 { // nearly opposite
			y[i] = new(big.Int).Neg(new(big.Int).Add(x[i], big.NewInt(1)))
		}
	}
	got := floats(t, 0, bits, func(s *mpc.Session, x ...rss.Float) rss.Float {
		none := x[0].Mul(s.Step("none"), rss.Float{Mantissa: rss.Zero[ring.Vec128](x[0].Len()), Exponent: x[0].Exponent})
		return rss.SumFloats(s.Step("sum"), none.Scale(s, 1000), x[0], x[1])
	}, x, y)
	for i, e := range got {
		d, _ := blank().Sub(e, scaled(new(big.Int).Add(x[i], y[i]), 0)).Float64()
		size, _ := scaled(x[i], 0).Float64()
		other, _ := scaled(y[i], 0).Float64()
		if math.Abs(d) > 0x1p-53*max(math.Abs(size), math.Abs(other)) {
			t.Fatalf("%v + %v came out as %v", x[i], y[i], e)
		}
	}
}

// Public numbers come out as they are.
func TestPublicFloats(t *testing.T) {
	want := []float64{0, 1, -1, math.Pi, -1e-300, 1e300, 0.1}
	got := floats(t, 0, 3, func(s *mpc.Session, x ...rss.Float) rss.Float {
		return rss.PublicFloats(s, want...).Repeat(s, 2)
	}, repeat(1, 1))
	for i, e := range got {
		if x, _ := e.Float64(); x != want[i%len(want)] {
			t.Errorf("%v came out as %v", want[i%len(want)], x)
		}
	}
}

// Aligned numbers share the exponent of the greatest.
func TestAlign(t *testing.T) {
	x := [][]*big.Int{
		{big.NewInt(5), big.NewInt(0), big.NewInt(0), big.NewInt(-1 << 40)},
		{big.NewInt(-80), big.NewInt(7), big.NewInt(0), big.NewInt(3)},
		{big.NewInt(40), big.NewInt(0), big.NewInt(0), big.NewInt(-9)},
	}
	const frac = 50
	out := opened(t, func(s *mpc.Session, x ...rss.Vec128) rss.Vec128 {
		in := make([]rss.Float, len(x))
		for i, v := range x {
			in[i] = rss.Normalise128(s.Step("in", i), rss.NewFixed128(s, v, 3, 60))
		}
		ys, exponent := rss.Align(s.Step("op"), frac, in...)
		return rss.Concat(s, ys[0].Share, ys[1].Share, ys[2].Share, rss.Lift(s.Step("lift"), exponent))
	}, ring.FromBig(x[0]), ring.FromBig(x[1]), ring.FromBig(x[2])).Big()
	for place := range 4 {
		exponent, greatest := int(out[12+place].Int64()), 0.0
		for i := range x {
			y := math.Ldexp(float64(out[4*i+place].Int64()), -frac)
			greatest = max(greatest, math.Abs(y))
			if want := math.Ldexp(float64(x[i][place].Int64()), -3); place != 2 && math.Abs(math.Ldexp(y, exponent)-want) > math.Ldexp(1, exponent-frac) || place == 2 && y != 0 {
				t.Errorf("%v came out as %v * 2^%d", want, y, exponent)
			}
		}
		if place != 2 && (greatest < 0.5 || greatest > 1) {
			t.Errorf("the greatest is %v", greatest)
		}
	}
}

// Back to fixed point: what fits comes out to the step or to a relative 2^-54, what
// is too small as zero.
func TestFloatFixed(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for _, c := range []struct{ in, frac, bits int }{{40, 40, 60}, {40, 20, 40}, {0, 0, 124}, {0, 40, 125}, {90, 40, 125}, {124, 10, 20}, {0, 1, 125}, {10, 0, 0}, {3, 61, 62}, {0, 64, 64}} {
		// The widest argument whose result has so many bits.
		x := bounded(rng, 300, uint(min(124, max(c.bits-c.frac+c.in, 0))))
		for _, back := range []int{0, -300} { // once more with numbers that are all too small
			got := opened(t, func(s *mpc.Session, x ...rss.Vec128) rss.Vec128 {
				f := rss.Normalise128(s.Step("in"), rss.NewFixed128(s, x[0], c.in, 124)).Scale(s, back)
				z := f.Fixed(s.Step("op"), c.frac, c.bits)
				if z.Frac != c.frac || z.Bits != c.bits {
					t.Errorf("%v: %d fractional of %d bits", c, z.Frac, z.Bits)
				}
				return z.Share
			}, ring.FromBig(x)).Big()
			for i, e := range got {
				want := scaled(x[i], c.frac-c.in+back)
				d, _ := blank().Sub(scaled(e, 0), want).Float64()
				size, _ := want.Float64()
				if math.Abs(d) > 1+math.Abs(size)*0x1p-54 {
					t.Fatalf("%v: %v came out as %v", c, want, e)
				}
			}
		}
	}
}

// What does not fit fails nothing.
func TestFloatFixedBeyond(t *testing.T) {
	x := bounded(rand.New(rand.NewPCG(25, 26)), 100, 124)
	for _, up := range []int{1, 80, 1 << 18} {
		opened(t, func(s *mpc.Session, x ...rss.Vec128) rss.Vec128 {
			f := rss.Normalise128(s.Step("in"), rss.NewFixed128(s, x[0], 0, 124)).Scale(s, up)
			return f.Fixed(s.Step("op"), 60, 125).Share
		}, ring.FromBig(x))
	}
}

// floatFunction is an operation with the rounds that its doc comment promises, of
// two numbers of 40 bits; normalising them is not counted.
type floatFunction struct {
	name   string
	rounds int
	op     func(s *mpc.Session, x, y rss.Float)
}

func floatFunctions() []floatFunction {
	return []floatFunction{
		{"Mul", 10, func(s *mpc.Session, x, y rss.Float) { x.Mul(s, y) }},
		{"Recip", 20, func(s *mpc.Session, x, _ rss.Float) { x.Recip(s) }},
		{"Div", 30, func(s *mpc.Session, x, y rss.Float) { x.Div(s, y) }},
		{"Sqrt", 32, func(s *mpc.Session, x, _ rss.Float) { x.Sqrt(s) }},
		{"Align", 28, func(s *mpc.Session, x, y rss.Float) { rss.Align(s, 40, x, y) }},
		{"Sum", 49, func(s *mpc.Session, x, y rss.Float) { rss.SumFloats(s, x, y) }},
		{"Sum of 4", 56, func(s *mpc.Session, x, y rss.Float) { rss.SumFloats(s, x, y, y, y) }},
		{"Fixed", 13, func(s *mpc.Session, x, _ rss.Float) { x.Fixed(s, 40, 60) }},
	}
}

// floatRun normalises x, of so many bits, and computes op if there is one.
func floatRun(x []*big.Int, bits int, op func(s *mpc.Session, x, y rss.Float)) (*memnet.World, error) {
	w := memnet.New(memnet.Config{Seed: 7})
	return w, w.Run(func(s *mpc.Session) error {
		f := rss.Normalise128(s.Step("in"), rss.NewFixed128(s, rss.Public(s, ring.FromBig(x)), 20, bits))
		if op != nil {
			op(s.Step("op"), f, f)
		}
		return s.Err()
	})
}

func TestFloatCosts(t *testing.T) {
	x := repeat(12345, 8)
	within := func(what string, got, most int) {
		t.Logf("%-16s %2d rounds", what, got)
		if got > most {
			t.Errorf("%s takes %d rounds, want %d", what, got, most)
		}
	}
	start := 0
	for _, c := range []struct{ bits, rounds int }{{124, 25}, {119, 23}, {60, 22}, {40, 18}} {
		w, err := floatRun(x, c.bits, nil)
		if err != nil {
			t.Fatal(err)
		}
		start = w.Rounds()
		within(fmt.Sprint("Normalise128 ", c.bits), start, c.rounds)
	}
	for _, f := range floatFunctions() {
		w, err := floatRun(x, 40, f.op)
		if err != nil {
			t.Fatal(err)
		}
		within(f.name, w.Rounds()-start, f.rounds)
	}
}

// Nothing is opened, and the shape of the transcript depends on no value.
func TestFloatTranscripts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	rng := rand.New(rand.NewPCG(27, 28))
	values := [][]*big.Int{bounded(rng, 8, 100), repeat(0, 8), repeat(-1, 8)}
	for _, procs := range []int{1, 8} {
		runtime.GOMAXPROCS(procs)
		var lines strings.Builder
		for _, f := range floatFunctions() {
			var shapes []string
			for i, x := range values {
				w, err := floatRun(x, 100, f.op)
				if err != nil {
					t.Fatal(f.name, err)
				}
				tr := w.Transcript()
				if opened := tr.Openings(); len(opened) != 0 {
					t.Errorf("%s opens %v", f.name, opened)
				}
				if shapes = append(shapes, tr.Shape()); i == 0 {
					fmt.Fprintf(&lines, "%-8s %3d messages %x\n", f.name, len(tr), sha256.Sum256([]byte(tr.String())))
				}
			}
			if len(slices.Compact(shapes)) != 1 {
				t.Errorf("%s: the shape depends on the argument", f.name)
			}
		}
		testkit.Golden(t, "floats.golden", lines.String())
	}
}

// Misuse ends the session with a reason; what comes back has the public length.
func TestFloatRefuses(t *testing.T) {
	number := func(n int) rss.Float {
		return rss.Float{Mantissa: rss.Zero[ring.Vec128](n), Exponent: rss.Zero[ring.Vec64](n)}
	}
	for name, c := range map[string]refusal{
		"Normalise128 of nothing": {0, "vector of 0 elements", func(s *mpc.Session) int {
			return rss.Normalise128(s, rss.NewFixed128(s, rss.Zero[ring.Vec128](0), 0, 5)).Len()
		}},
		"Normalise128 of much": {3, "bits to normalise of 125, want 0 to 124", func(s *mpc.Session) int {
			return rss.Normalise128(s, rss.NewFixed128(s, rss.Zero[ring.Vec128](3), 0, 125)).Len()
		}},
		"Mul of two lengths": {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int { return number(3).Mul(s, number(4)).Len() }},
		"Div of two lengths": {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int { return number(3).Div(s, number(4)).Len() }},
		"Recip of halves": {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int {
			return rss.Float{Mantissa: rss.Zero[ring.Vec128](3), Exponent: rss.Zero[ring.Vec64](4)}.Recip(s).Len()
		}},
		"Sum of two lengths": {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int {
			return rss.SumFloats(s, number(3), number(4)).Len()
		}},
		"Sum of nothing":            {0, "vector of 0 elements", func(s *mpc.Session) int { return rss.SumFloats(s).Len() }},
		"PublicFloats of no number": {1, "NaN is no number", func(s *mpc.Session) int { return rss.PublicFloats(s, math.NaN()).Len() }},
		"Sqrt of nothing":           {0, "vector of 0 elements", func(s *mpc.Session) int { return number(0).Sqrt(s).Len() }},
		"Fixed of nothing":          {0, "vector of 0 elements", func(s *mpc.Session) int { return number(0).Fixed(s, 3, 5).Len() }},
		"Fixed of much":             {3, "a vector of 126 bits", func(s *mpc.Session) int { return number(3).Fixed(s, 3, 126).Len() }},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

// A number prints as nothing but "redacted".
func TestFloatPrintsRedacted(t *testing.T) {
	x := rss.Float{Mantissa: rss.Zero[ring.Vec128](1), Exponent: rss.Vec{A: ring.Vec64{987654321}, B: ring.Vec64{987654321}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s"} {
		if got := fmt.Sprintf(verb, x); got != "redacted" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	text, err := x.MarshalText()
	if err != nil || string(text) != "redacted" || x.LogValue().String() != "redacted" || x.String() != "redacted" || x.GoString() != "redacted" {
		t.Error("a number shows itself")
	}
}
