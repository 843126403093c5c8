package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// maxCellErrors is how many bad cells one error names; the rest is counted.
const maxCellErrors = 20

// CellError says that one cell does not fit the declared schema. It names the
// place and the kind of problem, never the value.
type CellError struct {
	File    string // base name, or the table
	Row     int    // data row: 1 is the first after the header; 0 where rows have no order
	Column  string
	Problem string
}

func (e *CellError) Error() string {
	if e.Row == 0 {
		return fmt.Sprintf("%s: column %s: %s", e.File, e.Column, e.Problem)
	}
	return fmt.Sprintf("%s: row %d, column %s: %s", e.File, e.Row, e.Column, e.Problem)
}

// CellErrors are the cells of one file that do not fit the schema: the first of
// them, and how many more there are.
type CellErrors struct {
	Cells []*CellError // at most 20, in the order of the file
	More  int
}

func (e *CellErrors) Error() string {
	var b strings.Builder
	for i, c := range e.Cells {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "; … and %d more", e.More)
	}
	return b.String()
}

// Unwrap gives errors.As the single cells.
func (e *CellErrors) Unwrap() []error {
	errs := make([]error, len(e.Cells))
	for i, c := range e.Cells {
		errs[i] = c
	}
	return errs
}

// add takes a cell. Of those without a row one of each kind is kept.
func (e *CellErrors) add(c *CellError) {
	if c.Row == 0 && slices.ContainsFunc(e.Cells, func(other *CellError) bool { return *other == *c }) {
		e.More++
		return
	}
	if len(e.Cells) < maxCellErrors {
		e.Cells = append(e.Cells, c)
		return
	}
	e.More++
}

// rowError is a row that cannot be read at all.
func rowError(file string, row int, problem string) error {
	return fmt.Errorf("%s: row %d: %s", file, row, problem)
}

// engineError turns an error of DuckDB into one that holds nothing of the data:
// DuckDB's own texts quote values. What the caller's context says goes first.
func engineError(ctx context.Context, file, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %s: %w", file, doing, cause)
	}
	kind := "the embedded database failed"
	var e *duckdb.Error
	if errors.As(err, &e) {
		switch e.Type {
		case duckdb.ErrorTypeOutOfMemory:
			kind = "the data do not fit the memory that their declared number of rows allows"
		case duckdb.ErrorTypeOutOfRange:
			kind = "a sum exceeds 128 bits; narrow the declared ranges or use fewer factors"
		default:
			kind = fmt.Sprintf("the embedded database failed (kind %d)", e.Type)
		}
	}
	return fmt.Errorf("%s: %s: %s", file, doing, kind)
}
