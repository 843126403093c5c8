package protocols

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/floats"

	"consilium/job"
)

func TestReferencePoisson(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "birthwt"), "poisson-ptl")
}

// poissonOracle fits the model as R does.
func poissonOracle(c glmCase) *oracle {
	return newOracle(c.rows, "k", c.covariates, c.offset).poisson()
}

// poisson fits the model of the rows laid out.
func (m *oracle) poisson() *oracle {
	sum, squares, offset := 0.0, 0.0, 0.0
	for i, y := range m.y {
		sum, squares, offset = sum+y, squares+y*y, offset+m.o[i]
	}
	n := float64(len(m.y))
	// The protocol's units, within their factor of two.
	unit, mean := math.Sqrt(squares/n), math.RoundToEven(offset/n*100)/100
	for i := range m.y {
		m.y[i] /= unit
		m.o[i] -= mean
	}
	if n > 0 && sum == 0 {
		m.status = statusNoEvents
		if len(m.y) < len(m.x[0]) {
			m.status = statusFewRows
		}
		return m
	}
	m.fit(weighting{
		start: func(m *oracle, i int) (float64, float64) {
			rate := m.y[i] + 0.125
			return rate, rate*math.Log(rate) + m.y[i] - rate
		},
		at: func(y, eta float64) (float64, float64) {
			mu := math.Exp(min(max(eta, lowestEta), highestEta))
			return mu, y - mu
		},
		limit: func(eta float64) bool { return eta > highestEta || eta < lowestEta },
	})
	if m.status != statusOK {
		return m
	}
	for i, y := range m.y {
		mu := math.Exp(m.fitted[i])
		if m.deviance += 2 * unit * (mu - y); y > 0 {
			m.deviance += 2 * unit * y * math.Log(y/mu)
		}
	}
	m.coef[0] += math.Log(unit) - mean
	for i := range m.se {
		m.se[i] /= math.Sqrt(unit)
	}
	return m
}

// TestPoissonOracle: over small tables of all kinds, the status and the model.
func TestPoissonOracle(t *testing.T) {
	leakFree(t)
	glmCases(t, "poisson", 30, poissonOracle)
}

// farStudy has counts of any size and covariates of which one is, as a time in
// seconds, far from 0 for what it varies.
func farStudy(t *testing.T, rows [][]string) *study {
	t.Helper()
	schema := job.Schema{Columns: []job.Column{
		{Name: "x", Type: job.Decimal, Step: "0.01", Min: "-9", Max: "9"},
		{Name: "w", Type: job.Integer, Min: "0", Max: "9000000000"},
		{Name: "y", Type: job.Integer, Min: "0", Max: "1"},
		{Name: "k", Type: job.Integer, Min: "0", Max: "4294967295"},
	}}
	return newStudy(t, nil, pieces{name: "trial", schema: schema, sites: []table{{[]string{"x", "w", "y", "k"}, rows}}})
}

// farRows draws rows with counts about a mean, which z and w multiply.
func farRows(n int, mean float64) ([][]string, *oracle) {
	rng := rand.New(rand.NewPCG(1, uint64(mean)))
	m := &oracle{terms: []string{"(Intercept)", "x", "w"}, kept: []bool{true, true, true}, o: make([]float64, n)}
	rows := make([][]string, n)
	for i := range rows {
		x, w := math.Round(rng.NormFloat64()*100)/100, 7e9+math.Round(rng.NormFloat64()*8)
		mu := mean * math.Exp(x/2+(w-7e9)/40)
		k := math.Max(0, math.Round(mu+rng.NormFloat64()*math.Sqrt(mu)))
		rows[i] = []string{fmt.Sprint(x), strconv.FormatFloat(w, 'f', -1, 64), strconv.Itoa(rng.IntN(2)), strconv.FormatFloat(k, 'f', -1, 64)}
		m.x, m.y = append(m.x, []float64{1, x, w}), append(m.y, k)
	}
	return rows, m
}

// TestPoissonLargeCounts: deviance and standard errors keep their digits, though the
// counts are large and a column's mean is 10^9 of its standard deviations.
func TestPoissonLargeCounts(t *testing.T) {
	leakFree(t)
	for _, mean := range []float64{0.5, 100, 1e4, 1e6, 1e8} {
		rows, m := farRows(60, mean)
		// Exponentials are good to 2^-26 of themselves (rss.Exp). Where every mean is off
		// by that, scores are by its product with the means, and a coefficient by no more
		// standard errors than its product with the root of the means' sum, which is that
		// of the counts: coefficients are H^-1 Z' score, and H is Z' diag(means) Z.
		m.slack = 0x1p-26 * math.Sqrt(floats.Sum(m.y))
		m.devianceSlack = 0.5e-8 * math.Sqrt(mean)
		m.poisson().check(t, farStudy(t, rows).result(ask{"trial", "poisson", "", `{"outcome":"k","covariates":["x","w"]}`}))
		if t.Failed() {
			t.Fatalf("mean %v", mean)
		}
	}
}

// TestLogisticFarColumn: the same of logistic regression.
func TestLogisticFarColumn(t *testing.T) {
	leakFree(t)
	rows, m := farRows(60, 1)
	for i, r := range rows {
		m.y[i] = float64(r[2][0] - '0')
	}
	m.logistic()
	m.check(t, farStudy(t, rows).result(ask{"trial", "logistic", "", `{"outcome":"y","covariates":["x","w"]}`}))
}
