package protocols

import (
	"math"
	"math/big"

	"gonum.org/v1/gonum/mat"

	"consilium/job"
)

// PlanSums implements Summarizer.
func (l Linear) PlanSums(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error) {
	p, err := l.Plan(j, d, rules)
	if err != nil {
		return nil, err
	}
	p.Outputs = outputsOf(p.Summaries)
	p.Reveals = []string{p.Detail.(*linearModel).gram.reveals() + " (hence this model and every other of the same columns)"}
	return p, nil
}

// FinishSums implements Summarizer. With the centred sums C among the terms that are
// kept and c with the outcome, y' y about its mean being c_yy / n,
//
//	coef = C^-1 c                     coef_0 = (sum y - coef' sum x) / n
//	1 - r2 = 1 - c' coef / c_yy       sigma^2 = (1 - r2) c_yy / (n df)
//	se_j^2 = sigma^2 n (C^-1)_jj      se_0^2 = sigma^2 (1 + sum x' C^-1 sum x) / n
//
// These are computed from the exact sums with far more digits than a float64 has.
func (Linear) FinishSums(p *Plan, sums Opened) (*Result, error) {
	m := p.Detail.(*linearModel)
	x, err := m.gram.clear(p, sums)
	if err != nil {
		return nil, err
	}
	kept, varies := m.keptInClear(x)
	var terms []int
	for i, keep := range kept {
		if keep {
			terms = append(terms, i)
		}
	}
	outcome := len(m.terms)
	df := x.rows - 1 - int64(len(terms))
	if end := p.ending(x.rows, map[string]bool{
		statusFewRows:  df < 1,
		statusSingular: !varies[outcome] || x.only(terms).weak(len(m.terms)),
	}); end != nil {
		return end, nil
	}
	f := inSteps{n: x.rows, kept: kept, coef: make([]float64, outcome+1), se: make([]float64, outcome+1)}
	x.only(append(terms, outcome)).fit(&f, terms, df)
	model, err := m.fitted(f)
	if err != nil {
		return nil, err
	}
	return m.result(p, model), nil
}

// keptInClear is keptTerms; it also tells which of the gram's terms vary.
func (m *linearModel) keptInClear(x *gramInClear) (kept, varies []bool) {
	varies = x.varies()
	kept = make([]bool, len(m.terms))
	for i, t := range m.terms {
		if kept[i] = varies[i]; t.factor >= 0 {
			levels := x.levels[t.factor]
			kept[i] = levels[t.level] > 0 && sum(levels[:t.level]) > 0
		}
	}
	return kept, varies
}

// weak tells whether the correlations of these terms, of a model of p, are too near to
// a singular matrix: see equations.weak, whose steps leave (1 - x/p)^(2^steps) of
// what belongs to an eigenvalue x.
func (x *gramInClear) weak(p int) bool {
	k := len(x.centred)
	if k == 0 {
		return false
	}
	r := mat.NewSymDense(k, nil)
	for i, row := range x.correlations() {
		for j := range i + 1 {
			r.SetSym(i, j, row[j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(r, false) {
		return true
	}
	const allowed = 0x1p-20 // of what is missing in all
	missing := 0.0
	for _, value := range eigen.Values(nil) {
		missing += math.Exp(math.Log1p(-value/float64(p)) * math.Ldexp(1, inverseSteps))
	}
	return !(missing < allowed)
}

// fit fills the figures of a model of these terms, the last of x being the outcome.
func (x *gramInClear) fit(f *inSteps, terms []int, df int64) {
	k := len(terms)
	n, sums := wide(x.n), wideAll(x.sum)
	c, total := wideAll(x.centred[k][:k]), wide(x.centred[k][k])
	inverse := make([][]*big.Float, k)
	for i := range inverse {
		inverse[i] = wideAll(x.centred[i][:k])
	}
	invert(inverse)
	coef, means := make([]*big.Float, k), make([]*big.Float, k)
	for i, row := range inverse {
		coef[i], means[i] = dotWide(row, c), dotWide(row, sums[:k])
	}

	one := wide(big.NewInt(1))
	rest := new(big.Float).Sub(one, over(dotWide(coef, c), total))
	if rest.Cmp(big.NewFloat(nothingLeft)) < 0 {
		rest.SetInt64(0)
	}
	variance := over(times(rest, total), times(n, wide(big.NewInt(df)))) // sigma^2
	f.rest, f.sigma = nearest(rest), root(variance)
	f.coef[0] = nearest(over(new(big.Float).Sub(sums[k], dotWide(coef, sums[:k])), n))
	f.se[0] = root(over(times(variance, new(big.Float).Add(one, dotWide(means, sums[:k]))), n))
	for i, t := range terms {
		f.coef[t+1] = nearest(coef[i])
		f.se[t+1] = root(times(variance, times(n, inverse[i][i])))
	}
}
