package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"consilium/job"
)

// Summarizer is an analysis for which sums over the rows suffice, of functions that
// each site computes alone from public parameters. It also runs under the engine
// mhe, with the same arguments and result fields: the sites' sums are added under
// encryption, the recipient opens the totals and finds there what Compute finds on
// shares, the status word included.
type Summarizer interface {
	Analysis
	// PlanSums is Plan for the engine mhe: the plan has summaries and no samples, its
	// outputs are these summaries, and Reveals says that they are shown as they are.
	PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error)
	// FinishSums derives the result from the summaries' totals: exactly what Finish
	// gives for the same rows.
	FinishSums(p *Plan, sums Opened) (*Result, error)
}

// summarizer returns an analysis as one that the engine mhe can run over a dataset
// under the study's rules.
func summarizer(a Analysis, d *job.Dataset, rules job.Disclosure) (Summarizer, error) {
	s, ok := a.(Summarizer)
	switch {
	case !ok:
		return nil, &Unsupported{
			What: fmt.Sprintf(`analysis %q with engine "mhe"`, a.Name()),
			Hint: "it needs more than sums over the rows; take engine: shares",
		}
	}
	return s, showable(d, rules)
}

// showable refuses engine mhe for a dataset whose sums must not be shown, or are of
// one site.
func showable(d *job.Dataset, rules job.Disclosure) error {
	switch {
	case rules.MinCount > 0:
		return fmt.Errorf("the study hides what tells of fewer than %d patients, and engine mhe shows every sum as it is; take engine: shares or, of what is stored, engine: mixed", rules.MinCount)
	case len(d.Sites) < 2:
		return fmt.Errorf("engine mhe adds up the sums of two sites or more, and dataset %s has %d; take engine: shares", d.Name, len(d.Sites))
	}
	return nil
}

// ending returns the result of an analysis of that many rows that has no figures:
// no rows, or the first of the plan's failures that holds. It is nil where there
// is none.
func (p *Plan) ending(rows int64, failed map[string]bool) *Result {
	word := statusEmpty
	if rows > 0 {
		i := slices.IndexFunc(p.Failures, func(word string) bool { return failed[word] })
		if i < 0 {
			return nil
		}
		word = p.Failures[i]
	}
	return &Result{Status: word, Reason: explanations[word]}
}

// finishSums checks the totals' lengths and finishes.
func (p *Plan) finishSums(sums Opened) (*Result, error) {
	s, ok := p.analysis.(Summarizer)
	if !ok {
		return nil, errors.New("it has no result from sums")
	}
	for _, o := range p.Outputs {
		if len(sums[o.Name]) != o.Len {
			return nil, fmt.Errorf("the opened result lacks %s", o.Name)
		}
	}
	return s.FinishSums(p, sums)
}

// cells reads counts of rows of which no two are the same, and their sum.
func cells(p *Plan, opened []*big.Int) ([]int64, int64, error) {
	out, err := counts(p, opened)
	if err != nil {
		return nil, 0, err
	}
	total := sum(out)
	if total > int64(p.Dataset.Rows()) {
		return nil, 0, errImpossible
	}
	return out, total, nil
}

// product returns the product of integers.
func product(xs ...*big.Int) *big.Int {
	out := big.NewInt(1)
	for _, x := range xs {
		out.Mul(out, x)
	}
	return out
}

// addedUp returns the sum of integers.
func addedUp(xs []*big.Int) *big.Int {
	out := new(big.Int)
	for _, x := range xs {
		out.Add(out, x)
	}
	return out
}

// centredSum returns n P - S T: n times the sum of products around the means, for n
// rows with the sums S and T and the sum of products P. Floats follow from here,
// where nothing cancels any more.
func centredSum(n, s, t, p *big.Int) *big.Int {
	return new(big.Int).Sub(product(n, p), product(s, t))
}

// quotient is the float64 nearest to a/b.
func quotient(a, b *big.Int) float64 {
	x, _ := new(big.Rat).SetFrac(a, b).Float64()
	return x
}
