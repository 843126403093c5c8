package protocols

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// mostCurveRows is how many event times the table of a curve lists.
const mostCurveRows = 25

// tables are the numbers of patients with the median, and survival by time.
func (k *survival) tables(p *Plan, groups []survivalGroup) []Table {
	unit := withUnit(k.axis.column)
	summary := Table{
		Title:  "Survival",
		Header: []string{"n", "Events", "Median " + unit},
		Notes:  []string{filterNote(p), "Event: " + k.event + ". Rows with a missing value are left out."},
	}
	kind := "log"
	if k.logLog {
		kind = "log(-log)"
	}
	curve := Table{
		Title:  "Kaplan-Meier estimate",
		Header: []string{unit, "At risk", "Survival (" + printedLevel(k.level) + ")", "SE"},
		Notes:  []string{"Standard errors by Greenwood's formula, intervals of " + kind + " survival."},
	}
	for _, g := range groups {
		median := undefined
		if m, ok := g.median.(float64); ok {
			median = strconv.FormatFloat(m, 'f', -1, 64)
		}
		summary.Rows = append(summary.Rows, k.row(g, strconv.FormatInt(g.n, 10), strconv.FormatInt(g.events, 10), median))
		stride := max(1, (len(g.points)+mostCurveRows-1)/mostCurveRows)
		if len(k.times) > 0 {
			stride = 1
		}
		if stride > 1 && len(curve.Notes) == 1 {
			curve.Notes = append(curve.Notes, fmt.Sprintf("Of long curves no more than %d event times are printed; the result has all.", mostCurveRows))
		}
		for i := 0; i < len(g.points); i += stride {
			at := g.points[i]
			curve.Rows = append(curve.Rows, k.row(g, shortest(at.time), strconv.FormatInt(at.atRisk, 10),
				printedShare(at.survival, at.lower, at.upper), printedFraction(at.se)))
		}
	}
	if len(k.by) > 0 {
		name := k.by[0].column.Name
		summary.Header, curve.Header = slices.Insert(summary.Header, 0, name), slices.Insert(curve.Header, 0, name)
	}
	return []Table{summary, curve}
}

// row puts the group's level before the cells, if there are groups.
func (k *survival) row(g survivalGroup, cells ...string) []string {
	if len(k.by) == 0 {
		return cells
	}
	return slices.Insert(cells, 0, g.key)
}

// printedShare writes a probability with its interval.
func printedShare(x, low, high float64) string {
	if math.IsNaN(low) || math.IsNaN(high) {
		return printedFraction(x)
	}
	return printedFraction(x) + " (" + printedFraction(low) + " to " + printedFraction(high) + ")"
}

// printedFraction writes a probability or its error.
func printedFraction(x float64) string {
	if math.IsNaN(x) {
		return undefined
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}
