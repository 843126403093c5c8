package ring

import "encoding/binary"

// Words are packed bits, a group under XOR as Vec64 is one under addition: so
// that one protocol serves numbers and bits, Add… and Sub… both XOR.
type Words []uint64

// Group is what vectors of numbers and packed bits share: enough to mask them,
// to send them and to add up their parts.
type Group[V any] interface {
	Words | Vec64 | Vec128
	// Len returns the number of elements, Size that of bytes on the wire.
	Len() int
	Size() int
	// Make returns a zero vector of n elements of the same group.
	Make(n int) V
	// Slice returns elements lo to hi-1, in the same memory.
	Slice(lo, hi int) V
	// Append appends the little-endian bytes of the elements to b.
	Append(b []byte) []byte
	// SetBytes, AddBytes and SubBytes set the receiver to, add to it, subtract
	// from it the vector in b, which has the receiver's Size.
	SetBytes(b []byte)
	AddBytes(b []byte)
	SubBytes(b []byte)
}

// Len returns the number of words.
func (v Words) Len() int { return len(v) }

// Size returns the number of bytes on the wire.
func (v Words) Size() int { return Size64 * len(v) }

// Make returns n words of zeros.
func (v Words) Make(n int) Words { return make(Words, n) }

// Slice returns words lo to hi-1, in the same memory.
func (v Words) Slice(lo, hi int) Words { return v[lo:hi:hi] }

// Append appends the words to b.
func (v Words) Append(b []byte) []byte { return Vec64(v).Append(b) }

// SetBytes sets v to the words in b.
func (v Words) SetBytes(b []byte) { Vec64(v).SetBytes(b) }

// AddBytes sets v to v XOR the words in b.
func (v Words) AddBytes(b []byte) {
	b = b[:v.Size()]
	for i := 0; i < len(v) && len(b) >= Size64; i++ {
		v[i] ^= binary.LittleEndian.Uint64(b)
		b = b[Size64:]
	}
}

// SubBytes is AddBytes.
func (v Words) SubBytes(b []byte) { v.AddBytes(b) }

// Xor sets v to a XOR b.
func (v Words) Xor(a, b Words) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		v[i] = a[i] ^ b[i]
	}
}

// Not complements v.
func (v Words) Not() {
	for i := range v {
		v[i] = ^v[i]
	}
}

// And sets v to a AND b.
func (v Words) And(a, b Words) {
	a, b = a[:len(v)], b[:len(v)]
	for i := range v {
		v[i] = a[i] & b[i]
	}
}

// SetCross sets v to (a AND c) XOR (a AND d) XOR (b AND c): with (a, b) and
// (c, d) two parts each of two XOR sums, v is a part of the sums' AND.
func (v Words) SetCross(a, b, c, d Words) {
	n := len(v)
	a, b, c, d = a[:n], b[:n], c[:n], d[:n]
	for i := range v {
		v[i] = a[i]&(c[i]^d[i]) ^ b[i]&c[i]
	}
}

// SetCrossXor sets v to what SetCross gives, XOR e.
func (v Words) SetCrossXor(a, b, c, d, e Words) {
	n := len(v)
	a, b, c, d, e = a[:n], b[:n], c[:n], d[:n], e[:n]
	for i := range v {
		v[i] = a[i]&(c[i]^d[i]) ^ b[i]&c[i] ^ e[i]
	}
}
