package mhe

import (
	"math"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// layers is how many rectangles of equal area cover half of the bell curve.
const layers = 256

// ziggurat is Marsaglia and Tsang's covering of the curve exp(-x²/2), cut at six
// deviations: layer i reaches from 0 to edge[i] in width and from height[i] to
// height[i+1]. The lowest layer is as wide as the cut, so that there is no tail.
//
// Lattigo's own sampler is not used for smudging: it draws a coefficient from 2^31
// values a sign, whatever the deviation. At 2^50 these lie about 2^20 apart, farther
// than the noise that they should hide, which can then be read off nearly every
// coefficient. Here every integer below the cut occurs.
type ziggurat struct {
	edge, height [layers + 1]float64
}

// newZiggurat finds, by bisection, the second edge with which the last layer ends
// at the top of the curve.
func newZiggurat() ziggurat {
	low, high := 3.0, 4.0 // the curve is higher at low: there the layers pass the top
	var z ziggurat
	for range 80 {
		middle := (low + high) / 2
		if z.stack(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	z.stack(high)
	return z
}

// stack piles the layers up from the second edge and reports whether they pass the
// top of the curve; the last one ends there all the same.
func (z *ziggurat) stack(second float64) bool {
	area := cut * bell(second)
	z.edge[0], z.height[0] = cut, 0
	z.edge[1], z.height[1] = second, bell(second)
	for i := 1; i < layers-1; i++ {
		z.height[i+1] = z.height[i] + area/z.edge[i]
		if z.height[i+1] >= 1 {
			return true
		}
		z.edge[i+1] = math.Sqrt(-2 * math.Log(z.height[i+1]))
	}
	z.edge[layers], z.height[layers] = 0, 1
	return z.height[layers-1]+area/z.edge[layers-1] > 1
}

func bell(x float64) float64 { return math.Exp(-x * x / 2) }

// gaussian draws integers of a normal distribution of deviation sigma cut at six of
// them. It is not safe for concurrent use.
type gaussian struct {
	*ziggurat
	sigma float64
	width [layers + 1]uint64 // edges in integers
	coins *coins
}

func newGaussian(z *ziggurat, sigma float64, c *coins) *gaussian {
	g := &gaussian{ziggurat: z, sigma: sigma, coins: c}
	for i, e := range z.edge {
		g.width[i] = uint64(e * sigma)
	}
	return g
}

// draw returns an absolute value v and a sign; the number drawn is v, or -1 - v, so
// that none occurs for both signs. The absolute value is uniform over a layer's
// width and kept where it lies below the curve.
func (g *gaussian) draw() (v uint64, negative bool) {
	for {
		u := g.coins.next()
		i, negative := u%layers, u&layers != 0
		v := g.coins.below(g.width[i])
		if v < g.width[i+1] {
			return v, negative
		}
		y := g.height[i] + float64(u>>11)*0x1p-53*(g.height[i+1]-g.height[i])
		if y < bell((float64(v)+0.5)/g.sigma) {
			return v, negative
		}
	}
}

// addTo adds one number to every coefficient of p.
func (g *gaussian) addTo(p ring.Poly, moduli []uint64) {
	for j := range p.Coeffs[0] {
		v, negative := g.draw()
		for i, q := range moduli {
			e := v
			if negative {
				e = q - 1 - v
			}
			p.Coeffs[i][j] = addMod(p.Coeffs[i][j], e, q)
		}
	}
}

// below returns a uniform number below n (Lemire 2019): the high half of a product,
// drawn again where the low half would favour some.
func (c *coins) below(n uint64) uint64 {
	high, low := bits.Mul64(c.next(), n)
	if low < n {
		for unfair := -n % n; low < unfair; {
			high, low = bits.Mul64(c.next(), n)
		}
	}
	return high
}

func addMod(x, y, q uint64) uint64 {
	if x += y; x >= q {
		x -= q
	}
	return x
}

func subMod(x, y, q uint64) uint64 {
	if x < y {
		x += q
	}
	return x - y
}
