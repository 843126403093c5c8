package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// store is where a source's codes are asked for.
type store struct {
	name     string // for errors
	db       querier
	relation relation
	columns  []*column
	declared int

	rows    int                                                      // how many there are; -1: not yet counted
	fit     []int                                                    // columns whose cells are known to fit, sorted
	failed  func(ctx context.Context, doing string, err error) error // an engine's error without a value in it
	changed func() error                                             // that the data are no longer those that were counted; nil: they cannot change
	pages   func(ctx context.Context, query string, width int) (pages, error)
	close   func() error
}

// check counts the rows and makes sure that all cells of these columns fit.
func (st *store) check(ctx context.Context, columns []int) error {
	columns = slices.DeleteFunc(slices.Clone(columns), func(i int) bool { return slices.Contains(st.fit, i) })
	if st.rows >= 0 && len(columns) == 0 {
		return nil
	}
	const doing = "checking its cells"
	rows, err := st.db.QueryContext(ctx, st.relation.aggregate([]string{st.relation.counted(columns), "count(*)"}, nil, columns))
	if err != nil {
		return st.diagnose(ctx, doing, columns, err)
	}
	defer rows.Close()
	var allBad, allRows int64
	for rows.Next() {
		var bad, count wholeNumber
		if err := rows.Scan(&bad, &count); err != nil {
			return st.diagnose(ctx, doing, columns, err)
		}
		allBad, allRows = allBad+bad.Int64(), allRows+count.Int64()
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return st.diagnose(ctx, doing, columns, err)
	}
	return st.judge(ctx, columns, allBad, allRows)
}

// judge takes what a query counted over all rows: cells of these columns that do not
// fit, and rows.
func (st *store) judge(ctx context.Context, columns []int, bad, rows int64) error {
	if st.changed != nil {
		if err := st.changed(); err != nil {
			return err
		}
	}
	if rows > int64(st.declared) {
		return st.tooMany()
	}
	if bad > 0 {
		if err := st.locate(ctx, columns, bad); err != nil {
			return err
		}
		return st.moved()
	}
	if st.rows >= 0 && int64(st.rows) != rows {
		return st.moved()
	}
	st.rows = int(rows)
	for _, i := range columns {
		if !slices.Contains(st.fit, i) {
			st.fit = append(st.fit, i)
		}
	}
	return nil
}

func (st *store) tooMany() error {
	return fmt.Errorf("%s: has more than the %d rows that the roster declares for this site; shorten it or have the roster changed", st.name, st.declared)
}

func (st *store) moved() error {
	return fmt.Errorf("%s: changed while it was read; run the job again when nothing writes to it", st.name)
}

// diagnose looks for the cell that made a query fail, since out of its range a code
// may be anything.
func (st *store) diagnose(ctx context.Context, doing string, columns []int, err error) error {
	if context.Cause(ctx) == nil && len(columns) > 0 && st.relation.casts != nil {
		if found := st.locate(ctx, columns, 0); found != nil {
			var cells *CellErrors
			if errors.As(found, &cells) {
				return found
			}
		}
	}
	return st.failed(ctx, doing, err)
}
