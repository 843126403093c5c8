package match

import (
	"math/big"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// division is how numbers of a range are divided by a public constant and rounded
// down, exactly: by a product with a constant, and a truncation that is exact.
//
// For whole x, floor(x / d) is floor((x + 1/2) / d), and (x + 1/2) / d is no nearer
// to a whole number than 1/(2d). So (2x + 1) m / 2^(f+1) rounds down to the same as
// long as it is off by less: |2x + 1| |m d - 2^f| < 2^f (as in Granlund,
// Montgomery: "Division by invariant integers using multiplication", PLDI 1994, but
// for both signs). Of |x| < 2^62 and d <= 2^62 there are such m and f with f <= 124 and
// |2x + 1| m < 2^126: f such that 2^f >= 2^62 d, and m the nearest to 2^f / d. A
// greater d may as well be 2^62: the quotient is 0 or -1.
type division struct {
	power int    // d is 2^power: nothing but a truncation; else 0
	times uint64 // m
	shift int    // f + 1
	long  bool   // (2x + 1) m takes more than 62 bits
}

// newDivision returns the shortest division by d for low <= x <= high, both less than
// 2^62 in magnitude.
func newDivision(low, high, d int64) division {
	if k := bits.TrailingZeros64(uint64(d)); d == 1<<k && k < 62 {
		return division{power: k}
	}
	odd := new(big.Int).Lsh(big.NewInt(max(-low, high)), 1) // the greatest |2x + 1|, or more
	odd.Add(odd, big.NewInt(1))
	by := big.NewInt(min(d, 1<<62))
	for f := uint(0); ; f++ {
		power := new(big.Int).Lsh(big.NewInt(1), f)
		m := new(big.Int).Lsh(power, 1)
		m.Add(m, by).Quo(m, new(big.Int).Lsh(by, 1))
		off := new(big.Int).Mul(m, by)
		off.Sub(off, power).Abs(off)
		if off.Mul(off, odd).Cmp(power) < 0 {
			long := new(big.Int).Mul(odd, m).BitLen() > 62 || f+1 > 61
			return division{times: m.Uint64(), shift: int(f) + 1, long: long}
		}
	}
}

// quotient returns the greatest whole numbers at most x / d. A power of two takes
// the rounds and bytes of rss.Trunc; others of it and, where the product is long, of
// 128 bits: 2 rounds and 11 bytes more, and twice the bytes. Leaks nothing.
func (d division) quotient(s *mpc.Session, x rss.Vec) rss.Vec {
	switch {
	case d.times == 0:
		return rss.Trunc(s, x, d.power)
	case !d.long:
		odd := rss.AddConst(s, rss.Scale(s, x, 2), 1)
		return rss.Trunc(s, rss.Scale(s, odd, int64(d.times)), d.shift)
	}
	odd := rss.AddConst(s, rss.Scale(s, rss.Lift(s.Step("lift"), x), 2), 1)
	// The factor may have 64 bits, and a constant 63.
	const half = 32
	high := rss.Scale(s, rss.Scale(s, odd, int64(d.times>>half)), 1<<half)
	product := rss.Add(s, high, rss.Scale(s, odd, int64(d.times&(1<<half-1))))
	return rss.Narrow(s, rss.Trunc128(s.Step("cut"), product, d.shift))
}
