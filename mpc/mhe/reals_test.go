package mhe_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"consilium/mpc/mhe"
)

func inference(t testing.TB, features, rows, valueBits, weightBits, precision, answers int) *mhe.Inference {
	t.Helper()
	i, err := mhe.NewInference(mhe.Shape{Features: features, Rows: rows, ValueBits: valueBits, WeightBits: weightBits, Precision: precision, Answers: answers})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestPrivateScores(t *testing.T) {
	for _, c := range []struct{ features, valueBits, weightBits, precision, answers, rows int }{
		{1, 1, 1, 20, 1, 1}, {5, 8, 4, 20, 1000, 1}, {30, 10, 6, 16, 100, mhe.MaxRows}, {12, 4, 3, 24, 10, 7}, {128, 1, 24, 24, 1, 3},
	} {
		t.Run(fmt.Sprintf("%d features of %d patients", c.features, c.rows), func(t *testing.T) {
			i := inference(t, c.features, c.rows, c.valueBits, c.weightBits, c.precision, c.answers)
			largest, heaviest := math.Exp2(float64(c.valueBits))*(1-0x1p-30), math.Exp2(float64(c.weightBits))*(1-0x1p-30)
			m := mhe.Model{Intercept: -heaviest / 3}
			for f := range c.features {
				m.Weights = append(m.Weights, heaviest*math.Cos(float64(f)))
			}
			rows, want := make([][]float64, c.rows), make([]float64, c.rows)
			for r := range rows {
				want[r] = m.Intercept
				for f, w := range m.Weights {
					x := largest * math.Cos(float64(r*7+f*3))
					rows[r] = append(rows[r], x)
					want[r] += w * x
				}
			}
			asker, query, err := i.Ask(rows)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := i.Score(query, m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := asker.Open(answer)
			if err != nil || len(got) != c.rows {
				t.Fatalf("%d scores, %v", len(got), err)
			}
			unit := math.Exp2(-float64(c.precision))
			for r := range want {
				if math.Abs(got[r]-want[r]) > unit+1e-12*math.Abs(want[r]) {
					t.Fatalf("patient %d scores %v, want %v", r, got[r], want[r])
				}
				if k := got[r] / unit; k != math.Round(k) {
					t.Fatalf("%v has more than %d binary places", got[r], c.precision)
				}
			}
			t.Logf("smudging 2^%.1f; query %d KB, answer %d KB", math.Log2(i.Sigma), len(query)>>10, len(answer)>>10)
		})
	}
	if p := mhe.Probability(math.Log(3)); math.Abs(p-0.75) > 1e-15 {
		t.Errorf("probability of even three to one is %v", p)
	}
}

func TestInferenceRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []mhe.Shape{
		{0, 1, 8, 4, 20, 1},
		{5, 0, 8, 4, 20, 1},
		{5, mhe.MaxRows + 1, 8, 4, 20, 1},
		{5, 1, 0, 4, 20, 1},
		{5, 1, 8, 0, 20, 1},
		{5, 1, 8, 4, 0, 1},
		{5, 1, 8, 4, 20, 0},
		{5, 1, 8, 4, 20, 1 << 40},
		{4096, 1, 40, 40, 40, 1},
	} {
		if i, err := mhe.NewInference(c); err == nil {
			t.Errorf("%v is allowed, with smudging 2^%.1f", c, math.Log2(i.Sigma))
		}
	}
	i := inference(t, 2, 1, 4, 4, 10, 1)
	for name, rows := range map[string][][]float64{"none": {}, "too large": {{16, 0}}, "not a number": {{math.NaN(), 0}}, "infinite": {{0, math.Inf(-1)}}, "a feature less": {{1}}, "one too many": {{1, 1}, {1, 1}}} {
		if _, _, err := i.Ask(rows); err == nil {
			t.Errorf("%s: asked", name)
		}
	}
	asker, query, err := i.Ask([][]float64{{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	good := mhe.Model{Intercept: 1, Weights: []float64{1, -1}}
	for name, m := range map[string]mhe.Model{"a weight less": {Weights: []float64{1}}, "too heavy": {Weights: []float64{1, 16}}, "not a number": {Weights: []float64{1, math.NaN()}}, "an intercept too large": {Intercept: 1e9, Weights: []float64{1, 1}}} {
		if _, err := i.Score(query, m); err == nil || strings.Contains(err.Error(), "16") {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer, err := i.Score(query, good)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)-1] }, "padded": func(b []byte) []byte { return append(b, 0) }, "empty": func([]byte) []byte { return nil },
		"unreduced": func(b []byte) []byte { return unreduced(b, 5) }, "unreduced at its end": func(b []byte) []byte { return unreduced(b, len(b)/8-1) },
	} {
		if _, err := i.Score(change(slices.Clone(query)), good); err == nil || i.CheckQuery(change(slices.Clone(query))) == nil {
			t.Errorf("a query %s is answered", name)
		}
		if _, err := asker.Open(change(slices.Clone(answer))); err == nil {
			t.Errorf("an answer %s opens", name)
		}
	}
	other, _, err := i.Ask([][]float64{{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Open(answer); err == nil {
		t.Errorf("somebody else opens %v", got)
	}
	for _, v := range []any{asker, good, &good} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
			if text := fmt.Sprintf(verb, v); text != "redacted" {
				t.Errorf("%T by %s prints %q", v, verb, text)
			}
		}
	}
}
