package rss

import (
	"fmt"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// MatMulBits returns the product over Z_2 of each of a batch of matrices x, of r
// planes of k bits, with its matrix y, of k planes of c bits: r planes of c bits, of
// which bit j of plane i is the XOR over t of x_it AND y_tj. The planes of a batch
// lie one after the other. Products are summed before anything is sent. With rows of
// x that are one-hot or zero it looks rows of y up. 1 round, r*c bits a matrix,
// leaks nothing.
func MatMulBits(s *mpc.Session, x, y Bits, batch int) Bits {
	k, c := x.Len(), y.Len()
	if batch <= 0 || x.Width()%batch != 0 || y.Width() != batch*k {
		s.Fail(fmt.Errorf("%d planes of %d bits meet %d planes of %d in a batch of %d", x.Width(), k, y.Width(), c, batch))
		return ZeroBits(c, x.Width())
	}
	if !readyBits(s, x) || !readyBits(s, y) {
		return ZeroBits(c, x.Width())
	}
	both := make(ring.Words, len(y.A.Words))
	both.Xor(y.A.Words, y.B.Words)
	stride, rows := y.A.Stride(), x.Width()/batch
	return reshareBits(s, c, x.Width(), func(part []uint64, lo, hi int) {
		clear(part)
		for row := lo / stride; row*stride < hi; row++ {
			from, to := max(lo, row*stride), min(hi, (row+1)*stride)
			at := row / rows * k * stride
			ring.Words(part[from-lo:to-lo]).AddCrossRows(x.A.Plane(row), x.B.Plane(row), k, both[at:], y.A.Words[at:], from-row*stride, stride)
		}
	})
}

// RandomBits returns w planes of n secret bits that are uniformly random and that
// nobody knows: each component is coins of the two parties that hold it. Nothing is
// sent.
func RandomBits(s *mpc.Session, n, w int) Bits {
	me, ok := self(s)
	if !ok || !positive(s, n) || !positive(s, w) || !begin(s) {
		return ZeroBits(n, w)
	}
	b := ZeroBits(n, w)
	for _, half := range []struct {
		words ring.Words
		coins *mpc.Coins
	}{{b.A.Words, s.PairCoins(me.prev)}, {b.B.Words, s.PairCoins(me.next)}} {
		drawn := make([]byte, half.words.Size())
		half.coins.Fill(drawn)
		half.words.SetBytes(drawn)
	}
	if s.Err() != nil {
		return ZeroBits(n, w)
	}
	return b
}
