package ring

// U128 is an element of Z_2^128.
type U128 struct{ Lo, Hi uint64 }

// Vec64 and Vec128 are vectors over the two rings.
type (
	Vec64  []uint64
	Vec128 []U128
)

// Vector is what the two vector types share, so that a protocol is written
// once. Operands have the receiver's length: the protocol, which knows the step,
// has checked that, and a shorter operand panics. But for Set…, AddBytes and
// SubBytes, which a protocol's loop over chunks uses, methods return a new
// vector and change none.
type Vector[V any] interface {
	Vec64 | Vec128
	// Len returns the number of elements, Size that of bytes on the wire.
	Len() int
	Size() int
	// Make returns a zero vector of n elements of the same ring.
	Make(n int) V
	// Slice returns elements lo to hi-1, in the same memory.
	Slice(lo, hi int) V
	// Join returns the receiver and then the others, one after the other.
	Join(others ...V) V

	Add(V) V
	Sub(V) V
	Neg() V
	// Mul is elementwise.
	Mul(V) V
	// Scale multiplies each element by a signed constant.
	Scale(k int64) V
	// AddConst adds a signed constant to each element.
	AddConst(k int64) V
	// Sum returns the vector of one element that holds the sum.
	Sum() V
	// Dot returns the vector of one element that holds the inner product.
	Dot(V) V

	// SetCross sets each element to a c + a d + b c: with (a, b) and (c, d) two
	// parts each of two sums, the receiver is a part of the sums' product.
	SetCross(a, b, c, d V)
	// SetCrossDot sets the receiver, of one element, to the sum over SetCross.
	SetCrossDot(a, b, c, d V)

	// Append appends the little-endian bytes of the elements to b.
	Append(b []byte) []byte
	// Decode returns the vector in b. It panics when b is not whole elements.
	Decode(b []byte) V
	// SetBytes, AddBytes and SubBytes set the receiver to, add to it, subtract
	// from it the vector in b, which has the receiver's Size.
	SetBytes(b []byte)
	AddBytes(b []byte)
	SubBytes(b []byte)
}

// elements returns how many elements of size bytes b holds.
func elements(b []byte, size int) int {
	if len(b)%size != 0 {
		panic("ring: bytes to decode are not whole elements")
	}
	return len(b) / size
}
