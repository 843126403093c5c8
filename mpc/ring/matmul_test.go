package ring_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/mpc/ring"
)

// naive is SetCrossMatMul of a whole product by its definition.
func naive[V ring.Vector[V]](a, b, c, d V, r, k, n int) V {
	z := a.Make(r * n)
	for i := range r {
		for j := range n {
			cell := z.Slice(i*n+j, i*n+j+1)
			for l := range k {
				at := func(v V, i, j, width int) V { return v.Slice(i*width+j, i*width+j+1) }
				term := cell.Make(1)
				term.SetCross(at(a, i, l, k), at(b, i, l, k), at(c, l, j, n), at(d, l, j, n))
				cell.SetAdd(cell, term)
			}
		}
	}
	return z
}

func checkMatMul[V ring.Vector[V]](t interface{ Fatalf(string, ...any) }, draw func(n int) V, r, k, n, lo, count int) {
	a, b, c, d := draw(r*k), draw(r*k), draw(k*n), draw(k*n)
	got := a.Make(count)
	got.SetCrossMatMul(a, b, c, d, k, n, lo)
	want := naive(a, b, c, d, r, k, n).Slice(lo, lo+count)
	if !slices.Equal(got.Append(nil), want.Append(nil)) {
		t.Fatalf("%d x %d times %d x %d, %d elements from %d: wrong", r, k, k, n, count, lo)
	}
}

func draw64(rng *rand.Rand) func(n int) ring.Vec64 {
	return func(n int) ring.Vec64 {
		v := make(ring.Vec64, n)
		for i := range v {
			v[i] = rng.Uint64() << (rng.Uint64() % 64)
		}
		return v
	}
}

func draw128(rng *rand.Rand) func(n int) ring.Vec128 {
	return func(n int) ring.Vec128 {
		v := make(ring.Vec128, n)
		v.SetHalves(draw64(rng)(n), draw64(rng)(n))
		return v
	}
}

func TestMatMul(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, k, n := rapid.IntRange(1, 9).Draw(t, "r"), rapid.IntRange(1, 9).Draw(t, "k"), rapid.IntRange(1, 13).Draw(t, "n")
		lo := rapid.IntRange(0, r*n).Draw(t, "lo")
		count := rapid.IntRange(0, r*n-lo).Draw(t, "count")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		checkMatMul(t, draw64(rng), r, k, n, lo, count)
		checkMatMul(t, draw128(rng), r, k, n, lo, count)
	})
}

func FuzzMatMul(f *testing.F) {
	f.Add(uint64(1), byte(3), byte(4), byte(5), uint16(7), uint16(8))
	f.Add(uint64(2), byte(0), byte(40), byte(0), uint16(0), uint16(1))
	f.Add(uint64(3), byte(9), byte(1), byte(16), uint16(3), uint16(140))
	f.Fuzz(func(t *testing.T, seed uint64, r, k, n byte, lo, count uint16) {
		rows, inner, columns := 1+int(r%20), 1+int(k%50), 1+int(n%20)
		from := int(lo) % (rows * columns)
		checkMatMul(t, draw64(rand.New(rand.NewPCG(seed, 1))), rows, inner, columns, from, int(count)%(rows*columns-from+1))
	})
}

func BenchmarkMatMul(b *testing.B) {
	const n = 200
	rng := rand.New(rand.NewPCG(1, 1))
	b.Run("64", func(b *testing.B) {
		x, z := draw64(rng)(n*n), make(ring.Vec64, n*n)
		for b.Loop() {
			z.SetCrossMatMul(x, x, x, x, n, n, 0)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*n*n*n), "ns/product")
	})
	b.Run("128", func(b *testing.B) {
		x, z := draw128(rng)(n*n), make(ring.Vec128, n*n)
		for b.Loop() {
			z.SetCrossMatMul(x, x, x, x, n, n, 0)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*n*n*n), "ns/product")
	})
}

func BenchmarkTranspose(b *testing.B) {
	v := draw64(rand.New(rand.NewPCG(1, 1)))(33280)
	for _, w := range []int{8, 16, 32, 64} {
		b.Run(fmt.Sprintf("%d planes", w), func(b *testing.B) {
			p := ring.MakePlanes(len(v), w)
			for b.Loop() {
				v.SetPlanes(p, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(v)), "ns/element")
		})
	}
}
