package job

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "+0.00": "0", "12": "12", "-12.50": "-12.5", ".5": "0.5", "5.": "5", "007": "7", "1e+05": "100000",
		"1.5E-3": "0.0015", "1000000000000000000000": "1000000000000000000000", "123456789012345678": "123456789012345678",
		"0.000000000000000001": "0.000000000000000001", "70.072553045859": "70.072553045859",
		"1.0000000000000000000000": "1", "0e99": "0",
	} {
		d, ok := parseDecimal(text)
		if !ok || d.String() != want {
			t.Errorf("%q is %s, %v; want %s", text, d, ok, want)
		}
	}
	for _, bad := range []string{
		"", "-", "+", ".", "e5", "1e", "1e+", "1e123", "1x", " 1", "1 ", "1,5", "--1", "1.2.3", "0x1", "1_0", "inf", "NaN", "١",
		"1234567890123456789", "1.000000000000000001", "1e41", "1e-41", "1e99",
	} {
		if d, ok := parseDecimal(bad); ok {
			t.Errorf("%q is taken as %s", bad, d)
		}
	}
}

func TestDecimalsAgainstRationals(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%s%d.%0*d",
			rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign"), rapid.Int64Range(0, 999_999_999).Draw(t, "whole"),
			rapid.IntRange(1, 9).Draw(t, "width"), rapid.Int64Range(0, 9).Draw(t, "fraction"))
	})
	rapid.Check(t, func(t *rapid.T) {
		text := number.Draw(t, "text")
		step := rapid.SampledFrom([]string{"1", "0.1", "0.5", "0.25", "3", "10", "0.00000095367431640625", "0.000000000000000001"}).Draw(t, "step")
		want, _ := new(big.Rat).SetString(text)
		d, ok := parseDecimal(text)
		if !ok || d.rat().Cmp(want) != 0 {
			t.Fatalf("%s is %v", text, d)
		}
		if back, _ := new(big.Rat).SetString(d.String()); back.Cmp(want) != 0 {
			t.Fatalf("%s prints as %s", text, d)
		}
		s, _ := parseDecimal(step)
		q := new(big.Rat).Quo(want, s.rat())
		fits := q.IsInt() && q.Num().CmpAbs(big.NewInt(maxCode)) <= 0
		code, ok := d.steps(s)
		if ok != fits || ok && q.Num().Int64() != code {
			t.Fatalf("%s in steps of %s: %d %v, want %s", text, step, code, ok, q)
		}
	})
}

func TestDecimalStepsAtTheLimits(t *testing.T) {
	for _, c := range []struct {
		value, step string
		want        int64
		ok          bool
	}{
		{"4611686018427387900", "1", maxCode - 3, true},
		{"4611686018427387910", "1", 0, false},
		{"4000000000000000000", "1", 4e18, true},
		{"5000000000000000000", "1", 0, false},
		{"-4000000000000000000", "1", -4e18, true},
		{"1", "0.00000000000000000001", 0, false},
		{"1", "0.00000000000000000000000095367431640625", 0, false},
		{"0.000000001", "0.00000000000000000000000000001", 0, false},
		{"1e-20", "1e-38", 1e18, true},
		{"1e-38", "1e-38", 1, true},
		{"1e20", "1e20", 1, true},
		{"3e-20", "2e-38", 15e17, true},
		{"0", "1e-38", 0, true},
	} {
		d, ok := parseDecimal(c.value)
		step, _ := parseDecimal(c.step)
		var got int64
		if ok {
			got, ok = d.steps(step)
		}
		if ok != c.ok || got != c.want {
			t.Errorf("%s in steps of %s: %d %v, want %d %v", c.value, c.step, got, ok, c.want, c.ok)
		}
	}
}

func TestSchemaCheck(t *testing.T) {
	good := testSchema()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		column Column
		want   string
	}{
		"no name":            {Column{Type: Text}, "begin its name"},
		"leading dot":        {Column{Name: ".selected", Type: Text}, "begin its name"},
		"validity's name":    {Column{Name: "x.valid", Type: Text}, "begin its name"},
		"quote":              {Column{Name: `a"b`, Type: Text}, "begin its name"},
		"trailing space":     {Column{Name: "a ", Type: Text}, "begin its name"},
		"control":            {Column{Name: "a\x07", Type: Text}, "printed"},
		"long name":          {Column{Name: strings.Repeat("a", 65), Type: Text}, "at most 64"},
		"same but for case":  {Column{Name: "AGE", Type: Text}, "but for case"},
		"no type":            {Column{Name: "x"}, "integer, decimal or text"},
		"text with range":    {Column{Name: "x", Type: Text, Min: "1"}, "no step, min or max"},
		"no min":             {Column{Name: "x", Type: Integer, Max: "1"}, "min is missing"},
		"no max":             {Column{Name: "x", Type: Integer, Min: "1"}, "max is missing"},
		"min above max":      {Column{Name: "x", Type: Integer, Min: "2", Max: "1"}, "swap"},
		"min no number":      {Column{Name: "x", Type: Integer, Min: "a", Max: "1"}, "min is"},
		"min between steps":  {Column{Name: "x", Type: Integer, Min: "0.5", Max: "1"}, "whole number of steps"},
		"too many steps":     {Column{Name: "x", Type: Decimal, Step: "0.000000000001", Min: "0", Max: "100000000"}, "less than 2^62"},
		"decimal, no step":   {Column{Name: "x", Type: Decimal, Min: "0", Max: "1"}, "step is"},
		"negative step":      {Column{Name: "x", Type: Decimal, Step: "-1", Min: "0", Max: "1"}, "step is"},
		"zero step":          {Column{Name: "x", Type: Decimal, Step: "0.0", Min: "0", Max: "1"}, "step is"},
		"integer, fine step": {Column{Name: "x", Type: Integer, Step: "0.5", Min: "0", Max: "1"}, "whole step"},
		"category twice":     {Column{Name: "x", Type: Text, Categories: []string{"b", "a", "b"}}, "comes twice"},
		"same number twice":  {Column{Name: "x", Type: Integer, Min: "0", Max: "9", Categories: []string{"1", "1.0"}}, "comes twice"},
		"category no number": {Column{Name: "x", Type: Integer, Min: "0", Max: "9", Categories: []string{"a"}}, "category"},
		"category outside":   {Column{Name: "x", Type: Integer, Min: "0", Max: "9", Categories: []string{"10"}}, "category"},
		"blank category":     {Column{Name: "x", Type: Text, Categories: []string{" "}}, "blank"},
		"category missing":   {Column{Name: "x", Type: Text, Categories: []string{"a"}, Missing: []string{"a"}}, "means missing"},
		"value missing":      {Column{Name: "x", Type: Integer, Min: "-9", Max: "9", Categories: []string{"-9.0"}, Missing: []string{"NA", "-9"}}, "means missing"},
		"missing twice":      {Column{Name: "x", Type: Text, Missing: []string{"NA", "NA"}}, `missing text "NA" comes twice`},
		"missing by value":   {Column{Name: "x", Type: Integer, Min: "0", Max: "9", Missing: []string{"-9", "-9.0"}}, `missing text "-9.0" comes twice`},
		"unprintable":        {Column{Name: "x", Type: Text, Categories: []string{"a\nb"}}, "printed"},
		"description":        {Column{Name: "x", Type: Text, Description: strings.Repeat("x", 1025)}, "at most 1024"},
		"unit":               {Column{Name: "x", Type: Text, Unit: "\x1b"}, "unit"},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSchema()
			s.Columns = append(s.Columns, c.column)
			wantError(t, s.Check(), c.want)
		})
	}
	texts := Schema{Columns: []Column{{Name: "x", Type: Text, Categories: []string{"9", "9.0"}, Missing: []string{"-9", "-9.0"}}}}
	if err := texts.Check(); err != nil {
		t.Errorf("texts are no numbers: %v", err)
	}
	wantError(t, (&Schema{}).Check(), "0 columns")
	wantError(t, (&Schema{Columns: make([]Column, maxColumns+1)}).Check(), "4097 columns")
}

func TestColumnCodes(t *testing.T) {
	s := testSchema()
	numeric := Column{Name: "n", Type: Decimal, Step: "0.25", Min: "-1", Max: "7.75"}
	for _, c := range []struct {
		column   *Column
		min, max int64
		bits     int
		step     string
	}{
		{&s.Columns[0], 0, 120, 7, "1/1"},
		{&s.Columns[1], 0, 2, 2, "1/1"},
		{&s.Columns[3], -20, 200, 8, "1/2"},
		{&s.Columns[5], 0, -1, 1, "1/1"},
		{&numeric, -4, 31, 5, "1/4"},
		{&Column{Type: Integer, Step: "10", Min: "-80", Max: "0"}, -8, 0, 4, "10/1"},
		{&Column{Type: Integer, Min: "0", Max: "0"}, 0, 0, 0, "1/1"},
	} {
		if min, max := c.column.Codes(); min != c.min || max != c.max {
			t.Errorf("%+v: codes %d to %d", c.column, min, max)
		}
		if c.column.Bits() != c.bits && len(c.column.Categories)+len(c.column.Min) > 0 {
			t.Errorf("%+v: %d bits", c.column, c.column.Bits())
		}
		if c.column.StepRat().String() != c.step {
			t.Errorf("%+v: step %s", c.column, c.column.StepRat())
		}
	}
}

func TestColumnCodeAndFormat(t *testing.T) {
	s := testSchema()
	for _, c := range []struct {
		column, value string
		code          int64
		format        string
	}{
		{"age", "50", 50, "50"},
		{"age", "050.0", 50, "50"},
		{"age", "1e2", 100, "100"},
		{"sex", "f", 0, "f"},
		{"sex", "it's", 1, "it's"},
		{"sex", "m", 2, "m"},
		{"status", "2", 2, "2"},
		{"status", "1.0", 1, "1"},
		{"wt loss", "-0.5", -1, "-0.5"},
		{"wt loss", "12", 24, "12"},
		{"wt loss", "0", 0, "0"},
		{"wt loss", "-10", -20, "-10"},
	} {
		column, _ := s.Column(c.column)
		code, err := column.Code(c.value)
		if err != nil || code != c.code {
			t.Errorf("%s %q: code %d, %v, want %d", c.column, c.value, code, err, c.code)
		}
		if got := column.Format(c.code); got != c.format {
			t.Errorf("%s %d: %q, want %q", c.column, c.code, got, c.format)
		}
	}
	for _, c := range []struct{ column, value, want string }{
		{"age", "Jane Doe", "no decimal number"},
		{"age", "121", "outside 0 to 120"},
		{"age", "-1", "outside"},
		{"age", "50.5", "steps of 1"},
		{"age", "1e30", "outside"},
		{"age", "1e-30", "steps of 1"},
		{"age", "120.5", "outside"},
		{"sex", "x", "not among its 3 categories"},
		{"sex", "M", "not among"},
		{"sex", "", "not among"},
		{"status", "1.5", "steps of 1"},
		{"wt loss", "0.3", "steps of 0.5"},
		{"wt loss", "100.5", "outside"},
		{"note", "a", "no list of categories"},
	} {
		column, _ := s.Column(c.column)
		_, err := column.Code(c.value)
		wantError(t, err, c.want)
		wantError(t, err, c.column)
		if len(c.value) > 3 && strings.Contains(err.Error(), c.value) {
			t.Errorf("the error tells the value: %v", err)
		}
	}
	sparse := Column{Name: "x", Type: Integer, Min: "0", Max: "9", Categories: []string{"0", "5"}}
	if _, err := sparse.Code("5"); err != nil {
		t.Error(err)
	}
	_, err := sparse.Code("4")
	wantError(t, err, "not among its 2 categories")
}

func TestLevels(t *testing.T) {
	s := testSchema()
	for column, want := range map[string][]string{"sex": {"f", "it's", "m"}, "status": {"1", "2"}} {
		c, _ := s.Column(column)
		levels, err := c.Levels()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range levels {
			got = append(got, c.Format(l))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", column, got, want)
		}
	}
	numbers := Column{Name: "x", Type: Decimal, Step: "0.5", Min: "-1", Max: "100", Categories: []string{"10", "-0.5", "9", "0"}}
	if levels, err := numbers.Levels(); err != nil || !reflect.DeepEqual(levels, []int64{-1, 0, 18, 20}) {
		t.Errorf("levels %v, %v", levels, err)
	}
	c, _ := s.Column("age")
	_, err := c.Levels()
	wantError(t, err, "declare categories")
}

func TestSummaryCheck(t *testing.T) {
	schema := &Schema{Columns: []Column{
		{Name: "narrow", Type: Integer, Min: "-7", Max: "7"},          // 3 bits
		{Name: "wide", Type: Integer, Min: "0", Max: "1099511627775"}, // 40 bits
		{Name: "sex", Type: Text, Categories: []string{"f", "m"}},
	}}
	if err := schema.Check(); err != nil {
		t.Fatal(err)
	}
	all := []string{"narrow", "wide", "sex"}
	for name, c := range map[string]struct {
		summary Summary
		rows    int
		want    string
	}{
		"plain":                 {Summary{Complete: all, Groups: []Grouping{{Column: "sex", Levels: []int64{0, 1}}, {Column: "wide", Edges: []int64{0, 5, 9}}}, Terms: []Term{{}, {"wide", "wide"}}}, 1000, ""},
		"exactly 126 bits":      {Summary{Complete: all, Terms: []Term{{"wide", "wide", "wide", "narrow"}}}, 8, ""},
		"127 bits":              {Summary{Complete: all, Terms: []Term{{"wide", "wide", "wide", "narrow"}}}, 9, `column "narrow": the sum may need more than 126 bits over 9 rows`},
		"cube over many":        {Summary{Complete: all, Terms: []Term{{"wide", "wide", "wide"}}}, 100, `column "wide"`},
		"no terms":              {Summary{}, 1, "no terms"},
		"no rows":               {Summary{Terms: []Term{{}}}, 0, "0 rows"},
		"unknown complete":      {Summary{Complete: []string{"narow"}, Terms: []Term{{}}}, 1, `did you mean "narrow"?`},
		"unknown term":          {Summary{Terms: []Term{{"x"}}}, 1, "unknown column"},
		"unknown group":         {Summary{Groups: []Grouping{{Column: "x", Levels: []int64{0}}}, Terms: []Term{{}}}, 1, "unknown column"},
		"not complete":          {Summary{Terms: []Term{{"wide"}}}, 1, "may be missing"},
		"no levels":             {Summary{Groups: []Grouping{{Column: "sex"}}, Terms: []Term{{}}}, 1, "one of levels, edges and range"},
		"both":                  {Summary{Groups: []Grouping{{Column: "sex", Levels: []int64{0}, Edges: []int64{0, 1}}}, Terms: []Term{{}}}, 1, "one of"},
		"one edge":              {Summary{Groups: []Grouping{{Column: "sex", Edges: []int64{0}}}, Terms: []Term{{}}}, 1, "at least two"},
		"levels, no edges":      {Summary{Groups: []Grouping{{Column: "sex", Levels: []int64{0}, Edges: []int64{}}}, Terms: []Term{{}}}, 1, "at least two"},
		"a range":               {Summary{Groups: []Grouping{{Column: "sex", Range: &Range{-3, 3}}, {Predicate: Compare{"sex", Eq, 0}}}, Terms: []Term{{}}}, 1, ""},
		"an empty range":        {Summary{Groups: []Grouping{{Column: "sex", Range: &Range{3, 2}}}, Terms: []Term{{}}}, 1, "has no code or more than"},
		"an endless range":      {Summary{Groups: []Grouping{{Column: "sex", Range: &Range{math.MinInt64, math.MaxInt64}}}, Terms: []Term{{}}}, 1, "has no code or more than"},
		"range and edges":       {Summary{Groups: []Grouping{{Column: "sex", Range: &Range{2, 3}, Edges: []int64{0, 1}}}, Terms: []Term{{}}}, 1, "one of"},
		"unknown in predicate":  {Summary{Groups: []Grouping{{Predicate: Not{Compare{"x", Eq, 0}}}}, Terms: []Term{{}}}, 1, "unknown column"},
		"predicate and column":  {Summary{Groups: []Grouping{{Column: "sex", Predicate: Compare{"sex", Eq, 0}}}, Terms: []Term{{}}}, 1, "goes without column"},
		"edges descend":         {Summary{Groups: []Grouping{{Column: "sex", Edges: []int64{1, 0}}}, Terms: []Term{{}}}, 1, "ascend"},
		"equal edges":           {Summary{Groups: []Grouping{{Column: "sex", Edges: []int64{1, 1, 2}}}, Terms: []Term{{}}}, 1, ""},
		"last bin of one value": {Summary{Groups: []Grouping{{Column: "sex", Edges: []int64{0, 1, 1}}}, Terms: []Term{{}}}, 1, ""},
		"level twice":           {Summary{Groups: []Grouping{{Column: "sex", Levels: []int64{1, 0, 1}}}, Terms: []Term{{}}}, 1, "twice"},
		"too many cells":        {Summary{Groups: slicesOf(30, Grouping{Column: "sex", Levels: []int64{0, 1, 2, 3}}), Terms: []Term{{}}}, 1, "sums"},
	} {
		t.Run(name, func(t *testing.T) {
			c.summary.Name = "s"
			err := c.summary.Check(schema, c.rows)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, c.want)
		})
	}
}

func TestSummaryLength(t *testing.T) {
	s := Summary{
		Groups: []Grouping{{Levels: []int64{1, 2}}, {Edges: []int64{0, 5, 9, 12}}}, // 2 levels; 3 bins and the one outside
		Terms:  []Term{{}, {"x"}, {"x", "x"}},
	}
	if s.Cells() != 8 || s.Len() != 24 {
		t.Errorf("%d cells, %d sums", s.Cells(), s.Len())
	}
	if alone := (Summary{Terms: []Term{{}}}); alone.Cells() != 1 || alone.Len() != 1 {
		t.Errorf("without groups %d cells, %d sums", alone.Cells(), alone.Len())
	}
}

func slicesOf[T any](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// TestLabels says of what labels may be.
func TestLabels(t *testing.T) {
	c := Column{Name: "sex", Type: Integer, Min: "1", Max: "2", Categories: []string{"1", "2"}, Missing: []string{"-9"}}
	for name, labels := range map[string]map[string]string{
		"": {"1": "male", "2": "female", "-9": "not asked"}, "neither": {"3": "other"}, "label of": {"1": "line\nbreak"},
	} {
		c.Labels = labels
		err := (&Schema{Columns: []Column{c}}).Check()
		if name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("%v: %v", labels, err)
		}
	}
}
