package policy

import (
	"math"
	"slices"

	"github.com/google/cel-go/common/operators"

	"consilium/organ/hla"
)

var negativeInfinity, positiveInfinity = math.Inf(-1), math.Inf(1)

// datum is one value in the clear. Which field counts follows from its kind.
type datum struct {
	number float64 // of a date: the days from then to the day of the run
	code   int64   // of an input or site value: what enters the match
	truth  bool
	text   string
	typing levelled
	set    hla.Set
	list   []datum
}

// row is a row of a side while its values are computed.
type row struct {
	values  []datum // by slot
	problem string  // the first thing that cannot be computed
}

func (r *row) fail(problem string) datum {
	if r.problem == "" {
		r.problem = problem
	}
	return datum{}
}

// formula computes one expression of a site.
type formula func(r *row) datum

// compileSite turns a checked expression into a formula over slots.
func (e *environment) compileSite(x *expr, slots map[string]int) (formula, error) {
	switch x.op {
	case opName:
		if x.kind == population {
			return constant(datum{}), nil // mmp finds the table by its name
		}
		slot := slots[x.name]
		return func(r *row) datum { return r.values[slot] }, nil
	case opNumber:
		f, _ := x.num.Float64()
		return constant(datum{number: f}), nil
	case opText:
		return constant(datum{text: x.text}), nil
	case opTruth:
		return constant(datum{truth: x.truth}), nil
	}
	args := make([]formula, len(x.args))
	for i, a := range x.args {
		var err error
		if args[i], err = e.compileSite(a, slots); err != nil {
			return nil, err
		}
	}
	if x.op == opList {
		return listOf(args), nil
	}
	if t, ok := e.tables[x.op]; ok {
		return t.formula(args), nil
	}
	if f, ok := numeric(x.op, args); ok {
		return f, nil
	}
	if f, ok := logical(x, args); ok {
		return f, nil
	}
	if f, ok := e.histocompatible(x, args); ok {
		return f, nil
	}
	return nil, x.errorf("%s has no meaning in a value of a site", x.op)
}

func constant(d datum) formula { return func(*row) datum { return d } }

func listOf(args []formula) formula {
	return func(r *row) datum {
		out := datum{list: make([]datum, len(args))}
		for i, a := range args {
			out.list[i] = a(r)
		}
		return out
	}
}

// formula looks the arguments up.
func (t *table) formula(args []formula) formula {
	if t.form == formIntervals {
		return func(r *row) datum {
			v, ok := t.interval(args[0](r).number)
			if !ok {
				return r.fail("a number lies outside the table " + t.name)
			}
			return datum{number: v}
		}
	}
	cells := make(map[string]float64, len(t.cells))
	for key, v := range t.cells {
		cells[key], _ = v.Float64()
	}
	return func(r *row) datum {
		keys := make([]string, len(args))
		for i, a := range args {
			keys[i] = a(r).text
		}
		v := cells[cellKey(keys...)] // environment.checkTexts has seen that there is one
		return datum{number: v, truth: v != 0}
	}
}

// numeric are the operators and functions from numbers to a number.
func numeric(op string, args []formula) (formula, bool) {
	unary := func(f func(float64) float64) (formula, bool) {
		return func(r *row) datum { return r.finite(f(args[0](r).number)) }, true
	}
	binary := func(f func(x, y float64) float64) (formula, bool) {
		return func(r *row) datum { return r.finite(f(args[0](r).number, args[1](r).number)) }, true
	}
	switch op {
	case operators.Add:
		return binary(func(x, y float64) float64 { return x + y })
	case operators.Subtract:
		return binary(func(x, y float64) float64 { return x - y })
	case operators.Multiply:
		return binary(func(x, y float64) float64 { return x * y })
	case operators.Divide:
		return binary(func(x, y float64) float64 { return x / y })
	case operators.Negate:
		return unary(func(x float64) float64 { return -x })
	case "min":
		return binary(math.Min)
	case "max":
		return binary(math.Max)
	case "pow":
		return binary(math.Pow)
	case "round":
		return unary(halfUp)
	case "floor":
		return unary(math.Floor)
	case "abs":
		return unary(math.Abs)
	case "ln":
		return unary(math.Log)
	case "exp":
		return unary(math.Exp)
	case "days_since":
		return unary(func(days float64) float64 { return days })
	case "years_since":
		return unary(func(days float64) float64 { return days / 365.25 })
	}
	return nil, false
}

// halfUp rounds to the nearest whole number, halves towards positive infinity.
func halfUp(x float64) float64 {
	below := math.Floor(x)
	if x-below >= 0.5 {
		return below + 1
	}
	return below
}

func (r *row) finite(x float64) datum {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return r.fail("a division by zero, a logarithm of no positive number, or a number beyond all bounds")
	}
	return datum{number: x}
}

// logical are comparisons, connectives and the conditional. What a condition
// passes over is not computed.
func logical(x *expr, args []formula) (formula, bool) {
	compare := func(f func(a, b datum) bool) (formula, bool) {
		return func(r *row) datum { return datum{truth: f(args[0](r), args[1](r))} }, true
	}
	switch x.op {
	case operators.Less:
		return compare(func(a, b datum) bool { return a.number < b.number })
	case operators.LessEquals:
		return compare(func(a, b datum) bool { return a.number <= b.number })
	case operators.Greater:
		return compare(func(a, b datum) bool { return a.number > b.number })
	case operators.GreaterEquals:
		return compare(func(a, b datum) bool { return a.number >= b.number })
	case operators.Equals:
		return compare(equalOf(x.args[0].kind))
	case operators.NotEquals:
		equal := equalOf(x.args[0].kind)
		return compare(func(a, b datum) bool { return !equal(a, b) })
	case operators.In:
		return compare(func(a, b datum) bool {
			return slices.ContainsFunc(b.list, func(element datum) bool { return element.text == a.text })
		})
	case operators.LogicalAnd:
		return func(r *row) datum { return datum{truth: args[0](r).truth && args[1](r).truth} }, true
	case operators.LogicalOr:
		return func(r *row) datum { return datum{truth: args[0](r).truth || args[1](r).truth} }, true
	case operators.LogicalNot:
		return func(r *row) datum { return datum{truth: !args[0](r).truth} }, true
	case operators.Conditional:
		return func(r *row) datum {
			if args[0](r).truth {
				return args[1](r)
			}
			return args[2](r)
		}, true
	}
	return nil, false
}

func equalOf(k kind) func(a, b datum) bool {
	switch k {
	case number:
		return func(a, b datum) bool { return a.number == b.number }
	case boolean:
		return func(a, b datum) bool { return a.truth == b.truth }
	}
	return func(a, b datum) bool { return a.text == b.text }
}

// histocompatible are the functions of antigens.
func (e *environment) histocompatible(x *expr, args []formula) (formula, bool) {
	at := func(l level) (formula, bool) {
		return func(r *row) datum {
			return datum{typing: levelled{l.at(args[0](r).typing.typing), l}}
		}, true
	}
	switch x.op {
	case "broad":
		return at(broadLevel)
	case "split":
		return at(splitLevel)
	case "homozygous":
		return func(r *row) datum { return datum{truth: args[0](r).typing.typing.Homozygous()} }, true
	case "mmp":
		freq := e.tables[x.args[0].name].freq
		return func(r *row) datum {
			vpra := args[2](r).number
			if vpra < 0 || vpra > 1 {
				return r.fail("mmp takes a vPRA from 0 to 1")
			}
			var loci []levelled
			for _, d := range args[3](r).list {
				loci = append(loci, d.typing)
			}
			return r.finite(freq.mismatchProbability(args[1](r).number, vpra, loci))
		}, true
	}
	return nil, false
}
