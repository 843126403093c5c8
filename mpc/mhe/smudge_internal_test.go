package mhe

import (
	"math"
	"math/bits"
	"testing"

	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/utils/sampling"
)

// seeded returns the coins of a fixed seed: what is measured with them is the same in
// every run.
func seeded(k int) *coins { return newStream(make([]byte, SeedSize), "test").at(k) }

// moments are mean and deviation of what was drawn, in sigmas.
func moments(draws []float64, sigma float64) (mean, deviation float64) {
	for _, x := range draws {
		mean += x
	}
	mean /= float64(len(draws))
	for _, x := range draws {
		deviation += (x - mean) * (x - mean)
	}
	return mean / sigma, math.Sqrt(deviation/float64(len(draws))) / sigma
}

func TestSmudgingHasTheDeviationAndTheShapeOfABell(t *testing.T) {
	const n, sigma, bins = 1 << 20, 0x1p50, 64
	z := newZiggurat()
	g := newGaussian(&z, sigma, seeded(0))
	draws, count, largest := make([]float64, n), [bins]int{}, 0.0
	for i := range draws {
		v, negative := g.draw()
		x := float64(v) + 0.5
		if negative {
			x = -x
		}
		draws[i], largest = x, max(largest, math.Abs(x))
		// Bins of equal probability.
		count[min(bins-1, int(bins*(1+math.Erf(x/sigma/math.Sqrt2))/2))]++
	}
	mean, deviation := moments(draws, sigma)
	if math.Abs(math.Log2(deviation)) > 0.01 || math.Abs(mean) > 0.01 {
		t.Errorf("deviation is 2^%.4f of what it should be, mean %.4f sigma", math.Log2(deviation), mean)
	}
	square := 0.0
	for _, c := range count {
		d := float64(c) - n/bins
		square += d * d / (n / bins)
	}
	if square > 150 { // 63 degrees of freedom: 1e-8; and the seed is fixed
		t.Errorf("chi-square of the shape is %.1f over %d bins", square, bins)
	}
	if largest > cut*sigma || largest < 4.5*sigma {
		t.Errorf("the largest of %d draws is %.2f sigma", n, largest/sigma)
	}
}

func TestEveryLayerOfTheZigguratIsUsed(t *testing.T) {
	z := newZiggurat()
	area := z.edge[0] * (z.height[1] - z.height[0])
	for i := range layers {
		if z.edge[i] <= z.edge[i+1] || z.height[i] >= z.height[i+1] {
			t.Fatalf("layer %d is %v wide above %v, the next %v above %v", i, z.edge[i], z.height[i], z.edge[i+1], z.height[i+1])
		}
		if a := z.edge[i] * (z.height[i+1] - z.height[i]); math.Abs(a/area-1) > 1e-9 {
			t.Errorf("layer %d has %v of the lowest one's area", i, a/area)
		}
		if on := bell(z.edge[i+1]); math.Abs(on/z.height[i+1]-1) > 1e-9 {
			t.Errorf("edge %d lies at height %v of a curve of %v", i+1, z.height[i+1], on)
		}
	}
}

func TestSmallNumbersAreUniform(t *testing.T) {
	const n, width = 1 << 17, 11
	c, count := seeded(1), [width]int{}
	for range n {
		count[c.below(width)]++
	}
	square := 0.0
	for _, k := range count {
		d := float64(k) - float64(n)/width
		square += d * d / (float64(n) / width)
	}
	if square > 60 { // 10 degrees of freedom: 4e-9; and the seed is fixed
		t.Errorf("chi-square %.1f", square)
	}
}

// coarse is what a reader of smudged coefficients knows about a sampler of the
// library's kind: the absolute values that it can give, without rounding, are
// j w[j mod 128] sigma for 31-bit numbers j. recover looks for the one nearest to v
// and returns how far it is.
type coarse struct {
	step  [128]float64
	sigma float64
}

// newCoarse computes the widths of Marsaglia and Tsang's 128 layers.
func newCoarse(sigma float64) *coarse {
	const right, area = 3.442619855899, 9.91256303526217e-3
	c, edge := &coarse{sigma: sigma}, right
	c.step[0] = float64(float32(area / bell(right) / (1 << 31)))
	c.step[127] = float64(float32(right / (1 << 31)))
	for i := 126; i > 0; i-- {
		edge = math.Sqrt(-2 * math.Log(area/edge+bell(edge)))
		c.step[i] = float64(float32(edge / (1 << 31)))
	}
	return c
}

func (c *coarse) distance(v float64) float64 {
	best := math.Inf(1)
	for i, w := range c.step {
		j := math.Round((v/(w*c.sigma)-float64(i))/128)*128 + float64(i)
		if d := v - math.Round(j*w*c.sigma); j >= 0 && j < 1<<31 && math.Abs(d) < math.Abs(best) {
			best = d
		}
	}
	return best
}

// A site's smudging hides the noise of the ciphertext, which tells of its secret. The
// attack takes smudged noise and reads the noise off. With a sampler that draws from
// 2^31 values a sign it succeeds; this is why the package has its own.
func TestNoiseCannotBeReadOffSmudging(t *testing.T) {
	const sigma, n = 0x1p50, 1 << 11
	readOff := func(draw func() (float64, bool)) (share float64) {
		c, hits := newCoarse(sigma), 0
		for i := range n {
			secret := float64(i%401 - 200) // noise of the ciphertext
			v, negative := draw()
			x := v + secret
			if negative {
				x = v - secret
			}
			d := c.distance(x)
			if negative {
				d = -d
			}
			if d == secret {
				hits++
			}
		}
		return float64(hits) / n
	}
	z := newZiggurat()
	own := newGaussian(&z, sigma, seeded(2))
	if share := readOff(func() (float64, bool) { v, s := own.draw(); return float64(v), s }); share > 0.01 {
		t.Errorf("the noise is read off %.1f %% of coefficients", 100*share)
	}

	prng, err := sampling.NewKeyedPRNG([]byte("a fixed key"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := ring.NewRing(n, []uint64{sums.modulus[0]})
	if err != nil {
		t.Fatal(err)
	}
	p := ring.NewGaussianSampler(prng, q, ring.DiscreteGaussian{Sigma: sigma, Bound: cut * sigma}, false).ReadNew()
	i := 0
	share := readOff(func() (float64, bool) {
		x := p.Coeffs[0][i]
		i++
		if x > sums.modulus[0]/2 {
			return float64(sums.modulus[0] - x), true
		}
		return float64(x), false
	})
	t.Logf("the library's sampler gives the noise away in %.1f %% of coefficients", 100*share)
	if share < 0.9 {
		t.Errorf("the attack fails on the library's sampler too: it shows nothing")
	}
}

// Neighbouring integers are equally likely: the low bits of the noise are uniform,
// also together with the layer that it came from, which its size tells.
func TestLowBitsOfSmudgingAreUniform(t *testing.T) {
	const n, low = 1 << 18, 8
	z := newZiggurat()
	g := newGaussian(&z, 0x1p50, seeded(3))
	var count [64][1 << low]int
	for range n {
		v, _ := g.draw()
		count[bits.Len64(v)][v%(1<<low)]++
	}
	for size, cells := range count {
		total := 0
		for _, c := range cells {
			total += c
		}
		if total < 20<<low {
			continue
		}
		square, want := 0.0, float64(total)/(1<<low)
		for _, c := range cells {
			square += (float64(c) - want) * (float64(c) - want) / want
		}
		if square > 400 { // 255 degrees of freedom: 1e-8; and the seed is fixed
			t.Errorf("chi-square of the low bits of numbers of %d bits is %.1f", size, square)
		}
	}
}

// BenchmarkSmudging compares the sampler with the library's, a ciphertext at a time.
func BenchmarkSmudging(b *testing.B) {
	l, err := NewLayout(1, 1, 2)
	if err != nil {
		b.Fatal(err)
	}
	p := l.rings.q.NewPoly()
	b.Run("own", func(b *testing.B) {
		g := newGaussian(&l.rings.ziggurat, 0x1p50, seeded(4))
		for b.Loop() {
			g.addTo(p, l.rings.modulus)
		}
	})
	b.Run("library", func(b *testing.B) {
		prng, err := sampling.NewPRNG()
		if err != nil {
			b.Fatal(err)
		}
		g := ring.NewGaussianSampler(prng, l.rings.q, ring.DiscreteGaussian{Sigma: 0x1p50, Bound: cut * 0x1p50}, false)
		for b.Loop() {
			g.ReadAndAdd(p)
		}
	})
}
