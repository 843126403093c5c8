package render

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"consilium/job"
	"consilium/protocols"
)

// CSV prints a result in tidy long form, one figure a line, in full precision:
//
//	job,status,key1,key2,value
//	3f2a…,ok,age,mean,62.44736842105263
//	3f2a…,ok,age,n,228
//
// The keys lead to the figure through the result's names: a column and a field,
// a level and another level, a field and a position counted from 1. There are
// as many key columns as the deepest figure needs; those that a figure does not
// need, and a value that is missing, are empty. A result with a status other than
// "ok" has one line, whose key is "reason"; one without figures has an empty line
// beside its status. A caveat is the first line, under that key. Every analysis has this one form, so a script that
// reads one reads all; `pivot_wider` or a pivot table makes any other.
func CSV(w io.Writer, id job.Hash, r *protocols.Result) error {
	value := r.Value
	if r.Reason != "" {
		value = map[string]any{"reason": r.Reason}
	}
	lines, err := flatten(nil, value)
	if err != nil {
		return err
	}
	if r.Caveat != "" {
		lines = slices.Insert(lines, 0, line{[]string{"caveat"}, r.Caveat})
	}
	depth := 0
	for _, l := range lines {
		depth = max(depth, len(l.keys))
	}
	if len(lines) == 0 {
		lines = []line{{}}
	}
	header := []string{"job", "status"}
	for i := range depth {
		header = append(header, "key"+strconv.Itoa(i+1))
	}
	out := csv.NewWriter(w)
	if err := out.Write(append(header, "value")); err != nil {
		return err
	}
	for _, l := range lines {
		record := append([]string{id.String(), r.Status}, l.keys...)
		record = append(record, make([]string, depth-len(l.keys))...)
		if err := out.Write(append(record, l.value)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

type line struct {
	keys  []string
	value string
}

// flatten lists the figures below v, map keys in level order.
func flatten(keys []string, v any) ([]line, error) {
	var lines []line
	below := func(key string, v any) error {
		more, err := flatten(append(slices.Clone(keys), key), v)
		lines = append(lines, more...)
		return err
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range levelOrder(v) {
			if err := below(key, v[key]); err != nil {
				return nil, err
			}
		}
		return lines, nil
	case []any:
		for i, e := range v {
			if err := below(strconv.Itoa(i+1), e); err != nil {
				return nil, err
			}
		}
		return lines, nil
	case nil:
		return []line{{keys, ""}}, nil
	case string:
		return []line{{keys, v}}, nil
	}
	b, err := json.Marshal(v) // numbers as --json prints them
	if err != nil {
		return nil, fmt.Errorf("print the result as CSV: %w", err)
	}
	return []line{{keys, string(b)}}, nil
}

// levelOrder is numeric ascending where every key is a number, else bytewise.
func levelOrder(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	number := make(map[string]float64, len(m))
	for _, k := range keys {
		f, err := strconv.ParseFloat(k, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return keys
		}
		number[k] = f
	}
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(number[a], number[b]) })
	return keys
}
