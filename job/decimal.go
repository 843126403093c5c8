package job

import (
	"math/big"
	"math/bits"
	"strings"
)

// maxDigits is how many significant digits a decimal number may have: what fits
// an int64 whatever they are.
const maxDigits = 18

// maxScale bounds a decimal's power of ten on both sides.
const maxScale = 40

// decimal is mantissa * 10^-scale, in lowest terms: a mantissa that ends in zero
// has scale at most 0, and zero has scale 0.
type decimal struct {
	mantissa int64
	scale    int
}

// parseDecimal reads a decimal number with optional sign, point and exponent,
// such as "-0.5", "12", ".5" or the "1e+05" of statistics programs. It takes no
// spaces, no other digits, no infinities. It does not allocate: every cell of a
// file passes here.
func parseDecimal(s string) (decimal, bool) {
	s, negative := cutSign(s)
	var d decimal
	digits, significant, point := 0, 0, false
	i := 0
scan:
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
			if point {
				d.scale++
			}
			if c != '0' || significant > 0 {
				significant++
			}
			// Past the mantissa's end only zeros may come; they shift the point.
			if significant > maxDigits {
				if c != '0' {
					return decimal{}, false
				}
				d.scale--
				continue
			}
			d.mantissa = d.mantissa*10 + int64(c-'0')
		case c == '.' && !point:
			point = true
		default:
			break scan
		}
	}
	exponent, ok := parseExponent(s[i:])
	if digits == 0 || !ok {
		return decimal{}, false
	}
	d.scale -= exponent
	if negative {
		d.mantissa = -d.mantissa
	}
	return d.lowest()
}

func cutSign(s string) (rest string, negative bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[1:], s[0] == '-'
	}
	return s, false
}

// parseExponent reads nothing, or e with at most two digits.
func parseExponent(s string) (int, bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s, negative := cutSign(s[1:])
	if len(s) < 1 || len(s) > 2 {
		return 0, false
	}
	e := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		e = e*10 + int(s[i]-'0')
	}
	if negative {
		e = -e
	}
	return e, true
}

func (d decimal) lowest() (decimal, bool) {
	if d.mantissa == 0 {
		return decimal{}, true
	}
	for d.mantissa%10 == 0 {
		d.mantissa /= 10
		d.scale--
	}
	return d, d.scale >= -maxScale && d.scale <= maxScale
}

// rat returns the exact value.
func (d decimal) rat() *big.Rat {
	r := new(big.Rat).SetInt64(d.mantissa)
	if d.scale >= 0 {
		return r.Quo(r, new(big.Rat).SetInt(powerOfTen(d.scale)))
	}
	return r.Mul(r, new(big.Rat).SetInt(powerOfTen(-d.scale)))
}

// String returns the shortest form without exponent.
func (d decimal) String() string { return formatDecimal(big.NewInt(d.mantissa), d.scale) }

// steps returns d / step, for a positive step, when that is a whole number in
// -maxCode..maxCode. It does not allocate for the numbers of real files.
func (d decimal) steps(step decimal) (int64, bool) {
	shift := step.scale - d.scale
	if d.mantissa == 0 {
		return 0, true
	}
	if shift < 0 { // both in lowest terms: d has decimals that no multiple of step has
		return 0, false
	}
	if shift >= len(powersOfTen) {
		return d.wideSteps(step)
	}
	magnitude := uint64(max(d.mantissa, -d.mantissa))
	high, low := bits.Mul64(magnitude, powersOfTen[shift])
	if high >= uint64(step.mantissa) {
		return 0, false
	}
	code, rest := bits.Div64(high, low, uint64(step.mantissa))
	if rest != 0 || code > maxCode {
		return 0, false
	}
	if d.mantissa < 0 {
		return -int64(code), true
	}
	return int64(code), true
}

// wideSteps is steps where the power of ten has more than 64 bits.
func (d decimal) wideSteps(step decimal) (int64, bool) {
	q := d.rat()
	q.Quo(q, step.rat())
	if !q.IsInt() || q.Num().CmpAbs(big.NewInt(maxCode)) > 0 {
		return 0, false
	}
	return q.Num().Int64(), true
}

// powersOfTen are those that fit an uint64.
var powersOfTen = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// formatDecimal writes n * 10^-scale without exponent and without trailing zeros.
func formatDecimal(n *big.Int, scale int) string {
	if scale < 0 {
		n, scale = new(big.Int).Mul(n, powerOfTen(-scale)), 0
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	digits := new(big.Int).Abs(n).String()
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	whole, fraction := digits[:len(digits)-scale], strings.TrimRight(digits[len(digits)-scale:], "0")
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}
