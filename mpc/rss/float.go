package rss

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Float is a shared vector of floating-point numbers, for statistics of which
// nobody knows how large they are: mantissa and exponent are both secret. An
// element is Mantissa * 2^(Exponent-56), where 2^55 <= |Mantissa| <= 2^56 but for
// the last few units, or Mantissa is 0 and Exponent any small number. It prints as
// "redacted".
//
// Operations work on whole vectors, fail for no value, and have a relative error
// of about 2^-53 each. Exponents of numbers that are not 0 may come up to 2^18 in
// magnitude, which takes thousands of operations in a row. None leaks anything
// beyond what reshareRounded says.
type Float struct {
	Mantissa Vec128
	Exponent Vec
}

const (
	// floatBits is how many bits a mantissa has: the precision of the wide ring.
	floatBits = 56
	// mantissaWidth is what comparisons look at of a mantissa.
	mantissaWidth = floatBits + 2
	// exponentWidth is what is looked at of an exponent.
	exponentWidth = 22
	// leastExponent is below that of all numbers but 0.
	leastExponent = -1 << 19
)

// zeroFloat returns n zeros.
func zeroFloat(n int) Float { return Float{zero[ring.Vec128](n), zero[ring.Vec64](n)} }

// widestFloat is the widest number, in bits, that is made a floating-point one.
const widestFloat = 124

// Normalise128 returns fixed-point numbers or integers of at most 124 bits as
// floating-point ones: exactly while they have at most 55 bits, and rounded
// otherwise. 18 to 23 rounds, 25 for more than 119 bits.
func Normalise128(s *mpc.Session, x Fixed128) Float {
	n, width := x.Len(), x.Bits+1
	if !ready(s, x.Share) || !between(s, "bits to normalise", x.Bits, 0, widestFloat) {
		return zeroFloat(n)
	}
	magnitude, _ := doubled(s.Step("bits"), x.Share, x.Bits)
	zeros, _ := leadingZeros(s.Step("leading"), magnitude)
	t := parts(s, ToArith128(s.Step("arith"), ConcatPlanes(zeros...)), n)
	shift := zero[ring.Vec64](n)
	for j, b := range t {
		shift = Add(s, shift, Scale(s, narrow(b), 1<<j))
	}
	// x 2^t is at least 2^(width-1) and at most 2^width.
	scaled := Mul(s.Step("scaled"), x.Share, product(s.Step("scale"), powerFactors(s, t, 1)))
	exponent := AddConst(s, Neg(s, shift), int64(width-x.Frac))
	if width <= floatBits {
		return Float{shiftLeft(s, scaled, floatBits-width), exponent}
	}
	const once = floatBits + 64 // what can be rounded at once
	if width > once {
		scaled = Round(s.Step("once"), scaled, width-once)
	}
	return Float{Round(s.Step("mantissa"), scaled, min(width, once)-floatBits), exponent}
}

// PublicFloats returns the trivial share of numbers that all parties know. Local.
func PublicFloats(s *mpc.Session, xs ...float64) Float {
	mantissas, exponents := make(ring.Vec128, len(xs)), make(ring.Vec64, len(xs))
	for i, x := range xs {
		m, e := math.Frexp(x)
		if math.IsNaN(m) || math.IsInf(m, 0) {
			s.Fail(fmt.Errorf("%v is no number that can be shared", x))
			return zeroFloat(len(xs))
		}
		mantissas[i], exponents[i] = ring.Int128(int64(math.Ldexp(m, floatBits))), uint64(e)
	}
	return Float{Public(s, mantissas), Public(s, exponents)}
}

// Len returns the public number of elements.
func (x Float) Len() int { return x.Mantissa.Len() }

// Slice returns elements lo to hi-1, in the same memory. Local.
func (x Float) Slice(s *mpc.Session, lo, hi int) Float {
	return Float{Slice(s, x.Mantissa, lo, hi), Slice(s, x.Exponent, lo, hi)}
}

// Repeat returns k copies of x one after the other. Local.
func (x Float) Repeat(s *mpc.Session, k int) Float {
	return Float{Repeat(s, x.Mantissa, k), Repeat(s, x.Exponent, k)}
}

// ConcatFloats returns the vectors one after the other. Local.
func ConcatFloats(s *mpc.Session, xs ...Float) Float {
	mantissas, exponents := make([]Vec128, len(xs)), make([]Vec, len(xs))
	for i, x := range xs {
		mantissas[i], exponents[i] = x.Mantissa, x.Exponent
	}
	return Float{Concat(s, mantissas...), Concat(s, exponents...)}
}

// Neg returns -x. Local.
func (x Float) Neg(s *mpc.Session) Float { return Float{Neg(s, x.Mantissa), x.Exponent} }

// Scale returns 2^k x. Local.
func (x Float) Scale(s *mpc.Session, k int) Float {
	return Float{x.Mantissa, AddConst(s, x.Exponent, int64(k))}
}

// Mul returns x * y. 10 rounds.
func (x Float) Mul(s *mpc.Session, y Float) Float {
	if !x.ready(s) || !y.ready(s) || !matching(s, x.Len(), y.Len()) {
		return zeroFloat(x.Len())
	}
	m := MulRound(s.Step("product"), x.Mantissa, y.Mantissa, floatBits)
	// A product of halves may be a quarter: double what is below one half.
	const half = 1 << (floatBits - 1)
	below := compared(s.Step("small"), m, half, 1-half)
	small := Sub(s, below[0], below[1])
	m = Mul(s.Step("double"), m, AddConst(s, small, 1))
	return Float{m, Sub(s, Add(s, x.Exponent, y.Exponent), narrow(small))}
}

// Recip returns 1/x, and 0 for 0. 20 rounds.
func (x Float) Recip(s *mpc.Session) Float {
	if !x.ready(s) {
		return zeroFloat(x.Len())
	}
	below := compared(s.Step("sign"), x.Mantissa, 0, 1)
	sign := AddConst(s, Neg(s, Add(s, below[0], below[1])), 1) // 1, 0 or -1
	inv := reciprocal(s.Step("newton"), Mul(s.Step("magnitude"), x.Mantissa, sign))
	m := MulRound(s.Step("result"), inv, sign, 1)
	return Float{m, AddConst(s, Neg(s, x.Exponent), 1)}
}

// Div returns x / y, and 0 where y is 0. 30 rounds.
func (x Float) Div(s *mpc.Session, y Float) Float {
	return x.Mul(s.Step("product"), y.Recip(s.Step("reciprocal")))
}

// Sqrt returns the square root of x, and 0 for 0 and for negative numbers. 32
// rounds.
func (x Float) Sqrt(s *mpc.Session) Float {
	if !x.ready(s) {
		return zeroFloat(x.Len())
	}
	odd := ToArith128(s.Step("odd"), Decompose(s.Step("parity"), x.Exponent, 1))
	some := AddConst(s, Neg(s, compared(s.Step("sign"), x.Mantissa, 1)[0]), 1)
	// c has half the magnitude where the exponent is odd, and is 0 where there is
	// no root.
	two := AddConst(s, Neg(s, odd), 2)
	c := MulRound(s.Step("even"), x.Mantissa, Mul(s.Step("some"), some, two), 1)
	root, _ := roots(s.Step("newton"), c, true)
	return Float{root, Round(s.Step("exponent"), Add(s, x.Exponent, narrow(odd)), 1)}
}

// Fixed returns x with frac fractional bits. The caller vouches for the bits, as
// in NewReal: what has more comes out as anything. What is too small comes out as
// 0 or as one step. 13 rounds.
func (x Float) Fixed(s *mpc.Session, frac, bits int) Fixed128 {
	n := x.Len()
	z := NewFixed128(s, zero[ring.Vec128](n), frac, bits)
	if !x.ready(s) {
		return z
	}
	// The result is Mantissa * 2^(up-57). For up < 64 that is rounded down; above
	// it is exact.
	up := Decompose(s.Step("bits"), AddConst(s, x.Exponent, int64(frac+1)), exponentWidth)
	const low = 6
	digits := parts(s, ToArith128(s.Step("arith"), ConcatPlanes(up.Planes(0, low+1), up.Plane(exponentWidth-1))), n)
	large, some := digits[low], AddConst(s, Neg(s, digits[low+1]), 1)
	scale := product(s.Step("scale"), append(powerFactors(s, digits[:low], 1), some))
	m := Mul(s.Step("shift"), x.Mantissa, scale)
	const down = floatBits + 1
	rounded := Round(s.Step("round"), m, down)
	z.Share = Select(s.Step("select"), large, shiftLeft(s, m, 1<<low-down), rounded)
	return z
}

// Align returns vectors of one length as fixed-point numbers with frac fractional
// bits and one exponent for the elements at the same place of all of them: an
// element is y * 2^exponent with |y| <= 1, and the greatest of those |y| is at
// least 1/2 unless all are 0. 21 rounds, and 7 more for each doubling of the number
// of vectors.
func Align(s *mpc.Session, frac int, xs ...Float) (ys []Fixed128, exponent Vec) {
	k, all := len(xs), ConcatFloats(s, xs...)
	n := all.Len() / max(k, 1)
	if !all.ready(s) || !evenly(s, xs) {
		return slices.Repeat([]Fixed128{{zero[ring.Vec128](n), frac, frac}}, k), zero[ring.Vec64](n)
	}
	// Zeros must not raise the exponent that all share.
	none := EqualPublic(s.Step("zero"), narrow(all.Mantissa), 0, mantissaWidth)
	down := AddConst(s, Neg(s, all.Exponent), leastExponent)
	exponents := Add(s, all.Exponent, Mul(s.Step("least"), ToArith(s.Step("none"), none), down))
	exponent = greatest(s.Step("greatest"), parts(s, exponents, n))
	all.Exponent = Sub(s, exponents, Repeat(s, exponent, k))
	for _, y := range parts(s, all.Fixed(s.Step("fixed"), frac, frac).Share, n) {
		ys = append(ys, Fixed128{y, frac, frac})
	}
	return ys, exponent
}

// SumFloats returns the sum of vectors of one length, element by element. The error
// is relative to the greatest summand. 42 rounds, and 7 more for each doubling of
// the number of vectors.
func SumFloats(s *mpc.Session, xs ...Float) Float {
	const frac = 60
	ys, exponent := Align(s.Step("align"), frac, xs...)
	sum := zero[ring.Vec128](exponent.Len())
	for _, y := range ys {
		sum = Add(s, sum, y.Share)
	}
	z := Normalise128(s.Step("normalise"), NewFixed128(s, sum, frac, frac+terms(len(xs))))
	z.Exponent = Add(s, z.Exponent, exponent)
	return z
}

// evenly checks that all vectors have one length.
func evenly(s *mpc.Session, xs []Float) bool {
	for _, x := range xs {
		if !matching(s, xs[0].Len(), x.Len()) || !matching(s, xs[0].Len(), x.Exponent.Len()) {
			return false
		}
	}
	return true
}

// greatest returns the greatest of the exponents at each place.
func greatest(s *mpc.Session, xs []Vec) Vec {
	n := xs[0].Len()
	for level := 0; len(xs) > 1; level++ {
		half := len(xs) / 2
		x, y := Concat(s, xs[:half]...), Concat(s, xs[half:2*half]...)
		less := Less(s.Step("less", level), x, y, exponentWidth)
		xs = append(parts(s, SelectBit(s.Step("select", level), less, y, x), n), xs[2*half:]...)
	}
	return xs[0]
}

// ready reports whether an operation may compute: see the function of that name.
func (x Float) ready(s *mpc.Session) bool {
	return ready(s, x.Mantissa) && ready(s, x.Exponent) && matching(s, x.Mantissa.Len(), x.Exponent.Len())
}

// compared returns for each bound whether mantissas are below it, as elements 0 or
// 1. 8 rounds.
func compared(s *mpc.Session, m Vec128, bounds ...int64) []Vec128 {
	n := m.Len()
	shifted := make([]Vec, len(bounds))
	for i, c := range bounds {
		shifted[i] = AddConst(s, narrow(m), -c)
	}
	below := LessPublic(s.Step("below"), Concat(s, shifted...), 0, mantissaWidth)
	return parts(s, ToArith128(s.Step("arith"), below), n)
}

// String keeps a number out of logs.
func (Float) String() string { return redacted }

// GoString keeps a number out of %#v.
func (Float) GoString() string { return redacted }

// Format keeps a number out of every verb: %d would print its components.
func (Float) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a number out of structured logs.
func (Float) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a number out of JSON, also as a field of something else.
func (Float) MarshalText() ([]byte, error) { return []byte(redacted), nil }
