package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// ROC tells how well a score tells rows with an outcome from those without it: n and
// the area under the receiver operating characteristic curve (see auc), which is R's
// pROC::auc(outcome, score, direction = "<"). With `thresholds` it also gives
// sensitivity and specificity at cut-offs of the job, with `curve` at every score
// that occurs; a row whose score reaches the cut-off is called positive.
//
// The rows are sorted once for their ranks. With `thresholds` the sites push down
// how many rows of either outcome lie between neighbouring cut-offs, with `curve`
// the rows are grouped by score on shares. The recipient learns n and the area with
// an error of 2^-52, and these counts. Costs of newRanked and ranked.pairsWon, and
// beyond that about 75 rounds; `curve` costs rss.GroupBy of two columns.
type ROC struct{}

// Name implements Analysis.
func (ROC) Name() string { return "roc" }

// The sample and its vector of positive rows, the summary and the outputs.
const (
	scoredRows  = "rows"
	positiveRow = "positive"
	rocArea     = "area"
	rocRows     = "n"
	rocCutoffs  = "cutoffs"
	rocScores   = "scores" // distinct scores, how many rows have them, and how many positive ones
)

// scored is what ROC plans.
type scored struct {
	score   *job.Column
	outcome factor     // of two levels, of which the second is positive
	cutoffs []*big.Rat // none: no thresholds
	curve   bool
}

// Plan implements Analysis. Arguments: score, outcome; thresholds or curve
// (optional).
func (ROC) Plan(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	score, outcome, curve := args.String("score"), args.String("outcome"), args.OptionalBool("curve", false)
	var cutoffs []*big.Rat
	if args.Has("thresholds") {
		cutoffs = args.Decimals("thresholds")
	}
	if err := args.Err(); err != nil {
		return nil, err
	}
	c, err := numeric(d, score)
	if err != nil {
		return nil, err
	}
	f, err := binary(d, outcome)
	if err != nil {
		return nil, err
	}
	r := &scored{c, f, cutoffs, curve}
	if err := r.check(d, rules); err != nil {
		return nil, err
	}
	positive := levelVector(positiveRow, outcome, f.levels[1])
	p := &Plan{
		Samples:  []Sample{{scoredRows, append(columnVectors(score), positive)}},
		Outputs:  []Output{realOutput(rocArea, 1), {rocRows, 1}},
		Failures: []string{statusFewRows},
		Reveals: []string{
			fmt.Sprintf("the area under the ROC curve of %s for %s %s", score, outcome, f.key(1)),
			"how many selected rows have a value in both",
		},
		Detail: r,
	}
	return p, r.plan(p, d)
}

// check refuses what contradicts itself or the study's rules.
func (r *scored) check(d *job.Dataset, rules job.Disclosure) error {
	switch {
	case r.score == r.outcome.column:
		return fmt.Errorf("score and outcome are both %q; name two columns", r.score.Name)
	case !r.curve:
		return nil
	case len(r.cutoffs) > 0:
		return errors.New("thresholds and curve exclude each other: curve has every score as a cut-off, leave one out")
	case rules.MinCount > 1:
		return fmt.Errorf("curve tells of single rows, and the study hides what tells of fewer than %d; give thresholds instead", rules.MinCount)
	case d.Rows() > MaxElements/curveColumns-curveColumns:
		return fmt.Errorf("curve has up to %d points, one for each row, which are too many; give thresholds instead", d.Rows())
	}
	return nil
}

// curveColumns is how many numbers a point of the curve takes.
const curveColumns = 3

// plan adds what the optional arguments need.
func (r *scored) plan(p *Plan, d *job.Dataset) error {
	if r.curve {
		p.Outputs = append(p.Outputs, Output{rocScores, curveColumns * d.Rows()})
		p.Reveals = append(p.Reveals, fmt.Sprintf("every value of %s that occurs, and how many rows have it with and without the outcome", r.score.Name))
	}
	if len(r.cutoffs) == 0 {
		return nil
	}
	edges, err := cutoffEdges(r.cutoffs, r.score)
	if err != nil {
		return err
	}
	p.Summaries = []job.Summary{{
		Name:     rocCutoffs,
		Complete: []string{r.score.Name, r.outcome.column.Name},
		Groups: []job.Grouping{
			{Column: r.outcome.column.Name, Levels: r.outcome.levels},
			{Column: r.score.Name, Edges: edges},
		},
		Terms: []job.Term{{}},
	}}
	p.Outputs = append(p.Outputs, outputsOf(p.Summaries)...)
	p.Reveals = append(p.Reveals, fmt.Sprintf("how many rows with and without the outcome reach each of the %d thresholds (hence sensitivity and specificity)", len(r.cutoffs)))
	return nil
}

// binary returns the column of that name as a factor of two levels: its categories,
// or 0 and 1.
func binary(d *job.Dataset, name string) (factor, error) {
	c, ok := d.Schema.Column(name)
	if !ok {
		return factor{}, unknownColumn(d, name)
	}
	levels, err := c.Levels()
	if low, high := c.Codes(); err != nil && c.Type == job.Integer && low == 0 && high == 1 {
		levels, err = []int64{0, 1}, nil
	}
	if err != nil || len(levels) != 2 {
		return factor{}, fmt.Errorf("column %q does not have two values: the outcome is a column of 0 and 1, or of two categories of which the second is the outcome", name)
	}
	return factor{c, levels}, nil
}

// cutoffEdges returns the edges of the bins between cut-offs, in whole steps: from
// the column's least value to beyond its greatest. A code reaches a cut-off just when
// it is at least that number of steps, rounded up.
func cutoffEdges(cutoffs []*big.Rat, c *job.Column) ([]int64, error) {
	low, high := c.Codes()
	edges := []int64{low}
	for i, x := range cutoffs {
		if i > 0 && x.Cmp(cutoffs[i-1]) <= 0 {
			return nil, fmt.Errorf("thresholds do not ascend: number %d is not above the one before", i+1)
		}
		steps := new(big.Rat).Quo(x, c.StepRat())
		code := new(big.Int).Div(new(big.Int).Neg(steps.Num()), steps.Denom()) // floor: the denominator is positive
		code.Neg(code)
		switch {
		case code.Cmp(big.NewInt(low)) < 0:
			code.SetInt64(low)
		case code.Cmp(big.NewInt(high)) > 0:
			code.SetInt64(high + 1)
		}
		edges = append(edges, code.Int64())
	}
	return append(edges, high+1), nil
}

// Compute implements Analysis.
func (ROC) Compute(s *mpc.Session, p *Plan, in Inputs) Outputs {
	r, rows := p.Detail.(*scored), in.Rows[scoredRows]
	low, high := r.score.Codes()
	order := newRanked(s.Step("ranks"), rows.Chunked, keyBits(low, high), func(s *mpc.Session, i int) (key, group, member rss.Vec) {
		of := rows.chunk(s, i)
		return columnKey(s, r.score, of).Column, of.Value[positiveRow], of.Member
	})
	defer order.close()
	area := newAUC(s.Step("auc"), order).area(s.Step("area"))

	n, with := order.members, order.group
	counts := rss.Concat(s, with, rss.Sub(s, n, with))
	values := map[string]rss.Vec128{
		rocArea: revealReals(s.Step("reveal"), area),
		rocRows: rss.Lift(s.Step("lift"), n),
	}
	few := subtractFrom(s, 2, withRows(s.Step("outcomes"), counts)[0])
	if r.curve {
		all := rows.whole(s) // few: see check
		points := rss.GroupBy(s.Step("points"), []rss.Key{columnKey(s, r.score, all)}, all.Member, all.Value[positiveRow])
		values[rocScores] = rss.Lift(s.Step("scores"), rss.Concat(s, points.Keys[0], points.Sums[0], points.Sums[1]))
	}
	if cells, ok := in.Sums[rocCutoffs]; ok {
		values[rocCutoffs] = cells
		counts = rss.Concat(s, counts, rss.Narrow(s, cells))
	}
	return Outputs{Values: values, Rows: n, Counts: counts, Failed: map[string]rss.Vec{statusFewRows: few}}
}

// Finish implements Analysis.
func (ROC) Finish(p *Plan, opened Opened) (*Result, error) {
	r := p.Detail.(*scored)
	n, err := counts(p, opened[rocRows])
	if err != nil {
		return nil, err
	}
	areas, err := readReals(opened[rocArea])
	if err != nil {
		return nil, err
	}
	area, err := readArea(areas[0])
	if err != nil {
		return nil, err
	}
	outcome := r.outcome.column.Name + " " + r.outcome.key(1)
	value := map[string]any{"n": n[0], "auc": area}
	tables := []Table{{
		Title:  fmt.Sprintf("ROC curve of %s for %s", r.score.Name, outcome),
		Header: []string{"n", "AUC"},
		Rows:   [][]string{{strconv.FormatInt(n[0], 10), strconv.FormatFloat(area, 'f', 3, 64)}},
		Notes: []string{
			filterNote(p),
			fmt.Sprintf("Rows with a missing value in %s or %s are left out.", r.score.Name, r.outcome.column.Name),
			"AUC: the probability that a row with the outcome has the higher score, ties one half.",
		},
	}}
	points, err := r.points(p, opened, n[0])
	if err != nil {
		return nil, err
	}
	if points != nil {
		value["curve"] = points.value()
	}
	if len(r.cutoffs) > 0 {
		tables = append(tables, points.table(withUnit(r.score), outcome))
	}
	return &Result{Status: statusOK, Value: value, Tables: tables}, nil
}
