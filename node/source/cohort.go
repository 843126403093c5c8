package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"consilium/job"
	"consilium/node/mapping"
)

// cohortMemory is what the relations of a mapping may take, in bytes: only what the
// mapping's concepts name is kept.
const cohortMemory = 4 << 30

// cohort is the analysis table that a mapping of OMOP or FHIR gives.
type cohort struct {
	name    string // of the mapping's file
	m       *mapping.Mapping
	query   string
	outputs []mapping.Output
	columns []*job.Column // nil: the schema has none such
	files   []cohortFile
	server  *Setting // in place of files

	db    *sql.DB // nil until the first row
	rows  *sql.Rows
	cells []string
}

// cohortFile is a file to be read: rows of a table, or resources of a type.
type cohortFile struct {
	path     string
	table    *mapping.Source // nil: resources
	resource string
}

func openCohort(name string, m *mapping.Mapping, schema *job.Schema) (table, error) {
	if m.Served() {
		return nil, fmt.Errorf("%s: has no folder; say where the tables' files lie, or name the mapping beside a database server", name)
	}
	t, err := newCohort(name, m, schema)
	if err != nil {
		return nil, err
	}
	if m.Kind == mapping.FHIR {
		t.files, err = resourceFiles(m)
	} else {
		t.files, err = tableFiles(m)
	}
	return t, err
}

func newCohort(name string, m *mapping.Mapping, schema *job.Schema) (*cohort, error) {
	query, outputs, err := m.Query(schema)
	if err != nil {
		return nil, err
	}
	t := &cohort{name: name, m: m, query: query, outputs: outputs, cells: make([]string, len(m.Columns))}
	for _, column := range m.Header() {
		declared, _ := schema.Column(column)
		t.columns = append(t.columns, declared)
	}
	return t, nil
}

// tableFiles finds one file for each table, in small or in capital letters.
func tableFiles(m *mapping.Mapping) ([]cohortFile, error) {
	entries, err := os.ReadDir(m.Folder)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be looked into: %w", m.Folder, errors.Unwrap(err))
	}
	var files []cohortFile
	sources := m.Sources()
	for i := range sources {
		var found []string
		for _, e := range entries {
			for _, ending := range []string{".csv", ".csv.gz", ".parquet"} {
				if strings.EqualFold(e.Name(), sources[i].Table+ending) {
					found = append(found, filepath.Join(m.Folder, e.Name()))
				}
			}
		}
		switch {
		case len(found) == 0:
			return nil, fmt.Errorf("%s: has no file of table %s; put %s.csv, .csv.gz or .parquet there", m.Folder, sources[i].Table, sources[i].Table)
		case len(found) > 1:
			return nil, fmt.Errorf("%s: has %d files of table %s; leave one", m.Folder, len(found), sources[i].Table)
		}
		files = append(files, cohortFile{path: found[0], table: &sources[i]})
	}
	return files, nil
}

// resourceFiles finds the files of each type, such as Observation.ndjson and
// Observation-2.ndjson.gz, in the order of their names.
func resourceFiles(m *mapping.Mapping) ([]cohortFile, error) {
	entries, err := os.ReadDir(m.Folder)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be looked into: %w", m.Folder, errors.Unwrap(err))
	}
	var files []cohortFile
	for _, resource := range m.Resources() {
		before := len(files)
		for _, e := range entries {
			base := strings.TrimSuffix(e.Name(), ".gz")
			rest, ok := strings.CutPrefix(strings.TrimSuffix(base, ".ndjson"), resource)
			// ObservationDefinition is another type.
			if ok && strings.HasSuffix(base, ".ndjson") && !startsWithLetter(rest) {
				files = append(files, cohortFile{path: filepath.Join(m.Folder, e.Name()), resource: resource})
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: has no %s resources; put %s.ndjson there", m.Folder, resource, resource)
		}
	}
	return files, nil
}

func startsWithLetter(s string) bool {
	return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
}

func (t *cohort) header() []string { return t.m.Header() }

func (t *cohort) next(ctx context.Context) ([]string, error) {
	if t.rows == nil {
		if err := t.start(ctx); err != nil {
			return nil, err
		}
	}
	if !t.rows.Next() {
		if err := t.rows.Err(); err != nil {
			return nil, engineError(ctx, t.name, "mapping", err)
		}
		return nil, io.EOF
	}
	cells := make([]sql.NullString, len(t.cells))
	targets := make([]any, len(cells))
	for i := range cells {
		targets[i] = &cells[i]
	}
	if err := t.rows.Scan(targets...); err != nil {
		return nil, engineError(ctx, t.name, "mapping", err)
	}
	for i, c := range cells {
		t.cells[i] = c.String // "" for NULL
		if t.outputs[i] != mapping.AsCode || !c.Valid {
			continue
		}
		code, err := strconv.ParseInt(c.String, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: mapping: column %s: the database gives no code", t.name, t.columns[i].Name)
		}
		t.cells[i] = t.columns[i].Format(code)
	}
	return t.cells, nil
}

// start reads all files into the mapping's relations and begins the query.
func (t *cohort) start(ctx context.Context) error {
	db, err := openDatabase(ctx, cohortMemory)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	t.db = db
	if err := t.fill(ctx); err != nil {
		return err
	}
	for _, none := range []struct{ query, problem string }{
		{mapping.Twice, "ids that stand for more than one person: %d; a person must come once"},
		{t.m.Dead(), "persons who died before their index day: %d; mend the days in the tables"},
		{t.m.Undated(), "persons of the cohort who died on a day that is not recorded: %d; give their deceasedDateTime, or leave them out"},
	} {
		var count int
		if err := db.QueryRowContext(ctx, none.query).Scan(&count); err != nil {
			return engineError(ctx, t.name, "mapping", err)
		}
		if count > 0 {
			return fmt.Errorf("%s: "+none.problem, t.name, count)
		}
	}
	if t.rows, err = db.QueryContext(ctx, t.query); err != nil {
		return engineError(ctx, t.name, "mapping", err)
	}
	return nil
}

func (f *cohortFile) name() string { return filepath.Base(f.path) }

func (t *cohort) fill(ctx context.Context) error {
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return engineError(ctx, t.name, "preparing to read", err)
	}
	defer conn.Close()
	return conn.Raw(func(c any) (err error) {
		appenders := map[string]*duckdb.Appender{}
		defer func() {
			for _, a := range appenders {
				if closing := a.CloseWithCancel(ctx); err == nil && closing != nil {
					err = engineError(ctx, t.name, "reading", closing)
				}
			}
		}()
		for _, relation := range t.m.Relations() {
			if _, err := c.(driver.ExecerContext).ExecContext(ctx, createRelation(relation), nil); err != nil {
				return engineError(ctx, t.name, "preparing to read", err)
			}
			a, err := duckdb.NewAppender(c.(driver.Conn), "", "", relation)
			if err != nil {
				return engineError(ctx, t.name, "preparing to read", err)
			}
			appenders[relation] = a
		}
		return t.readFiles(ctx, func(relation string, row []any) error {
			values := make([]driver.Value, len(row))
			for i, v := range row {
				values[i] = v
			}
			if err := appenders[relation].AppendRow(values...); err != nil {
				return engineError(ctx, t.name, "reading", err)
			}
			return nil
		})
	})
}

func createRelation(name string) string {
	var columns []string
	for _, f := range mapping.Fields(name) {
		kind := "BIGINT"
		if f.Text {
			kind = "VARCHAR"
		}
		columns = append(columns, f.Name+" "+kind)
	}
	return "CREATE TABLE " + name + " (" + strings.Join(columns, ", ") + ")"
}

// readFiles reads the records of all files. Records that cannot be read do not stop
// it: they are told at the end.
func (t *cohort) readFiles(ctx context.Context, emit mapping.Emit) error {
	var bad CellErrors
	reader := t.m.NewReader(time.Now())
	noteOf := func(name string) func(row int, b *mapping.Bad) {
		return func(row int, b *mapping.Bad) {
			if b != nil {
				bad.add(&CellError{File: name, Row: row, Column: b.Column, Problem: b.Problem})
			}
		}
	}
	if t.server != nil {
		if err := t.readServer(ctx, reader, noteOf, emit); err != nil {
			return err
		}
	}
	for i := range t.files {
		f := &t.files[i]
		note := noteOf(f.name())
		var err error
		if f.table == nil {
			err = readLines(ctx, f.path, func(n int, line []byte) error {
				b, err := reader.ReadResource(f.resource, line, emit)
				note(n, b)
				return err
			})
		} else {
			err = readAll(ctx, f.path, f.table.Columns, f.table.Optional, func(n int, cells []string) error {
				b, err := reader.Read(f.table, cells, emit)
				note(n, b)
				return err
			})
		}
		if err != nil {
			return err
		}
	}
	if len(bad.Cells) > 0 {
		return &bad
	}
	return nil
}

func (t *cohort) close() error {
	if t.db == nil {
		return nil
	}
	var err error
	if t.rows != nil {
		err = t.rows.Close()
	}
	return errors.Join(err, t.db.Close())
}
