package rss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// definite returns a random p x p correlation matrix: eigenvalues from 1 down to
// about 1/cond before its diagonal is made 1.
func definite(rng *rand.Rand, p int, cond float64) *mat.SymDense {
	g := mat.NewDense(p, p, nil)
	for i := range p {
		for j := range p {
			g.Set(i, j, rng.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(g)
	var q mat.Dense
	qr.QTo(&q)
	a := mat.NewSymDense(p, nil)
	for i := range p {
		for j := range i + 1 {
			sum := 0.0
			for k := range p {
				sum += q.At(i, k) * q.At(j, k) * math.Pow(cond, -float64(k)/float64(max(p-1, 1)))
			}
			a.SetSym(i, j, sum)
		}
	}
	unit := mat.NewSymDense(p, nil)
	for i := range p {
		for j := range i + 1 {
			unit.SetSym(i, j, a.At(i, j)/math.Sqrt(a.At(i, i)*a.At(j, j)))
		}
	}
	return unit
}

// fixed128 returns numbers in steps of 2^-frac.
func fixed128(frac int, xs ...float64) ring.Vec128 {
	v := make(ring.Vec128, len(xs))
	for i, x := range xs {
		v[i] = ring.Int128(int64(math.RoundToEven(math.Ldexp(x, frac))))
	}
	return v
}

// float returns what v counts in steps of 2^-frac.
func float(v ring.Vec128, frac int) []float64 {
	out := make([]float64, len(v))
	for i, x := range v.Big() {
		f, _ := x.Float64()
		out[i] = math.Ldexp(f, -frac)
	}
	return out
}

// entriesOf returns the elements of matrices row by row.
func entriesOf(ms ...mat.Matrix) []float64 {
	var out []float64
	for _, m := range ms {
		r, c := m.Dims()
		for i := range r {
			for j := range c {
				out = append(out, m.At(i, j))
			}
		}
	}
	return out
}

// closeTo checks got against want up to tol times the largest of want.
func closeTo(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	size, worst := 0.0, 0.0
	for i := range want {
		size, worst = max(size, math.Abs(want[i])), max(worst, math.Abs(got[i]-want[i]))
	}
	t.Logf("%s: off by %.2g of %.2g", what, worst, size)
	if !(worst <= tol*size) {
		t.Errorf("%s: off by %g of %g, allowed %g", what, worst, size, tol*size)
	}
}

func TestSolve(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		p, m, cols, frac int
		cond, tol        float64
	}{{1, 3, 2, 40, 1, 1e-11}, {2, 4, 1, 40, 10, 1e-10}, {5, 3, 2, 40, 1e3, 1e-8}, {8, 1, 1, 48, 1e3, 1e-10}, {12, 1, 1, 44, 1e4, 1e-8}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			var as, bs, want []float64
			for range c.m {
				a, x := definite(rng, c.p, c.cond), mat.NewDense(c.p, c.cols, nil)
				for i := range c.p * c.cols {
					x.Set(i/c.cols, i%c.cols, rng.NormFloat64())
				}
				var b mat.Dense
				b.Mul(a, x)
				as, bs = append(as, entriesOf(a)...), append(bs, entriesOf(&b)...)
				want = append(want, entriesOf(x)...)
			}
			got := computeIn(t, func(s *mpc.Session, v ...rss.Vec128) [2]ring.Vec128 {
				a, b := rss.NewFixed128(s, v[0], c.frac, c.frac+1), rss.NewFixed128(s, v[1], c.frac, c.frac+8)
				x, weak := rss.Solve(s.Step("solve"), a, b, c.p, c.cols, c.frac+8, 0x1p-30)
				inverse, _ := rss.Inverse(s.Step("inverse"), a, c.p, c.frac+20, 0x1p-30)
				for _, n := range rss.Open(s.Step("weak"), weak) {
					if n != 0 {
						t.Errorf("%d pivots are called weak", n)
					}
				}
				return [2]ring.Vec128{rss.Open(s.Step("x"), x.Share), rss.Open(s.Step("i"), inverse.Share)}
			}, fixed128(c.frac, as...), fixed128(c.frac, bs...))
			closeTo(t, "Solve", float(got[0], c.frac), want, c.tol)
			var inverses []float64
			for i := range c.m {
				var inv mat.Dense
				if err := inv.Inverse(mat.NewDense(c.p, c.p, as[i*c.p*c.p:(i+1)*c.p*c.p])); err != nil {
					t.Fatal(err)
				}
				inverses = append(inverses, entriesOf(&inv)...)
			}
			closeTo(t, "Inverse", float(got[1], c.frac), inverses, c.tol)
		})
	}
}

// Matrices that are singular or not positive definite do no harm: the run ends
// well and they are counted.
func TestSolveWeak(t *testing.T) {
	const frac = 40
	singular := []float64{1, 1, 0, 1, 1, 0, 0, 0, 1}
	negative := []float64{1, 2, 0, 2, 1, 0, 0, 0, 1}
	zeros := make([]float64, 9)
	good := []float64{1, 0.5, 0, 0.5, 1, 0, 0, 0, 1}
	weak := computeIn(t, func(s *mpc.Session, v ...rss.Vec128) []int64 {
		_, weak := rss.Inverse(s.Step("inverse"), rss.NewFixed128(s, v[0], frac, frac+2), 3, frac+20, 0x1p-20)
		return rss.Open(s.Step("weak"), weak).Int64()
	}, fixed128(frac, append(append(append(singular, negative...), zeros...), good...)...))
	if weak[0] == 0 || weak[1] == 0 || weak[2] != 3 || weak[3] != 0 {
		t.Errorf("weak pivots: %v", weak)
	}
}

func TestNewtonSchulz(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		p, m, frac, steps int
		cond, tol         float64
	}{{1, 2, 40, 6, 1, 1e-11}, {3, 4, 40, 13, 10, 1e-10}, {6, 2, 44, 22, 1e3, 1e-8}, {31, 1, 44, 24, 1e3, 1e-7}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			var as, want []float64
			for range c.m {
				a := definite(rng, c.p, c.cond)
				var inv mat.Dense
				if err := inv.Inverse(a); err != nil {
					t.Fatal(err)
				}
				as, want = append(as, entriesOf(a)...), append(want, entriesOf(&inv)...)
			}
			got := computeIn(t, func(s *mpc.Session, v ...rss.Vec128) [2]ring.Vec128 {
				a := rss.NewFixed128(s, v[0], c.frac, c.frac+1)
				cold := rss.StartInverse(s.Step("start"), a, c.p, c.frac).Within(s, c.frac+14)
				x := rss.NewtonSchulz(s.Step("cold"), a, cold, c.p, c.steps)
				// A matrix nearby: 1.01 A, whose inverse two steps must reach.
				near := rss.NewFixed128(s, rss.Round(s.Step("near"), rss.Scale(s, a.Share, 1034), 10), c.frac, c.frac+1)
				y := rss.NewtonSchulz(s.Step("warm"), near, x, c.p, 3)
				return [2]ring.Vec128{rss.Open(s.Step("x"), x.Share), rss.Open(s.Step("y"), y.Share)}
			}, fixed128(c.frac, as...))
			closeTo(t, "cold", float(got[0], c.frac), want, c.tol)
			for i := range want {
				want[i] /= 1034. / 1024
			}
			closeTo(t, "warm", float(got[1], c.frac), want, 2*c.tol)
		})
	}
}
