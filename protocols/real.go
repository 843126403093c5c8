package protocols

import (
	"math"
	"math/big"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// Outputs are integers. Real numbers travel in them in one of two ways: as
// floating-point numbers, all mantissas and then all exponents, or as fixed-point
// ones, whose shares are an output as they are, in steps of a publicly known
// 2^-frac.

// realOutput declares an output of n floating-point numbers.
func realOutput(name string, n int) Output { return Output{Name: name, Len: 2 * n} }

// revealReals returns floating-point numbers as an output that realOutput
// declares. The exponent of a zero, which would tell what it was computed from,
// becomes 0. 11 rounds.
func revealReals(s *mpc.Session, x rss.Float) rss.Vec128 {
	const mantissaBits = 58
	zero := rss.EqualPublic(s.Step("zero"), rss.Narrow(s, x.Mantissa), 0, mantissaBits)
	some := rss.ToArith(s.Step("some"), rss.Not(s, zero))
	exponent := rss.Mul(s.Step("exponent"), x.Exponent, some)
	return rss.Concat(s, x.Mantissa, rss.Lift(s.Step("lift"), exponent))
}

// readReals reads an output that realOutput declares.
func readReals(opened []*big.Int) ([]float64, error) {
	const (
		bits   = 56        // a mantissa is at most 2^bits,
		slack  = 8         // but for rounding,
		reach  = 1 << bits // and at least half of that
		widest = 1 << 10   // exponents of a float64 are smaller in magnitude
	)
	n := len(opened) / 2
	out := make([]float64, n)
	for i, m := range opened[:n] {
		e := opened[n+i]
		if !m.IsInt64() || !e.IsInt64() || e.Int64() <= -widest || e.Int64() >= widest {
			return nil, errImpossible
		}
		size := m.Int64()
		if size < 0 {
			size = -size
		}
		if size > reach+slack || size < reach/2-slack && (size != 0 || e.Sign() != 0) {
			return nil, errImpossible
		}
		out[i] = math.Ldexp(float64(m.Int64()), int(e.Int64())-bits)
	}
	return out, nil
}

// readFixed reads an output of numbers in steps of 2^-frac, of magnitude at most
// limit.
func readFixed(opened []*big.Int, frac int, limit float64) ([]float64, error) {
	out := make([]float64, len(opened))
	for i, x := range opened {
		steps, _ := new(big.Float).SetInt(x).Float64()
		if out[i] = math.Ldexp(steps, -frac); !(math.Abs(out[i]) <= limit) {
			return nil, errImpossible
		}
	}
	return out, nil
}
