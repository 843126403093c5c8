package source

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
)

// cast is how one column of a database's relation becomes codes, in SQL.
type cast struct {
	value string // the column, in the relation
	code  string // its code, or null; anything where the cell is bad
	bad   string // 1 where the cell does not fit the declaration, else 0
	stray string // the same as a condition on it, where one is enough; "" else
}

// Bounds of what a cast computes with.
const (
	maxUnits       = 999_999_999_999_999_999 // 18 digits: no product of this package's making leaves 63 bits
	maxDoubleUnits = 999_999_999_999_999     // 15 digits, which a double keeps apart
	maxCases       = 1024                    // categories that one expression tells apart
)

// Casts that no expression of this package can do exactly.
var (
	errType  = errors.New("type")
	errWidth = errors.New("numbers of this type, range and step cannot be told apart exactly")
	errCases = fmt.Errorf("more than %d categories", maxCases)
)

// cast makes the expressions of one column.
func (d *dialect) cast(c *job.Column, t columnType, value string) (cast, error) {
	if c.Type == job.Text {
		return d.castText(c, t, value)
	}
	return d.castNumber(c, t, value)
}

// castNumber counts in units of 10^-s, for the least s in which the step and all
// numbers that mean missing are whole.
func (d *dialect) castNumber(c *job.Column, t columnType, value string) (cast, error) {
	u, err := unitsOf(c)
	if err != nil {
		return cast{}, err
	}
	units, whole, err := d.units(u, t, value)
	if err != nil {
		return cast{}, err
	}
	conditions := []string{units + " BETWEEN " + written(u.low) + " AND " + written(u.high)}
	if whole != "" {
		conditions = append(conditions, whole)
	}
	if u.step != 1 && !(t.kind == integer64 && u.step == u.power) {
		conditions = append(conditions, units+" % "+written(u.step)+" = 0")
	}
	if u.levels != nil {
		conditions = append(conditions, units+" IN ("+writtenAll(u.levels)+")")
	}
	code := units
	if u.step != 1 {
		code = d.quotient(units, written(u.step))
	}
	fits := strings.Join(conditions, " AND ")
	var missing []string
	if u.missing != nil {
		missing = append(missing, strings.Join(slices.DeleteFunc([]string{units + " IN (" + writtenAll(u.missing) + ")", whole}, func(s string) bool { return s == "" }), " AND "))
	}
	if u.nan && (t.kind == double || t.kind == single) {
		if d.isNaN == nil {
			return cast{}, errWidth
		}
		missing = append(missing, d.isNaN(value))
	}
	out := cast{value: value, code: code}
	switch {
	case missing == nil && len(conditions) == 1 && total(u, t):
		out.stray = units + " < " + written(u.low) + " OR " + units + " > " + written(u.high)
		out.bad = "CASE WHEN " + out.stray + " THEN 1 ELSE 0 END"
		return out, nil
	case missing == nil:
		out.bad = "CASE WHEN " + fits + " THEN 0 WHEN " + value + " IS NULL THEN 0 ELSE 1 END"
		return out, nil
	}
	out.code = "CASE" + branches(missing, "NULL") + " ELSE " + code + " END"
	out.bad = "CASE WHEN " + value + " IS NULL THEN 0" + branches(missing, "0") + " WHEN " + fits + " THEN 0 ELSE 1 END"
	return out, nil
}

// total tells whether every value has a number of units: a type that cannot leave
// the words that this package computes with.
func total(u *units, t columnType) bool {
	digits := len(written(u.power))
	return t.kind == integer64 && u.power == 1 || t.kind == exact && t.precision > 0 && t.precision-t.scale+digits <= 18
}

// units is the number of units in a value, and the condition that it is exact
// where that must be asked: "" else. Out of range it may be null.
func (d *dialect) units(u *units, t columnType, value string) (count, whole string, err error) {
	scaled := func(x string) string {
		if u.power == 1 {
			return x
		}
		return x + " * " + written(u.power)
	}
	guarded := func(x string) string {
		return "CASE WHEN " + value + " BETWEEN " + written(u.least) + " AND " + written(u.most) + " THEN " + x + " END"
	}
	switch t.kind {
	case boolean:
		return d.whole("CASE WHEN " + value + " THEN " + written(u.power) + " WHEN NOT " + value + " THEN 0 END"), "", nil
	case integer64:
		if total(u, t) {
			return d.whole(value), "", nil
		}
		return guarded(scaled(d.whole(value))), "", nil
	case integers:
		return guarded(scaled(d.whole(value))), "", nil
	case exact:
		digits := len(written(u.power))
		if d.digits > 0 && t.precision+digits > d.digits {
			return "", "", errWidth
		}
		product := scaled(value)
		if d.exact != nil && t.precision+digits > d.narrow {
			product = scaled(d.exact(value, t.scale))
		}
		count = d.whole(product)
		if !total(u, t) {
			count = guarded(count)
		}
		if t.precision == 0 || t.scale > digits-1 {
			whole = count + " = " + product
		}
		return "(" + count + ")", whole, nil
	case single, double:
		if max(-u.bottom, u.top) > maxDoubleUnits || u.infinite {
			return "", "", errWidth
		}
		if t.kind == single {
			if d.single == nil {
				return "", "", errType
			}
			value = d.single(value)
		}
		// A decimal number of 15 digits and the double nearest to it determine each
		// other, and a quotient of two doubles is the nearest to the exact one.
		power := d.power(len(written(u.power)) - 1)
		count = d.attempt(value + " * " + power)
		return count, count + " / " + power + " = " + value, nil
	}
	return "", "", errType
}

// units is a numeric column's declaration in units of 1/power.
type units struct {
	power       int64   // of ten
	step        int64   // units
	low, high   int64   // the declared range
	levels      []int64 // the categories; nil: any
	missing     []int64 // what means missing
	nan         bool    // so does what is no number
	infinite    bool    // so does an infinity
	bottom, top int64   // the range with what means missing
	least, most int64   // the same in whole numbers, rounded outwards
}

func unitsOf(c *job.Column) (*units, error) {
	step := c.StepRat()
	places, _ := step.FloatPrec()
	var missing []number
	u := &units{}
	for _, s := range c.Missing {
		if n, ok := parseNumber(s); ok {
			missing = append(missing, n)
			places = max(places, n.decimals())
		}
		u.nan = u.nan || s == "nan"
		u.infinite = u.infinite || s == "inf" || s == "-inf"
	}
	if places > 18 {
		return nil, errWidth
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	u.power = power.Int64()
	fits := true
	count := func(r *big.Rat) int64 {
		n := new(big.Rat).Mul(r, new(big.Rat).SetInt(power)).Num()
		fits = fits && n.CmpAbs(big.NewInt(maxUnits)) <= 0
		return n.Int64()
	}
	codes := func(code int64) int64 { return count(new(big.Rat).Mul(step, new(big.Rat).SetInt64(code))) }
	low, high := c.Codes()
	u.step, u.low, u.high = count(step), codes(low), codes(high)
	u.bottom, u.top = min(u.low, 0), max(u.high, 0)
	if levels, err := c.Levels(); err == nil {
		if len(levels) > maxCases {
			return nil, errCases
		}
		for _, level := range levels {
			u.levels = append(u.levels, codes(level))
		}
	}
	for _, n := range missing {
		k := count(n.rat())
		u.missing = append(u.missing, k)
		u.bottom, u.top = min(u.bottom, k), max(u.top, k)
	}
	if !fits {
		return nil, errWidth
	}
	u.least, u.most = u.bottom/u.power-1, u.top/u.power+1
	if max(-u.least, u.most) > maxUnits/u.power {
		return nil, errWidth
	}
	return u, nil
}

// castText compares texts byte by byte.
func (d *dialect) castText(c *job.Column, t columnType, value string) (cast, error) {
	out := cast{value: value}
	text := value
	switch t.kind {
	case texts:
		if d.bytes != nil {
			text = d.bytes(value)
		}
	case boolean:
		text = "CASE WHEN " + value + " THEN 'true' WHEN NOT " + value + " THEN 'false' END"
	case integer64, integers:
		text = d.show(value)
	default:
		if !d.showsAll {
			return out, errType
		}
		text = d.show(value)
	}
	if len(c.Categories)+len(c.Missing) > maxCases {
		return out, errCases
	}
	absent := []string{d.blank(text)}
	if len(c.Missing) > 0 {
		absent = append(absent, d.among(text, c.Missing))
	}
	if len(c.Categories) == 0 {
		out.code = "CASE WHEN " + value + " IS NULL THEN NULL" + branches(absent, "NULL") + " ELSE 0 END"
		out.bad = "0"
		return out, nil
	}
	categories := slices.Sorted(slices.Values(c.Categories))
	var b strings.Builder
	b.WriteString("CASE")
	for code, category := range categories {
		fmt.Fprintf(&b, " WHEN %s THEN %d", d.equal(text, category), code)
	}
	out.code = d.whole(b.String() + " END")
	out.bad = "CASE WHEN " + value + " IS NULL THEN 0 WHEN " + d.among(text, categories) + " THEN 0" + branches(absent, "0") + " ELSE 1 END"
	return out, nil
}

// branches are those of a CASE that give one result: no OR, which engines differ in
// where a side is unknown.
func branches(conditions []string, result string) string {
	var b strings.Builder
	for _, c := range conditions {
		b.WriteString(" WHEN " + c + " THEN " + result)
	}
	return b.String()
}

// equal tells whether an expression is a text, byte by byte.
func (d *dialect) equal(x, text string) string {
	if d.alike == nil {
		return x + " = " + d.literal(text)
	}
	return d.alike(x, d.literal(text))
}

// among tells whether an expression is one of some texts.
func (d *dialect) among(x string, list []string) string {
	if d.alike == nil {
		return x + " IN (" + d.literals(list) + ")"
	}
	each := make([]string, len(list))
	for i, text := range list {
		each[i] = d.equal(x, text)
	}
	return "(" + strings.Join(each, " OR ") + ")"
}

func (d *dialect) literals(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = d.literal(s)
	}
	return strings.Join(quoted, ", ")
}
