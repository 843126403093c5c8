package rss

import (
	"math"
	"testing"
)

// The constants of the numerical functions are computed here anew, by other means
// than in the code, so that the tests say where they come from.

// worst returns the largest magnitude of f on a fine grid of [lo, hi].
func worst(lo, hi float64, f func(x float64) float64) float64 {
	const steps = 400
	most := 0.0
	for i := range steps + 1 {
		most = max(most, math.Abs(f(lo+(hi-lo)*float64(i)/steps)))
	}
	return most
}

// level returns the constant c in [lo, hi] at which f(c), convex, is least.
func level(lo, hi float64, f func(c float64) float64) float64 {
	for range 100 {
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if f(a) < f(b) {
			hi = b
		} else {
			lo = a
		}
	}
	return lo
}

// bestParabola searches all coefficients in eighths near a guess for those of a
// parabola w whose err(x, w(x)) is least in magnitude on [lo, hi].
func bestParabola(lo, hi, c0, c1, c2 float64, err func(x, w float64) float64) (constant float64, linear, square int, most float64) {
	most = math.Inf(1)
	for a := int(8*c2) - 4; a <= int(8*c2)+4; a++ {
		for b := int(8*c1) - 6; b <= int(8*c1)+6; b++ {
			f := func(c float64) float64 {
				return worst(lo, hi, func(x float64) float64 { return err(x, c+x*(float64(a)*x+float64(b))/8) })
			}
			if f(c0) > 1 { // far off
				continue
			}
			c := level(c0-1, c0+1, f)
			if e := f(c); e < most {
				constant, linear, square, most = c, b, a, e
			}
		}
	}
	return constant, linear, square, most
}

func TestReciprocalStart(t *testing.T) {
	// The best parabola with real coefficients is Chebyshev's: 1 - c w is T3/99.
	c, b, a, e := bestParabola(0.5, 1, 420./99, -576./99, 256./99, func(x, w float64) float64 { return 1 - x*w })
	if a != reciprocalSquare || b != reciprocalLinear || math.Abs(c-reciprocalConst) > 1e-6 {
		t.Errorf("the best is %v + c (%d c %d) / 8, error %v", c, a, b, e)
	}
	if e > 0.01108 || e < 1./99 {
		t.Errorf("its error is %v", e)
	}
}

func TestRootStart(t *testing.T) {
	c, b, a, e := bestParabola(0.25, 1, 2.63, -3.1, 1.5, func(x, w float64) float64 { return 1 - w*math.Sqrt(x) })
	if a != rootSquare || b != rootLinear || math.Abs(c-rootConst) > 1e-6 {
		t.Errorf("the best is %v + c (%d c %d) / 8, error %v", c, a, b, e)
	}
	if e > 0.02728 {
		t.Errorf("its error is %v", e)
	}
}

// chebyshev returns the sum of s[k] T_k in powers of z.
func chebyshev(s []float64) []float64 {
	sum := make([]float64, len(s))
	polynomials := [][]float64{{1}, {0, 1}}
	for k, v := range s {
		if k > 1 { // T_k = 2 z T_(k-1) - T_(k-2)
			next := make([]float64, k+1)
			for i, c := range polynomials[k-1] {
				next[i+1] += 2 * c
			}
			for i, c := range polynomials[k-2] {
				next[i] -= c
			}
			polynomials = append(polynomials, next)
		}
		for i, c := range polynomials[k] {
			sum[i] += v * c
		}
	}
	return sum
}

func TestLogTerms(t *testing.T) {
	r := 3 - math.Sqrt(8)
	series := []float64{-math.Log(8 * r)}
	for k := 1; k < len(logTerms); k++ {
		series = append(series, -2*math.Pow(-r, float64(k))/float64(k))
	}
	want := chebyshev(series)
	for i, c := range logTerms {
		if math.Abs(c-want[i]) > 1e-12 {
			t.Errorf("the terms are %#v", want)
			break
		}
	}
	if e := worst(-1, 1, func(z float64) float64 {
		sum := 0.0
		for i := len(logTerms) - 1; i >= 0; i-- {
			sum = sum*z + logTerms[i]
		}
		return sum - math.Log((3+z)/4)
	}); e > 0x1p-27 {
		t.Errorf("the error is %v", e)
	}
}
