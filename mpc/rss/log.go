package rss

import (
	"math"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// logTerms are the coefficients of log((3+z)/4) for |z| <= 1: its Chebyshev series
// up to the power 9, which is off by at most 2^-27. The series is known in closed
// form, -log(8 r) + 2 sum (-1)^(k+1) r^k/k T_k(z) with r = 3 - sqrt(8);
// minimax_internal_test.go writes it in powers of z.
var logTerms = [...]float64{
	-0.2876820767669539, 0.33333334070159465, -0.055555342056719179, 0.012345533324671344,
	-0.0030881011462067366, 0.0008238473155469171, -0.00022403659443187936,
	6.3538886807359128e-05, -2.402918344330521e-05, 7.3293441659895372e-06,
}

// logFrac is how many fractional bits log 2 is multiplied with.
const logFrac = 34

// Log returns the natural logarithm of x > 0 with frac fractional bits; of other x
// something arbitrary. x has at most 32 bits. The error is at most 2^-24 +
// 2^-frac, absolute: near 1 the result is small. 28 rounds and 200 bytes an element
// for 31 bits. Leaks nothing beyond what reshareRounded says.
func Log(s *mpc.Session, x Fixed, frac int) Fixed {
	z := Fixed{zero[ring.Vec64](x.Len()), logFrac, counterBits(max(x.Frac, x.Bits)) + logFrac}
	if !between(s, "bits of a logarithm's argument", x.Bits, 0, 32) || !ready(s, x.Share) {
		return z.reach(frac)
	}
	z.Share = inParts(s, x.Len(), func(s *mpc.Session, lo, hi int) Vec { return logarithm(s, x.part(lo, hi)) })
	return z.Round(s.Step("round"), frac)
}

// logarithm returns log(x) with logFrac fractional bits.
func logarithm(s *mpc.Session, x Fixed) Vec {
	n, width := x.Len(), max(x.Bits, 1)+1
	planes := Decompose(s.Step("bits"), x.Share, width)
	zeros, _ := leadingZeros(s.Step("leading"), planes.each())
	bits := parts(s, ToArith(s.Step("arith"), ConcatPlanes(zeros...)), n)
	t := zero[ring.Vec64](n)
	for j, b := range bits {
		t = Add(s, t, Scale(s, b, 1<<j))
	}
	scale := product(s.Step("scale"), powerFactors(s, bits, 1))
	c := scaleTo(s.Step("scaled"), x.Share, scale, width)
	// x = c 2^(width-t-Frac), c = (3+z)/4.
	y := poly(s.Step("poly"), AddConst(s, Scale(s, c, 4), -3*unit[ring.Vec64](1)), logTerms[:], logFrac)
	whole := AddConst(s, Neg(s, t), int64(width-x.Frac))
	return Add(s, y, Scale(s, whole, steps(math.Ln2, logFrac)))
}
