package source

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
)

// maxCached is how many texts of a column are remembered with their codes.
const maxCached = 1 << 12

// column casts one file column's cells by its declaration.
type column struct {
	*job.Column
	at      int                 // place in the file
	cache   map[string]int64    // texts seen often, or at least early
	texts   map[string]struct{} // that are declared missing
	numbers map[number]struct{} // the same by value, of a numeric column
}

func newColumn(declared *job.Column, at int) *column {
	c := &column{Column: declared, at: at, cache: map[string]int64{}, texts: map[string]struct{}{}, numbers: map[number]struct{}{}}
	for _, s := range declared.Missing {
		c.texts[s] = struct{}{}
		if n, ok := parseNumber(s); ok && c.Type != job.Text {
			c.numbers[n] = struct{}{}
		}
	}
	return c
}

// coded tells whether the column has codes. A text column without categories
// has none: only whether a cell is present is kept, as code 0.
func (c *column) coded() bool { return c.Type != job.Text || len(c.Categories) > 0 }

// code returns a cell's code, or false where it is missing, or what is wrong.
func (c *column) code(cell string) (code int64, present bool, problem string) {
	if code, ok := c.cache[cell]; ok {
		return code, true, ""
	}
	if c.missing(cell) {
		return 0, false, ""
	}
	if !c.coded() {
		return 0, true, ""
	}
	code, err := c.Code(cell)
	if err != nil {
		return 0, false, c.problem(cell)
	}
	if len(c.cache) < maxCached {
		c.cache[strings.Clone(cell)] = code // the cell shares its row's memory
	}
	return code, true, ""
}

// missing tells whether a cell is blank or holds what is declared so. Numbers
// count by value: what one file writes as -9 is -9.0 in another, and in Parquet.
func (c *column) missing(cell string) bool {
	if strings.TrimSpace(cell) == "" {
		return true
	}
	if _, declared := c.texts[cell]; declared || len(c.numbers) == 0 {
		return declared
	}
	n, ok := parseNumber(cell)
	_, declared := c.numbers[n]
	return ok && declared
}

// problem says in a few words why a cell has no code.
func (c *column) problem(cell string) string {
	if c.Type == job.Text {
		return c.notListed()
	}
	n, ok := parseNumber(cell)
	if !ok {
		return fmt.Sprintf("not a number of at most %d digits", maxDigits)
	}
	if step := c.StepRat(); !new(big.Rat).Quo(n.rat(), step).IsInt() {
		decimals, _ := step.FloatPrec()
		return "not a whole number of steps of " + step.FloatString(decimals)
	}
	if lowest, ok := parseNumber(c.Min); ok && n.less(lowest) {
		return c.outside()
	}
	if highest, ok := parseNumber(c.Max); ok && highest.less(n) {
		return c.outside()
	}
	return c.notListed()
}

func (c *column) outside() string {
	return fmt.Sprintf("out of the declared range %s to %s", c.Min, c.Max)
}

func (c *column) notListed() string {
	return fmt.Sprintf("not one of the %d declared categories", len(c.Categories))
}

// bindColumns finds the declared columns in a file's header, by exact name.
// Columns that the schema does not name are passed over.
func bindColumns(file string, header []string, schema *job.Schema) ([]*column, error) {
	columns := make([]*column, len(schema.Columns))
	var absent []string
	for i := range schema.Columns {
		declared := &schema.Columns[i]
		at := slices.Index(header, declared.Name)
		if at < 0 {
			absent = append(absent, declared.Name)
			continue
		}
		if slices.Contains(header[at+1:], declared.Name) {
			return nil, fmt.Errorf("%s: column %s comes twice in the header; rename one", file, declared.Name)
		}
		columns[i] = newColumn(declared, at)
	}
	switch {
	case len(absent) == 0:
		return columns, nil
	case len(absent) < len(columns):
		return nil, fmt.Errorf("%s: has no column %s; it has %s", file, strings.Join(absent, ", "), names(header))
	case otherSeparator(header):
		return nil, fmt.Errorf("%s: has none of the declared columns; save it with commas between the cells", file)
	}
	// The first line may be a record: it is not shown.
	return nil, fmt.Errorf("%s: has none of the declared columns %s; its first line must hold the columns' names", file, names(schema.Names()))
}

// otherSeparator tells a header that was one name only because something else
// than a comma stands between its names.
func otherSeparator(header []string) bool {
	return len(header) == 1 && strings.ContainsAny(header[0], ";\t|")
}

// names shows a list of names, cut where it gets long.
func names(list []string) string {
	const most = 40
	more := ""
	if len(list) > most {
		list, more = list[:most], fmt.Sprintf(" and %d more", len(list)-most)
	}
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
		if quoted[i] == `"`+s+`"` {
			quoted[i] = s
		}
	}
	return strings.Join(quoted, ", ") + more
}
