package verify

import (
	"slices"
	"strconv"
)

// Figure is one value of a result with the path of names that leads to it.
type Figure struct {
	Name  string
	Value any
}

// Flatten lists the figures of a nested result, fields in alphabetical order.
func Flatten(v any) []Figure { return flatten("", normal(v)) }

func flatten(path string, v any) []Figure {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		var list []Figure
		for _, k := range keys {
			name := k
			if path != "" {
				name = path + "." + k
			}
			list = append(list, flatten(name, v[k])...)
		}
		return list
	case []any:
		var list []Figure
		for i, e := range v {
			list = append(list, flatten(path+"["+strconv.Itoa(i)+"]", e)...)
		}
		return list
	default:
		return []Figure{{path, v}}
	}
}
