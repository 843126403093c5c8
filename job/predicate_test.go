package job

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePredicate(t *testing.T) {
	s := testSchema()
	none := []int64{}
	for text, want := range map[string]Predicate{
		"":                                nil,
		" \n\t ":                          nil,
		"age = 50":                        Compare{"age", Eq, 50},
		"age<>50":                         Compare{"age", Ne, 50},
		"age != +50.0":                    Compare{"age", Ne, 50},
		"age > 25.5":                      Compare{"age", Gt, 25},
		"age >= 25.5":                     Compare{"age", Gt, 25},
		"age < 25.5":                      Compare{"age", Le, 25},
		"age <= 25.5":                     Compare{"age", Le, 25},
		"age = 25.5":                      In{"age", none},
		"age != 25.5":                     Not{In{"age", none}},
		"age = 1000":                      In{"age", none},
		"age < 1000":                      Compare{"age", Le, 120},
		"age > 1000":                      Compare{"age", Gt, 120},
		"age > 120":                       Compare{"age", Gt, 120},
		"age < -1":                        Compare{"age", Lt, 0},
		"age >= -0.5":                     Compare{"age", Ge, 0},
		"age > 1e30":                      Compare{"age", Gt, 120},
		"age < 1e50":                      Compare{"age", Le, 120},
		"age >= -1e99":                    Compare{"age", Ge, 0},
		"age = 1e999999999":               In{"age", none},
		"age > 1e99999999999999999999":    Compare{"age", Gt, 120},
		"age < -12345678901234567890":     Compare{"age", Lt, 0},
		"age > 1e-99":                     Compare{"age", Gt, 0},
		"age <= -1e-99999999999999999999": Compare{"age", Lt, 0},
		"age = 0e99999999999999999999":    Compare{"age", Eq, 0},
		"age = 50.00000000000000000000":   Compare{"age", Eq, 50},
		"age > 50.00000000000000000001":   Compare{"age", Gt, 50},
		"age <= 0.5e2":                    Compare{"age", Le, 50},
		"age = 0.00000000000000000005e21": Compare{"age", Eq, 50},
		"\"wt loss\" < -0.75":             Compare{"wt loss", Le, -2},
		"\"wt loss\" >= -.5":              Compare{"wt loss", Ge, -1},
		"sex = 'm'":                       Compare{"sex", Eq, 2},
		"sex < 'm'":                       Compare{"sex", Lt, 2},
		"sex = 'it''s'":                   Compare{"sex", Eq, 1},
		"is.smoker=1":                     Compare{"is.smoker", Eq, 1},
		"age in (3,1, 2.5 ,3)":            In{"age", []int64{1, 3}},
		"sex NOT IN ('m','f')":            Not{In{"sex", []int64{0, 2}}},
		"age IS NULL":                     IsNull{"age"},
		"note Is Not Null":                Not{IsNull{"note"}},
		"age BETWEEN 1 AND 2":             And{Compare{"age", Ge, 1}, Compare{"age", Le, 2}},
		"age NOT BETWEEN 1.5 AND 200":     Not{And{Compare{"age", Gt, 1}, Compare{"age", Le, 120}}},
		"NOT age = 1":                     Not{Compare{"age", Eq, 1}},
		"not NOT age = 1":                 Compare{"age", Eq, 1},
		"NOT (age = 1)":                   Not{Compare{"age", Eq, 1}},
		"age=1 OR age=2 AND age=3":        Or{Compare{"age", Eq, 1}, And{Compare{"age", Eq, 2}, Compare{"age", Eq, 3}}},
		"(age=1 OR age=2) AND age=3":      And{Or{Compare{"age", Eq, 1}, Compare{"age", Eq, 2}}, Compare{"age", Eq, 3}},
		"NOT age=1 AND age=2":             And{Not{Compare{"age", Eq, 1}}, Compare{"age", Eq, 2}},
		"age BETWEEN 1 AND 2 AND sex='f'": And{And{Compare{"age", Ge, 1}, Compare{"age", Le, 2}}, Compare{"sex", Eq, 0}},
	} {
		got, err := ParsePredicate(text, &s)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v, want %#v", text, got, err, want)
		}
	}
}

func TestParsePredicateProblems(t *testing.T) {
	s := testSchema()
	for text, want := range map[string]string{
		"agee = 1":              `character 1: unknown column "agee": did you mean "age"?`,
		"age = 1 AND\n x = 2":   `line 2, character 2: unknown column "x": known: age, sex`,
		"AGE = 1":               `did you mean "age"?`,
		"age = 'a'":             "write a number without quotes",
		"age IN (1, '2')":       "character 12: column \"age\" is numeric",
		"sex = 1":               "write the category in single quotes, as '1'",
		"sex = 'x'":             `unknown category of column "sex": known: f, it's, m`,
		"sex = 'M'":             `did you mean "m"?`,
		"note = 'a'":            "declare categories",
		"note IN ('a')":         "declare categories",
		"age =":                 "ends too early",
		"age":                   "ends too early",
		"NOT":                   "ends too early",
		"(age = 1":              "ends too early",
		"age = 1)":              `did not expect ")"`,
		"age = 1 age = 2":       `character 9: did not expect "age"`,
		"age == 1":              `did not expect "="`,
		"age = NULL":            "IS NULL",
		`sex = "m"`:             "single quotes",
		"age IN ()":             `did not expect ")"`,
		"age NOT = 1":           `did not expect "="`,
		"age IS 1":              `did not expect "1"`,
		"age = age":             `did not expect "age"`,
		"1 = age":               `did not expect "1"`,
		"AND":                   `did not expect "AND"`,
		"age = 1; DROP TABLE x": "character 8",
		"age = 1 -- x":          "cannot be read",
		"sex = 'm":              "quotes come in pairs",
		"age = $1":              "cannot be read",
		"age = \x00":            "cannot be read",
		"age = \xff":            "UTF-8",
		strings.Repeat("(", 33) + "age=1" + strings.Repeat(")", 33): "more than 32 parentheses",
		strings.Repeat("x", MaxPredicateBytes+1):                    "at most 4096",
	} {
		_, err := ParsePredicate(text, &s)
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		wantError(t, err, want)
		wantError(t, err, "condition")
	}
	for _, text := range []string{
		strings.Repeat("(", 32) + "age=1" + strings.Repeat(")", 32),
		strings.Repeat("(age=1) AND ", 300) + "age=1",
		strings.Repeat("NOT ", 1000) + "age=1",
	} {
		if _, err := ParsePredicate(text, &s); err != nil {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
	quotes := Schema{Columns: []Column{{Name: "x", Type: Text, Categories: []string{strings.Repeat("(", 40)}}}}
	if _, err := ParsePredicate("x = '"+strings.Repeat("(", 40)+"'", &quotes); err != nil {
		t.Errorf("parentheses within quotes: %v", err)
	}
}

// TestChainsAreShallow: a long chain costs the parties rounds by its depth.
func TestChainsAreShallow(t *testing.T) {
	s := testSchema()
	p, err := ParsePredicate(strings.Repeat("age=1 OR ", 255)+"age=1", &s)
	if err != nil {
		t.Fatal(err)
	}
	var depth func(Predicate) int
	depth = func(p Predicate) int {
		if or, ok := p.(Or); ok {
			return 1 + max(depth(or.L), depth(or.R))
		}
		return 0
	}
	if depth(p) != 8 {
		t.Errorf("256 terms have depth %d", depth(p))
	}
}

func TestColumns(t *testing.T) {
	s := testSchema()
	p, err := ParsePredicate("NOT (sex = 'f' OR age IN (1,2)) AND note IS NULL AND age > 3", &s)
	if err != nil {
		t.Fatal(err)
	}
	if got := Columns(p); !reflect.DeepEqual(got, []string{"sex", "age", "note"}) {
		t.Errorf("columns %v", got)
	}
	if got := Columns(nil); got != nil {
		t.Errorf("columns of nil: %v", got)
	}
	if truth, known := Eval(nil, nil); !truth || !known {
		t.Error("nil selects every row")
	}
}

// The independent evaluator: a row holds texts, nil is missing; a condition is
// its text and a function to yes, no or unknown. It knows no codes.
type (
	row    map[string]*string
	answer int
)

const (
	no answer = iota
	unknown
	yes
)

type condition struct {
	text string
	eval func(row) answer
}

func fromBool(b bool) answer {
	if b {
		return yes
	}
	return no
}

var (
	numericColumns = map[string]string{"age": "age", "wt loss": `"wt loss"`, "is.smoker": `"is.smoker"`}
	anyNumber      = rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(-60, 60).Draw(t, "quarters")
		if rapid.IntRange(0, 9).Draw(t, "far") == 0 {
			n *= 1000
		}
		return new(big.Rat).SetFrac64(int64(n), 4).FloatString(2)
	})
	operators = rapid.SampledFrom([]string{"=", "!=", "<>", "<", "<=", ">", ">="})
)

func anyCase(t *rapid.T, word string) string {
	if rapid.Bool().Draw(t, "lower") {
		return strings.ToLower(word)
	}
	return word
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// leaf draws one test and how to answer it given a value and a literal's order.
func leaf(t *rapid.T) condition {
	column := rapid.SampledFrom([]string{"age", "wt loss", "is.smoker", "sex"}).Draw(t, "column")
	literal, written, order := anyNumber, numericColumns[column], compareNumbers
	if column == "sex" {
		literal, written, order = rapid.SampledFrom([]string{"m", "f", "it's"}), "sex", strings.Compare
	}
	draw := func() (value, text string) {
		value = literal.Draw(t, "literal")
		if column == "sex" {
			return value, quote(value)
		}
		return value, value
	}
	present := func(f func(v string) bool) func(row) answer {
		return func(r row) answer {
			if r[column] == nil {
				return unknown
			}
			return fromBool(f(*r[column]))
		}
	}
	not := rapid.Bool().Draw(t, "not")
	word := ""
	if not {
		word = anyCase(t, "NOT ")
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return condition{
			fmt.Sprintf("%s %s %s%s", written, anyCase(t, "IS"), word, anyCase(t, "NULL")),
			func(r row) answer { return fromBool((r[column] == nil) != not) },
		}
	case 1:
		low, lowText := draw()
		high, highText := draw()
		return condition{
			fmt.Sprintf("%s %s%s %s %s %s", written, word, anyCase(t, "BETWEEN"), lowText, anyCase(t, "AND"), highText),
			present(func(v string) bool { return (order(v, low) >= 0 && order(v, high) <= 0) != not }),
		}
	case 2:
		var values, texts []string
		for range rapid.IntRange(1, 4).Draw(t, "values") {
			value, text := draw()
			values, texts = append(values, value), append(texts, text)
		}
		return condition{
			fmt.Sprintf("%s %s%s (%s)", written, word, anyCase(t, "IN"), strings.Join(texts, ",")),
			present(func(v string) bool {
				for _, w := range values {
					if order(v, w) == 0 {
						return !not
					}
				}
				return not
			}),
		}
	}
	op := operators.Draw(t, "operator")
	value, text := draw()
	return condition{fmt.Sprintf("%s%s%s", written, op, text), present(func(v string) bool {
		d := order(v, value)
		return map[string]bool{"=": d == 0, "!=": d != 0, "<>": d != 0, "<": d < 0, "<=": d <= 0, ">": d > 0, ">=": d >= 0}[op]
	})}
}

func compareNumbers(a, b string) int {
	x, _ := new(big.Rat).SetString(a)
	y, _ := new(big.Rat).SetString(b)
	return x.Cmp(y)
}

// anyCondition joins leaves, in parentheses wherever binding could differ.
func anyCondition(t *rapid.T, depth int) condition {
	if depth == 0 {
		return leaf(t)
	}
	switch rapid.IntRange(0, 3).Draw(t, "shape") {
	case 0:
		return leaf(t)
	case 1:
		p := anyCondition(t, depth-1)
		return condition{fmt.Sprintf("%s (%s)", anyCase(t, "NOT"), p.text), func(r row) answer { return yes - p.eval(r) }}
	case 2:
		l, r := anyCondition(t, depth-1), anyCondition(t, depth-1)
		return condition{fmt.Sprintf("(%s) %s (%s)", l.text, anyCase(t, "AND"), r.text), func(x row) answer { return min(l.eval(x), r.eval(x)) }}
	}
	l, r := anyCondition(t, depth-1), anyCondition(t, depth-1)
	return condition{fmt.Sprintf("(%s) %s (%s)", l.text, anyCase(t, "OR"), r.text), func(x row) answer { return max(l.eval(x), r.eval(x)) }}
}

func anyRow(t *rapid.T, s *Schema) row {
	r := row{}
	for _, name := range []string{"age", "wt loss", "is.smoker", "sex"} {
		if rapid.IntRange(0, 3).Draw(t, "missing") == 0 {
			continue
		}
		c, _ := s.Column(name)
		low, high := c.Codes()
		// Near the literals, and the ends of the range now and then.
		value := c.Format(rapid.Int64Range(low, min(high, 16)).Draw(t, "value"))
		if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
			value = c.Format(high)
		}
		r[name] = &value
	}
	return r
}

func TestPredicateAgainstIndependentEvaluator(t *testing.T) {
	s := testSchema()
	rapid.Check(t, func(t *rapid.T) {
		c := anyCondition(t, 3)
		p, err := ParsePredicate(c.text, &s)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		for range 5 {
			r := anyRow(t, &s)
			truth, known := Eval(p, func(name string) (int64, bool) {
				if r[name] == nil {
					return 0, false
				}
				column, _ := s.Column(name)
				code, err := column.Code(*r[name])
				if err != nil {
					t.Fatal(err)
				}
				return code, true
			})
			want := c.eval(r)
			if known != (want != unknown) || truth != (want == yes) {
				t.Fatalf("%s on %v: %v %v, want %v", c.text, r, truth, known, want)
			}
		}
	})
}

// Literals have their exact value, however they are written.
func TestLiteralsAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[-+]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][-+]?[0-6]?[0-9])?`).Draw(t, "number")
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%s is no number", text)
		}
		if got := literalRat(text); got.Cmp(want) != 0 {
			t.Fatalf("%s is %s", text, got.RatString())
		}
	})
}
