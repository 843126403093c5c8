package protocols

import "math/big"

// Numbers wide enough that what is computed from exact sums keeps more digits than a
// float64 has, however nearly columns depend on each other.

// wideBits is their precision. Centred sums have up to 252 bits, and of a model that
// is not singular no more than about 30 are lost on the way.
const wideBits = 512

// nothingLeft is a share of the variance that is rounding alone.
const nothingLeft = 0x1p-200

func wide(x *big.Int) *big.Float { return new(big.Float).SetPrec(wideBits).SetInt(x) }

func wideAll(xs []*big.Int) []*big.Float {
	out := make([]*big.Float, len(xs))
	for i, x := range xs {
		out[i] = wide(x)
	}
	return out
}

func times(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(wideBits).Mul(x, y) }

func over(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(wideBits).Quo(x, y) }

// dotWide is the sum of the products.
func dotWide(x, y []*big.Float) *big.Float {
	out := wide(new(big.Int))
	for i := range x {
		out.Add(out, times(x[i], y[i]))
	}
	return out
}

// nearest is the nearest float64.
func nearest(x *big.Float) float64 {
	f, _ := x.Float64()
	return f
}

// root is the square root.
func root(x *big.Float) float64 { return nearest(new(big.Float).Sqrt(x)) }

// invert turns a positive definite matrix into its inverse, by Gauss and Jordan: no
// pivot is small.
func invert(a [][]*big.Float) {
	part := wide(new(big.Int))
	for k, pivot := range a {
		by := over(wide(big.NewInt(1)), pivot[k])
		pivot[k] = wide(big.NewInt(1))
		for j := range pivot {
			pivot[j].Mul(pivot[j], by)
		}
		for i, row := range a {
			if i == k {
				continue
			}
			factor := row[k]
			row[k] = wide(new(big.Int))
			for j := range row {
				row[j].Sub(row[j], part.Mul(factor, pivot[j]))
			}
		}
	}
}
