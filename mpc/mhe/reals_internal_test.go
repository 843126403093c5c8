package mhe

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
)

// What the smudging has to hide is no larger than reckoned, with all weights at their
// bound, and the smudging is the rule's for that.
func TestSmudgingOfScoresFollowsTheRule(t *testing.T) {
	i, err := NewInference(Shape{Features: 30, Rows: MaxRows, ValueBits: 10, WeightBits: 6, Precision: 16, Answers: 100})
	if err != nil {
		t.Fatal(err)
	}
	n := float64(i.params.N())
	hides := i.Sigma / (math.Sqrt(12*float64(i.Answers)*n) * math.Exp2(32))
	zero := make([]float64, 30)
	m := Model{Weights: slices.Repeat([]float64{63.999}, 30)}
	sigma := i.Sigma
	i.Sigma = 1 // the noise alone
	asker, query, err := i.Ask(slices.Repeat([][]float64{zero}, MaxRows))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := i.Score(query, m)
	if err != nil {
		t.Fatal(err)
	}
	i.Sigma = sigma
	got := deviation(asker.phase(t, answer))
	t.Logf("noise 2^%.2f, reckoned 2^%.2f, smudging 2^%.2f", math.Log2(got), math.Log2(hides), math.Log2(sigma))
	if got > hides*1.1 {
		t.Errorf("noise of %.1f, reckoned with %.1f", got, hides)
	}
	if answer, err = i.Score(query, m); err != nil {
		t.Fatal(err)
	}
	if got := deviation(asker.phase(t, answer)); math.Abs(math.Log2(got/sigma)) > 0.1 {
		t.Errorf("smudging measured as 2^%.2f, want 2^%.2f", math.Log2(got), math.Log2(sigma))
	}
}

// phase returns what an answer to zeros decrypts to, coefficient by coefficient.
func (a *Asker) phase(t *testing.T, answer []byte) []float64 {
	t.Helper()
	short := a.q.AtLevel(answerLimbs - 1)
	first, second := short.NewPoly(), short.NewPoly()
	if err := a.scores.get(first, answer[:a.scores.size()]); err != nil {
		t.Fatal(err)
	}
	if err := a.second.get(second, answer[a.scores.size():]); err != nil {
		t.Fatal(err)
	}
	short.NTT(second, second)
	short.MulCoeffsMontgomery(second, a.secret.Value.Q, second)
	short.INTT(second, second)
	short.Add(first, second, first)
	out := make([]float64, a.params.N())
	q := reals.modulus[0] // the noise is far below one limb
	for j, x := range first.Coeffs[0] {
		if out[j] = float64(x); x > q/2 {
			out[j] = -float64(q - x)
		}
	}
	return out
}

func TestRealsFitTheTable(t *testing.T) {
	saved := reals.logN
	defer func() { reals.logN = saved }()
	if reals.logN = 12; func() bool { _, err := NewInference(Shape{1, 1, 1, 1, 10, 1}); return err == nil }() {
		t.Error("180 bits at degree 2^12 are allowed")
	}
}

// FuzzScores: neither side's decoder is hurt by what the other sends. Bytes are laid
// over frames of the right length, or taken as they are.
func FuzzScores(f *testing.F) {
	i, err := NewInference(Shape{1, 1, 4, 4, 10, 1})
	if err != nil {
		f.Fatal(err)
	}
	asker := &Asker{i, rlwe.NewKeyGenerator(i.params).GenSecretKeyNew()}
	f.Add([]byte{}, true)
	f.Add([]byte{1}, false)
	f.Add(bytes.Repeat([]byte{0xff}, 64), true)
	f.Fuzz(func(t *testing.T, b []byte, laid bool) {
		query, answer := b, b
		if laid {
			query = append(slices.Clone(b), make([]byte, i.QuerySize())...)[:i.QuerySize()]
			answer = append(slices.Clone(b), make([]byte, i.AnswerSize())...)[:i.AnswerSize()]
		}
		if out, err := i.Score(query, Model{Weights: []float64{1}}); err == nil && len(out) != i.AnswerSize() {
			t.Fatal("an answer of another length")
		}
		if scores, err := asker.Open(answer); err == nil && len(scores) != 1 {
			t.Fatalf("opens to %v", scores)
		}
	})
}
