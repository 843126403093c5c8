package protocols

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Linear is ordinary least squares of an outcome on an intercept and covariates,
// over the rows that have a value in all of them (R's lm). Categorical covariates
// become treatment contrasts.
//
// The sites push down exact sums of all columns and of their products. From these
// come, exactly, n^2 times all covariances; as correlations they are inverted, and
// with r the correlations of the covariates with the outcome, R those among the
// covariates, s the standard deviations and m the means, all on shares:
//
//	b = R^-1 r        coef_j = b_j s_y / s_j        coef_0 = m_y - sum coef_j m_j
//	sigma^2 = (1 - r'b) n s_y^2 / df
//	se_j^2 = sigma^2 (R^-1)_jj / (n s_j^2)
//	se_0^2 = sigma^2 (1 + u' R^-1 u) / n  with  u_j = m_j / s_j
//
// The recipient learns the coefficients, their standard errors, sigma, the share of
// the variance that is not explained, the number of rows, and which terms have no
// coefficient. t, F and all p-values follow from these. "singular" is a covariate
// that others determine (the least eigenvalue of R is below p/2^28 for p terms), or
// an outcome that does not vary. 571 rounds for one covariate and 606 for five, and 7
// more for each doubling of their number, however many rows there are.
type Linear struct{}

// Name implements Analysis.
func (Linear) Name() string { return "linear" }

// linearModel is what Plan works out.
type linearModel struct {
	*design
	outcome *job.Column
	gram    *gram // the design's terms and the outcome
}

// estimates are the coefficients, their standard errors, sigma and 1 - r2.
const estimates = "estimates"

// Plan implements Analysis. Arguments: outcome, covariates; categorical (optional:
// columns of numbers that are to be taken as categories).
func (Linear) Plan(j *job.Job, d *job.Dataset, _ job.Disclosure) (*Plan, error) {
	args := j.Arguments()
	name, covariates := args.String("outcome"), args.Strings("covariates")
	categorical := args.OptionalStrings("categorical")
	if err := args.Err(); err != nil {
		return nil, err
	}
	m, err := newLinearModel(d, name, covariates, categorical)
	if err != nil {
		return nil, err
	}
	p := len(m.terms)
	return &Plan{
		Summaries: m.gram.summaries(),
		Outputs:   []Output{realOutput(estimates, 2*(p+1)+2), m.keptOutput(), {Name: rowsOutput, Len: 1}},
		Failures:  []string{statusFewRows, statusSingular},
		Reveals: []string{
			"the intercept and the coefficients of " + strings.Join(m.names(), ", ") + " for the mean of " + name + ", with their standard errors",
			"the residual standard error, r2, and the number of rows that have a value in all these columns",
			"which of the terms have no coefficient, because they do not vary or because no row has the level",
		},
		Detail: m,
	}, nil
}

func newLinearModel(d *job.Dataset, outcome string, covariates, categorical []string) (*linearModel, error) {
	m, err := newDesign(d, covariates, categorical)
	if err != nil {
		return nil, err
	}
	y, ok := d.Schema.Column(outcome)
	if !ok {
		return nil, unknownColumn(d, outcome)
	}
	for _, name := range covariates {
		if name == outcome {
			return nil, fmt.Errorf("column %q is outcome and covariate at once: name it once", name)
		}
	}
	last, err := numericTerm(y)
	if err != nil {
		return nil, err
	}
	g, err := newGram(append(m.terms[:len(m.terms):len(m.terms)], last), m.factors, m.rows)
	if err != nil {
		return nil, err
	}
	return &linearModel{m, y, g}, nil
}

// Compute implements Analysis.
func (Linear) Compute(s *mpc.Session, plan *Plan, in Inputs) Outputs {
	m := plan.Detail.(*linearModel)
	sums := m.gram.of(s, in.Sums)
	f := m.fit(s, sums)
	n := rss.Narrow(s, f.n)
	out := Outputs{
		Values: map[string]rss.Vec128{
			estimates:  revealReals(s.Step("reveal"), rss.ConcatFloats(s, f.coef, f.se, f.sigma, f.rest)),
			keptOutput: f.kept,
			rowsOutput: f.n,
		},
		Rows:   n,
		Failed: map[string]rss.Vec{statusFewRows: fewer(s.Step("few"), rss.Narrow(s, f.df), 1), statusSingular: f.singular},
	}
	if counts := sums.levelCounts(); len(counts) > 0 {
		out.Counts = rss.Concat(s, counts...)
	}
	return out
}

// leastSquares is a fitted model on shares, in steps of the columns.
type leastSquares struct {
	n, df, kept           rss.Vec128
	coef, se, sigma, rest rss.Float
	singular              rss.Vec
}

// fit follows the formulas of Linear.
func (m *linearModel) fit(s *mpc.Session, sums gramOf) (f leastSquares) {
	f.n = sums.count()
	totals := sums.totals()
	products := centred(s.Step("centred"), f.n, totals, sums.products())
	squares := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, products, 0, m.gram.centredBits()))

	p := len(m.terms)
	constant := isZero(s.Step("constant"), squares.Slice(s, 0, p+1))
	f.kept = m.keptTerms(s.Step("kept"), rss.Not(s, constant.Planes(0, p)), sums.levelCounts())
	f.df = rss.AddConst(s, rss.Sub(s, f.n, rss.Sum(s, f.kept)), -1)

	z := m.scales(s.Step("scales"), &f, totals, squares)
	r := correlations(s.Step("correlations"), squares, z.perSpread)
	x := equations{p, r}.solve(s.Step("solve"), z.means)
	f.singular = rss.Add(s, x.weak, rss.ToArith(s.Step("outcome"), constant.Plane(p)))
	z.rescale(s.Step("rescale"), &f, x)
	return f
}

// scales turn standardised figures into those of the columns' steps.
type scales struct {
	p int
	// total are the terms' sums and that of the outcome; spread is n times the
	// outcome's standard deviation, perSpread 1 by that of every term, 0 for one
	// without a coefficient, and of the outcome.
	total, spread, perSpread rss.Float
	means                    rss.Float // of the terms, over their standard deviations
	rootN                    rss.Float
	perN, perRootN           rss.Float // 1/n and its root
	perRootNDF               rss.Float // 1 / sqrt(n df)
}

// scales takes the totals of the terms and of the outcome, and their squares as
// centred gives them.
func (m *linearModel) scales(s *mpc.Session, f *leastSquares, totals rss.Vec128, squares rss.Float) scales {
	p := len(m.terms)
	ndf := rss.Mul(s.Step("n df"), f.n, f.df)
	bits := max(m.gram.totalBits(), 2*log2(m.rows)+1)
	sizes := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, rss.Concat(s, totals, f.n, ndf), 0, bits))
	n := sizes.Slice(s, p+1, p+2)
	roots := rss.ConcatFloats(s, squares.Slice(s, 0, p+1), sizes.Slice(s, p+1, p+3)).Sqrt(s.Step("roots"))
	inverse := rss.ConcatFloats(s, roots, n).Recip(s.Step("inverse"))

	z := scales{
		p: p, total: sizes.Slice(s, 0, p+1), spread: roots.Slice(s, p, p+1), perSpread: inverse.Slice(s, 0, p+1),
		rootN: roots.Slice(s, p+1, p+2), perRootN: inverse.Slice(s, p+1, p+2),
		perRootNDF: inverse.Slice(s, p+2, p+3), perN: inverse.Slice(s, p+3, p+4),
	}
	one := rss.AddConst(s, rss.Zero[ring.Vec128](1), 1)
	z.perSpread.Mantissa = rss.Mul(s.Step("drop"), z.perSpread.Mantissa, rss.Concat(s, f.kept, one))
	z.means = z.total.Slice(s, 0, p).Mul(s.Step("means"), z.perSpread.Slice(s, 0, p))
	return z
}

// rescale sets the figures of a fit.
func (z *scales) rescale(s *mpc.Session, f *leastSquares, x solution) {
	p, perSpread := z.p, z.perSpread.Slice(s, 0, z.p)
	f.rest = x.rest
	ratio := z.spread.Repeat(s, p).Mul(s.Step("ratio"), perSpread)
	slopes := x.b.Mul(s.Step("slopes"), ratio)
	f.coef = rss.ConcatFloats(s, z.intercept(s.Step("intercept"), slopes), slopes)

	inflated := rss.SumFloats(s.Step("inflated"), rss.PublicFloats(s, 1), x.quadratic)
	roots := rss.ConcatFloats(s, inflated, x.diagonal, x.rest).Sqrt(s.Step("roots"))
	f.sigma = z.spread.Mul(s.Step("spread"), z.perRootNDF).Mul(s.Step("sigma"), roots.Slice(s, p+1, p+2))
	slopeSpread := z.rootN.Repeat(s, p).Mul(s.Step("slope spread"), perSpread)
	per := rss.ConcatFloats(s, z.perRootN, slopeSpread).Mul(s.Step("per"), roots.Slice(s, 0, p+1))
	f.se = f.sigma.Repeat(s, p+1).Mul(s.Step("se"), per)
}

// intercept returns (sum y - sum coef_j sum x_j) / n.
func (z *scales) intercept(s *mpc.Session, slopes rss.Float) rss.Float {
	explained := slopes.Mul(s.Step("explained"), z.total.Slice(s, 0, z.p)).Neg(s)
	parts := []rss.Float{z.total.Slice(s, z.p, z.p+1)}
	for j := range z.p {
		parts = append(parts, explained.Slice(s, j, j+1))
	}
	return rss.SumFloats(s.Step("sum"), parts...).Mul(s.Step("mean"), z.perN)
}

// Finish implements Analysis.
func (Linear) Finish(p *Plan, opened Opened) (*Result, error) {
	m := p.Detail.(*linearModel)
	f, err := m.read(p, opened)
	if err != nil {
		return nil, err
	}
	return m.result(p, f), nil
}

// result tells of a fitted model.
func (m *linearModel) result(p *Plan, f *fitted) *Result {
	table := Table{
		Title:  "Linear regression of " + withUnit(m.outcome),
		Header: []string{"Term", "Coefficient (95% CI)", "SE", "t", "p"},
		Notes:  f.notes(p),
	}
	var names, coef, se, stat, tail, interval []any
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(f.df)}
	width := student.Quantile(0.975)
	for i, name := range f.terms {
		b, e := f.coef[i], f.se[i]
		t, low, high := b/e, b-width*e, b+width*e
		q := tailOfF(t*t, 1, float64(f.df))
		names, coef, se = append(names, name), append(coef, figure(b)), append(se, figure(e))
		stat, tail = append(stat, figure(t)), append(tail, figure(q))
		interval = append(interval, []any{figure(low), figure(high)})
		cells := []string{name, undefined, undefined, undefined, undefined}
		if !math.IsNaN(b) {
			cells = []string{name, printedInterval(b, low, high), significant(e), printedStatistic(t), printedP(q)}
		}
		table.Rows = append(table.Rows, cells)
	}
	value := map[string]any{
		"term": names, "coef": coef, "se": se, "stat": stat, "p": tail, "conf_int": interval,
		"n": f.n, "df": f.df, "r2": figure(1 - f.rest), "sigma": figure(f.sigma), "f": figure(f.ratio()),
	}
	return &Result{Status: statusOK, Value: value, Tables: []Table{table}}
}

// fitted is a model at the recipient, in the columns' units: a line for each term,
// the intercept's first.
type fitted struct {
	terms       []string
	coef, se    []float64 // NaN where a column does not vary
	sigma, rest float64
	n, df, rank int64 // rank counts the coefficients but for the intercept
}

// read reads what Plan declares.
func (m *linearModel) read(p *Plan, opened Opened) (*fitted, error) {
	n, err := counts(p, opened[rowsOutput])
	if err != nil {
		return nil, err
	}
	kept, err := m.readKept(opened[keptOutput])
	if err != nil {
		return nil, err
	}
	x, err := readReals(opened[estimates])
	if err != nil {
		return nil, err
	}
	k := len(m.terms) + 1
	return m.fitted(inSteps{n[0], kept, x[:k], x[k : 2*k], x[2*k], x[2*k+1]})
}

// inSteps are a model's figures in steps of the columns, the intercept's first. Terms
// that are not kept may have any.
type inSteps struct {
	n           int64
	kept        []bool
	coef, se    []float64
	sigma, rest float64
}

// fitted turns figures into those of the columns' units.
func (m *linearModel) fitted(x inSteps) (*fitted, error) {
	step, _ := m.outcome.StepRat().Float64()
	f := &fitted{n: x.n, sigma: x.sigma * step, rest: max(x.rest, 0)}
	f.add("(Intercept)", x.coef[0]*step, x.se[0]*step)
	for i, t := range m.terms {
		switch kept := x.kept[i]; {
		case kept:
			f.rank++
			f.add(t.name, t.perUnit(x.coef[i+1]*step), t.perUnit(x.se[i+1]*step))
		case !t.dropped(kept):
			f.add(t.name, math.NaN(), math.NaN())
		}
	}
	f.df = f.n - f.rank - 1
	const slack = 1e-9
	if f.df < 1 || f.sigma < 0 || f.rest > 1+slack || slices.Min(x.se) < 0 {
		return nil, errImpossible
	}
	return f, nil
}

func (f *fitted) add(term string, coef, se float64) {
	f.terms, f.coef, f.se = append(f.terms, term), append(f.coef, coef), append(f.se, se)
}

// ratio is the F statistic of all terms; NaN if none has a coefficient.
func (f *fitted) ratio() float64 {
	return (1 - f.rest) / float64(f.rank) / (f.rest / float64(f.df))
}

func (f *fitted) notes(p *Plan) []string {
	notes := []string{
		filterNote(p),
		fmt.Sprintf("n = %d; rows with a missing value in a column of the model are left out. "+
			"Categories are compared with their lowest level; a column that does not vary has no coefficient.", f.n),
		fmt.Sprintf("Residual standard error %s on %d degrees of freedom; r2 = %s.", significant(f.sigma), f.df, significant(1-f.rest)),
	}
	if ratio := f.ratio(); !math.IsNaN(ratio) {
		notes = append(notes, fmt.Sprintf("F = %s on %d and %d degrees of freedom (p %s).",
			printedStatistic(ratio), f.rank, f.df, printedP(tailOfF(ratio, float64(f.rank), float64(f.df)))))
	}
	return notes
}
