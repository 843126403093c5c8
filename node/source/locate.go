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
	from, place := r.numbered(st.declared)
	output, order := "0", ""
	if place != "" {
		output, order = place, " ORDER BY "+place
	}
	query := "SELECT " + output + ", " + strings.Join(outputs, ", ") + " FROM " + from +
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
			if place != "" {
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

// maxNumbered is the most rows that a server is asked to number.
const maxNumbered = 1 << 24

// numbered is what stands behind FROM where rows are to be told by their numbers, and the
// expression of these, from 0: by the order of the source, else by the columns that its
// setting names for one; "" where neither is known, or the declared rows are too many to
// be sorted for the sake of an error.
func (r *relation) numbered(declared int) (from, place string) {
	if r.place != "" || len(r.orderBy) == 0 || !r.dialect.numbers || declared > maxNumbered {
		return r.from, r.place
	}
	keys := make([]string, len(r.orderBy))
	for i, name := range r.orderBy {
		keys[i] = r.dialect.quote(name)
	}
	const number = "consilium_row"
	return "(SELECT *, row_number() OVER (ORDER BY " + strings.Join(keys, ", ") + ") - 1 AS " + number + " FROM " + r.from + ") numbered", number
}
