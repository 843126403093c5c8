package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"consilium/job"
	"consilium/node/mapping"
)

// openServed opens what a mapping makes of OMOP's tables in a database server: the rows
// of the concepts that it names are read from there, and all else is as with files. It
// connects when the first row is asked for.
func openServed(s *Setting, schema *job.Schema) (table, error) {
	m, err := mapping.Load(s.Mapping)
	if err != nil {
		return nil, err
	}
	if m.Kind != mapping.OMOP {
		return nil, fmt.Errorf("%s: is of kind %s; of a database server kind omop alone can be mapped", filepath.Base(s.Mapping), m.Kind)
	}
	if !m.Served() {
		return nil, fmt.Errorf("%s: has a folder, and source %s has its tables in a database; leave folder out", filepath.Base(s.Mapping), s.Source)
	}
	t, err := newCohort(filepath.Base(s.Mapping), m, schema)
	if err != nil {
		return nil, err
	}
	t.server = s
	return t, nil
}

// readServer reads all tables in one state of the database.
func (t *cohort) readServer(ctx context.Context, reader *mapping.Reader, note func(name string) func(int, *mapping.Bad), emit mapping.Emit) (err error) {
	c, err := connect(ctx, t.server, t.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	sources := t.m.Sources()
	for i := range sources {
		s := &sources[i]
		told := note("table " + s.Table)
		err := c.each(ctx, t.server.Schema, s, func(cells []string) error {
			b, err := reader.Read(s, cells, emit)
			told(0, b)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each hands over the rows of a table whose concepts count, cells as texts.
func (c *connection) each(ctx context.Context, schema string, s *mapping.Source, row func(cells []string) error) error {
	doing := "reading table " + s.Table
	from := c.dialect.quote(s.Table)
	if schema != "" {
		from = c.dialect.quote(schema) + "." + from
	}
	columns, err := c.columns(ctx, from, s)
	if err != nil {
		return err
	}
	outputs := make([]string, len(columns))
	for i, name := range columns {
		if outputs[i] = "NULL"; name != "" {
			outputs[i] = c.dialect.show(c.dialect.quote(name))
		}
	}
	query := "SELECT " + strings.Join(outputs, ", ") + " FROM " + from
	if s.Concept != "" {
		// Concept ids are whole numbers, which the mapping's check has seen to.
		query += " WHERE " + c.dialect.quote(columns[slices.Index(s.Columns, s.Concept)]) + " IN (" + strings.Join(s.Concepts, ", ") + ")"
	}
	rows, err := c.db.QueryContext(ctx, query)
	if err != nil {
		return c.failed(ctx, doing, err)
	}
	defer rows.Close()
	scanned, cells := make([]sql.NullString, len(columns)), make([]string, len(columns))
	targets := make([]any, len(scanned))
	for i := range scanned {
		targets[i] = &scanned[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return c.failed(ctx, doing, err)
		}
		for i, cell := range scanned {
			cells[i] = cell.String // "" for null
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return c.failed(ctx, doing, err)
	}
	return nil
}

// columns are the table's names of those that are read, "" for an optional one that it
// lacks. Case does not matter if a single one fits.
func (c *connection) columns(ctx context.Context, from string, s *mapping.Source) ([]string, error) {
	doing := "asking for the columns of table " + s.Table
	rows, err := c.db.QueryContext(ctx, "SELECT * FROM "+from+" WHERE 1 = 0")
	if err != nil {
		return nil, c.failed(ctx, doing, err)
	}
	defer rows.Close()
	header, err := rows.Columns()
	if err != nil {
		return nil, c.failed(ctx, doing, err)
	}
	var found []string
	for i, name := range slices.Concat(s.Columns, s.Optional) {
		same := func(s string) bool { return strings.EqualFold(s, name) }
		at := slices.IndexFunc(header, same)
		switch {
		case at < 0 && i < len(s.Columns):
			return nil, fmt.Errorf("table %s: has no column %s", s.Table, name)
		case at < 0:
			found = append(found, "")
		default:
			found = append(found, header[at])
		}
	}
	return found, rows.Err()
}
