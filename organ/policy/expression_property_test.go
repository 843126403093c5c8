package policy

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parseFraction(s string) (*big.Rat, bool) { return new(big.Rat).SetString(s) }

// drawn is a random expression with its exact value for given inputs.
type drawn struct {
	text  string
	value func(in map[string]*big.Rat) *big.Rat
}

// drawNumber draws an expression for a number, of at most the depth.
func drawNumber(t *rapid.T, depth int) drawn {
	choice := 0
	if depth > 0 {
		choice = rapid.IntRange(0, 8).Draw(t, "form")
	}
	two := func(format string, f func(x, y *big.Rat) *big.Rat) drawn {
		x, y := drawNumber(t, depth-1), drawNumber(t, depth-1)
		return drawn{text: fmt.Sprintf(format, x.text, y.text), value: func(in map[string]*big.Rat) *big.Rat { return f(x.value(in), y.value(in)) }}
	}
	rounding := func(name string, shift *big.Rat) drawn {
		x := drawNumber(t, depth-1)
		return drawn{text: name + "(" + x.text + ")", value: func(in map[string]*big.Rat) *big.Rat {
			v := new(big.Rat).Add(x.value(in), shift)
			return new(big.Rat).SetInt(new(big.Int).Div(v.Num(), v.Denom()))
		}}
	}
	switch choice {
	case 1:
		return two("(%s + %s)", func(x, y *big.Rat) *big.Rat { return new(big.Rat).Add(x, y) })
	case 2:
		return two("(%s - %s)", func(x, y *big.Rat) *big.Rat { return new(big.Rat).Sub(x, y) })
	case 3:
		return two("(%s * %s)", func(x, y *big.Rat) *big.Rat { return new(big.Rat).Mul(x, y) })
	case 4:
		return two("min(%s, %s)", func(x, y *big.Rat) *big.Rat {
			if x.Cmp(y) < 0 {
				return x
			}
			return y
		})
	case 5:
		return two("max(%s, %s)", func(x, y *big.Rat) *big.Rat {
			if x.Cmp(y) > 0 {
				return x
			}
			return y
		})
	case 6:
		return rounding("round", big.NewRat(1, 2))
	case 7:
		return rounding("floor", new(big.Rat))
	case 8:
		c, x, y := drawTruth(t, depth-1), drawNumber(t, depth-1), drawNumber(t, depth-1)
		return drawn{text: fmt.Sprintf("(%s ? %s : %s)", c.text, x.text, y.text), value: func(in map[string]*big.Rat) *big.Rat {
			if c.value(in).Sign() != 0 {
				return x.value(in)
			}
			return y.value(in)
		}}
	}
	if rapid.Bool().Draw(t, "literal") {
		text := rapid.SampledFrom([]string{"0", "1", "2", "-3", "0.5", "0.25", "-1.5", "0.1", "7", "2.75"}).Draw(t, "number")
		v, _ := parseRat(text)
		return drawn{text: text, value: func(map[string]*big.Rat) *big.Rat { return v }}
	}
	name := rapid.SampledFrom([]string{"candidate.x", "candidate.y", "donor.z"}).Draw(t, "name")
	return drawn{text: name, value: func(in map[string]*big.Rat) *big.Rat { return in[name] }}
}

// drawTruth draws a condition.
func drawTruth(t *rapid.T, depth int) drawn {
	truth := func(b bool) *big.Rat { return big.NewRat(truthCode(b), 1) }
	if depth > 0 && rapid.IntRange(0, 3).Draw(t, "connective") == 0 {
		x, y := drawTruth(t, depth-1), drawTruth(t, depth-1)
		if rapid.Bool().Draw(t, "or") {
			return drawn{text: fmt.Sprintf("(%s || !%s)", x.text, y.text), value: func(in map[string]*big.Rat) *big.Rat {
				return truth(x.value(in).Sign() != 0 || y.value(in).Sign() == 0)
			}}
		}
		return drawn{text: fmt.Sprintf("(%s && %s)", x.text, y.text), value: func(in map[string]*big.Rat) *big.Rat {
			return truth(x.value(in).Sign() != 0 && y.value(in).Sign() != 0)
		}}
	}
	x, y := drawNumber(t, depth-1), drawNumber(t, depth-1)
	op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "comparison")
	holds := map[string]func(c int) bool{
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 },
		">=": func(c int) bool { return c >= 0 }, "==": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 },
	}[op]
	return drawn{text: fmt.Sprintf("(%s %s %s)", x.text, op, y.text), value: func(in map[string]*big.Rat) *big.Rat {
		return truth(holds(x.value(in).Cmp(y.value(in))))
	}}
}

const exactPolicy = `name: exact
version: "1"
kind: exchange
source: a test
candidate:
  inputs:
    - {name: id, type: id, min: "1", max: "9"}
    - {name: x, type: decimal, step: "0.25", min: "-3", max: "3"}
    - {name: y, type: integer, min: "-4", max: "5"}
donor:
  inputs:
    - {name: id, type: label}
    - {name: z, type: decimal, step: "0.1", min: "0", max: "1"}
eligible:
  - {name: all, when: "true"}
weight: '%s'
entitlement: {office: [run], hospital: [run]}
`

// TestExpressionsAreExact: whatever is written, the program gives the value that
// rational arithmetic gives, and every node keeps its range; or the width is
// refused.
func TestExpressionsAreExact(t *testing.T) {
	tried, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		e := drawNumber(t, 4)
		p, err := Parse([]byte(fmt.Sprintf(exactPolicy, e.text)), nil)
		if tried++; err != nil {
			if !strings.Contains(err.Error(), "bits") {
				t.Fatalf("%s: %v", e.text, err)
			}
			refused++
			return
		}
		for range 5 {
			x, y, z := rapid.Int64Range(-12, 12).Draw(t, "x"), rapid.Int64Range(-4, 5).Draw(t, "y"), rapid.Int64Range(0, 10).Draw(t, "z")
			in := map[string]*big.Rat{"candidate.x": big.NewRat(x, 4), "candidate.y": big.NewRat(y, 1), "donor.z": big.NewRat(z, 10)}
			codes := map[string]int64{"candidate.id": 1, "candidate.x": x, "candidate.y": y, "donor.z": z, "candidate.present": 1, "donor.present": 1}
			pick := func(inputs []InputInfo) []int64 {
				out := make([]int64, len(inputs))
				for i, info := range inputs {
					out[i] = codes[info.Name]
				}
				return out
			}
			values := p.Program.Run(pick(p.Program.Candidate), pick(p.Program.Donor))
			checkRanges(t, p.Program, values)
			got := new(big.Rat).Mul(big.NewRat(values[p.Program.Weight], 1), p.Program.WeightStep)
			if want := e.value(in); got.Cmp(want) != 0 {
				t.Fatalf("%s is %s, want %s", e.text, got, want)
			}
		}
	})
	if refused*2 > tried {
		t.Errorf("%d of %d expressions were refused", refused, tried)
	}
}
