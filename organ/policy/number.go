package policy

import (
	"math/big"
	"regexp"
	"strings"
)

// maxMagnitude bounds every value of a program: the difference of two still fits a
// signed 64-bit word, which comparisons need.
const maxMagnitude = 1<<62 - 1

var one = big.NewRat(1, 1)

// decimals is what a public number may look like. Exponents stay small so that
// no text makes a number of a million digits.
var decimals = regexp.MustCompile(`^[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?$`)

// parseRat reads a public decimal number exactly.
func parseRat(s string) (*big.Rat, bool) {
	if !decimals.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// commonStep is the coarsest step of which both are whole multiples.
func commonStep(x, y *big.Rat) *big.Rat {
	a := new(big.Int).Mul(x.Num(), y.Denom())
	b := new(big.Int).Mul(y.Num(), x.Denom())
	d := new(big.Int).Mul(x.Denom(), y.Denom())
	return new(big.Rat).SetFrac(new(big.Int).GCD(nil, nil, a.Abs(a), b.Abs(b)), d)
}

// steps is how many steps x is; x must be a whole multiple.
func steps(x, step *big.Rat) *big.Int {
	return new(big.Int).Quo(new(big.Int).Mul(x.Num(), step.Denom()), new(big.Int).Mul(x.Denom(), step.Num()))
}

// Format writes value steps as a decimal number, exactly where it has at most
// twelve decimals.
func Format(value int64, step *big.Rat) string {
	v := new(big.Rat).Mul(new(big.Rat).SetInt64(value), step)
	if v.IsInt() {
		return v.Num().String()
	}
	return strings.TrimSuffix(strings.TrimRight(v.FloatString(12), "0"), ".")
}
