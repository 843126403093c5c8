package rss

import (
	"fmt"
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
)

const (
	// polyBlock is how many coefficients of a polynomial make a block: the numbers
	// are combined with powers 0 to 3 locally, blocks with powers 4 and 8.
	polyBlock = 4
	polyTerms = 3 * polyBlock
	// polyBits bounds the coefficients' sum, so that it can be rounded.
	polyBits = 4
)

// Poly returns c[0] + c[1] x + c[2] x^2 + … for |x| <= 1 with frac fractional
// bits, for at most 12 public coefficients whose magnitudes sum up to at most 16.
// The error is at most 2^-26 + 2^-frac for coefficients that sum up to at most 1.
// 8 rounds and 84 bytes an element for 9 to 12 coefficients, less for fewer;
// besides, 2 rounds for x of more than 28 fractional bits. Leaks nothing beyond
// what reshareRounded says.
func Poly(s *mpc.Session, x Fixed, c []float64, frac int) Fixed {
	sum := 0.0
	for _, v := range c {
		sum += math.Abs(v)
	}
	width := max(int(math.Ceil(math.Log2(max(sum, 1)))), 0)
	z := Fixed{zero[ring.Vec64](x.Len()), frac, held[ring.Vec64](s, "a polynomial", width+frac)}
	switch {
	case len(c) == 0 || len(c) > polyTerms:
		s.Fail(fmt.Errorf("a polynomial of %d coefficients: 1 to %d", len(c), polyTerms))
	case !(width <= polyBits):
		s.Fail(fmt.Errorf("coefficients that sum up to %v: at most %d", sum, 1<<polyBits))
	case x.Bits > x.Frac:
		s.Fail(fmt.Errorf("a polynomial in numbers up to 2^%d: at most 1", x.Bits-x.Frac))
	}
	if s.Err() == nil {
		z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Vec {
			return poly(s, x.part(lo, hi).Round(s.Step("argument"), precision[ring.Vec64]()).Share, c, frac)
		})
	}
	return z
}

// poly is Poly for x of p fractional bits (Paterson and Stockmeyer: "On the number
// of nonscalar multiplications necessary to evaluate polynomials", 1973).
func poly(s *mpc.Session, x Vec, c []float64, frac int) Vec {
	p, n := precision[ring.Vec64](), x.Len()
	powers := []Vec{1: x}
	if len(c) > 2 {
		powers = append(powers, MulRound(s.Step("power", 2), x, x, p))
	}
	if len(c) > 3 {
		next := MulRound(s.Step("power", 4), Concat(s, powers[2], powers[2]), Concat(s, x, powers[2]), p)
		powers = append(powers, parts(s, next, n)...)
	}
	// Each block counts in steps of 2^-2p; all but the lowest are rounded to p.
	var blocks []Vec
	for lo := 0; lo < len(c); lo += polyBlock {
		blocks = append(blocks, block(s, powers, c[lo:min(lo+polyBlock, len(c))], n))
	}
	down := 2*p - frac
	if len(blocks) == 1 {
		return sumShift(s.Step("sum"), blocks[0], nil, nil, down)
	}
	one := Public(s, x.A.Make(n).AddConst(1))
	left, right := blocks[1:], []Vec{one}
	if len(blocks) == 3 {
		left, right = append(left, powers[4]), []Vec{one, one, powers[4]}
	}
	rounded := parts(s, MulRound(s.Step("blocks"), Concat(s, left...), Concat(s, right...), p), n)
	xs, ys := []Vec{powers[4]}, rounded[:1]
	if len(blocks) == 3 {
		xs, ys = append(xs, rounded[2]), rounded[:2]
	}
	return sumShift(s.Step("sum"), blocks[0], xs, ys, down)
}

// block returns c[0] + c[1] x + … with 2p fractional bits. Local.
func block(s *mpc.Session, powers []Vec, c []float64, n int) Vec {
	p := precision[ring.Vec64]()
	sum := Public(s, ring.Vec64(nil).Make(n).AddConst(steps(c[0], p)).Shl(p))
	for i := 1; i < len(c); i++ {
		sum = Add(s, sum, Scale(s, powers[i], steps(c[i], p)))
	}
	return sum
}

// sumShift returns (x + x0 * y0 + x1 * y1 + …) / 2^f, rounded for positive f.
func sumShift[V ring.Vector[V]](s *mpc.Session, x Share[V], xs, ys []Share[V], f int) Share[V] {
	local := func(l *strand, part V, lo, hi int) {
		if len(xs) > 0 {
			crossSum(xs, ys)(l, part, lo, hi)
		} else {
			clear(part)
		}
		part.Set(part.Add(x.A.Slice(lo, hi)))
	}
	if f > 0 {
		return reshareRounded[V, V](s, x.Len(), f, local)
	}
	return shiftLeft(s, reshare(s, x.Len(), alone(local)), -f)
}
