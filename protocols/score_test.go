package protocols

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
)

// clinicSchema has columns of many scales: a decimal around zero, a constant, codes of
// nearly 62 bits, texts of one and of three categories, a text without a list.
func clinicSchema() job.Schema {
	return job.Schema{Columns: []job.Column{
		{Name: "age", Type: job.Integer, Min: "0", Max: "120", Unit: "years"},
		{Name: "base", Type: job.Decimal, Step: "0.1", Min: "-30", Max: "20.5"},
		{Name: "cells", Type: job.Integer, Min: "0", Max: "4000000000000000000"},
		{Name: "site", Type: job.Integer, Min: "7", Max: "7"},
		{Name: "stage", Type: job.Text, Categories: []string{"III", "I", "II"}},
		{Name: "unit", Type: job.Text, Categories: []string{"icu"}},
		{Name: "name", Type: job.Text},
	}}
}

// clinic is a study whose dataset lies at hospital 2; models are at hospital 4.
func clinic(t testing.TB) *study {
	t.Helper()
	return newStudy(t, func(r *job.Roster) {
		r.Datasets = []job.Dataset{{Name: "clinic", Schema: clinicSchema(), Sites: []job.Site{{Node: "hospital-2", Rows: 1}}}}
	})
}

const scoreOwner = 3

func risk() *ScoreModel {
	return &ScoreModel{
		Name: "risk", Dataset: "clinic", Kind: LogisticModel, Intercept: -3.25,
		Weights: []ScoreWeight{
			{Column: "stage", Levels: map[string]float64{"I": 0.5, "II": 1.25, "III": -2}},
			{Column: "age", Unit: 0.0625},
		},
	}
}

// plain is a model's score of codes in the clear, from its definition.
func (m *ScoreModel) plain(s *job.Schema, features []string, row []int64) float64 {
	score := m.Intercept
	for i, name := range features {
		c, _ := s.Column(name)
		w := m.Weights[slices.IndexFunc(m.Weights, func(w ScoreWeight) bool { return w.Column == name })]
		if c.Type == job.Text {
			score += w.Levels[c.Format(row[i])]
			continue
		}
		step, _ := c.StepRat().Float64()
		score += w.Unit * (float64(row[i]) * step)
	}
	return score
}

// scoreTrial is one private score.
type scoreTrial struct {
	*study
	query      *ScoreQuery
	attachment []byte
	signed     *job.Signed
	decisions  []job.Decision
	net        *memnet.Network
}

func (s *study) scoreJob(features []string, rows int, attachment []byte) *job.Job {
	s.t.Helper()
	j := s.job(ask{dataset: "clinic", analysis: ScoreName, args: "{}"})
	j.Args = map[string]any{"model": "risk", "features": features, "rows": rows}
	j.Engine, j.Nodes, j.Attachment = job.EngineMHE, []string{s.nodes[scoreOwner].Name}, job.AttachmentHash(attachment)
	return j
}

func (s *study) askScore(features []string, rows [][]int64) *scoreTrial {
	s.t.Helper()
	d, _ := s.roster.Roster.Dataset("clinic")
	q, attachment, err := NewScoreQuery(d, features, rows)
	s.must(err)
	signed := s.sign(s.scoreJob(features, len(rows), attachment))
	return &scoreTrial{study: s, query: q, attachment: attachment, signed: signed, decisions: []job.Decision{s.accept(s.nodes[scoreOwner], signed)}}
}

// owner runs the owner's part.
func (tr *scoreTrial) owner(change func(*Task)) (*job.SealedShare, error) {
	tr.t.Helper()
	tr.net = memnet.NewNetwork(studyNodes, 0, memnet.Hooks{})
	task := &Task{
		Signed: tr.signed, Roster: tr.roster, Decisions: tr.decisions, Self: tr.nodes[scoreOwner].Name, Key: tr.nodes[scoreOwner].Key,
		Transport: tr.net.Transport(scoreOwner), Timeout: 20 * time.Second, Scored: &Scored{Model: risk(), Query: tr.attachment},
	}
	if change != nil {
		change(task)
	}
	confirm, session, err := task.Sessions()
	tr.must(err)
	defer tr.net.End(mpc.PartyID(scoreOwner), confirm)
	defer tr.net.End(mpc.PartyID(scoreOwner), session)
	return task.Run(context.Background())
}

// answer runs the job to its scores.
func (tr *scoreTrial) answer(m *ScoreModel) *Result {
	tr.t.Helper()
	share, err := tr.owner(func(t *Task) { t.Scored.Model = m })
	tr.must(err)
	r, err := tr.query.Open(tr.signed, tr.roster, tr.decisions, []job.SealedShare{*share})
	tr.must(err)
	return r
}

// TestScores: any model's scores of any patients are those of the same model in the
// clear, to the declared precision.
func TestScores(t *testing.T) {
	leakFree(t)
	s := clinic(t)
	schema := clinicSchema()
	rapid.Check(t, func(rt *rapid.T) {
		var features []string
		m := &ScoreModel{Name: "risk", Dataset: "clinic", Kind: rapid.SampledFrom([]string{LinearModel, LogisticModel}).Draw(rt, "kind"), Intercept: rapid.Float64Range(-1e6, 1e6).Draw(rt, "intercept")}
		for _, name := range []string{"age", "base", "cells", "site", "stage", "unit"} {
			if name != "age" && !rapid.Bool().Draw(rt, "with "+name) {
				continue
			}
			c, _ := schema.Column(name)
			features = append(features, name)
			w := ScoreWeight{Column: name}
			if c.Type == job.Text {
				w.Levels = map[string]float64{}
				for _, level := range c.Categories {
					w.Levels[level] = rapid.Float64Range(-1e6, 1e6).Draw(rt, name+" "+level)
				}
			} else {
				_, half := span(c)
				w.Unit = rapid.Float64Range(-1e6, 1e6).Draw(rt, name) / max(half, 1)
			}
			m.Weights = append([]ScoreWeight{w}, m.Weights...)
		}
		d, _ := s.roster.Roster.Dataset("clinic")
		if err := m.Check(d); err != nil {
			rt.Fatal(err)
		}
		rows := make([][]int64, rapid.IntRange(1, 20).Draw(rt, "patients"))
		for r := range rows {
			for _, name := range features {
				c, _ := schema.Column(name)
				low, high := c.Codes()
				rows[r] = append(rows[r], rapid.Int64Range(low, high).Draw(rt, name))
			}
		}
		value := s.askScore(features, rows).answer(m).Value.(map[string]any)
		if value["n"] != int64(len(rows)) || value["kind"] != m.Kind || value["model"] != "risk" || value["owner"] != "hospital-4" {
			rt.Fatalf("got %v", value)
		}
		for r, row := range rows {
			got, want := value["scores"].([]any)[r].(float64), m.plain(&schema, features, row)
			// The plain score is a float64 too: its own rounding is allowed for.
			if math.Abs(got-want) > ScoreTolerance+1e-14*1e7 {
				rt.Fatalf("patient %d scores %v, want %v: %v beyond", r+1, got, want, got-want)
			}
			if m.Kind == LogisticModel {
				if p := value["probabilities"].([]any)[r].(float64); math.Abs(p-1/(1+math.Exp(-want))) > ScoreTolerance {
					rt.Fatalf("patient %d has probability %v", r+1, p)
				}
			}
		}
		if _, has := value["probabilities"]; has != (m.Kind == LogisticModel) {
			rt.Fatal("probabilities of a linear model, or none of a logistic one")
		}
	})
}

func TestScoreTable(t *testing.T) {
	leakFree(t)
	r := clinic(t).askScore([]string{"age", "stage"}, [][]int64{{60, 0}, {52, 1}}).answer(risk())
	want := "[{Scores by model risk of hospital-4 (logistic) [Row Score Probability] [[1 1.000000 0.731059] [2 1.250000 0.777300]] [Row 1 is the first after the header. Scores are exact to 2^-24.]}]"
	if r.Status != statusOK || fmt.Sprint(r.Tables) != want {
		t.Errorf("got %v\nwant %v", r.Tables, want)
	}
}

// TestScoresTravelAlike: what is sent tells of the patients their number alone, nothing
// travels between nodes, and equal patients are not seen to be equal.
func TestScoresTravelAlike(t *testing.T) {
	leakFree(t)
	s := clinic(t)
	sizes := func(rows [][]int64) string {
		tr := s.askScore([]string{"age", "stage"}, rows)
		share, err := tr.owner(nil)
		s.must(err)
		if n := len(tr.net.Transcript()); n != 0 {
			t.Errorf("%d frames went between nodes", n)
		}
		// The features of the two patients, three times twenty-four bytes each.
		columns := tr.attachment[len(tr.attachment)-3*2*24:]
		if bytes.Equal(columns[:8], columns[8:16]) {
			t.Error("two patients are encrypted alike")
		}
		return fmt.Sprint(len(tr.attachment), len(share.Outputs[0].Ciphertext), len(share.Outputs))
	}
	one, other := sizes([][]int64{{60, 0}, {60, 0}}), sizes([][]int64{{1, 2}, {119, 1}})
	if want := "196784 131104 2"; one != want || other != want {
		t.Errorf("query and answer have %s and %s bytes, want %s", one, other, want)
	}
}

// TestScoreIsForTheAsker: neither the recipient's key nor another query opens it.
func TestScoreIsForTheAsker(t *testing.T) {
	leakFree(t)
	s := clinic(t)
	tr := s.askScore([]string{"age", "stage"}, [][]int64{{60, 0}})
	share, err := tr.owner(nil)
	s.must(err)
	shares := []job.SealedShare{*share}
	_, _, err = Open(tr.signed, tr.roster, tr.decisions, shares, s.recipient)
	wantScoreError(t, err, "ask again with consilium score")
	_, err = s.askScore([]string{"age", "stage"}, [][]int64{{60, 0}}).query.Open(tr.signed, tr.roster, tr.decisions, shares)
	wantScoreError(t, err, "no answer to this query")
	_, err = s.askScore([]string{"age"}, [][]int64{{60}}).query.Open(tr.signed, tr.roster, tr.decisions, shares)
	wantScoreError(t, err, "another question")
	_, err = tr.query.Open(tr.signed, tr.roster, tr.decisions, nil)
	wantScoreError(t, err, "the share of hospital-4 is missing")

	altered := *share
	altered.Outputs = slices.Clone(share.Outputs)
	altered.Outputs[1].Ciphertext = []byte(LinearModel)
	_, err = tr.query.Open(tr.signed, tr.roster, tr.decisions, []job.SealedShare{altered})
	wantScoreError(t, err, "signature")
	altered.Outputs[1].Ciphertext = []byte("cubic")
	altered.Sign(tr.signed.ID(), s.nodes[scoreOwner].Key)
	_, err = tr.query.Open(tr.signed, tr.roster, tr.decisions, []job.SealedShare{altered})
	wantScoreError(t, err, "no kind of model")
	altered.Outputs[1].Ciphertext, altered.Outputs[0].Ciphertext = []byte(LinearModel), share.Outputs[0].Ciphertext[1:]
	altered.Sign(tr.signed.ID(), s.nodes[scoreOwner].Key)
	_, err = tr.query.Open(tr.signed, tr.roster, tr.decisions, []job.SealedShare{altered})
	wantScoreError(t, err, "an answer of 131087 bytes")
	altered.Outputs = altered.Outputs[:1]
	altered.Sign(tr.signed.ID(), s.nodes[scoreOwner].Key)
	_, err = tr.query.Open(tr.signed, tr.roster, tr.decisions, []job.SealedShare{altered})
	wantScoreError(t, err, "other outputs")
}

func wantScoreError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with %q", err, want)
	}
}

// TestScoreRefusals: what an owner refuses before it accepts, and again before it
// scores.
func TestScoreRefusals(t *testing.T) {
	leakFree(t)
	s := clinic(t)
	features := []string{"age", "stage"}
	tr := s.askScore(features, [][]int64{{60, 0}})
	j, err := tr.signed.Verify()
	s.must(err)
	plan, err := PlanJob(j, s.roster.Roster)
	s.must(err)
	s.must(plan.CheckScore(risk(), nil, tr.attachment))

	unreduced := func(at int) []byte {
		q := slices.Clone(tr.attachment)
		copy(q[at:], bytes.Repeat([]byte{0xff}, 8))
		return q
	}
	fewer, other, one := risk(), risk(), risk()
	fewer.Weights = fewer.Weights[:1]
	other.Dataset = "ward"
	one.Patients = 1
	for _, c := range []struct {
		name  string
		model *ScoreModel
		query []byte
		want  string
	}{
		{"truncated", risk(), tr.attachment[:len(tr.attachment)-1], "a query of 196711 bytes, want 196712"},
		{"padded", risk(), append(slices.Clone(tr.attachment), 0), "a query of 196713 bytes, want 196712"},
		{"empty", risk(), nil, "a query of 0 bytes"},
		{"key not reduced", risk(), unreduced(mhe.SeedSize), "the query's key: coefficient 0 of limb 0 is not reduced"},
		{"feature not reduced", risk(), unreduced(len(tr.attachment) - 8), "feature 3 of the query: coefficient 0 of limb 2 is not reduced"},
		{"other features", fewer, tr.attachment, "model risk takes the features stage; the job has age, stage"},
		{"another dataset", other, tr.attachment, "model risk is of dataset ward"},
		{"no model", nil, tr.attachment, `it has no model "risk"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantScoreError(t, plan.CheckScore(c.model, nil, c.query), c.want)
			_, err := tr.owner(func(t *Task) { t.Scored = &Scored{c.model, c.query} })
			wantScoreError(t, err, c.want)
		})
	}
	wantScoreError(t, plan.CheckScore(nil, []string{"risc"}, tr.attachment), `did you mean "risc"`)
	s.must(plan.CheckScore(one, nil, tr.attachment))
	two := s.askScore(features, [][]int64{{60, 0}, {60, 0}})
	j, err = two.signed.Verify()
	s.must(err)
	plan, err = PlanJob(j, s.roster.Roster)
	s.must(err)
	wantScoreError(t, plan.CheckScore(one, nil, two.attachment), "at most 1 patient in a job, not 2")
	_, err = tr.owner(func(t *Task) { t.Scored = nil })
	wantScoreError(t, err, "neither model nor query")
}

func TestScorePlans(t *testing.T) {
	s := clinic(t)
	plan := func(change func(*job.Job)) (*Plan, error) {
		j := s.scoreJob([]string{"age", "stage"}, 12, []byte("sealed"))
		change(j)
		return PlanJob(j, s.roster.Roster)
	}
	args := func(key string, value any) func(*job.Job) { return func(j *job.Job) { j.Args[key] = value } }
	for name, c := range map[string]struct {
		change func(*job.Job)
		want   string
	}{
		"no attachment":     {func(j *job.Job) { j.Attachment = job.Hash{} }, "ask with consilium score"},
		"shares":            {func(j *job.Job) { j.Engine = job.EngineShares }, "take mhe"},
		"all nodes":         {func(j *job.Job) { j.Nodes = nil }, "the one node that owns the model"},
		"two nodes":         {func(j *job.Job) { j.Nodes = []string{"hospital-1", "hospital-4"} }, "the one node"},
		"a filter":          {func(j *job.Job) { j.Where = "age > 50" }, "leave out where"},
		"stored":            {func(j *job.Job) { j.Stored = true }, "leave out where and stored"},
		"no model":          {func(j *job.Job) { delete(j.Args, "model") }, `argument "model" is missing`},
		"a strange model":   {args("model", "../x"), "argument model is"},
		"an unknown column": {args("features", []string{"agee"}), `did you mean "age"`},
		"twice":             {args("features", []string{"age", "age"}), "named twice"},
		"another order":     {args("features", []string{"stage", "age"}), "in the order of the schema, age before stage"},
		"a text unlisted":   {args("features", []string{"name"}), "no list of categories"},
		"nothing to tell":   {args("features", []string{"unit"}), "0 terms"},
		"no rows":           {args("rows", 0), "0 patients: from 1 to 8192"},
		"many rows":         {args("rows", 8193), "8193 patients: from 1 to 8192"},
		"half a row":        {args("rows", []any{}), "empty list"},
		"another argument":  {args("by", "age"), `argument "by" is unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan(c.change)
			wantScoreError(t, err, c.want)
		})
	}
	p, err := plan(func(*job.Job) {})
	s.must(err)
	if got := p.Uses(); !slices.Equal(got, []string{"age", "stage"}) || p.ReadsRows() {
		t.Errorf("it uses %v, reads rows: %v", got, p.ReadsRows())
	}
	if model, owner, ok := p.Scored(); model != "risk" || owner != "hospital-4" || !ok {
		t.Errorf("%s of %s, %v", model, owner, ok)
	}
	text := strings.Join(p.Statement(s.scoreJob([]string{"age", "stage"}, 12, []byte("sealed")), s.roster.Roster), "\n")
	for _, words := range []string{
		"Only researcher (University) can open the result", "the score of each of 12 patients by model risk of hospital-4, to 24 binary places, from age, stage",
		"hospital-4 (Clinic 4) scores them without seeing them", "ask again", "can solve for all of it", "Other nodes hear nothing",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("the statement lacks %q:\n%s", words, text)
		}
	}
}

// TestScoreQuerySizes: a wide question of many patients meets the cap with one line.
func TestScoreQuerySizes(t *testing.T) {
	d := &job.Dataset{Name: "wide"}
	var features []string
	for i := range maxScoreTerms + 1 {
		d.Schema.Columns = append(d.Schema.Columns, job.Column{Name: fmt.Sprintf("c%03d", i), Type: job.Integer, Min: "0", Max: "9"})
		features = append(features, d.Schema.Columns[i].Name)
	}
	for _, c := range []struct{ features, rows, bytes int }{{1, 1, 196664}, {32, 1, 197408}, {32, mhe.MaxRows, 6488096}, {maxScoreTerms, 2000, 6340640}} {
		s, err := newScoring(d, features[:c.features], c.rows)
		if err != nil || s.inference.QuerySize() != c.bytes {
			t.Errorf("%d features of %d patients: %v, %v", c.features, c.rows, s, err)
		}
	}
	_, err := newScoring(d, features[:64], mhe.MaxRows)
	wantScoreError(t, err, "at most 8388608 are allowed: ask about fewer patients")
	_, err = newScoring(d, features, 1)
	wantScoreError(t, err, "129 terms")
}

func TestScoreModelsAreChecked(t *testing.T) {
	d := &job.Dataset{Name: "clinic", Schema: clinicSchema()}
	if err := risk().Check(d); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*ScoreModel)
		want   string
	}{
		"kind":            {func(m *ScoreModel) { m.Kind = "cubic" }, "write linear or logistic"},
		"patients":        {func(m *ScoreModel) { m.Patients = 8193 }, "patients is 8193"},
		"no weights":      {func(m *ScoreModel) { m.Weights = nil }, "weights is empty"},
		"column":          {func(m *ScoreModel) { m.Weights[1].Column = "agee" }, `did you mean "age"`},
		"twice":           {func(m *ScoreModel) { m.Weights[0] = m.Weights[1] }, "two weights"},
		"numeric levels":  {func(m *ScoreModel) { m.Weights[1].Levels = map[string]float64{"1": 0} }, "one number for each unit"},
		"text number":     {func(m *ScoreModel) { m.Weights[0].Levels = nil }, "a number for each category, as in {I: 0}"},
		"a level less":    {func(m *ScoreModel) { delete(m.Weights[0].Levels, "II") }, `category "II" has none`},
		"a level more":    {func(m *ScoreModel) { m.Weights[0].Levels["IV"] = 1 }, "4 categories and the column 3"},
		"not a number":    {func(m *ScoreModel) { m.Weights[1].Unit = math.NaN() }, "no number"},
		"infinite":        {func(m *ScoreModel) { m.Weights[0].Levels["I"] = math.Inf(1) }, "no number"},
		"too heavy":       {func(m *ScoreModel) { m.Weights[1].Unit = 1e6 }, "too large"},
		"large intercept": {func(m *ScoreModel) { m.Intercept = 1e9 }, "too large"},
		"no intercept":    {func(m *ScoreModel) { m.Intercept = math.NaN() }, "too large"},
		"unlisted text":   {func(m *ScoreModel) { m.Weights[0].Column = "name" }, "no list of categories"},
	} {
		t.Run(name, func(t *testing.T) {
			m := risk()
			c.change(m)
			wantScoreError(t, m.Check(d), c.want)
		})
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, risk()); text != "model risk" {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}
