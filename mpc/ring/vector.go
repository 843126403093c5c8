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
// has checked that, and a shorter operand panics. But for Set…, Shift, AddBytes
// and SubBytes, which a protocol's loop over chunks uses, methods return a new
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
	// Shl shifts each element left by k bits, less than the ring has.
	Shl(k int) V
	// Sum returns the vector of one element that holds the sum.
	Sum() V
	// Dot returns the vector of one element that holds the inner product.
	Dot(V) V

	// SetCross sets each element to a c + a d + b c: with (a, b) and (c, d) two
	// parts each of two sums, the receiver is a part of the sums' product.
	SetCross(a, b, c, d V)
	// SetCrossDot sets the receiver, of one element, to the sum over SetCross.
	SetCrossDot(a, b, c, d V)
	// SetCrossMatMul is SetCross of matrices, row by row: a and b have rows of k
	// elements, c and d are k rows of n. The receiver is set to as many elements of
	// the product as it has, from element lo on.
	SetCrossMatMul(a, b, c, d V, k, n, lo int)

	// Set copies w, of the receiver's length, to the receiver.
	Set(w V)
	// SetAdd and SetSub set the receiver to a + b and a - b; Shift adds a constant
	// to each element of the receiver.
	SetAdd(a, b V)
	SetSub(a, b V)
	Shift(k U128)
	// SetShr and SetSar set the receiver to u / 2^k, rounded down, of unsigned and
	// of signed elements.
	SetShr(u V, k int)
	SetSar(u V, k int)
	// SetPick sets the receiver to a where t is negative and to b elsewhere.
	SetPick(t, a, b V)
	// SetBits sets the receiver to the bits of a plane as elements 0 or 1; SetFlip
	// to a where the plane's bit is 0 and to k - a where it is 1.
	SetBits(bits Words)
	SetFlip(a V, bits Words, k uint64)
	// SetPlanes sets the planes of p to bits lo, lo+1, … of the receiver.
	SetPlanes(p Planes, lo int)

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
