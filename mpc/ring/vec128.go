package ring

import (
	"encoding/binary"
	"math/big"
	"slices"
)

// Size128 is the number of bytes of an element of Vec128 on the wire.
const Size128 = 16

// FromBig returns the integers modulo 2^128 as elements. Those from -2^127 to
// 2^127-1 come back unchanged from Big. It is for public values and for a site's
// own: big.Int takes time that depends on them.
func FromBig(x []*big.Int) Vec128 {
	v := make(Vec128, len(x))
	for i, k := range x {
		v[i] = fromBig(k)
	}
	return v
}

// Big returns the elements as signed integers.
func (v Vec128) Big() []*big.Int {
	x := make([]*big.Int, len(v))
	for i, e := range v {
		x[i] = e.Big()
	}
	return x
}

// Len returns the number of elements.
func (v Vec128) Len() int { return len(v) }

// Size returns the number of bytes on the wire.
func (v Vec128) Size() int { return Size128 * len(v) }

// Make returns a zero vector of n elements.
func (v Vec128) Make(n int) Vec128 { return make(Vec128, n) }

// Slice returns elements lo to hi-1, in the same memory.
func (v Vec128) Slice(lo, hi int) Vec128 { return v[lo:hi:hi] }

// Join returns v and then the others, one after the other.
func (v Vec128) Join(others ...Vec128) Vec128 {
	return slices.Concat(append([]Vec128{v}, others...)...)
}

// Add returns v + w.
func (v Vec128) Add(w Vec128) Vec128 {
	z, w := make(Vec128, len(v)), w[:len(v)]
	for i, e := range v {
		z[i] = e.Add(w[i])
	}
	return z
}

// Sub returns v - w.
func (v Vec128) Sub(w Vec128) Vec128 {
	z, w := make(Vec128, len(v)), w[:len(v)]
	for i, e := range v {
		z[i] = e.Sub(w[i])
	}
	return z
}

// Neg returns -v.
func (v Vec128) Neg() Vec128 {
	z := make(Vec128, len(v))
	for i, e := range v {
		z[i] = U128{}.Sub(e)
	}
	return z
}

// Mul returns v * w elementwise.
func (v Vec128) Mul(w Vec128) Vec128 {
	z, w := make(Vec128, len(v)), w[:len(v)]
	for i, e := range v {
		z[i] = e.Mul(w[i])
	}
	return z
}

// Scale returns k v.
func (v Vec128) Scale(k int64) Vec128 {
	z, wide := make(Vec128, len(v)), Int128(k)
	for i, e := range v {
		z[i] = e.Mul(wide)
	}
	return z
}

// Shl returns v with each element shifted left by k bits, less than the ring has.
func (v Vec128) Shl(k int) Vec128 {
	z := make(Vec128, len(v))
	for i, e := range v {
		z[i] = e.Shl(k)
	}
	return z
}

// Shr returns v with each element, taken as unsigned, shifted right by k bits, less
// than the ring has.
func (v Vec128) Shr(k int) Vec128 {
	z := make(Vec128, len(v))
	z.SetShr(v, k)
	return z
}

// AddConst returns v with k added to each element.
func (v Vec128) AddConst(k int64) Vec128 {
	z, wide := make(Vec128, len(v)), Int128(k)
	for i, e := range v {
		z[i] = e.Add(wide)
	}
	return z
}

// Sum returns the sum of the elements as one element.
func (v Vec128) Sum() Vec128 {
	var sum U128
	for _, e := range v {
		sum = sum.Add(e)
	}
	return Vec128{sum}
}

// Dot returns the inner product as one element.
func (v Vec128) Dot(w Vec128) Vec128 {
	w = w[:len(v)]
	var sum U128
	for i, e := range v {
		sum = sum.Add(e.Mul(w[i]))
	}
	return Vec128{sum}
}

// SetCross sets v to a c + a d + b c.
func (v Vec128) SetCross(a, b, c, d Vec128) {
	n := len(v)
	a, b, c, d = a[:n], b[:n], c[:n], d[:n]
	for i := range v {
		v[i] = a[i].Mul(c[i].Add(d[i])).Add(b[i].Mul(c[i]))
	}
}

// SetCrossDot sets v, of one element, to the sum of a c + a d + b c.
func (v Vec128) SetCrossDot(a, b, c, d Vec128) {
	n := len(a)
	b, c, d = b[:n], c[:n], d[:n]
	var sum U128
	for i := range a {
		sum = sum.Add(a[i].Mul(c[i].Add(d[i]))).Add(b[i].Mul(c[i]))
	}
	v[0] = sum
}

// Append appends the elements to b, low half first.
func (v Vec128) Append(b []byte) []byte {
	n := len(b)
	b = slices.Grow(b, v.Size())[:n+v.Size()]
	rest := b[n:]
	for i := 0; i < len(v) && len(rest) >= Size128; i++ {
		binary.LittleEndian.PutUint64(rest, v[i].Lo)
		binary.LittleEndian.PutUint64(rest[8:], v[i].Hi)
		rest = rest[Size128:]
	}
	return b
}

// Decode returns the vector in b.
func (v Vec128) Decode(b []byte) Vec128 {
	z := make(Vec128, elements(b, Size128))
	z.SetBytes(b)
	return z
}

// SetBytes sets v to the vector in b.
func (v Vec128) SetBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size128; i++ {
		v[i] = load128(b)
		b = b[Size128:]
	}
}

// AddBytes adds the vector in b to v.
func (v Vec128) AddBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size128; i++ {
		v[i] = v[i].Add(load128(b))
		b = b[Size128:]
	}
}

// SubBytes subtracts the vector in b from v.
func (v Vec128) SubBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size128; i++ {
		v[i] = v[i].Sub(load128(b))
		b = b[Size128:]
	}
}

// load128 reads one element, low half first.
func load128(b []byte) U128 {
	return U128{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}
