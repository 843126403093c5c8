package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"consilium/job"
)

const (
	maxTextLevels   = 64
	maxNumberLevels = 32
)

// Report says what Infer saw beside the schema.
type Report struct {
	Files []FileReport // in the order of the paths
	Notes []string     // what a person should look at before the schema is agreed
}

// FileReport is one file's size.
type FileReport struct {
	Path string
	Rows int
}

// Infer proposes a schema for a dataset from all of its files together, which
// must have the same columns; their order is the first file's. It is a start for
// a person to correct: the ranges and lists are those of the data at hand.
//
// A column whose values are all whole numbers is integer; if all are numbers,
// decimal, with the step 10^-k of the most decimals seen; else text. Numbers such
// as 1e+05 count by their exact value. Numeric columns take min and max from the
// data, integer ones of at most 32 values their list. Text gets its list when it
// has at most 64 values. A column that is blank everywhere becomes an integer
// from 0 to 0, which refuses every value until somebody declares it, and is
// noted. So is a column of numbers whose range in steps codes cannot hold (2^62 of
// them), which becomes text, as does one with a number of more than 18 digits.
func Infer(ctx context.Context, paths []string) (*job.Schema, Report, error) {
	var report Report
	if len(paths) == 0 {
		return nil, report, errors.New("no file is given; name at least one .csv, .csv.gz or .parquet file")
	}
	var columns []*profile
	for i, path := range paths {
		rows, err := scanFile(ctx, path, filepath.Base(paths[0]), &columns, i == 0)
		if err != nil {
			return nil, Report{}, err
		}
		report.Files = append(report.Files, FileReport{Path: path, Rows: rows})
	}
	schema := &job.Schema{}
	for _, p := range columns {
		c, note := p.propose()
		schema.Columns = append(schema.Columns, c)
		if note != "" {
			report.Notes = append(report.Notes, fmt.Sprintf("column %s: %s", c.Name, note))
		}
	}
	if err := schema.Check(); err != nil {
		return nil, Report{}, fmt.Errorf("%s: %w", filepath.Base(paths[0]), err)
	}
	return schema, report, nil
}

// scanFile adds a file's cells to the columns' profiles, which the first file makes.
func scanFile(ctx context.Context, path, firstFile string, columns *[]*profile, first bool) (rows int, err error) {
	t, err := openTable(ctx, path)
	if err != nil {
		return 0, err
	}
	defer t.close()
	file, header := filepath.Base(path), t.header()
	if first {
		for _, name := range header {
			*columns = append(*columns, newProfile(name))
		}
	}
	places, err := matchHeader(file, header, firstFile, *columns)
	if err != nil {
		return 0, err
	}
	for ; ; rows++ {
		if err := context.Cause(ctx); err != nil {
			return 0, fmt.Errorf("%s: reading: %w", file, err)
		}
		cells, err := t.next(ctx)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return 0, err
		}
		for i, p := range *columns {
			p.add(cells[places[i]])
		}
	}
}

// matchHeader finds each column's place in a file.
func matchHeader(file string, header []string, firstFile string, columns []*profile) ([]int, error) {
	places := make([]int, len(columns))
	for i, p := range columns {
		places[i] = slices.Index(header, p.name)
		if places[i] < 0 {
			return nil, fmt.Errorf("%s: has no column %q, which %s has", file, p.name, firstFile)
		}
		if slices.Contains(header[places[i]+1:], p.name) {
			return nil, fmt.Errorf("%s: column %q comes twice in the header; rename one", file, p.name)
		}
	}
	if len(header) > len(columns) {
		return nil, fmt.Errorf("%s: has %d columns where %s has %d", file, len(header), firstFile, len(columns))
	}
	return places, nil
}

// profile is what Infer remembers of a column: bounded, whatever its length.
type profile struct {
	name     string
	values   bool                // any cell that is not blank
	texts    map[string]struct{} // up to one more than a list may have
	numbers  bool                // all values are numbers that a column takes
	levels   map[number]struct{} // bounded alike
	decimals int                 // the most that a number needs
	min, max number
	seen     map[string]struct{} // cells that need no second look
}

func newProfile(name string) *profile {
	return &profile{name: name, numbers: true, texts: map[string]struct{}{}, levels: map[number]struct{}{}, seen: map[string]struct{}{}}
}

func (p *profile) add(cell string) {
	if _, ok := p.seen[cell]; ok || strings.TrimSpace(cell) == "" {
		return
	}
	cell = strings.Clone(cell) // it shares its row's memory
	if len(p.seen) < maxCached {
		p.seen[cell] = struct{}{}
	}
	p.values = true
	insert(p.texts, cell, maxTextLevels)
	if !p.numbers {
		return
	}
	n, ok := parseNumber(cell)
	if !ok {
		p.numbers = false
		return
	}
	if len(p.levels) == 0 || n.less(p.min) {
		p.min = n
	}
	if len(p.levels) == 0 || p.max.less(n) {
		p.max = n
	}
	p.decimals = max(p.decimals, n.decimals())
	insert(p.levels, n, maxNumberLevels)
}

// insert adds to a set that stops growing at one element more than limit.
func insert[T comparable](set map[T]struct{}, element T, limit int) {
	if len(set) <= limit {
		set[element] = struct{}{}
	}
}

// propose makes the column's declaration, with a note where a person should look.
func (p *profile) propose() (job.Column, string) {
	if !p.values {
		return job.Column{Name: p.name, Type: job.Integer, Min: "0", Max: "0"},
			"blank in every file; declare its type and range before it is used"
	}
	if !p.numbers {
		return p.proposeText(), ""
	}
	c := job.Column{Name: p.name, Type: job.Integer, Min: p.min.text(), Max: p.max.text()}
	if p.decimals > 0 {
		c.Type = job.Decimal
		c.Step = number{1, p.decimals}.text()
	} else if len(p.levels) <= maxNumberLevels {
		c.Categories = p.sortedLevels()
	}
	if (&job.Schema{Columns: []job.Column{c}}).Check() != nil {
		return p.proposeText(), "numbers too long or too fine for codes, taken for text; round them, or declare a coarser step"
	}
	return c, ""
}

// proposeText gives the list when it is short and fit for one.
func (p *profile) proposeText() job.Column {
	c := job.Column{Name: p.name, Type: job.Text}
	if len(p.texts) <= maxTextLevels {
		c.Categories = slices.Sorted(maps.Keys(p.texts))
	}
	if (&job.Schema{Columns: []job.Column{c}}).Check() != nil {
		c.Categories = nil
	}
	return c
}

// sortedLevels returns the levels in numeric order.
func (p *profile) sortedLevels() []string {
	levels := slices.SortedFunc(maps.Keys(p.levels), func(a, b number) int { return a.rat().Cmp(b.rat()) })
	texts := make([]string, len(levels))
	for i, n := range levels {
		texts[i] = n.text()
	}
	return texts
}
