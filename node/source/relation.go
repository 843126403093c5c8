package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/job"
)

// relation is a dataset as a database holds it: a snapshot of codes, or a table, a
// query or a file of typed columns that are cast within each query. To the queries of
// this package its columns are c0, c1 … in the schema's order, codes or null.
type relation struct {
	dialect *dialect
	from    string   // what stands behind FROM
	parts   []string // the same in parts that lie apart, of which each is summed by itself; nil: it is one
	casts   []cast   // nil for a snapshot, whose cells all fit
	place   string   // expression that numbers the rows from 0 in the source's order; "" for none
	orderBy []string // columns of from that put the rows in order, where place does not
}

// codes is the relation of some columns, with what counted adds up.
func (r *relation) codes(columns []int) string { return r.codesOf(r.from, columns) }

func (r *relation) codesOf(from string, columns []int) string {
	if r.casts == nil {
		return from
	}
	definitions := r.definitions(columns)
	for i, name := range r.orderBy {
		definitions = append(definitions, definition{r.dialect.quote(name), orderRef(i)})
	}
	outputs := make([]string, len(definitions))
	for i, d := range definitions {
		outputs[i] = d.String()
	}
	return "(SELECT " + strings.Join(outputs, ", ") + " FROM " + from + ") codes"
}

// order is the end of a query over codes whose rows are to come in order.
func (r *relation) order() string {
	if len(r.orderBy) == 0 {
		return ""
	}
	refs := make([]string, len(r.orderBy))
	for i := range refs {
		refs[i] = orderRef(i)
	}
	return " ORDER BY " + strings.Join(refs, ", ")
}

func orderRef(i int) string { return fmt.Sprintf("o%d", i) }

// asked is an error of the engine's, which may quote values.
type asked struct{ error }

// mismatch says that a column is not of a type that its declaration can be read from.
type mismatch struct {
	source   string
	column   *job.Column
	typeName string
	cause    error
}

func (m *mismatch) Error() string {
	if errors.Is(m.cause, errType) {
		return fmt.Sprintf("%s: column %s: is of type %s there, which cannot be read as %s; cast it in a view or query, or have the schema changed", m.source, m.column.Name, m.typeName, m.column.Type)
	}
	return fmt.Sprintf("%s: column %s: is of type %s there: %v; cast it in a view or query, or have the schema changed", m.source, m.column.Name, m.typeName, m.cause)
}

// bind finds the schema's columns among those of a relation and makes their casts.
// With folded, names that differ in case alone are the same if only one does.
func (r *relation) bind(ctx context.Context, db querier, name string, schema *job.Schema, folded bool) error {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+r.from+" WHERE 1 = 0")
	if err != nil {
		return asked{err}
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return asked{err}
	}
	for rows.Next() { // there is none; what goes wrong late comes now
	}
	if err := rows.Err(); err != nil {
		return asked{err}
	}
	header := make([]string, len(types))
	for i, t := range types {
		header[i] = t.Name()
	}
	given := r.rename(header)
	columns, err := bindColumns(name, matchCase(header, schema, folded), schema)
	if err != nil {
		return err
	}
	for _, c := range columns {
		typeName := types[c.at].DatabaseTypeName()
		t := typeOf(typeName)
		if precision, scale, ok := types[c.at].DecimalSize(); ok && t.kind == exact && t.precision == 0 && precision < 1000 {
			t.precision, t.scale = int(precision), int(scale)
		}
		k, err := r.dialect.cast(c.Column, t, r.dialect.quote(given[c.at]))
		if err != nil {
			return &mismatch{name, c.Column, typeName, err}
		}
		r.casts = append(r.casts, k)
	}
	return nil
}

// matchCase gives the relation's columns the schema's spelling.
func matchCase(header []string, schema *job.Schema, folded bool) []string {
	spelled := slices.Clone(header)
	for _, name := range schema.Names() {
		if !folded || slices.Contains(header, name) {
			continue
		}
		same := func(s string) bool { return strings.EqualFold(s, name) }
		if i := slices.IndexFunc(header, same); i >= 0 && !slices.ContainsFunc(header[i+1:], same) {
			spelled[i] = name
		}
	}
	return spelled
}

// querier is a database, a connection of one or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// all lists the places of n columns.
func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
