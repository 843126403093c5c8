package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"consilium/job"
	"consilium/protocols"
)

// modelFile is a model's file: what a site scores patients by whom it does not see. It
// stays at the site; of what stands in it an asker may learn kind, dataset and the
// columns.
type modelFile struct {
	Kind      string                 `yaml:"kind"`      // linear or logistic
	Dataset   string                 `yaml:"dataset"`   // whose columns the features are
	Intercept *float64               `yaml:"intercept"` // of the linear predictor
	Weights   map[string]modelWeight `yaml:"weights"`   // by column
	Patients  int                    `yaml:"patients"`  // that one job may ask about; left out: as many as fit
}

// modelWeight is a number, or of a text column one for each category.
type modelWeight struct {
	unit   *float64
	levels map[string]*float64
}

// UnmarshalYAML takes either.
func (w *modelWeight) UnmarshalYAML(unmarshal func(any) error) error {
	var unit float64
	if unmarshal(&unit) == nil {
		w.unit = &unit
		return nil
	}
	return unmarshal(&w.levels)
}

// scored is what this node brings to a private score; nil for any other job.
func (n *Node) scored(ctx context.Context, id job.Hash, plan *protocols.Plan) (*protocols.Scored, error) {
	model, _, ok := plan.Scored()
	if !ok {
		return nil, nil
	}
	query, err := n.store.attachment(ctx, id)
	return &protocols.Scored{Model: n.models[model], Query: query}, err
}

// readModels reads the models that the configuration names and holds them against the
// roster. Later changes of the files count from the next start on.
func readModels(c *Config, r *job.Roster) (map[string]*protocols.ScoreModel, error) {
	models := make(map[string]*protocols.ScoreModel)
	for _, name := range c.modelNames() {
		b, err := job.ReadFile(c.Models[name], maxFile)
		if err != nil {
			return nil, fmt.Errorf("models: %s: %w", name, err)
		}
		m, err := parseModel(name, b, r)
		if err != nil {
			return nil, fmt.Errorf("models: %s: %s: %w", name, c.Models[name], err)
		}
		models[name] = m
	}
	return models, nil
}

// parseModel reads a model's file, which must fit its dataset.
func parseModel(name string, b []byte, r *job.Roster) (*protocols.ScoreModel, error) {
	var f modelFile
	if err := job.DecodeYAML("model", b, maxFile, &f); err != nil {
		return nil, err
	}
	d, ok := r.Dataset(f.Dataset)
	if !ok {
		return nil, fmt.Errorf("dataset is %.64q: %s", f.Dataset, job.Near(f.Dataset, r.DatasetNames()))
	}
	if f.Intercept == nil {
		return nil, errors.New("intercept is missing: add it, or 0 where the model has none")
	}
	m := &protocols.ScoreModel{Name: name, Dataset: f.Dataset, Kind: f.Kind, Intercept: *f.Intercept, Patients: f.Patients}
	for _, column := range slices.Sorted(maps.Keys(f.Weights)) {
		w, err := f.Weights[column].weight(column)
		if err != nil {
			return nil, fmt.Errorf("weight of %s: %w", column, err)
		}
		m.Weights = append(m.Weights, w)
	}
	return m, m.Check(d)
}

// weight refuses what stands empty: YAML would make zeros of that.
func (w modelWeight) weight(column string) (protocols.ScoreWeight, error) {
	out := protocols.ScoreWeight{Column: column}
	switch {
	case w.unit != nil:
		out.Unit = *w.unit
	case w.levels != nil:
		out.Levels = make(map[string]float64, len(w.levels))
		for level, x := range w.levels {
			if x == nil {
				return out, fmt.Errorf("category %q has none: write a number", level)
			}
			out.Levels[level] = *x
		}
	default:
		return out, errors.New("it is empty: write a number, or of a text column one for each category")
	}
	return out, nil
}
