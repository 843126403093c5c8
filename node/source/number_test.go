package source

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]string{
		"0": "0", "-0.00": "0", "007": "7", "+5": "5", ".5": "0.5", "5.": "5", "1e3": "1000", "1e+05": "100000", "12.50": "12.5",
		"1.5E-3": "0.0015", "70.072553045859": "70.072553045859", "999999999999999999": "999999999999999999",
	} {
		n, ok := parseNumber(s)
		if !ok || n.text() != want {
			t.Errorf("%q: %v %v, want %s", s, n, ok, want)
		}
	}
	for _, s := range []string{"", ".", "-", "e5", "1e", "1e400", "1_000", "0x1", "1/2", " 1", "1 ", "-+1", "--1", "1e+-5", "1.2.3", "1,5", "nan", "inf", "1234567890123456789", "1e41", "٣"} {
		if n, ok := parseNumber(s); ok {
			t.Errorf("%q is taken for %s", s, n.text())
		}
	}
}

// What Infer takes for a number, a column takes too, and the other way round.
func TestNumberAgreesWithColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[+-]?[0-9]{0,12}(\.[0-9]{0,8})?([eE][+-]?[0-9]{0,3})?`).Draw(t, "text")
		n, ok := parseNumber(s)
		if ok {
			c := job.Column{Name: "x", Type: job.Decimal}
			c.Step, c.Min, c.Max = number{1, n.decimals()}.text(), n.text(), n.text()
			if (&job.Schema{Columns: []job.Column{c}}).Check() != nil {
				return // a number that no code can hold
			}
			code, err := c.Code(s)
			if err != nil {
				t.Fatalf("%q is a number, but the column says %v", s, err)
			}
			if got := new(big.Rat).Mul(new(big.Rat).SetInt64(code), c.StepRat()); got.Cmp(n.rat()) != 0 {
				t.Fatalf("%q has code %d, which is %s", s, code, got)
			}
			return
		}
		c := job.Column{Name: "x", Type: job.Integer, Min: s, Max: s}
		if (&job.Schema{Columns: []job.Column{c}}).Check() == nil {
			t.Fatalf("%q is no number, but a column's bound", s)
		}
	})
}

// Steps of every size are exact, through the file and back.
func TestExactSteps(t *testing.T) {
	for _, c := range []struct {
		column job.Column
		cells  string
		want   []int64
	}{
		{decimal("x", "0.1", "-100", "100"), "0.1\n0.3\n-0.7\n99.9\n1e-1\n0.30000\n", []int64{1, 3, -7, 999, 1, 3}},
		{decimal("x", "0.0000000000001", "0", "100"), "70.072553045859\n54.7405886379192\n0.0000000000001\n", []int64{700725530458590, 547405886379192, 1}},
		{decimal("x", "0.25", "-2", "2"), "-1.75\n2\n0.50\n", []int64{-7, 8, 2}},
		{integer("x", "-1000000", "1000000"), "1e+05\n-1E5\n0\n-0\n007\n12.0\n", []int64{100000, -100000, 0, 0, 7, 12}},
		{job.Column{Name: "x", Type: job.Integer, Step: "50", Min: "0", Max: "1000"}, "50\n1e3\n0\n", []int64{1, 20, 0}},
		{integer("x", "-4611686018427387900", "4611686018427387900"), "4611686018427387900\n-4611686018427387900\n", []int64{4611686018427387900, -4611686018427387900}},
	} {
		t.Run(c.column.Step+c.column.Max, func(t *testing.T) {
			s := open(t, write(t, "h.csv", "x\n"+c.cells), schemaOf(c.column), len(c.want))
			if got := stream(t, s, nil, "x").values["x"]; !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
