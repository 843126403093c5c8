package ring

import (
	"math/big"
	"math/bits"
)

// Add returns u + w.
func (u U128) Add(w U128) U128 {
	lo, carry := bits.Add64(u.Lo, w.Lo, 0)
	hi, _ := bits.Add64(u.Hi, w.Hi, carry)
	return U128{lo, hi}
}

// Sub returns u - w.
func (u U128) Sub(w U128) U128 {
	lo, borrow := bits.Sub64(u.Lo, w.Lo, 0)
	hi, _ := bits.Sub64(u.Hi, w.Hi, borrow)
	return U128{lo, hi}
}

// Mul returns u * w.
func (u U128) Mul(w U128) U128 {
	hi, lo := bits.Mul64(u.Lo, w.Lo)
	return U128{lo, hi + u.Hi*w.Lo + u.Lo*w.Hi}
}

// Shl returns u shifted left by k bits, 0 <= k < 128.
func (u U128) Shl(k int) U128 {
	if k >= 64 {
		return U128{0, u.Lo << (k - 64)}
	}
	return U128{u.Lo << k, u.Hi<<k | u.Lo>>(64-k)}
}

// Shr returns u, taken as unsigned, shifted right by k bits, 0 <= k < 128.
func (u U128) Shr(k int) U128 {
	if k >= 64 {
		return U128{u.Hi >> (k - 64), 0}
	}
	return U128{u.Lo>>k | u.Hi<<(64-k), u.Hi >> k}
}

// Sar returns u, taken as signed, shifted right by k bits, 0 <= k < 128.
func (u U128) Sar(k int) U128 {
	sign := uint64(int64(u.Hi) >> 63)
	if k >= 64 {
		return U128{uint64(int64(u.Hi) >> (k - 64)), sign}
	}
	return U128{u.Lo>>k | u.Hi<<(64-k), uint64(int64(u.Hi) >> k)}
}

// Int128 returns the signed constant k as an element.
func Int128(k int64) U128 { return U128{uint64(k), uint64(k >> 63)} }

// Big returns u as a signed integer, -2^127 to 2^127-1.
func (u U128) Big() *big.Int {
	z := new(big.Int).SetInt64(int64(u.Hi))
	return z.Lsh(z, 64).Or(z, new(big.Int).SetUint64(u.Lo))
}

// fromBig returns x modulo 2^128.
func fromBig(x *big.Int) U128 {
	low := new(big.Int).SetUint64(^uint64(0))
	lo := new(big.Int).And(x, low).Uint64()
	hi := new(big.Int).Rsh(x, 64)
	return U128{lo, hi.And(hi, low).Uint64()}
}
