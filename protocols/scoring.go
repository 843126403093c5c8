package protocols

import (
	"errors"
	"fmt"
	"strconv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// Scored is what the owner of a model brings to a private score.
type Scored struct {
	Model *ScoreModel
	Query []byte // the job's attachment
}

// score is the owner's part: it scores the encrypted rows. The scores are encrypted to
// the asker's key as they come, so they are not sealed to the recipient once more.
func (w *work) score(s *mpc.Session) *job.SealedShare {
	s = s.Step(stepCompute)
	if w.Scored == nil {
		s.Fail(errors.New("the node has neither model nor query for a private score"))
		return nil
	}
	m, plan := w.Scored.Model, w.plan.scoring
	// The model may be another than the one that the node had when it accepted.
	if err := w.plan.CheckScore(m, nil, w.Scored.Query); err != nil {
		s.Fail(err)
		return nil
	}
	answer, err := plan.inference.Score(w.Scored.Query, plan.terms(m))
	if err != nil {
		s.Fail(err)
		return nil
	}
	share := &job.SealedShare{Party: w.Self, Session: w.session, Outputs: []job.SealedOutput{
		{Name: outputScores, Ciphertext: answer},
		{Name: outputKind, Ciphertext: []byte(m.Kind)},
	}}
	share.Sign(w.id, w.Key)
	return share
}

// ScoreQuery is what an asker keeps of a private score: the key that opens the answer.
// It lives in one process and is written nowhere.
type ScoreQuery struct {
	plan  *scoring
	asker *mhe.Asker
}

// NewScoreQuery encrypts the features of some patients under a fresh key: of each
// patient the codes of the columns, in the order of the schema. The query is what the
// job brings along.
func NewScoreQuery(d *job.Dataset, features []string, rows [][]int64) (*ScoreQuery, []byte, error) {
	s, err := newScoring(d, features, len(rows))
	if err != nil {
		return nil, nil, err
	}
	terms := make([][]float64, len(rows))
	for r, row := range rows {
		if len(row) != len(s.columns) {
			return nil, nil, fmt.Errorf("patient %d has %d features, not %d", r+1, len(row), len(s.columns))
		}
		for i, c := range s.columns {
			if low, high := c.Codes(); row[i] < low || row[i] > high {
				return nil, nil, fmt.Errorf("patient %d: %s is outside its declared range", r+1, c.Name)
			}
			terms[r] = appendTerms(terms[r], c, row[i])
		}
	}
	asker, query, err := s.inference.Ask(terms)
	if err != nil {
		return nil, nil, err
	}
	return &ScoreQuery{s, asker}, query, nil
}

// errScoresGone is for whoever opens the result of a score job by its sealed shares.
var errScoresGone = errors.New("its scores were for the process that asked, which alone had the key: ask again with consilium score")

// Open opens the owner's answer to the job that brought this query along. Like Open it
// trusts nothing but the roster file and its own key.
func (q *ScoreQuery) Open(signed *job.Signed, file *job.RosterFile, decisions []job.Decision, shares []job.SealedShare) (*Result, error) {
	b, err := bind(PlanJob, signed, file, decisions)
	if err != nil {
		return nil, err
	}
	result, err := q.open(b, shares)
	if err != nil {
		return nil, fmt.Errorf("result of job %v: %w", b.id, err)
	}
	return result, nil
}

func (q *ScoreQuery) open(b *binding, shares []job.SealedShare) (*Result, error) {
	s := b.plan.scoring
	if s == nil || s.inference.Shape != q.plan.inference.Shape {
		return nil, errors.New("it is of another question than the one that was asked here")
	}
	ordered, err := b.checkShares(shares)
	if err != nil {
		return nil, err
	}
	outputs := ordered[0].Outputs
	kind := string(outputs[1].Ciphertext)
	if kind != LinearModel && kind != LogisticModel {
		return nil, fmt.Errorf("%s names no kind of model that this version has", s.owner)
	}
	scores, err := q.asker.Open(outputs[0].Ciphertext)
	if err != nil {
		return nil, err
	}
	return s.result(kind, scores), nil
}

// result is what the asker sees.
func (s *scoring) result(kind string, scores []float64) *Result {
	t := Table{
		Title:  fmt.Sprintf("Scores by model %s of %s (%s)", s.model, s.owner, kind),
		Header: []string{"Row", "Score"},
		Notes:  []string{fmt.Sprintf("Row 1 is the first after the header. Scores are exact to 2^-%d.", scorePrecision)},
	}
	value := map[string]any{"model": s.model, "owner": s.owner, "kind": kind, "n": int64(len(scores))}
	if kind == LogisticModel {
		t.Header = append(t.Header, "Probability")
	}
	var all, probabilities []any
	for i, x := range scores {
		all = append(all, x)
		row := []string{strconv.Itoa(i + 1), strconv.FormatFloat(x, 'f', scoreDecimals, 64)}
		if kind == LogisticModel {
			p := mhe.Probability(x)
			probabilities = append(probabilities, p)
			row = append(row, strconv.FormatFloat(p, 'f', scoreDecimals, 64))
		}
		t.Rows = append(t.Rows, row)
	}
	value["scores"] = all
	if kind == LogisticModel {
		value["probabilities"] = probabilities
	}
	return &Result{Status: statusOK, Value: value, Tables: []Table{t}}
}

// scoreDecimals is how many decimals a table shows of a score.
const scoreDecimals = 6

// ScoreTolerance is by how much a score that was opened may differ from the exact one.
const ScoreTolerance = 1.0 / (1 << scorePrecision)
