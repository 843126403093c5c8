package protocols

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc/mhe"
)

// Kinds of models. The score of a logistic one is a log-odds, from which the asker
// reckons the probability.
const (
	LinearModel   = "linear"
	LogisticModel = "logistic"
)

// ScoreModel is a linear or logistic model as its owner's node keeps it, in the clear.
// Name, dataset, kind and the columns of its features are its card, which an asker may
// know. It prints as its name.
type ScoreModel struct {
	Name, Dataset, Kind string
	Intercept           float64
	Weights             []ScoreWeight
	// Patients is how many one job may ask about; 0 for as many as fit.
	Patients int
}

// ScoreWeight is what a column adds to a score: of a numeric column a number for each
// of its units, of a text column a number for each of its categories.
type ScoreWeight struct {
	Column string
	Unit   float64
	Levels map[string]float64 // nil of a numeric column
}

// Format keeps a model out of every verb.
func (m *ScoreModel) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "model "+m.Name) }

// LogValue keeps a model out of structured logs.
func (m *ScoreModel) LogValue() slog.Value { return slog.StringValue("model " + m.Name) }

// MarshalText keeps a model out of JSON.
func (m *ScoreModel) MarshalText() ([]byte, error) { return []byte("model " + m.Name), nil }

// Features returns the model's columns in the order of the schema, as jobs name them.
func (m *ScoreModel) Features(s *job.Schema) []string {
	var names []string
	for _, name := range s.Names() {
		if slices.ContainsFunc(m.Weights, func(w ScoreWeight) bool { return w.Column == name }) {
			names = append(names, name)
		}
	}
	return names
}

// Check says what is wrong with a model of the dataset, for its owner alone: the words
// tell of weights.
func (m *ScoreModel) Check(d *job.Dataset) error {
	if m.Kind != LinearModel && m.Kind != LogisticModel {
		return fmt.Errorf("kind is %.64q: write %s or %s", m.Kind, LinearModel, LogisticModel)
	}
	if m.Patients < 0 || m.Patients > mhe.MaxRows {
		return fmt.Errorf("patients is %d: give 1 to %d in one job, or leave it out", m.Patients, mhe.MaxRows)
	}
	if len(m.Weights) == 0 {
		return errors.New("weights is empty: give one for each column")
	}
	for i, w := range m.Weights {
		c, ok := d.Schema.Column(w.Column)
		if !ok {
			return unknownColumn(d, w.Column)
		}
		if slices.ContainsFunc(m.Weights[:i], func(o ScoreWeight) bool { return o.Column == w.Column }) {
			return fmt.Errorf("column %s has two weights", w.Column)
		}
		if err := w.check(c); err != nil {
			return fmt.Errorf("weight of %s: %w", w.Column, err)
		}
	}
	plan, err := newScoring(d, m.Features(&d.Schema), 1)
	if err != nil {
		return err
	}
	if plan.inference.Check(plan.terms(m)) != nil {
		return fmt.Errorf("a weight or the intercept is too large: a column's contribution to the score, from the middle of its range to the end, must stay below 2^%d", scoreWeightBits)
	}
	return nil
}

func (w *ScoreWeight) check(c *job.Column) error {
	if c.Type != job.Text {
		if w.Levels != nil {
			return errors.New("the column is numeric: give one number for each unit of it")
		}
		if math.IsNaN(w.Unit) || math.IsInf(w.Unit, 0) {
			return errors.New("it is no number")
		}
		return nil
	}
	levels, err := c.Levels()
	if err != nil {
		return err
	}
	if w.Levels == nil {
		return fmt.Errorf("the column is text: give a number for each category, as in {%s: 0}", c.Format(levels[0]))
	}
	for _, code := range levels {
		x, ok := w.Levels[c.Format(code)]
		if !ok {
			return fmt.Errorf("category %q has none: give one for each category", c.Format(code))
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("that of category %q is no number", c.Format(code))
		}
	}
	if len(w.Levels) > len(levels) {
		return fmt.Errorf("it has %d categories and the column %d: take out those that the schema does not have", len(w.Levels), len(levels))
	}
	return nil
}

// A score is computed of terms between -1 and 1. A numeric column is one term: how far
// its value lies from the middle of the declared range, in halves of the range. A text
// column is one for each category but the first: 1 in it, 0 elsewhere. So all widths are
// the same whatever the columns' units, and follow from nothing that is secret.

// columnTerms is how many terms a column makes.
func columnTerms(c *job.Column) int {
	if c.Type != job.Text {
		return 1
	}
	return max(len(c.Categories)-1, 0)
}

// appendTerms appends the terms of a column's value, as a code.
func appendTerms(terms []float64, c *job.Column, code int64) []float64 {
	if c.Type == job.Text {
		for i := 1; i < len(c.Categories); i++ {
			is := 0.0
			if code == int64(i) {
				is = 1
			}
			terms = append(terms, is)
		}
		return terms
	}
	low, high := c.Codes()
	if low == high {
		return append(terms, 0)
	}
	return append(terms, 2*(float64(code-low)/float64(high-low))-1)
}

// terms returns the model over terms instead of columns.
func (p *scoring) terms(m *ScoreModel) mhe.Model {
	out := mhe.Model{Intercept: m.Intercept}
	for _, c := range p.columns {
		w := m.Weights[slices.IndexFunc(m.Weights, func(w ScoreWeight) bool { return w.Column == c.Name })]
		if c.Type == job.Text {
			first := w.Levels[c.Format(0)]
			out.Intercept += first
			for i := 1; i < len(c.Categories); i++ {
				out.Weights = append(out.Weights, w.Levels[c.Format(int64(i))]-first)
			}
			continue
		}
		middle, half := span(c)
		out.Intercept += w.Unit * middle
		out.Weights = append(out.Weights, w.Unit*half)
	}
	return out
}

// span returns the middle and the half length of a numeric column's range, in units.
func span(c *job.Column) (middle, half float64) {
	low, high := c.Codes()
	value := func(steps *big.Int) float64 {
		x, _ := new(big.Rat).Mul(c.StepRat(), new(big.Rat).SetFrac(steps, big.NewInt(2))).Float64()
		return x
	}
	l, h := big.NewInt(low), big.NewInt(high)
	return value(new(big.Int).Add(l, h)), value(new(big.Int).Sub(h, l))
}

// CheckScore says why this node does not score a query of a planned job: what it asks
// before it accepts. The model is the one that the job names, nil where the node has
// none of that name, and known are the names of those that it has.
func (p *Plan) CheckScore(m *ScoreModel, known []string, query []byte) error {
	s := p.scoring
	switch {
	case s == nil:
		return errors.New("the job asks for no score")
	case m == nil && len(known) == 0:
		return fmt.Errorf("it has no model %.64q, and no other", s.model)
	case m == nil:
		return fmt.Errorf("it has no model %.64q: %s", s.model, job.Near(s.model, known))
	case m.Dataset != p.Dataset.Name:
		return fmt.Errorf("model %s is of dataset %s, not of %s", m.Name, m.Dataset, p.Dataset.Name)
	}
	if features := m.Features(&p.Dataset.Schema); !slices.Equal(features, s.names()) {
		return fmt.Errorf("model %s takes the features %s; the job has %s", m.Name, strings.Join(features, ", "), strings.Join(s.names(), ", "))
	}
	if m.Patients > 0 && s.inference.Rows > m.Patients {
		return fmt.Errorf("model %s scores at most %s in a job, not %d", m.Name, patients(m.Patients), s.inference.Rows)
	}
	if err := s.inference.CheckQuery(query); err != nil {
		return fmt.Errorf("the attachment is no query for this job: %w", err)
	}
	return nil
}
