package rss

import (
	"fmt"
	"math"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Real is a shared vector of fixed-point numbers: each element is an integer
// that counts in steps of 2^-Frac and is at most 2^Bits in magnitude. Both are
// public. Integers are numbers with Frac 0. It prints as "redacted".
//
// Every operation tracks the bound and refuses, before anything is sent, what
// could pass the largest one that can still be rounded: 2^61 in Vec64, 2^125 in
// Vec128. The error names the step and the bounds.
type Real[V ring.Vector[V]] struct {
	Share[V]
	Frac, Bits int
}

// Fixed and Fixed128 are numbers over the two rings.
type (
	Fixed    = Real[ring.Vec64]
	Fixed128 = Real[ring.Vec128]
)

// NewReal declares what the elements of x are: the caller vouches for the bound.
func NewReal[V ring.Vector[V]](s *mpc.Session, x Share[V], frac, bits int) Real[V] {
	if frac < 0 || frac > room[V]() {
		s.Fail(outOfRange{"fractional bits", frac, 0, room[V]()})
	}
	return Real[V]{x, frac, held[V](s, "a vector", bits)}
}

// NewFixed is NewReal over Z_2^64.
func NewFixed(s *mpc.Session, x Vec, frac, bits int) Fixed { return NewReal(s, x, frac, bits) }

// NewFixed128 is NewReal over Z_2^128.
func NewFixed128(s *mpc.Session, x Vec128, frac, bits int) Fixed128 {
	return NewReal(s, x, frac, bits)
}

// Add returns x + y, which have the same number of fractional bits. Local.
func (x Real[V]) Add(s *mpc.Session, y Real[V]) Real[V] {
	bits := x.meet(s, y)
	return Real[V]{Add(s, x.Share, y.Share), x.Frac, bits}
}

// Sub returns x - y, which have the same number of fractional bits. Local.
func (x Real[V]) Sub(s *mpc.Session, y Real[V]) Real[V] {
	bits := x.meet(s, y)
	return Real[V]{Sub(s, x.Share, y.Share), x.Frac, bits}
}

// Neg returns -x. Local.
func (x Real[V]) Neg(s *mpc.Session) Real[V] { return Real[V]{Neg(s, x.Share), x.Frac, x.Bits} }

// Scale returns k x for a public integer. Local.
func (x Real[V]) Scale(s *mpc.Session, k int64) Real[V] {
	width := held[V](s, "a multiple", x.Bits+magnitude(k))
	return Real[V]{Scale(s, x.Share, k), x.Frac, width}
}

// AddConst returns x + c for a public number, taken to the nearest step. Local.
func (x Real[V]) AddConst(s *mpc.Session, c float64) Real[V] {
	step := math.Round(math.Ldexp(c, x.Frac))
	if !(math.Abs(step) <= 1<<53) {
		s.Fail(fmt.Errorf("a constant of %v with %d fractional bits is not exact: scale it", c, x.Frac))
		step = 0
	}
	width := held[V](s, "a sum", 1+max(x.Bits, magnitude(int64(step))))
	return Real[V]{AddConst(s, x.Share, int64(step)), x.Frac, width}
}

// Sum returns the sum of the elements as one element. Local.
func (x Real[V]) Sum(s *mpc.Session) Real[V] {
	width := held[V](s, "a sum", x.Bits+terms(x.Len()))
	return Real[V]{Sum(s, x.Share), x.Frac, width}
}

// Slice returns elements lo to hi-1, in the same memory. Local.
func (x Real[V]) Slice(s *mpc.Session, lo, hi int) Real[V] {
	return Real[V]{Slice(s, x.Share, lo, hi), x.Frac, x.Bits}
}

// Within declares a tighter bound that the caller vouches for. Local.
func (x Real[V]) Within(s *mpc.Session, bits int) Real[V] {
	return Real[V]{x.Share, x.Frac, held[V](s, "a vector", bits)}
}

// Round returns x with another number of fractional bits: fewer are rounded
// (Round: 2 rounds), more are exact and local.
func (x Real[V]) Round(s *mpc.Session, frac int) Real[V] {
	f, width := x.Frac-frac, max(x.Bits-x.Frac+frac, 0)
	if f <= 0 {
		return x.finer(s, -f)
	}
	return Real[V]{Round(s, x.Share, f), frac, width}
}

// Mul returns x * y with frac fractional bits: rounded once (MulRound: 2 rounds),
// or exact where frac is the sum of the operands' (Mul: 1 round) or more.
func (x Real[V]) Mul(s *mpc.Session, y Real[V], frac int) Real[V] {
	full, ok := x.product(s, y, "a product", 1)
	switch f := full.Frac - frac; {
	case !ok:
		full.Share = zero[V](x.Len())
		return full.reach(frac)
	case f <= 0:
		full.Share = Mul(s, x.Share, y.Share)
		return full.finer(s, -f)
	default:
		full.Share = MulRound(s, x.Share, y.Share, f)
		return full.reach(frac)
	}
}

// Dot returns the inner product of x and y with frac fractional bits, rounded
// once or exact as in Mul.
func (x Real[V]) Dot(s *mpc.Session, y Real[V], frac int) Real[V] {
	if !whole(s, x.Share, y.Share) {
		return Real[V]{zero[V](1), frac, 0}
	}
	return x.DotRows(s, y, x.Len(), frac)
}

// DotRows returns the inner products of rows of n elements of x and y with frac
// fractional bits, each rounded once or exact as in Mul.
func (x Real[V]) DotRows(s *mpc.Session, y Real[V], n, frac int) Real[V] {
	full, ok := x.product(s, y, "a dot product", n)
	rows, whole := rowsOf(s, x.Share, n)
	switch f := full.Frac - frac; {
	case !ok || !whole:
		full.Share = zero[V](rows)
		return full.reach(frac)
	case f <= 0:
		full.Share = DotRows(s, x.Share, y.Share, n)
		return full.finer(s, -f)
	default:
		full.Share = DotRowsRound(s, x.Share, y.Share, n, f)
		return full.reach(frac)
	}
}

// MatMul returns the product of x, r rows of k elements, and y, k rows of c
// elements, row by row, with frac fractional bits: each sum is rounded once or
// exact as in Mul.
func (x Real[V]) MatMul(s *mpc.Session, y Real[V], r, k, c, frac int) Real[V] {
	full, ok := x.product(s, y, "a matrix product", max(k, 1))
	switch f := full.Frac - frac; {
	case !ok:
		full.Share = zero[V](max(r, 0) * max(c, 0))
		return full.reach(frac)
	case f <= 0:
		full.Share = MatMul(s, x.Share, y.Share, r, k, c)
		return full.finer(s, -f)
	default:
		full.Share = MatMulRound(s, x.Share, y.Share, r, k, c, f)
		return full.reach(frac)
	}
}

// product returns what is public of a sum of n products, and whether it fits.
func (x Real[V]) product(s *mpc.Session, y Real[V], what string, n int) (Real[V], bool) {
	z := Real[V]{Frac: x.Frac + y.Frac, Bits: x.Bits + y.Bits + terms(n)}
	held[V](s, what, z.Bits)
	return z, s.Err() == nil
}

// reach returns x as it is when rounded to frac fractional bits.
func (x Real[V]) reach(frac int) Real[V] {
	return Real[V]{x.Share, frac, max(x.Bits-x.Frac+frac, 0)}
}

// finer returns x with k more fractional bits.
func (x Real[V]) finer(s *mpc.Session, k int) Real[V] {
	width := held[V](s, "a finer step", x.Bits+k)
	if k == 0 || s.Err() != nil {
		return Real[V]{x.Share, x.Frac + k, width}
	}
	return Real[V]{shiftLeft(s, x.Share, k), x.Frac + k, width}
}

// shiftLeft returns 2^k x. Local.
func shiftLeft[V ring.Vector[V]](s *mpc.Session, x Share[V], k int) Share[V] {
	if k == 0 || !ready(s, x) {
		return x
	}
	return Share[V]{x.A.Shl(k), x.B.Shl(k)}
}

// meet checks that x and y count in the same steps and returns the bound of
// their sum.
func (x Real[V]) meet(s *mpc.Session, y Real[V]) int {
	if x.Frac != y.Frac {
		s.Fail(fmt.Errorf("numbers of %d and %d fractional bits meet: round one of them first", x.Frac, y.Frac))
	}
	return held[V](s, "a sum", 1+max(x.Bits, y.Bits))
}

// held checks that a bound leaves room for rounding, and returns it.
func held[V ring.Vector[V]](s *mpc.Session, what string, bits int) int {
	if bits < 0 || bits > room[V]() {
		s.Fail(fmt.Errorf("%s of %d bits: this ring holds 0 to %d; round the operands, or use more than 64 bits", what, bits, room[V]()))
	}
	return bits
}

// room returns the bits of the largest number that can be rounded.
func room[V ring.Vector[V]]() int { return ringBits[V]() - 3 }

// magnitude returns the least b with |k| <= 2^b.
func magnitude(k int64) int {
	u := uint64(k)
	if k < 0 {
		u = -u
	}
	return terms(int(min(u, math.MaxInt64)))
}

// terms returns the least b with n <= 2^b: what a sum of n terms adds to a bound.
func terms(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// steps returns c in steps of 2^-frac, to the nearest.
func steps(c float64, frac int) int64 { return int64(math.Round(math.Ldexp(c, frac))) }

// mostShift returns by how many bits numbers can be rounded at once.
func mostShift[V ring.Vector[V]]() int { return min(room[V](), 64) }
