package protocols

import (
	"fmt"
	"math/big"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// The outcome of a job is its status word and, where that is "ok", its outputs.
// Both are found on shares: no party learns the word, and all outputs are
// multiplied by "the status is ok" before they are revealed, so that a recipient
// learns nothing of a result that it may not or cannot have.

// Status words that every analysis may have.
const (
	statusOK         = "ok"
	statusEmpty      = "empty"      // no row is in the sample
	statusSuppressed = "suppressed" // a count is below the study's min_count
)

// Outputs are what an analysis computed, on shares.
type Outputs struct {
	// Values are the plan's outputs by name.
	Values map[string]rss.Vec128
	// Rows counts the rows of the analysis: one element, or several where it has
	// several samples. The job is empty when all are 0. The study's min_count holds
	// for each.
	Rows rss.Vec
	// Counts are other numbers of rows that min_count holds for: of groups, cells,
	// events. 0 is allowed: it tells of nobody.
	Counts rss.Vec
	// Failed tells by the plan's failure words what kept the analysis from a
	// result: one element each, 0 if it did not, else a number below 2^32.
	Failed map[string]rss.Vec
}

// statusOutput is the name of the output that holds the status word.
const statusOutput = "status"

// Explanations of the status words, for the recipient; an analysis may use others
// of its own.
var explanations = map[string]string{
	statusEmpty:      "no selected row has a value in every column that the analysis needs",
	statusSuppressed: "a number of rows, of a group, of a cell or of events is below the study's minimum; ask about more patients or fewer groups",
	statusFewRows:    "there are too few rows, or too few groups with rows, for these figures",
	statusManyLevels: "more than two levels have rows; say in where which two to compare",
	statusConstant:   "the values do not vary within the groups, so that nothing measures the differences between them",
	statusSingular:   "the columns depend on each other or do not vary; leave one out",
	statusSeparated:  "a combination of covariates predicts the outcome without error, so that no finite coefficients exist",
	statusNoEvents:   "no selected row has the event",
	statusClamped:    "a linear predictor went beyond the range of this version; a covariate has extreme values",
	statusOutside:    "a value lies outside the edges; widen them",
	statusDuplicates: "candidates are on the list more than once; their hospitals have been told which",
	statusTiers:      "for an eligible candidate no tier of the policy holds, or more than one: have the policy mended",
	statusNobody:     "no candidate of the list is eligible for the donor",
	statusAccepted:   "the run has ended",
	statusExhausted:  "the run has no further row",
}

// Failure words of analyses.
const (
	statusFewRows    = "too few rows"
	statusManyLevels = "too many levels"
	statusConstant   = "constant"
	statusSingular   = "singular"
	statusSeparated  = "separated"
	statusNoEvents   = "no events"
	statusClamped    = "clamped"
	statusOutside    = "outside"
)

// words are the status words that a job of this plan can end with, in the order of
// their precedence, after "ok".
func (p *Plan) words() []string {
	if p.match != nil {
		return p.match.words
	}
	words := []string{statusEmpty}
	if p.MinCount > 0 {
		words = append(words, statusSuppressed)
	}
	return append(words, p.Failures...)
}

// countBits is the width of counts of rows, which are below 2^31.
const countBits = 33

// settle returns the plan's outputs: the status, and the values where it is ok.
// About 20 rounds.
func (p *Plan) settle(s *mpc.Session, out Outputs) map[string]rss.Vec128 {
	if !p.complete(s, out) {
		return nil
	}
	firsts := rss.ToArith128(s.Step("words"), firstOf(s.Step("first"), p.reasons(s, out)))
	status := rss.Zero[ring.Vec128](1)
	for i := range firsts.Len() {
		status = rss.Add(s, status, rss.Scale(s, rss.Slice(s, firsts, i, i+1), int64(i+1)))
	}
	ok := rss.AddConst(s, rss.Neg(s, rss.Sum(s, firsts)), 1)
	return p.masked(s.Step("mask"), ok, status, out.Values)
}

// complete holds the outputs against the plan.
func (p *Plan) complete(s *mpc.Session, out Outputs) bool {
	wrong := func(format string, a ...any) bool {
		s.Fail(fmt.Errorf("%s: "+format, append([]any{p.Analysis}, a...)...))
		return false
	}
	if len(out.Values) != len(p.Outputs) {
		return wrong("it gives %d outputs, its plan has %d", len(out.Values), len(p.Outputs))
	}
	for _, o := range p.Outputs {
		if share, ok := out.Values[o.Name]; !ok || share.A.Len() != o.Len || share.B.Len() != o.Len {
			return wrong("it gives no output %s of length %d, as its plan has", o.Name, o.Len)
		}
	}
	if out.Rows.Len() == 0 {
		return wrong("it counts no rows")
	}
	if len(out.Failed) != len(p.Failures) {
		return wrong("it tells of %d failures, its plan of %d", len(out.Failed), len(p.Failures))
	}
	for _, word := range p.Failures {
		if out.Failed[word].Len() != 1 {
			return wrong("it does not tell whether the status is %q", word)
		}
	}
	return s.Err() == nil
}

// reasons returns for each of the plan's words whether it holds: planes of one bit.
func (p *Plan) reasons(s *mpc.Session, out Outputs) rss.Bits {
	zeros := []rss.Vec{rss.Sum(s, out.Rows)}
	for _, word := range p.Failures {
		zeros = append(zeros, out.Failed[word])
	}
	isZero := rss.EqualPublic(s.Step("zero"), rss.Concat(s, zeros...), 0, countBits).Across()
	reasons := []rss.Bits{isZero.Plane(0)}
	if p.MinCount > 0 {
		reasons = append(reasons, p.suppressed(s.Step("min_count"), out))
	}
	if len(p.Failures) > 0 {
		reasons = append(reasons, rss.Not(s, isZero.Planes(1, isZero.Width())))
	}
	return rss.ConcatPlanes(reasons...)
}

// suppressed tells whether any count is from 1 to min_count - 1.
func (p *Plan) suppressed(s *mpc.Session, out Outputs) rss.Bits {
	counts := out.Rows
	if out.Counts.Len() > 0 {
		counts = rss.Concat(s, counts, out.Counts)
	}
	n := counts.Len()
	// Below min_count, but not below 1.
	fromOne := rss.AddConst(s, counts, int64(p.MinCount)-1)
	below := rss.LessPublic(s.Step("below"), rss.Concat(s, counts, fromOne), int64(p.MinCount), countBits).Across()
	return rss.OrAll(s.Step("any"), rss.Xor(s, below.Planes(0, n), below.Planes(n, 2*n)))
}

// firstOf returns planes of which only that of the first true reason is set.
func firstOf(s *mpc.Session, reasons rss.Bits) rss.Bits {
	none := rss.Not(s, reasons.Plane(0))
	firsts := []rss.Bits{reasons.Plane(0)}
	for i := 1; i < reasons.Width(); i++ {
		here := rss.And(s.Step("here", i), none, reasons.Plane(i))
		firsts = append(firsts, here)
		none = rss.Xor(s, none, here)
	}
	return rss.ConcatPlanes(firsts...)
}

// masked multiplies all values by ok and puts the status with them.
func (p *Plan) masked(s *mpc.Session, ok, status rss.Vec128, values map[string]rss.Vec128) map[string]rss.Vec128 {
	out := map[string]rss.Vec128{statusOutput: status}
	if len(p.Outputs) == 0 {
		return out
	}
	var all []rss.Vec128
	for _, o := range p.Outputs {
		all = append(all, values[o.Name])
	}
	flat := rss.Concat(s, all...)
	masked := rss.Mul(s, flat, rss.Repeat(s, ok, flat.Len()))
	at := 0
	for _, o := range p.Outputs {
		out[o.Name] = rss.Slice(s, masked, at, at+o.Len)
		at += o.Len
	}
	return out
}

// Compute runs the analysis on shares and settles its outcome: it returns what the
// parties hold of the status and, where that is "ok", of the outputs, which are 0
// otherwise. Nothing of it is opened.
func (p *Plan) Compute(s *mpc.Session, in Inputs) map[string]rss.Vec128 {
	return p.settle(s.Step("outcome"), p.analysis.Compute(s.Step("analysis"), p, in))
}

// revealed are all outputs that leave the session: the plan's and, of the engine
// shares, the status. Of sums the recipient finds it.
func (p *Plan) revealed() []Output {
	if p.Engine == job.EngineMHE {
		return p.Outputs
	}
	return slices.Concat([]Output{{Name: statusOutput, Len: 1}}, p.Outputs)
}

// statusWord reads the opened status.
func (p *Plan) statusWord(opened Opened) (string, error) {
	words := p.words()
	x := opened[statusOutput]
	if len(x) != 1 || x[0].Sign() < 0 || x[0].Cmp(big.NewInt(int64(len(words)))) > 0 {
		return "", errImpossible
	}
	if i := x[0].Int64(); i > 0 {
		return words[i-1], nil
	}
	return statusOK, nil
}
