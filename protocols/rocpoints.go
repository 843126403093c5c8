package protocols

import (
	"fmt"
	"math/big"
)

// operating are the points of a curve, by ascending threshold: how many rows with
// and without the outcome have a score from there to below the next one.
type operating struct {
	threshold     []*big.Rat
	with, without []int64
	below         [2]int64 // with and without: below the first threshold
}

// points reads the counts at the thresholds, of the job or of the curve; nil where
// there are none.
func (r *scored) points(p *Plan, opened Opened, n int64) (*operating, error) {
	var o *operating
	var err error
	switch {
	case r.curve:
		o, err = r.curvePoints(p, opened[rocScores])
	case len(r.cutoffs) > 0:
		o, err = r.cutoffPoints(p, opened[rocCutoffs])
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	with, without := o.totals()
	if with == 0 || without == 0 || with+without != n {
		return nil, errImpossible
	}
	return o, nil
}

// cutoffPoints takes the counts of the bins, outcome by outcome.
func (r *scored) cutoffPoints(p *Plan, opened []*big.Int) (*operating, error) {
	cells, err := counts(p, opened)
	if err != nil {
		return nil, err
	}
	width := len(r.cutoffs) + 2 // one bin below the first, and a cell for what is in none
	without, with := cells[:width], cells[width:]
	last := width - 1
	if with[last] != 0 || without[last] != 0 {
		return nil, errImpossible
	}
	return &operating{r.cutoffs, with[1:last], without[1:last], [2]int64{with[0], without[0]}}, nil
}

// curvePoints takes the distinct scores as they were sorted, the counts of their
// rows, and those of the positive ones. Rows that are in no sample have a score of
// their own, and no count.
func (r *scored) curvePoints(p *Plan, opened []*big.Int) (*operating, error) {
	n := len(opened) / curveColumns
	cells, err := counts(p, opened[n:])
	if err != nil {
		return nil, err
	}
	low, high := r.score.Codes()
	o := &operating{}
	for i, rows := range cells[:n] {
		with := cells[n+i]
		if rows == 0 {
			continue
		}
		code := new(big.Int).Add(opened[i], big.NewInt(low))
		if with > rows || opened[i].Sign() < 0 || code.Cmp(big.NewInt(high)) > 0 {
			return nil, errImpossible
		}
		x := new(big.Rat).Mul(new(big.Rat).SetInt(code), r.score.StepRat())
		if k := len(o.threshold); k > 0 && x.Cmp(o.threshold[k-1]) <= 0 {
			return nil, errImpossible
		}
		o.threshold = append(o.threshold, x)
		o.with, o.without = append(o.with, with), append(o.without, rows-with)
	}
	return o, nil
}

// totals returns how many rows there are with and without the outcome.
func (o *operating) totals() (with, without int64) {
	return o.below[0] + sum(o.with), o.below[1] + sum(o.without)
}

// rate is the share of rows that are called rightly at a threshold.
type rate struct{ right, all int64 }

func (x rate) float() float64 { return float64(x.right) / float64(x.all) }
func (x rate) String() string { return fmt.Sprintf("%.3f (%d/%d)", x.float(), x.right, x.all) }

// rates returns sensitivity and specificity at every threshold.
func (o *operating) rates() (sensitivity, specificity []rate) {
	with, without := o.totals()
	reached, below := sum(o.with), o.below[1]
	for i := range o.threshold {
		sensitivity = append(sensitivity, rate{reached, with})
		specificity = append(specificity, rate{below, without})
		reached, below = reached-o.with[i], below+o.without[i]
	}
	return sensitivity, specificity
}

func (o *operating) value() map[string]any {
	sensitivity, specificity := o.rates()
	names := map[string][]any{}
	for i, x := range o.threshold {
		names["threshold"] = append(names["threshold"], float(x))
		names["sensitivity"] = append(names["sensitivity"], sensitivity[i].float())
		names["specificity"] = append(names["specificity"], specificity[i].float())
	}
	return map[string]any{"threshold": names["threshold"], "sensitivity": names["sensitivity"], "specificity": names["specificity"]}
}

func (o *operating) table(score, outcome string) Table {
	table := Table{
		Title:  "Sensitivity and specificity for " + outcome,
		Header: []string{score, "Sensitivity", "Specificity"},
		Notes:  []string{"A row is called positive if its score is at least the threshold."},
	}
	sensitivity, specificity := o.rates()
	for i, x := range o.threshold {
		table.Rows = append(table.Rows, []string{shortest(x), sensitivity[i].String(), specificity[i].String()})
	}
	return table
}
