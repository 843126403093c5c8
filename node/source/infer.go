package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

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
// has at most 64 values. Texts such as NA, NaN, null and "." beside numbers alone
// are proposed as missing; beside other texts they stay in the list.
//
// Noted are, beside such texts: a column that is blank everywhere, which becomes
// an integer from 0 to 0 and so refuses every value until somebody declares it; a
// column of numbers whose range in steps codes cannot hold (2^62 of them), which
// becomes text; and one that looks like an identifier. A column with a number of
// more than 18 digits becomes text.
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
		c, notes := p.propose()
		schema.Columns = append(schema.Columns, c)
		for _, note := range notes {
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
	if _, ok := t.(*csvTable); ok && otherSeparator(header) {
		return 0, fmt.Errorf("%s: its header is one name with a semicolon, tab or bar in it; save it with commas between the cells", file)
	}
	if first {
		for _, name := range header {
			*columns = append(*columns, newProfile(name))
		}
	}
	places, err := matchHeader(file, header, firstFile, *columns)
	if err != nil {
		return 0, err
	}
	for _, p := range *columns {
		p.repetition.nextFile()
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
