package source

import (
	"math/big"
	"strconv"
	"strings"
)

const (
	maxDigits = 18 // significant ones, as a column takes them
	maxPower  = 40 // of ten, on both sides
)

// number is mantissa * 10^-scale, exactly, with no zero at the mantissa's end.
type number struct {
	mantissa int64
	scale    int
}

// parseNumber reads what job.Column takes for a number: an optional sign, point
// and exponent of two digits, at most 18 significant digits, no spaces.
func parseNumber(s string) (number, bool) {
	unsigned, negative := strings.CutPrefix(s, "-")
	if !negative {
		unsigned = strings.TrimPrefix(s, "+")
	}
	scale := 0
	if i := strings.IndexAny(unsigned, "eE"); i >= 0 {
		e, err := strconv.Atoi(unsigned[i+1:])
		if err != nil || len(strings.TrimLeft(unsigned[i+1:], "+-")) > 2 {
			return number{}, false
		}
		unsigned, scale = unsigned[:i], -e
	}
	whole, fraction, _ := strings.Cut(unsigned, ".")
	digits := whole + fraction
	if digits == "" || strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return number{}, false
	}
	significant := strings.TrimRight(digits, "0")
	scale += len(fraction) - (len(digits) - len(significant))
	significant = strings.TrimLeft(significant, "0")
	if significant == "" {
		return number{}, true
	}
	if len(significant) > maxDigits || scale > maxPower || scale < -maxPower {
		return number{}, false
	}
	mantissa, err := strconv.ParseInt(significant, 10, 64)
	if negative {
		mantissa = -mantissa
	}
	return number{mantissa, scale}, err == nil
}

// rat returns the value.
func (n number) rat() *big.Rat {
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n.scale, -n.scale))), nil))
	if n.scale > 0 {
		power.Inv(power)
	}
	return power.Mul(power, new(big.Rat).SetInt64(n.mantissa))
}

func (n number) less(other number) bool {
	if n.scale == other.scale {
		return n.mantissa < other.mantissa
	}
	return n.rat().Cmp(other.rat()) < 0
}

// decimals is how many digits after the point the number needs.
func (n number) decimals() int { return max(n.scale, 0) }

// text writes the number in its shortest form without exponent.
func (n number) text() string { return n.rat().FloatString(n.decimals()) }
