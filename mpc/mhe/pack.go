package mhe

import (
	"fmt"
	"math/big"
)

// Small sums travel several to a number: x0 + x1 2^w + x2 2^2w …, with w two bits
// more than a sum has. One of them is for its sign, the other for telling a sum that
// went beyond its bound, which would otherwise change its neighbour unseen.
const packGuard = 2

// packing returns how many sums below 2^bits go in one number below 2^room.
func packing(bits, room int) int { return max(1, (room+1)/(bits+packGuard)) }

// numbers is how many numbers the values make.
func (l *Layout) numbers() int { return (l.Values-1)/l.Packed + 1 }

// residue returns the i-th number of a vector modulo a plaintext prime.
func (l *Layout) residue(own []*big.Int, i int, t uint64) uint64 {
	if l.Packed == 1 {
		return residue(own[i], t)
	}
	packed := own[i*l.Packed : min((i+1)*l.Packed, l.Values)]
	x := int64(0)
	for j := len(packed) - 1; j >= 0; j-- {
		x = x<<(l.Bits+packGuard) + packed[j].Int64()
	}
	if x < 0 {
		return t - uint64(-x)
	}
	return uint64(x)
}

// unpack appends the sums in a number.
func (l *Layout) unpack(sums []*big.Int, number *big.Int) ([]*big.Int, error) {
	if l.Packed == 1 {
		if !l.within(number) {
			return nil, l.beyond()
		}
		return append(sums, number), nil
	}
	width := l.Bits + packGuard
	x, half := number.Int64(), int64(1)<<(width-1)
	for range min(l.Packed, l.Values-len(sums)) {
		digit := (x+half)&(2*half-1) - half
		sum := big.NewInt(digit)
		if !l.within(sum) {
			return nil, l.beyond()
		}
		sums, x = append(sums, sum), (x-digit)>>width
	}
	if x != 0 {
		return nil, l.beyond()
	}
	return sums, nil
}

func (l *Layout) beyond() error {
	return fmt.Errorf("a sum is not below 2^%d, as the layout says: the sites' vectors went beyond the bounds that they had together", l.Bits)
}
