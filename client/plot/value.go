package plot

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"consilium/job"
)

// The figures of a result, as FIELDS of its analysis name them. One that is
// undefined is NaN here: no picture shows it.

// number reads a figure.
func number(v any) (float64, error) {
	switch v := v.(type) {
	case nil:
		return math.NaN(), nil
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	case json.Number:
		return v.Float64()
	}
	return 0, fmt.Errorf("%w: %T is no number", errShape, v)
}

// field reads one figure by its name.
func field(m map[string]any, name string) (float64, error) {
	v, ok := m[name]
	if !ok {
		return 0, fmt.Errorf("%w: %s", errShape, name)
	}
	return number(v)
}

// list reads a list of figures by its name.
func list(m map[string]any, name string) ([]float64, error) {
	items, ok := m[name].([]any)
	if !ok {
		return nil, fmt.Errorf("%w: %s", errShape, name)
	}
	out := make([]float64, len(items))
	for i, v := range items {
		x, err := number(v)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// lists reads several lists of one length.
func lists(m map[string]any, names ...string) ([][]float64, error) {
	out := make([][]float64, len(names))
	for i, name := range names {
		var err error
		if out[i], err = list(m, name); err != nil {
			return nil, err
		}
		if len(out[i]) != len(out[0]) {
			return nil, fmt.Errorf("%w: %s and %s differ in length", errShape, names[0], name)
		}
	}
	return out, nil
}

// texts reads a list of texts by its name.
func texts(m map[string]any, name string) ([]string, error) {
	items, ok := m[name].([]any)
	if !ok {
		return nil, fmt.Errorf("%w: %s", errShape, name)
	}
	out := make([]string, len(items))
	for i, v := range items {
		if out[i], ok = v.(string); !ok {
			return nil, fmt.Errorf("%w: %s", errShape, name)
		}
	}
	return out, nil
}

// value is the result's figures by name.
func (f *Figure) value() (map[string]any, error) {
	m, ok := f.Result.Value.(map[string]any)
	if !ok {
		return nil, errShape
	}
	return m, nil
}

// argument returns an argument of the job that is a text or a number, as text.
func (f *Figure) argument(name string) string {
	if list, ok := f.Job.Args[name].([]any); ok && len(list) == 1 {
		return fmt.Sprint(list[0])
	}
	if v, ok := f.Job.Args[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// column returns the declared column that an argument names.
func (f *Figure) column(argument string) *job.Column {
	name := f.argument(argument)
	if c, ok := f.Dataset.Schema.Column(name); ok {
		return c
	}
	return &job.Column{Name: name}
}

// axisTitle is a column's name and unit.
func axisTitle(c *job.Column) string {
	if c.Unit == "" {
		return label(c.Name)
	}
	return label(c.Name + " (" + c.Unit + ")")
}

// maxLabel caps a text from a schema or a job in a picture, in bytes.
const maxLabel = 60

// label makes a text that others wrote safe to draw.
func label(text string) string { return job.Printable(text, maxLabel) }

// level is the confidence level of the intervals.
func (f *Figure) level() (float64, error) {
	text := f.argument("conf_level")
	if text == "" {
		return 0.95, nil
	}
	level, err := strconv.ParseFloat(text, 64)
	if err != nil || level <= 0 || level >= 1 {
		return 0, fmt.Errorf("%w: conf_level %.64q", errShape, text)
	}
	return level, nil
}

// percent writes a confidence level: 95%.
func percent(level float64) string {
	return strconv.FormatFloat(math.Round(level*1e6)/1e4, 'f', -1, 64) + "%"
}

// source says which rows a picture is about.
func (f *Figure) source() string {
	rows := "all rows"
	if f.Job.Where != "" {
		rows = "rows where " + job.Printable(f.Job.Where, 300)
	}
	return "Dataset " + label(f.Dataset.Name) + ", " + rows + "."
}

// decimalsOf writes a number with d decimals and a true minus sign.
func decimalsOf(x float64, d int) string {
	if math.IsNaN(x) {
		return "–"
	}
	text := strconv.FormatFloat(math.Abs(x), 'f', d, 64)
	if x < 0 && text != strconv.FormatFloat(0, 'f', d, 64) {
		return "−" + text
	}
	return text
}

// pText writes a p-value as tables do.
func pText(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return decimalsOf(p, 3)
}
