package ring

import (
	"encoding/binary"
	"slices"
)

// Size64 is the number of bytes of an element of Vec64 on the wire.
const Size64 = 8

// FromInt64 returns x as elements.
func FromInt64(x []int64) Vec64 {
	v := make(Vec64, len(x))
	for i, k := range x {
		v[i] = uint64(k)
	}
	return v
}

// Int64 returns the elements as signed integers.
func (v Vec64) Int64() []int64 {
	x := make([]int64, len(v))
	for i, e := range v {
		x[i] = int64(e)
	}
	return x
}

// Len returns the number of elements.
func (v Vec64) Len() int { return len(v) }

// Size returns the number of bytes on the wire.
func (v Vec64) Size() int { return Size64 * len(v) }

// Make returns a zero vector of n elements.
func (v Vec64) Make(n int) Vec64 { return make(Vec64, n) }

// Slice returns elements lo to hi-1, in the same memory.
func (v Vec64) Slice(lo, hi int) Vec64 { return v[lo:hi:hi] }

// Join returns v and then the others, one after the other.
func (v Vec64) Join(others ...Vec64) Vec64 {
	return slices.Concat(append([]Vec64{v}, others...)...)
}

// Add returns v + w.
func (v Vec64) Add(w Vec64) Vec64 {
	z, w := make(Vec64, len(v)), w[:len(v)]
	for i, e := range v {
		z[i] = e + w[i]
	}
	return z
}

// Sub returns v - w.
func (v Vec64) Sub(w Vec64) Vec64 {
	z, w := make(Vec64, len(v)), w[:len(v)]
	for i, e := range v {
		z[i] = e - w[i]
	}
	return z
}

// Neg returns -v.
func (v Vec64) Neg() Vec64 {
	z := make(Vec64, len(v))
	for i, e := range v {
		z[i] = -e
	}
	return z
}

// Mul returns v * w elementwise.
func (v Vec64) Mul(w Vec64) Vec64 {
	z, w := make(Vec64, len(v)), w[:len(v)]
	for i, e := range v {
		z[i] = e * w[i]
	}
	return z
}

// Scale returns k v.
func (v Vec64) Scale(k int64) Vec64 {
	z := make(Vec64, len(v))
	for i, e := range v {
		z[i] = e * uint64(k)
	}
	return z
}

// Shl returns v with each element shifted left by k bits, less than the ring has.
func (v Vec64) Shl(k int) Vec64 {
	z := make(Vec64, len(v))
	for i, e := range v {
		z[i] = e << k
	}
	return z
}

// Shr returns v with each element, taken as unsigned, shifted right by k bits, less
// than the ring has.
func (v Vec64) Shr(k int) Vec64 {
	z := make(Vec64, len(v))
	z.SetShr(v, k)
	return z
}

// AddConst returns v with k added to each element.
func (v Vec64) AddConst(k int64) Vec64 {
	z := make(Vec64, len(v))
	for i, e := range v {
		z[i] = e + uint64(k)
	}
	return z
}

// Sum returns the sum of the elements as one element.
func (v Vec64) Sum() Vec64 {
	var sum uint64
	for _, e := range v {
		sum += e
	}
	return Vec64{sum}
}

// Dot returns the inner product as one element.
func (v Vec64) Dot(w Vec64) Vec64 {
	w = w[:len(v)]
	var sum uint64
	for i, e := range v {
		sum += e * w[i]
	}
	return Vec64{sum}
}

// SetCross sets v to a c + a d + b c.
func (v Vec64) SetCross(a, b, c, d Vec64) {
	n := len(v)
	a, b, c, d = a[:n], b[:n], c[:n], d[:n]
	for i := range v {
		v[i] = a[i]*(c[i]+d[i]) + b[i]*c[i]
	}
}

// SetCrossDot sets v, of one element, to the sum of a c + a d + b c.
func (v Vec64) SetCrossDot(a, b, c, d Vec64) {
	n := len(a)
	b, c, d = b[:n], c[:n], d[:n]
	var sum uint64
	for i := range a {
		sum += a[i]*(c[i]+d[i]) + b[i]*c[i]
	}
	v[0] = sum
}

// Append appends the elements to b.
func (v Vec64) Append(b []byte) []byte {
	n := len(b)
	b = slices.Grow(b, v.Size())[:n+v.Size()]
	rest := b[n:]
	for i := 0; i < len(v) && len(rest) >= Size64; i++ {
		binary.LittleEndian.PutUint64(rest, v[i])
		rest = rest[Size64:]
	}
	return b
}

// Decode returns the vector in b.
func (v Vec64) Decode(b []byte) Vec64 {
	z := make(Vec64, elements(b, Size64))
	z.SetBytes(b)
	return z
}

// The loops over bytes test the rest's length though it always suffices: so the
// compiler drops the test of each access.

// SetBytes sets v to the vector in b.
func (v Vec64) SetBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size64; i++ {
		v[i] = binary.LittleEndian.Uint64(b)
		b = b[Size64:]
	}
}

// AddBytes adds the vector in b to v.
func (v Vec64) AddBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size64; i++ {
		v[i] += binary.LittleEndian.Uint64(b)
		b = b[Size64:]
	}
}

// SubBytes subtracts the vector in b from v.
func (v Vec64) SubBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size64; i++ {
		v[i] -= binary.LittleEndian.Uint64(b)
		b = b[Size64:]
	}
}
