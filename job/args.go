package job

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
)

// maxArgText caps a single text among the arguments, in bytes.
const maxArgText = 4 << 10

// Args reads a job's arguments. As with bufio.Scanner, a failing read returns
// the zero value and Err tells the first problem, once, at the end.
type Args struct {
	values map[string]any
	asked  map[string]bool
	err    error
}

// Arguments returns a reader of the job's arguments.
func (j *Job) Arguments() *Args {
	values, err := normalArgs(j.Args)
	return &Args{values: values, asked: map[string]bool{}, err: err}
}

// Err returns the first problem: an argument that is missing or of the wrong
// type, or one that no call has asked for. Call it after all reads.
func (a *Args) Err() error {
	if a.err != nil {
		return a.err
	}
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if !a.asked[name] {
			return fmt.Errorf("argument %s is unknown to this analysis: %s", quoted(name), Near(name, slices.Sorted(maps.Keys(a.asked))))
		}
	}
	return nil
}

// Has tells whether the argument is given. It counts as read.
func (a *Args) Has(name string) bool {
	a.asked[name] = true
	_, ok := a.values[name]
	return ok
}

// String returns a required text. A number is taken as the text it is written
// as, so that a level of a numeric column needs no quotes.
func (a *Args) String(name string) string {
	if !a.require(name, "a text") {
		return ""
	}
	return a.OptionalString(name, "")
}

// OptionalString is String with a value for when the argument is not given.
func (a *Args) OptionalString(name, def string) string {
	if !a.Has(name) {
		return def
	}
	v := a.values[name]
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0] // a list of one is as good
	}
	s, ok := asText(v)
	if !ok {
		a.wrong(name, "one text")
	}
	return s
}

// Strings returns a required text or list of texts; an empty list is refused.
func (a *Args) Strings(name string) []string {
	if !a.require(name, "a text or a list of texts") {
		return nil
	}
	return a.OptionalStrings(name)
}

// OptionalStrings is Strings with values for when the argument is not given.
func (a *Args) OptionalStrings(name string, def ...string) []string {
	if !a.Has(name) {
		return def
	}
	var out []string
	for _, v := range a.list(name) {
		s, ok := asText(v)
		if !ok {
			a.wrong(name, "a text or a list of texts")
			return nil
		}
		out = append(out, s)
	}
	return out
}

// Decimals returns a required number or list of numbers, exactly; an empty list
// is refused.
func (a *Args) Decimals(name string) []*big.Rat {
	if !a.require(name, "a number or a list of numbers") {
		return nil
	}
	var out []*big.Rat
	for _, v := range a.list(name) {
		n, ok := v.(json.Number)
		if !ok {
			a.wrong(name, "a number or a list of numbers")
			return nil
		}
		d, _ := parseDecimal(n.String())
		out = append(out, d.rat())
	}
	return out
}

// OptionalDecimal returns one number, exactly, or def when the argument is not
// given.
func (a *Args) OptionalDecimal(name string, def *big.Rat) *big.Rat {
	if !a.Has(name) {
		return def
	}
	n, ok := a.values[name].(json.Number)
	if !ok {
		a.wrong(name, "one number")
		return def
	}
	d, _ := parseDecimal(n.String())
	return d.rat()
}

// OptionalBool returns true or false, or def when the argument is not given.
func (a *Args) OptionalBool(name string, def bool) bool {
	if !a.Has(name) {
		return def
	}
	b, ok := a.values[name].(bool)
	if !ok {
		a.wrong(name, "true or false")
	}
	return b
}

func (a *Args) require(name, want string) bool {
	if a.Has(name) {
		return true
	}
	a.fail(fmt.Errorf("argument %s is missing: give %s", quoted(name), want))
	return false
}

// list returns the argument's items; a single value is a list of one.
func (a *Args) list(name string) []any {
	items, ok := a.values[name].([]any)
	if !ok {
		return []any{a.values[name]}
	}
	if len(items) == 0 {
		a.fail(fmt.Errorf("argument %s is an empty list: name at least one", quoted(name)))
	}
	return items
}

func (a *Args) wrong(name, want string) {
	a.fail(fmt.Errorf("argument %s has the wrong type: give %s", quoted(name), want))
}

func (a *Args) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// normalArgs checks arguments and returns them in the types of a decoded job:
// string, json.Number, bool and []any of these. It never returns nil maps or
// lists, which JSON would write as null.
func normalArgs(args map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(args))
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if err := checkWord("argument", name); err != nil {
			return nil, err
		}
		v, err := normalArg(args[name])
		if err != nil {
			return nil, fmt.Errorf("argument %s: %w", quoted(name), err)
		}
		out[name] = v
	}
	return out, nil
}

func normalArg(v any) (any, error) {
	items := []any{}
	switch v := v.(type) {
	case []string:
		for _, s := range v {
			items = append(items, s)
		}
	case []any:
		items = append(items, v...)
	default:
		return normalScalar(v)
	}
	for i, item := range items {
		n, err := normalScalar(item)
		if err != nil {
			return nil, err
		}
		items[i] = n
	}
	return items, nil
}

// ShortestNumber returns a number in the only form that an argument may have: 0.00002
// for 2e-5. It changes nothing else, and nothing that is no number.
func ShortestNumber(n json.Number) json.Number {
	if d, ok := parseDecimal(n.String()); ok {
		return json.Number(d.String())
	}
	return n
}

func normalScalar(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		return v, checkLines("its text", v, maxArgText)
	case int:
		return normalScalar(json.Number(strconv.Itoa(v)))
	case json.Number:
		d, ok := parseDecimal(v.String())
		if !ok || d.String() != v.String() {
			return nil, fmt.Errorf("%s is not a number in its shortest decimal form: write it as 12 or -0.5, with at most %d digits", quoted(v.String()), maxDigits)
		}
		return v, nil
	}
	return nil, fmt.Errorf("its type %T cannot stand in a job: give texts, whole or json.Number numbers, true or false, or one list of these", v)
}
