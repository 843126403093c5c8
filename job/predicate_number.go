package job

import (
	"math/big"
	"strconv"
	"strings"
)

// farthest bounds a literal's power of ten on both sides. A schema's numbers
// stay well within it, so that of a literal beyond it only the sign matters.
const farthest = 100

// literalRat reads a number of the grammar, however long, with its exact value.
// Beyond 10^±farthest it gives that power instead: a short exponent must not
// cost the memory of all the digits that it stands for.
func literalRat(s string) *big.Rat {
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		exponent, _ = strconv.Atoi(s[i+1:]) // the nearest int, if it is none
		exponent = min(max(exponent, -MaxPredicateBytes-farthest), MaxPredicateBytes+farthest)
	}
	unsigned, negative := cutSign(mantissa)
	whole, fraction, _ := strings.Cut(unsigned, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	power := exponent - len(fraction) // of the last digit
	switch first := power + len(digits); {
	case digits == "":
		return new(big.Rat)
	case first > farthest:
		digits, power = "1", farthest
	case first < -farthest:
		digits, power = "1", -farthest
	}
	n, _ := new(big.Int).SetString(digits, 10)
	if negative {
		n.Neg(n)
	}
	if power < 0 {
		return new(big.Rat).SetFrac(n, powerOfTen(-power))
	}
	return new(big.Rat).SetInt(n.Mul(n, powerOfTen(power)))
}
