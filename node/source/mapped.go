package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"consilium/job"
	"consilium/node/mapping"
)

// isMapping tells a mapping file by its name.
func isMapping(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasSuffix(lower, ".yaml") || strings.HasSuffix(lower, ".yml")
}

// openRows opens a file, or what a mapping file makes of the site's tables; their rows
// are read when the first row is asked for.
func openRows(ctx context.Context, path string, schema *job.Schema) (table, error) {
	if !isMapping(path) {
		return openTable(ctx, path)
	}
	m, err := mapping.Load(path)
	if err != nil {
		return nil, err
	}
	if m.Kind == mapping.Table {
		return openRenamed(ctx, m, schema)
	}
	return openCohort(filepath.Base(path), m, schema)
}

// renamed is a table under other names.
type renamed struct {
	inner   table
	m       *mapping.Mapping
	columns []*job.Column // of the mapping's columns; nil: the schema has none such
	places  []int         // in the inner table
	cells   []string
}

func openRenamed(ctx context.Context, m *mapping.Mapping, schema *job.Schema) (table, error) {
	inner, err := openTable(ctx, m.File)
	if err != nil {
		return nil, err
	}
	t := &renamed{inner: inner, m: m, cells: make([]string, len(m.Columns))}
	header := inner.header()
	for i := range m.Columns {
		from := m.Columns[i].From
		at := slices.Index(header, from)
		if at < 0 || slices.Contains(header[at+1:], from) {
			return nil, errors.Join(fmt.Errorf("%s: column %s is not in its header, or is there twice; mend the mapping", filepath.Base(m.File), names([]string{from})), inner.close())
		}
		declared, _ := schema.Column(m.Columns[i].Name)
		t.places, t.columns = append(t.places, at), append(t.columns, declared)
	}
	return t, nil
}

func (t *renamed) header() []string { return t.m.Header() }

func (t *renamed) next(ctx context.Context) ([]string, error) {
	cells, err := t.inner.next(ctx)
	if err != nil {
		return nil, err
	}
	for i, at := range t.places {
		if t.columns[i] != nil {
			t.cells[i] = t.m.Columns[i].Cell(cells[at], t.columns[i])
		}
	}
	return t.cells, nil
}

func (t *renamed) close() error { return t.inner.close() }

// readAll hands over every row of a file, cells in the order of the columns; those of
// optional ones that the file lacks are blank. Names count whatever their case, since
// databases write them in either.
func readAll(ctx context.Context, path string, columns, optional []string, row func(n int, cells []string) error) error {
	t, err := openTable(ctx, path)
	if err != nil {
		return err
	}
	defer t.close()
	places := make([]int, 0, len(columns)+len(optional))
	for i, name := range slices.Concat(columns, optional) {
		same := func(s string) bool { return strings.EqualFold(s, name) }
		at := slices.IndexFunc(t.header(), same)
		switch {
		case at < 0 && i < len(columns):
			return fmt.Errorf("%s: has no column %s", filepath.Base(path), name)
		case at >= 0 && slices.ContainsFunc(t.header()[at+1:], same):
			return fmt.Errorf("%s: column %s comes twice in the header; rename one", filepath.Base(path), name)
		}
		places = append(places, at)
	}
	cells := make([]string, len(places))
	for n := 1; ; n++ {
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("%s: reading: %w", filepath.Base(path), err)
		}
		all, err := t.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, at := range places {
			if cells[i] = ""; at >= 0 {
				cells[i] = all[at]
			}
		}
		if err := row(n, cells); err != nil {
			return err
		}
	}
}
