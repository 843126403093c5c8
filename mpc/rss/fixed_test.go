package rss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Every operation on numbers against float64, with the bound that it declares.
func TestFixed(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const frac, bits, n = 20, 24, 64
	draw := func() []int64 { return span(rng, 500, -1<<bits, 1<<bits)[:n] }
	x, y := draw(), draw()
	rng.Shuffle(n, func(i, j int) { y[i], y[j] = y[j], y[i] })
	value := func(v []int64, i int) float64 { return math.Ldexp(float64(v[i]), -frac) }
	each := func(f func(a, b float64) float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = f(value(x, i), value(y, i))
		}
		return out
	}
	sum := func(v []float64) []float64 {
		out := 0.0
		for _, e := range v {
			out += e
		}
		return []float64{out}
	}
	matrix := make([]float64, 64)
	for i := range matrix {
		for k := range 8 {
			matrix[i] += value(x, i/8*8+k) * value(y, k*8+i%8)
		}
	}
	rows := make([]float64, 8)
	for i := range x {
		rows[i/8] += value(x, i) * value(y, i)
	}
	product := each(func(a, b float64) float64 { return a * b })
	for _, c := range []struct {
		name       string
		frac, bits int
		want       []float64
		op         func(s *mpc.Session, x, y rss.Fixed) rss.Fixed
	}{
		{"Add", 20, 25, each(func(a, b float64) float64 { return a + b }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Add(s, y) }},
		{"Sub", 20, 25, each(func(a, b float64) float64 { return a - b }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Sub(s, y) }},
		{"Neg", 20, 24, each(func(a, b float64) float64 { return -a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Neg(s) }},
		{"Scale", 20, 27, each(func(a, b float64) float64 { return -5 * a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Scale(s, -5) }},
		{"Scale by a power", 20, 26, each(func(a, b float64) float64 { return 4 * a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Scale(s, 4) }},
		{"AddConst", 20, 25, each(func(a, b float64) float64 { return a - 2.5 }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.AddConst(s, -2.5) }},
		{"Sum", 20, 30, sum(each(func(a, b float64) float64 { return a })), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Sum(s) }},
		{"Slice", 20, 24, each(func(a, b float64) float64 { return a })[3:9], func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Slice(s, 3, 9) }},
		{"Round down", 12, 16, each(func(a, b float64) float64 { return a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Round(s, 12) }},
		{"Round to nothing", 0, 4, each(func(a, b float64) float64 { return a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Round(s, 0) }},
		{"Round up", 30, 34, each(func(a, b float64) float64 { return a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Round(s, 30) }},
		{"Mul", 20, 28, product, func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Mul(s, y, 20) }},
		{"Mul exactly", 40, 48, product, func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Mul(s, y, 40) }},
		{"Mul finer", 45, 53, product, func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Mul(s, y, 45) }},
		{"Dot", 20, 34, sum(product), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Dot(s, y, 20) }},
		{"Dot exactly", 40, 54, sum(product), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Dot(s, y, 40) }},
		{"DotRows", 20, 31, rows, func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.DotRows(s, y, 8, 20) }},
		{"MatMul", 20, 31, matrix, func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.MatMul(s, y, 8, 8, 8, 20) }},
		{"MatMul exactly", 40, 51, matrix, func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.MatMul(s, y, 8, 8, 8, 40) }},
		{"Within", 20, 25, each(func(a, b float64) float64 { return a }), func(s *mpc.Session, x, y rss.Fixed) rss.Fixed { return x.Within(s, 25) }},
	} {
		got := numbers(t, frac, bits, func(s *mpc.Session, x ...rss.Fixed) rss.Fixed {
			z := c.op(s, x[0], x[1])
			if z.Frac != c.frac || z.Bits != c.bits {
				t.Errorf("%s: %d fractional of %d bits, want %d of %d", c.name, z.Frac, z.Bits, c.frac, c.bits)
			}
			return z
		}, x, y)
		if len(got) != len(c.want) {
			t.Fatalf("%s: %d elements, want %d", c.name, len(got), len(c.want))
		}
		for i, e := range got {
			if d := math.Abs(math.Ldexp(float64(e), -c.frac) - c.want[i]); d >= math.Ldexp(1, -c.frac) {
				t.Errorf("%s: element %d is off by %g", c.name, i, d)
			}
			if math.Abs(float64(e)) > math.Ldexp(1, c.bits) {
				t.Errorf("%s: element %d passes %d bits", c.name, i, c.bits)
			}
		}
	}
}

// What could overflow is refused before anything is sent, and so is what makes no
// sense; what comes back has the public length.
func TestFixedRefuses(t *testing.T) {
	fixed := func(s *mpc.Session, n, frac, bits int) rss.Fixed {
		return rss.NewFixed(s, rss.Zero[ring.Vec64](n), frac, bits)
	}
	wide := func(s *mpc.Session, n, frac, bits int) rss.Fixed128 {
		return rss.NewFixed128(s, rss.Zero[ring.Vec128](n), frac, bits)
	}
	for name, c := range map[string]refusal{
		"62 bits":               {3, "a vector of 62 bits: this ring holds 0 to 61", func(s *mpc.Session) int { return fixed(s, 3, 0, 62).Len() }},
		"126 bits":              {3, "a vector of 126 bits: this ring holds 0 to 125", func(s *mpc.Session) int { return wide(s, 3, 0, 126).Len() }},
		"less than no bits":     {3, "a vector of -1 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, -1).Len() }},
		"too fine":              {3, "fractional bits of 62, want 0 to 61", func(s *mpc.Session) int { return fixed(s, 3, 62, 3).Len() }},
		"Within":                {3, "a vector of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 3).Within(s, 62).Len() }},
		"Add":                   {3, "a sum of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 61).Add(s, fixed(s, 3, 0, 5)).Len() }},
		"Sub":                   {3, "a sum of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 61).Sub(s, fixed(s, 3, 0, 5)).Len() }},
		"Add of two steps":      {3, "numbers of 5 and 6 fractional bits meet", func(s *mpc.Session) int { return fixed(s, 3, 5, 9).Add(s, fixed(s, 3, 6, 9)).Len() }},
		"Add of two lengths":    {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int { return fixed(s, 3, 5, 9).Add(s, fixed(s, 4, 5, 9)).Len() }},
		"Scale":                 {3, "a multiple of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 60).Scale(s, 3).Len() }},
		"Scale by the least":    {3, "a multiple of 63 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 0).Scale(s, math.MinInt64).Len() }},
		"AddConst":              {3, "a sum of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 61).AddConst(s, 1).Len() }},
		"AddConst of much":      {3, "a constant of 1e+30 with 0 fractional bits is not exact", func(s *mpc.Session) int { return fixed(s, 3, 0, 6).AddConst(s, 1e30).Len() }},
		"AddConst of no number": {3, "a constant of NaN", func(s *mpc.Session) int { return fixed(s, 3, 0, 6).AddConst(s, math.NaN()).Len() }},
		"Sum":                   {1, "a sum of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 60).Sum(s).Len() }},
		"Mul":                   {3, "a product of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 31).Mul(s, fixed(s, 3, 0, 31), 0).Len() }},
		"Mul of wide ones":      {3, "a product of 126 bits", func(s *mpc.Session) int { return wide(s, 3, 0, 63).Mul(s, wide(s, 3, 0, 63), 0).Len() }},
		"Dot":                   {1, "a dot product of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 30).Dot(s, fixed(s, 3, 0, 30), 0).Len() }},
		"Dot of two lengths":    {1, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int { return fixed(s, 3, 0, 3).Dot(s, fixed(s, 4, 0, 3), 0).Len() }},
		"Dot of nothing":        {1, "vector of 0 elements", func(s *mpc.Session) int { return fixed(s, 0, 0, 3).Dot(s, fixed(s, 0, 0, 3), 0).Len() }},
		"DotRows of a part":     {0, "rows of 2 elements in a vector of 3", func(s *mpc.Session) int { return fixed(s, 3, 0, 3).DotRows(s, fixed(s, 3, 0, 3), 2, 0).Len() }},
		"MatMul":                {9, "a matrix product of 62 bits", func(s *mpc.Session) int { return fixed(s, 9, 0, 30).MatMul(s, fixed(s, 9, 0, 30), 3, 3, 3, 0).Len() }},
		"MatMul of other sizes": {9, "a 3 x 3 matrix of 9 elements meets a 3 x 3 matrix of 6", func(s *mpc.Session) int { return fixed(s, 9, 1, 3).MatMul(s, fixed(s, 6, 0, 3), 3, 3, 3, 0).Len() }},
		"Round to more":         {3, "a finer step of 62 bits", func(s *mpc.Session) int { return fixed(s, 3, 0, 60).Round(s, 2).Len() }},
		"Round of nothing":      {0, "vector of 0 elements", func(s *mpc.Session) int { return fixed(s, 0, 5, 9).Round(s, 2).Len() }},
		"Round by too much":     {3, "shift of 62, want 1 to 61", func(s *mpc.Session) int { return rss.Round(s, rss.Zero[ring.Vec64](3), 62).Len() }},
		"Round by less":         {3, "shift of 0, want 1 to 61", func(s *mpc.Session) int { return rss.Round(s, rss.Zero[ring.Vec64](3), 0).Len() }},
		"Round of wide ones":    {3, "shift of 65, want 1 to 64", func(s *mpc.Session) int { return rss.Round(s, rss.Zero[ring.Vec128](3), 65).Len() }},
		"MulRound": {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int {
			return rss.MulRound(s, rss.Zero[ring.Vec64](3), rss.Zero[ring.Vec64](4), 5).Len()
		}},
		"Reciprocal":            {3, "bits of a divisor of 33, want 0 to 32", func(s *mpc.Session) int { return rss.Reciprocal(s, fixed(s, 3, 5, 33), 20).Len() }},
		"Reciprocal of wide":    {3, "bits of a divisor of 62, want 0 to 61", func(s *mpc.Session) int { return rss.Reciprocal(s, wide(s, 3, 5, 62), 20).Len() }},
		"Reciprocal too fine":   {3, "a reciprocal of 62 bits", func(s *mpc.Session) int { return rss.Reciprocal(s, fixed(s, 3, 31, 32), 31).Len() }},
		"Reciprocal of nothing": {0, "vector of 0 elements", func(s *mpc.Session) int { return rss.Reciprocal(s, fixed(s, 0, 3, 5), 10).Len() }},
		"Divide":                {3, "40 bits divided to 31: the dividend may have 30", func(s *mpc.Session) int { return rss.Divide(s, fixed(s, 3, 0, 40), fixed(s, 3, 0, 20), 0, 31).Len() }},
		"Divide of two lengths": {3, "vectors of 3 and 4 elements meet", func(s *mpc.Session) int { return rss.Divide(s, fixed(s, 3, 0, 10), fixed(s, 4, 0, 10), 0, 10).Len() }},
		"Sqrt":                  {3, "bits of a radicand of 60, want 0 to 59", func(s *mpc.Session) int { return rss.Sqrt(s, fixed(s, 3, 0, 60), 20).Len() }},
		"InvSqrt":               {3, "bits of a radicand of 60, want 0 to 59", func(s *mpc.Session) int { return rss.InvSqrt(s, fixed(s, 3, 0, 60), 20).Len() }},
		"Exp":                   {3, "exponents up to 2^5: 2^4 at most, clamp them", func(s *mpc.Session) int { return rss.Exp(s, fixed(s, 3, 10, 15), 20).Len() }},
		"Exp too fine":          {3, "an exponential of 62 bits", func(s *mpc.Session) int { return rss.Exp(s, fixed(s, 3, 10, 14), 38).Len() }},
		"Exp of nothing":        {0, "vector of 0 elements", func(s *mpc.Session) int { return rss.Exp(s, fixed(s, 0, 10, 13), 20).Len() }},
		"Log":                   {3, "bits of a logarithm's argument of 33, want 0 to 32", func(s *mpc.Session) int { return rss.Log(s, fixed(s, 3, 10, 33), 20).Len() }},
		"Sigmoid":               {3, "fractional bits of a sigmoid of 29, want 0 to 28", func(s *mpc.Session) int { return rss.Sigmoid(s, fixed(s, 3, 10, 14), 29).Len() }},
		"Sigmoid of wide":       {3, "62 bits", func(s *mpc.Session) int { return rss.Sigmoid(s, fixed(s, 3, 10, 62), 20).Len() }},
		"Softplus":              {3, "fractional bits of a softplus of 29, want 0 to 28", func(s *mpc.Session) int { return rss.Softplus(s, fixed(s, 3, 10, 14), 29).Len() }},
		"Clamp":                 {3, "nothing lies between 2 and 1", func(s *mpc.Session) int { y, _ := rss.Clamp(s, fixed(s, 3, 10, 14), 2, 1); return y.Len() }},
		"Poly of nothing":       {3, "a polynomial of 0 coefficients: 1 to 12", func(s *mpc.Session) int { return rss.Poly(s, fixed(s, 3, 10, 10), nil, 20).Len() }},
		"Poly of much":          {3, "a polynomial of 13 coefficients: 1 to 12", func(s *mpc.Session) int { return rss.Poly(s, fixed(s, 3, 10, 10), make([]float64, 13), 20).Len() }},
		"Poly of large terms":   {3, "coefficients that sum up to 17: at most 16", func(s *mpc.Session) int { return rss.Poly(s, fixed(s, 3, 10, 10), []float64{1, -16}, 20).Len() }},
		"Poly of large numbers": {3, "a polynomial in numbers up to 2^1: at most 1", func(s *mpc.Session) int { return rss.Poly(s, fixed(s, 3, 10, 11), []float64{1}, 20).Len() }},
		"Solve": {8, "2 matrices of 2 x 2 with 40 fractional bits meet 8 right-hand elements of 1 columns with 40", func(s *mpc.Session) int {
			x, _ := rss.Solve(s, wide(s, 8, 40, 41), wide(s, 8, 40, 41), 2, 1, 50, 0)
			return 2 * x.Len()
		}},
		"Solve of no squares": {8, "9 elements are no 2 x 2 matrices", func(s *mpc.Session) int {
			x, _ := rss.Solve(s, wide(s, 9, 40, 41), wide(s, 4, 40, 41), 2, 2, 50, 0)
			return x.Len()
		}},
		"Inverse of no squares": {9, "9 elements are no 2 x 2 matrices", func(s *mpc.Session) int { x, _ := rss.Inverse(s, wide(s, 9, 40, 41), 2, 50, 0); return x.Len() }},
		"NewtonSchulz too large": {4, "a matrix product of 126 bits", func(s *mpc.Session) int {
			return rss.NewtonSchulz(s, wide(s, 4, 40, 60), wide(s, 4, 40, 65), 2, 1).Len()
		}},
		"NewtonSchulz of two": {4, "vectors of 8 and 4 elements meet", func(s *mpc.Session) int {
			return rss.NewtonSchulz(s, wide(s, 8, 40, 41), wide(s, 4, 40, 50), 2, 1).Len()
		}},
		"StartInverse": {9, "9 elements are no 2 x 2 matrices", func(s *mpc.Session) int { return rss.StartInverse(s, wide(s, 9, 40, 41), 2, 40).Len() }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range c.check(t) {
				if r.Step != "abort" {
					t.Errorf("sent: %v", r)
				}
			}
		})
	}
}

// refusal is an operation that its arguments do not allow: the session ends with a
// reason, and what comes back has the public length.
type refusal struct {
	n    int
	want string
	op   func(s *mpc.Session) int
}

// check tries the operation at all three parties and returns what they sent.
func (c refusal) check(t *testing.T) memnet.Transcript {
	t.Helper()
	w := memnet.New(memnet.Config{})
	_ = w.Run(func(s *mpc.Session) error {
		if n := c.op(s.Step("cells")); n != c.n {
			t.Errorf("%d elements came back, want %d", n, c.n)
		}
		return s.Err()
	})
	for p, err := range w.Errors() {
		if err == nil || !strings.Contains(err.Error(), "step cells") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("p%d: got %v, want %s", p, err, c.want)
		}
	}
	return w.Transcript()
}

// A number prints as nothing but "redacted", alone and within other things.
func TestFixedPrintsRedacted(t *testing.T) {
	x := rss.Fixed{Share: rss.Vec{A: ring.Vec64{987654321}, B: ring.Vec64{987654321}}, Frac: 3, Bits: 40}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s"} {
		if got := fmt.Sprintf(verb, x); got != "redacted" {
			t.Errorf("%s prints %s", verb, got)
		}
		if got := fmt.Sprintf(verb, []rss.Fixed{x}); strings.Contains(got, "987654321") || strings.Contains(got, "3ade68b1") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
