package protocols

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc/mhe"
)

// ScoreName is the word for private scores in a job. It is no Analysis of rows that
// sites hold: the rows are the asker's, and come with the job, encrypted; one node, which
// owns a model, scores them; the scores open under the asker's own key. Definition: the
// linear predictor, intercept plus weights times features, and of a logistic model
// 1/(1+exp(-score)) besides. One session of one node: nothing travels between nodes.
const ScoreName = "score"

// The widths of scores: see mhe.Shape. Terms are at most 1 in absolute value.
const (
	scoreValueBits  = 1
	scoreWeightBits = 24
	scorePrecision  = 24
	maxScoreTerms   = 128
)

// The outputs of the owner's share: the scores, encrypted to the asker's key, and which
// kind of model it was.
const (
	outputScores = "scores"
	outputKind   = "kind"
)

// scoring is the public side of a score job.
type scoring struct {
	model     string
	owner     string
	columns   []*job.Column // of the features, in the order of the schema
	inference *mhe.Inference
}

// newScoring settles how some features of some patients are scored.
func newScoring(d *job.Dataset, features []string, rows int) (*scoring, error) {
	s := &scoring{}
	var err error
	if s.columns, err = columns(d, features); err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	terms, at := 0, -1
	for _, c := range s.columns {
		place := slices.Index(d.Schema.Names(), c.Name)
		if place < at {
			return nil, fmt.Errorf("features: name them in the order of the schema, %s before %s", c.Name, d.Schema.Names()[at])
		}
		at = place
		if _, err := c.Levels(); err != nil && c.Type == job.Text {
			return nil, fmt.Errorf("features: %w", err)
		}
		terms += columnTerms(c)
	}
	if terms < 1 || terms > maxScoreTerms {
		return nil, fmt.Errorf("features: they make %d terms, a number each and one for each further category of a text: from 1 to %d are possible", terms, maxScoreTerms)
	}
	if rows < 1 || rows > mhe.MaxRows {
		return nil, fmt.Errorf("%s: from 1 to %d are scored at a time", patients(rows), mhe.MaxRows)
	}
	s.inference, err = mhe.NewInference(mhe.Shape{
		Features: terms, Rows: rows, ValueBits: scoreValueBits, WeightBits: scoreWeightBits, Precision: scorePrecision,
		Answers: 1, // a key is made for one job
	})
	if err != nil {
		return nil, err
	}
	if n := s.inference.QuerySize(); n > job.MaxAttachment {
		return nil, fmt.Errorf("%s of %d terms make a query of %d bytes, at most %d are allowed: ask about fewer patients at a time", patients(rows), terms, n, job.MaxAttachment)
	}
	return s, nil
}

// planScore is PlanJob for a private score.
func planScore(j *job.Job, r *job.Roster) (*Plan, error) {
	d, err := checkTable(j, r)
	if err != nil {
		return nil, err
	}
	args := j.Arguments()
	model, features, rows := args.String("model"), args.Strings("features"), args.Decimals("rows")
	if err := args.Err(); err != nil {
		return nil, err
	}
	switch {
	case !j.Attached():
		return nil, errors.New("score: the patients' rows come encrypted with the job: ask with consilium score")
	case j.Engine != job.EngineMHE:
		return nil, fmt.Errorf("score: the engine is %s: take mhe", j.Engine)
	case len(j.Nodes) != 1:
		return nil, errors.New("score: name in nodes the one node that owns the model")
	case j.Stored || j.Where != "":
		return nil, errors.New("score: it asks about the rows that come with it: leave out where and stored")
	case len(rows) != 1 || !rows[0].IsInt() || !rows[0].Num().IsInt64():
		return nil, errors.New(`argument "rows" has the wrong type: give one whole number`)
	}
	if err := job.CheckName("model", model); err != nil {
		return nil, fmt.Errorf("argument %w", err)
	}
	s, err := newScoring(d, features, int(rows[0].Num().Int64()))
	if err != nil {
		return nil, err
	}
	s.model, s.owner = model, j.Nodes[0]
	return &Plan{
		Analysis: ScoreName, Engine: j.Engine, Dataset: d, scoring: s,
		Reveals: []string{fmt.Sprintf("the score of each of %s by model %s of %s, to %d binary places, from %s",
			patients(s.inference.Rows), s.model, s.owner, scorePrecision, strings.Join(s.names(), ", ")), "whether the model is linear or logistic"},
	}, nil
}

// Scored tells whether the job is a private score, of which model and by which node.
func (p *Plan) Scored() (model, owner string, ok bool) {
	if p.scoring == nil {
		return "", "", false
	}
	return p.scoring.model, p.scoring.owner, true
}

// names lists the features, of which a job that scores nothing has none.
func (s *scoring) names() []string {
	if s == nil {
		return nil
	}
	names := make([]string, len(s.columns))
	for i, c := range s.columns {
		names[i] = c.Name
	}
	return names
}

// statement says what will be revealed, to whom and by whom.
func (s *scoring) statement(to string, r *job.Roster) []string {
	owner := people(r, []string{s.owner})
	return []string{
		fmt.Sprintf("The values leave this machine encrypted, under a key that is made for this job and kept nowhere. %s scores them without seeing them, and learns nothing but the names of the features and the number of patients.", owner),
		"Only this process opens the scores, and the job that it waits for: where it is interrupted, ask again.",
		fmt.Sprintf("Besides the scores, %s learns nothing of the model. But whoever has the scores of as many patients as it has weights, and of one more, can solve for all of it: the policy and the model's file of %s limit how many %s gets.", to, s.owner, to),
		"The coordinator and " + s.owner + " see the question: model, features, number of patients, and who asks. Other nodes hear nothing of it.",
	}
}

func patients(n int) string {
	if n == 1 {
		return "1 patient"
	}
	return fmt.Sprintf("%d patients", n)
}
