package verify

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Comparison is what comparing a result with its expectation found.
type Comparison struct {
	MaxError float64  // the largest relative error of a number (absolute where 0 is expected)
	Absent   []string // fields that were expected and are not there
	Wrong    []string // fields that differ, with both values
}

// Compare holds got against want. Numbers agree within max(rel |want|, 1e-9),
// those in fields named p within max(1e-2 |want|, 1e-12), being tails; strings
// and nulls are equal; a scalar equals an array of one; fields of got that want
// does not name are ignored. Arrays of an object that has a `term` array are
// matched by term.
func Compare(got, want any, rel float64) Comparison {
	c := &Comparison{}
	c.value("", normal(got), normal(want), rel)
	return *c
}

// normal brings any value to what encoding/json would decode it to.
func normal(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("unprintable: %v", err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return fmt.Sprintf("unreadable: %v", err)
	}
	return out
}

func (c *Comparison) value(path string, got, want any, rel float64) {
	switch w := want.(type) {
	case map[string]any:
		c.object(path, got, w, rel)
	case []any:
		c.array(path, got, w, rel)
	case float64:
		c.number(path, single(got), w, rel)
	default:
		if single(got) != want {
			c.wrong(path, got, want)
		}
	}
}

// single unwraps an array of one.
func single(v any) any {
	if list, ok := v.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return v
}

func (c *Comparison) object(path string, got any, want map[string]any, rel float64) {
	g, ok := got.(map[string]any)
	if !ok {
		c.wrong(path, got, want)
		return
	}
	g = byTerm(g, want)
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		field := k
		if path != "" {
			field = path + "." + k
		}
		if v, ok := g[k]; ok {
			c.value(field, v, want[k], rel)
		} else {
			c.Absent = append(c.Absent, field)
		}
	}
}

func (c *Comparison) array(path string, got any, want []any, rel float64) {
	g, ok := got.([]any)
	if !ok && len(want) == 1 {
		g, ok = []any{got}, true
	}
	if !ok || len(g) != len(want) {
		c.wrong(path, got, want)
		return
	}
	for i := range want {
		field := path + "[" + strconv.Itoa(i) + "]"
		if lastField(path) == "p" {
			field = path
		}
		c.value(field, g[i], want[i], rel)
	}
}

func (c *Comparison) number(path string, got any, want, rel float64) {
	g, ok := got.(float64)
	if !ok || math.IsNaN(g) {
		c.wrong(path, got, want)
		return
	}
	tolerance := max(rel*math.Abs(want), 1e-9)
	if lastField(path) == "p" {
		tolerance = max(1e-2*math.Abs(want), 1e-12)
	}
	diff := math.Abs(g - want)
	if relative := diff / math.Abs(want); want != 0 {
		c.MaxError = max(c.MaxError, relative)
	} else {
		c.MaxError = max(c.MaxError, diff)
	}
	if diff > tolerance {
		c.wrong(path, got, want)
	}
}

func (c *Comparison) wrong(path string, got, want any) {
	g, _ := json.Marshal(got) // both came out of JSON
	w, _ := json.Marshal(want)
	c.Wrong = append(c.Wrong, fmt.Sprintf("%s is %s, want %s", path, clip(g), clip(w)))
}

func clip(b []byte) string {
	const most = 80
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}

func lastField(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' {
			return path[i+1:]
		}
	}
	return path
}

// byTerm reorders got's arrays so that its terms stand in want's order, where
// both name terms.
func byTerm(got, want map[string]any) map[string]any {
	g, okGot := got["term"].([]any)
	w, okWant := want["term"].([]any)
	if !okGot || !okWant {
		return got
	}
	order := make([]int, 0, len(w))
	for _, t := range w {
		i := slices.Index(g, t)
		if i < 0 {
			return got
		}
		order = append(order, i)
	}
	sorted := make(map[string]any, len(got))
	for k, v := range got {
		list, ok := v.([]any)
		if !ok || len(list) != len(g) {
			sorted[k] = v
			continue
		}
		moved := make([]any, len(order))
		for i, from := range order {
			moved[i] = list[from]
		}
		sorted[k] = moved
	}
	return sorted
}
