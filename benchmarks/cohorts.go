package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"consilium/protocols"
)

// uniform is noise in (0, 1).
func uniform(i, c int) float64 { return (float64(noise(i, c)>>11) + 0.5) / (1 << 53) }

// measurement is a covariate of 12 bits, roughly normal about 2048.
func measurement(i, c int) int64 {
	return (below(4096, i, 4*c) + below(4096, i, 4*c+1) + below(4096, i, 4*c+2) + below(4096, i, 4*c+3)) / 4
}

// covariates are k columns of measurements named x1, x2 …
func covariates(k int) (columns []generated, names []string) {
	for c := range k {
		name := fmt.Sprintf("x%d", c+1)
		names = append(names, name)
		columns = append(columns, whole(name, 4095, func(i int) int64 { return measurement(i, c) }))
	}
	return columns, names
}

// predictor is the linear predictor by which outcomes are drawn: so weak that no
// covariates separate them.
func predictor(i, k int) float64 {
	sum := 0.0
	for c := range k {
		sum += float64(measurement(i, c)-2048) / 1024 * float64(c%3) / 2
	}
	return sum / math.Sqrt(float64(k))
}

// drawn is the column of the noise that decides outcomes.
const drawn = 10_000

// fewCovariates is what a plain N has.
const fewCovariates = 5

func medianCohort(n size) *cohort {
	value := whole("x", 1<<20-1, func(i int) int64 { return below(1<<20, i, 0) })
	value.present = func(i int) bool { return below(10, i, 1) != 0 }
	return &cohort{
		analysis: "describe", args: map[string]any{"columns": []any{"x"}}, rows: n.rows, columns: []generated{value},
		check: checkMedian,
	}
}

// filteredCohort is medianCohort with a filter that selects three in five.
func filteredCohort(n size) *cohort {
	c := medianCohort(n)
	c.columns = append(c.columns, whole("y", 99, func(i int) int64 { return below(100, i, 2) }))
	c.where = "y < 60"
	return c
}

func checkMedian(c *cohort, r *protocols.Result) error {
	selected, err := c.filter()
	if err != nil {
		return err
	}
	var values []float64
	for i := range c.rows {
		if x, ok := c.columns[0].cell(i); ok && selected(i) {
			values = append(values, float64(x))
		}
	}
	slices.Sort(values)
	got := r.Value.(map[string]any)["x"].(map[string]any)
	for name, p := range map[string]float64{"min": 0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1} {
		h := p * float64(len(values)-1)
		low := int(h)
		want := values[low]
		if low+1 < len(values) {
			want += (h - float64(low)) * (values[low+1] - values[low])
		}
		if got[name] != want {
			return fmt.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	return nil
}

func mannWhitneyCohort(n size) *cohort {
	return &cohort{
		analysis: "mannwhitney", args: map[string]any{"value": "x", "group": "arm"}, rows: n.rows,
		columns: []generated{
			whole("x", 1<<16-1, func(i int) int64 { return below(1<<16, i, 0) }),
			binaryColumn("arm", func(i int) bool { return below(2, i, 1) == 1 }),
		},
		check: checkMannWhitney,
	}
}

// checkMannWhitney counts the pairs that U is about by one sort.
func checkMannWhitney(c *cohort, r *protocols.Result) error {
	order := ranked(c.rows, func(i, j int) int { return cmp.Compare(c.columns[0].code(i), c.columns[0].code(j)) })
	twice, below := int64(0), int64(0) // of the second group among those before
	for lo := 0; lo < len(order); {
		var tied [2]int64
		hi := lo
		for ; hi < len(order) && c.columns[0].code(order[hi]) == c.columns[0].code(order[lo]); hi++ {
			tied[c.columns[1].code(order[hi])]++
		}
		twice += tied[0] * (2*below + tied[1])
		below += tied[1]
		lo = hi
	}
	if got := r.Value.(map[string]any)["u"]; got != float64(twice)/2 {
		return fmt.Errorf("the statistic is %v, want %v", got, float64(twice)/2)
	}
	return nil
}

// follow-up of the survival cohorts, in days.
const longest = 4000

// survival returns time and event: exponential with the predictor's hazard, cut off
// at a random time for about three in ten.
func survival(k int) []generated {
	at := func(i int) (time int64, event bool) {
		death := -math.Log(uniform(i, drawn)) * math.Exp(-predictor(i, k)) * 1000
		cut := uniform(i, drawn+1) * 4000
		return int64(min(death, cut, longest)), death <= min(cut, longest)
	}
	return []generated{
		whole("time", longest, func(i int) int64 { time, _ := at(i); return time }),
		binaryColumn("dead", func(i int) bool { _, event := at(i); return event }),
	}
}

func kaplanMeierCohort(n size) *cohort {
	times := []any{200, 500, 1000, 2000, 3000}
	return &cohort{
		analysis: "kaplanmeier", rows: n.rows, columns: survival(1), check: checkKaplanMeier,
		args: map[string]any{"time": "time", "event": "dead = 1", "times": times},
	}
}

func checkKaplanMeier(c *cohort, r *protocols.Result) error {
	var leaving, dying [longest + 1]int
	for i := range c.rows {
		t := c.columns[0].code(i)
		leaving[t]++
		dying[t] += int(c.columns[1].code(i))
	}
	got := r.Value.(map[string]any)
	surviving, risk := 1.0, c.rows
	k := 0
	for t := range leaving {
		if risk > 0 {
			surviving *= 1 - float64(dying[t])/float64(risk)
		}
		risk -= leaving[t]
		if float64(t) != got["times"].([]any)[k] {
			continue
		}
		if x := got["survival"].([]any)[k].(float64); math.Abs(x-surviving) > 1e-6*surviving {
			return fmt.Errorf("survival at %d is %v, want %v", t, x, surviving)
		}
		if k++; k == len(got["times"].([]any)) {
			return nil
		}
	}
	return fmt.Errorf("%d times were checked", k)
}

// shape returns rows and covariates of N or RxC.
func (n size) shape() (rows, k int) { return n.rows, cmp.Or(n.cols, fewCovariates) }

func logisticCohort(n size) *cohort {
	rows, k := n.shape()
	columns, names := covariates(k)
	outcome := binaryColumn("y", func(i int) bool { return uniform(i, drawn) < 1/(1+math.Exp(-predictor(i, k))) })
	return &cohort{
		analysis: "logistic", args: map[string]any{"outcome": "y", "covariates": names}, rows: rows,
		columns: append(columns, outcome), check: checkLogistic,
	}
}

// checkLogistic holds coefficients and standard errors against the likelihood.
func checkLogistic(c *cohort, r *protocols.Result) error {
	k := len(c.columns) - 1
	coef := floats(r.Value, "coef")
	score, information := make([]float64, k+1), mat.NewSymDense(k+1, nil)
	x := make([]float64, k+1)
	for i := range c.rows {
		eta := 0.0
		for j := range x {
			if x[j] = 1; j > 0 {
				x[j] = float64(c.columns[j-1].code(i))
			}
			eta += coef[j] * x[j]
		}
		mu := 1 / (1 + math.Exp(-eta))
		for j := range x {
			score[j] += x[j] * (float64(c.columns[k].code(i)) - mu)
		}
		information.SymRankOne(information, mu*(1-mu), mat.NewVecDense(k+1, x))
	}
	return checkMaximum(score, information, floats(r.Value, "se"))
}

func coxCohort(n size) *cohort {
	rows, k := n.shape()
	columns, names := covariates(k)
	return &cohort{
		analysis: "cox", rows: rows, columns: append(columns, survival(k)...), check: checkCox,
		args: map[string]any{"time": "time", "event": "dead = 1", "covariates": names, "ties": "efron"},
	}
}

// checkCox holds coefficients and standard errors against Efron's likelihood.
func checkCox(c *cohort, r *protocols.Result) error {
	k := len(c.columns) - 2
	coef := floats(r.Value, "coef")
	time, dead := &c.columns[k], &c.columns[k+1]
	order := ranked(c.rows, func(i, j int) int { return cmp.Compare(time.code(j), time.code(i)) })
	score, information := make([]float64, k), mat.NewSymDense(k, nil)
	risk := newMoments(k)
	for lo := 0; lo < len(order); {
		tied, deaths := newMoments(k), 0
		hi := lo
		for ; hi < len(order) && time.code(order[hi]) == time.code(order[lo]); hi++ {
			x, eta := make([]float64, k), 0.0
			for j := range x {
				x[j] = float64(c.columns[j].code(order[hi]) - 2048)
				eta += coef[j] * x[j]
			}
			risk.add(math.Exp(eta), x)
			if dead.code(order[hi]) == 1 {
				deaths++
				tied.add(math.Exp(eta), x)
				for j := range x {
					score[j] += x[j]
				}
			}
		}
		for m := range deaths {
			risk.less(tied, float64(m)/float64(deaths)).event(score, information)
		}
		lo = hi
	}
	return checkMaximum(score, information, floats(r.Value, "se"))
}

// weighted are the sums of w, w x and w x x' over patients.
type weighted struct {
	w  float64
	x  *mat.VecDense
	xx *mat.SymDense
}

func newMoments(k int) *weighted {
	return &weighted{0, mat.NewVecDense(k, nil), mat.NewSymDense(k, nil)}
}

func (m *weighted) add(w float64, x []float64) {
	v := mat.NewVecDense(len(x), x)
	m.w += w
	m.x.AddScaledVec(m.x, w, v)
	m.xx.SymRankOne(m.xx, w, v)
}

// less returns m without a part of o.
func (m *weighted) less(o *weighted, part float64) *weighted {
	z := newMoments(m.x.Len())
	z.w = m.w - part*o.w
	z.x.AddScaledVec(m.x, -part, o.x)
	z.xx.ScaleSym(-part, o.xx)
	z.xx.AddSym(z.xx, m.xx)
	return z
}

// event takes the risk set's mean from the score and adds its variance to the
// information.
func (m *weighted) event(score []float64, information *mat.SymDense) {
	for j := range score {
		mean := m.x.AtVec(j) / m.w
		score[j] -= mean
		for i := range j + 1 {
			information.SetSym(i, j, information.At(i, j)+m.xx.At(i, j)/m.w-mean*m.x.AtVec(i)/m.w)
		}
	}
}

// checkMaximum wants a Newton step from where the result stands to be nothing
// beside the standard errors, and these to follow from the information.
func checkMaximum(score []float64, information *mat.SymDense, se []float64) error {
	var chol mat.Cholesky
	if !chol.Factorize(information) {
		return fmt.Errorf("the information is not positive definite")
	}
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		return err
	}
	for i := range score {
		want := math.Sqrt(inverse.At(i, i))
		step := 0.0
		for j := range score {
			step += inverse.At(i, j) * score[j]
		}
		if math.Abs(step) > 1e-4*want {
			return fmt.Errorf("coefficient %d is %v standard errors from the maximum", i+1, step/want)
		}
		if math.Abs(se[i]-want) > 1e-4*want {
			return fmt.Errorf("standard error %d is %v, want %v", i+1, se[i], want)
		}
	}
	return nil
}

// floats reads a list of a result.
func floats(value any, name string) []float64 {
	var out []float64
	for _, x := range value.(map[string]any)[name].([]any) {
		out = append(out, x.(float64))
	}
	return out
}
