package protocols

import (
	"math"
	"testing"
)

func TestReferencePoisson(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "birthwt"), "poisson-ptl")
}

// poissonOracle fits the model as R does.
func poissonOracle(c glmCase) *oracle {
	m := newOracle(c.rows, "k", c.covariates, c.offset)
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
		if y > 0 {
			m.deviance += 2 * unit * y * (math.Log(y) - m.eta(i))
		}
	}
	m.slack = 1e-6 * sum
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
