package ring

import "math/bits"

// exp2Taylor holds (ln 2)^k / k! in units of 2^-63. The first term that is left
// out is below 2^-46.
var exp2Taylor = [...]uint64{
	0x8000000000000000, 0x58b90bfbe8e7bcd6, 0x1ebfbdff82c58ea9, 0x071ac235c1282fe3,
	0x013b2ab6fba4e773, 0x002bb0ffcf14ce62, 0x00050c244be1b1e2, 0x00007ff2ff1622c3,
	0x00000b160111d2e4, 0x000000da929e9caf, 0x0000000f267a8ac6, 0x00000000f465639b,
	0x000000000e1deb28, 0x0000000000c0b0ca, 0x0000000000098a4b,
}

// Exp2 returns 2^t with 63 fractional bits for t = frac / 2^64, with an absolute
// error below 2^-45. It takes the same time for every t and uses integers only,
// so that two parties who compute it get the same.
func Exp2(frac uint64) uint64 {
	sum := exp2Taylor[len(exp2Taylor)-1]
	for k := len(exp2Taylor) - 2; k >= 0; k-- {
		sum, _ = bits.Mul64(sum, frac)
		sum += exp2Taylor[k]
	}
	return sum
}

// ExponentFrac is the number of fractional bits of the exponents of SetLoneExp2
// and SetPairExp2: Z_2^64 holds 64 octaves, taken as signed or not.
const (
	ExponentFrac = 58
	octaves      = 64
)

// The fractional bits of what SetLoneExp2 sets for exponents that are positive
// and negative. Exp2Frac is their sum with those of their counterparts.
const (
	positiveFrac = 30
	negativeFrac = positiveFrac + octaves/2
	Exp2Frac     = positiveFrac + negativeFrac
)

// SetLoneExp2 and SetPairExp2 split a power of two: for exponents a and b whose
// sum u modulo 2^64 is positive when taken as signed,
//
//	p e + q f = 2^u, with Exp2Frac fractional bits and a relative error below 2^-29.
//
// SetLoneExp2 sets p to 2^a where the signed a is positive and to 0 elsewhere, q
// likewise where it is negative. SetPairExp2 sets e to 2^b for the signed b, the
// counterpart of p, whose sum with b does not wrap; and f to 2^b for the unsigned
// b: a sum of two negative numbers has lost a wrap of 64 octaves, which comes
// back so.
func SetLoneExp2(p, q Vec128, a Vec64) {
	for i, e := range a {
		v := scale(Exp2(e<<(64-ExponentFrac)), int(e>>ExponentFrac%(octaves/2))+positiveFrac-63)
		negative := -(e >> 63)
		p[i], q[i] = U128{v.Lo &^ negative, 0}, U128{v.Lo & negative, 0}
	}
}

// SetPairExp2 is SetLoneExp2's counterpart.
func SetPairExp2(e, f Vec128, b Vec64) {
	for i, k := range b {
		m := Exp2(k << (64 - ExponentFrac))
		e[i] = scale(m, int(int64(k)>>ExponentFrac)+negativeFrac-63)
		f[i] = scale(m, int(k>>ExponentFrac)+positiveFrac-63)
	}
}

// scale returns m 2^k, rounded to nearest, for -33 <= k <= 31. It takes the same
// time for every k.
func scale(m uint64, k int) U128 {
	const least = 33
	up := uint(k + least)
	return U128{m << up, m >> (64 - up)}.Add(U128{1 << (least - 1), 0}).Shr(least)
}
