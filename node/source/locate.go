package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// errContradiction is a cell that a query found unfit, and the schema does not.
var errContradiction = errors.New("a cell is cast in one way by the database and in another by the schema; please report it with the column's type and declaration")

// locate says which of these columns' cells do not fit: the first of them and how
// many there are, in the order of the source if it has one. Their texts come to
// this process and go no further.
func (st *store) locate(ctx context.Context, columns []int, count int64) error {
	r := &st.relation
	var outputs, bad []string
	for _, i := range columns {
		c := r.casts[i]
		outputs = append(outputs, "CASE WHEN "+c.bad+" = 1 THEN "+r.dialect.show(c.value)+" END")
		bad = append(bad, c.bad)
	}
	place, order := "0", ""
	if r.place != "" {
		place, order = r.place, " ORDER BY "+r.place
	}
	query := "SELECT " + place + ", " + strings.Join(outputs, ", ") + " FROM " + r.from +
		" WHERE " + strings.Join(bad, " + ") + " > 0" + order + fmt.Sprintf(" LIMIT %d", maxCellErrors)
	rows, err := st.db.QueryContext(ctx, query)
	if err != nil {
		return st.failed(ctx, "looking for the cells that do not fit", err)
	}
	defer rows.Close()
	found := &CellErrors{}
	var row int64
	cells := make([]sql.NullString, len(columns))
	targets := []any{&row}
	for i := range cells {
		targets = append(targets, &cells[i])
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return st.failed(ctx, "looking for the cells that do not fit", err)
		}
		for i, cell := range cells {
			if !cell.Valid {
				continue
			}
			c := st.columns[columns[i]]
			_, _, problem := c.code(cell.String)
			if problem == "" {
				return fmt.Errorf("%s: column %s: %w", st.name, c.Name, errContradiction)
			}
			e := &CellError{File: st.name, Column: c.Name, Problem: problem}
			if r.place != "" {
				e.Row = int(row) + 1
			}
			found.add(e)
		}
	}
	if err := rows.Err(); err != nil {
		return st.failed(ctx, "looking for the cells that do not fit", err)
	}
	found.More = max(found.More, int(count)-len(found.Cells))
	if len(found.Cells) == 0 {
		return nil
	}
	return found
}
