package protocols

import (
	"math"
	"testing"
)

func TestReferenceLogistic(t *testing.T) {
	leakFree(t)
	checkReference(t, referenceStudy(t, "pima"), "logistic-pima")
}

// logisticOracle fits the model as R does.
func logisticOracle(rows [][]string, covariates []string, offset string) *oracle {
	m := newOracle(rows, "y", covariates, offset)
	family := m.logistic()
	if m.status != statusOK {
		return m
	}
	if offset != "" {
		alone := newOracle(rows, "y", nil, offset)
		alone.x, alone.y, alone.o = nil, m.y, m.o
		for range m.x {
			alone.x = append(alone.x, []float64{1})
		}
		alone.fit(family)
		m.null = alone.binomialDeviance()
	}
	return m
}

// logistic fits the model of the rows laid out.
func (m *oracle) logistic() weighting {
	n, events := float64(len(m.y)), 0.0
	for _, y := range m.y {
		events += y
	}
	family := weighting{
		start: func(m *oracle, i int) (float64, float64) {
			p := events / n
			if p == 0 || p == 1 {
				return 0, 0
			}
			return p * (1 - p), p*(1-p)*math.Log(p/(1-p)) + m.y[i] - p
		},
		at: func(y, eta float64) (float64, float64) {
			mu := 1 / (1 + math.Exp(-eta))
			return mu * (1 - mu), y - mu
		},
		limit: func(float64) bool { return false },
	}
	m.fit(family)
	if m.status != statusOK {
		return family
	}
	m.null = nullDeviance(int64(n), int64(events))
	m.deviance = m.binomialDeviance()
	won, pairs := 0.0, 0.0
	for i := range m.y {
		for j := range m.y {
			if m.y[i] == 1 && m.y[j] == 0 {
				pairs++
				switch d := m.fitted[i] - m.fitted[j]; {
				case math.Abs(d) < 1e-9:
					won += 0.5
				case d > 0:
					won++
				}
			}
		}
	}
	m.auc = won / pairs
	return family
}

func (m *oracle) binomialDeviance() float64 {
	sum := 0.0
	for i := range m.y {
		eta := m.fitted[i]
		sum += math.Max(eta, 0) + math.Log1p(math.Exp(-math.Abs(eta))) - m.y[i]*eta
	}
	return 2 * sum
}

// TestLogisticOracle: over small tables of all kinds, the status and the model.
func TestLogisticOracle(t *testing.T) {
	leakFree(t)
	glmCases(t, "logistic", 30, func(c glmCase) *oracle { return logisticOracle(c.rows, c.covariates, c.offset) })
}

// TestLogisticRareSeparation: a level whose one row has no event has no coefficient,
// though the row is so certain from the start that it hardly counts.
func TestLogisticRareSeparation(t *testing.T) {
	leakFree(t)
	rows := make([][]string, 4000)
	for i := range rows {
		rows[i] = []string{"1", "0.5", "1", "0", "0", "0", "m"}
	}
	rows[0][2], rows[1][3], rows[2][3] = "2", "1", "1"
	s := glmStudy(t, 1, nil, rows)
	if got := s.result(ask{"trial", "logistic", "", `{"outcome":"y","covariates":["g"],"categorical":"g"}`}); got.Status != statusSeparated {
		t.Errorf("status %q", got.Status)
	}
}
