package protocols

import (
	"fmt"
	"math/big"

	"consilium/job"
)

// On sums, analyses of survival have a grid of times: every step of the time column
// from its declared minimum to its maximum. Each site counts its rows at each of
// these, with the event and without, in every group; sums of these counts over all
// later times are the numbers at risk.

// gridCounts is the summary of a grid. Its cells vary by the groups' columns, the
// time, and the event, which is last: without and with it.
const gridCounts = "times"

// timeGrid plans the counts by the levels of some factors. It refuses a grid that is
// too long.
func (a timeAxis) timeGrid(by []factor, event job.Vector) (job.Summary, error) {
	first, last := a.column.Codes()
	name := a.column.Name
	times, groups := uint64(last-first)+1, 1
	summary := job.Summary{Name: gridCounts, Complete: append(factorColumns(by), name), Terms: []job.Term{{}}}
	for _, f := range by {
		groups *= len(f.levels)
		summary.Groups = append(summary.Groups, job.Grouping{Column: f.column.Name, Levels: f.levels})
	}
	if most := uint64(MaxElements / (2 * groups)); times > most {
		return job.Summary{}, &Unsupported{
			What: fmt.Sprintf("a grid of %d times in %d groups with engine %q", times, groups, job.EngineMHE),
			Hint: fmt.Sprintf("column %q may have %d: declare a narrower range or a coarser step for it, or take engine: shares", name, most),
		}
	}
	summary.Groups = append(summary.Groups,
		job.Grouping{Column: name, Range: &job.Range{First: first, Last: last}},
		job.Grouping{Predicate: event.Predicate})
	return summary, nil
}

// gridReveals says that the counts are shown.
func (a timeAxis) gridReveals(by []factor, event string) string {
	first, last := a.column.Codes()
	where := ""
	if len(by) > 0 {
		where = ", in each group of " + factorNames(by)
	}
	return fmt.Sprintf("for each of the %d times from %s to %s of %s: how many selected rows end then with the event (%s), and how many without it%s",
		last-first+1, a.column.Format(first), a.column.Format(last), a.column.Name, event, where)
}

// lifeTable is one group on the grid: by time, the rows at risk, which are those that
// end then or later, and the events.
type lifeTable struct{ atRisk, events []int64 }

// newLifeTables reads the counts, group by group, and how many rows there are.
func newLifeTables(p *Plan, a timeAxis, opened []*big.Int) ([]lifeTable, int64, error) {
	flat, rows, err := cells(p, opened)
	if err != nil {
		return nil, 0, err
	}
	first, last := a.column.Codes()
	times := int(last-first) + 1
	tables := make([]lifeTable, len(flat)/(2*times))
	for g := range tables {
		t := lifeTable{make([]int64, times), make([]int64, times)}
		left := int64(0)
		for i := times - 1; i >= 0; i-- {
			without, with := flat[2*(g*times+i)], flat[2*(g*times+i)+1]
			left += without + with
			t.atRisk[i], t.events[i] = left, with
		}
		tables[g] = t
	}
	return tables, rows, nil
}

// doubledAt is the doubled time of a cell of the grid (see timeAxis).
func doubledAt(cell int) int64 { return 2 * int64(cell+1) }

// from returns how many are at risk at a time, be it on the grid or not.
func (t *lifeTable) from(a timeAxis, time *big.Rat) int64 {
	if cell := int((a.from(time) - 1) / 2); cell < len(t.atRisk) {
		return t.atRisk[cell]
	}
	return 0
}
