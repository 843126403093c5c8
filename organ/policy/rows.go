package policy

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"consilium/job"
	"consilium/organ/hla"
)

// Limits on files of rows.
const (
	maxRows      = 1 << 22
	maxColumns   = 4096
	maxRowErrors = 20
	maxLabel     = 64
)

// RowError says what is wrong with a row. It names the place and the problem,
// never a value.
type RowError struct {
	Row     int    // 1 is the first after the header
	Column  string // of the file, or a site value's name
	Problem string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("row %d, column %s: %s", e.Row, e.Column, e.Problem)
}

// Rows are what a side puts into a match: for every input of the program a column,
// for every row a number within the input's range. How many columns there are
// depends on the policy alone.
type Rows struct {
	N       int
	Labels  []string  // what a row is called at its site: its id or label, else its number
	Columns [][]int64 // by Program.Candidate or Program.Donor
}

// Row returns the numbers of row i in the order of the program's inputs: what
// Evaluate takes for the donor.
func (r *Rows) Row(i int) []int64 {
	out := make([]int64, len(r.Columns))
	for k, c := range r.Columns {
		out[k] = c[i]
	}
	return out
}

// Pad appends rows up to n: each input at its least value, and not present, so that
// they are eligible for nothing. Inputs are Program.Candidate or Program.Donor.
func (r *Rows) Pad(inputs []InputInfo, n int) error {
	if n < r.N {
		return fmt.Errorf("%d rows do not fit into %d: declare more", r.N, n)
	}
	for k, in := range inputs {
		for range n - r.N {
			r.Columns[k] = append(r.Columns[k], in.Low)
		}
	}
	r.Labels = append(r.Labels, make([]string, n-r.N)...)
	r.N = n
	return nil
}

// ReadCandidates reads candidates from a CSV file with a header. Columns that the
// policy does not name are passed over. Dates count to the given day, which is
// that of the run and not after it. The error has a line for each bad row, of up
// to twenty.
func (p *Policy) ReadCandidates(r io.Reader, day time.Time) (*Rows, error) {
	return p.readRows(p.candidate, p.Program.candidate, r, day)
}

// ReadDonors reads donors, as ReadCandidates does.
func (p *Policy) ReadDonors(r io.Reader, day time.Time) (*Rows, error) {
	return p.readRows(p.donor, p.Program.donor, r, day)
}

func (p *Policy) readRows(s *side, inputs []extract, r io.Reader, day time.Time) (*Rows, error) {
	out := &Rows{Columns: make([][]int64, len(inputs))}
	err := s.read(r, day, func(label string, values []datum) {
		out.N++
		out.Labels = append(out.Labels, label)
		for k, x := range inputs {
			out.Columns[k] = append(out.Columns[k], x(values))
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// read casts every row of a CSV file and computes its site values.
func (s *side) read(r io.Reader, day time.Time, each func(label string, values []datum)) error {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("the file has no header of columns: %s", csvProblem(err))
	}
	places, err := s.places(slices.Clone(header))
	if err != nil {
		return err
	}
	reader := &reader{side: s, places: places, day: civil(day), ids: map[int64]int{}}
	for n := 1; ; n++ {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return reader.err()
		}
		if err != nil {
			return errors.Join(reader.err(), fmt.Errorf("row %d: %s", n, csvProblem(err)))
		}
		if n > maxRows {
			return fmt.Errorf("the file has more than %d rows", maxRows)
		}
		label, values, bad := reader.row(n, cells)
		if bad != nil {
			reader.add(bad)
			continue
		}
		each(label, values)
	}
}

// csvProblem is what encoding/csv found, without what it read.
func csvProblem(err error) string {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.As(err, &parse) && errors.Is(parse.Err, csv.ErrFieldCount):
		return "the number of cells is not that of the header"
	case errors.As(err, &parse):
		return "its quotes are not those of a CSV file"
	}
	return "the file cannot be read"
}

// places finds the columns of every input.
func (s *side) places(header []string) ([][]int, error) {
	if len(header) > maxColumns {
		return nil, fmt.Errorf("the file has %d columns, at most %d are allowed", len(header), maxColumns)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	out := make([][]int, s.inputs)
	for i, v := range s.variables[:s.inputs] {
		for _, c := range v.columns {
			place := slices.Index(header, c)
			if place < 0 {
				return nil, fmt.Errorf("the file has no column %s: add it; the first row must be a header with the names of the columns", c)
			}
			if slices.Contains(header[place+1:], c) {
				return nil, fmt.Errorf("the file has two columns %s: rename one", c)
			}
			out[i] = append(out[i], place)
		}
	}
	return out, nil
}

// civil is the day at noon UTC.
func civil(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
}

// reader casts rows.
type reader struct {
	side   *side
	places [][]int
	day    time.Time
	ids    map[int64]int // row by id
	bad    []error
	more   int
}

func (r *reader) add(e *RowError) {
	if len(r.bad) < maxRowErrors {
		r.bad = append(r.bad, e)
		return
	}
	r.more++
}

func (r *reader) err() error {
	bad := r.bad
	if r.more > 0 {
		bad = append(bad, fmt.Errorf("and %d more rows", r.more))
	}
	return errors.Join(bad...)
}

// row casts the cells of one row.
func (r *reader) row(n int, cells []string) (label string, values []datum, bad *RowError) {
	at := &row{values: make([]datum, len(r.side.variables))}
	label = strconv.Itoa(n)
	for i, v := range r.side.variables {
		fault := func(column, problem string) *RowError { return &RowError{n, column, problem} }
		if v.formula != nil {
			d, problem := v.compute(at)
			if problem != "" {
				return "", nil, fault(v.input.Name, problem)
			}
			at.values[i] = d
			continue
		}
		own := make([]string, len(r.places[i]))
		for k, place := range r.places[i] {
			own[k] = cells[place]
		}
		d, column, err := v.cast(r, own)
		if err != nil {
			return "", nil, fault(column, err.Error())
		}
		at.values[i] = d
		switch v.input.Type {
		case typeID:
			if before, twice := r.ids[d.code]; twice {
				return "", nil, fault(column, fmt.Sprintf("the id of row %d once more: a candidate has one row", before))
			}
			r.ids[d.code] = n
			label = v.column.Format(d.code)
		case typeLabel:
			label = d.text
		}
	}
	return label, at.values, nil
}

// compute evaluates a site value and rounds it to its step.
func (v *variable) compute(at *row) (d datum, problem string) {
	d = v.formula(at)
	if at.problem != "" {
		return d, "this value cannot be computed from the row: " + at.problem
	}
	switch v.kind {
	case boolean:
		d.code = truthCode(d.truth)
	case category:
		d.code, _ = v.column.Code(d.text) // declareSite has seen that it is one
	case number:
		code, ok := v.scale.code(d.number)
		if low, high := v.column.Codes(); !ok || code < low || code > high {
			return d, fmt.Sprintf("this value, computed from the row, is outside %s to %s: correct the row, or widen the policy's range", v.input.Min, v.input.Max)
		}
		d.code, d.number = code, v.scale.value(code)
	}
	return d, ""
}

func truthCode(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var truths = map[string]bool{"1": true, "0": false, "true": true, "false": false}

var errBlank = errors.New("the cell is blank: fill it in")

// cast turns the cells of an input into its value. Column is the one at fault.
func (v *variable) cast(r *reader, cells []string) (d datum, column string, err error) {
	column = v.columns[0]
	cell := cells[0]
	if cell == "" && v.kind != set && v.kind != typing {
		if v.input.Blank == nil {
			return d, column, errBlank
		}
		if cell = *v.input.Blank; v.kind == date {
			return datum{}, column, nil
		}
	}
	switch v.kind {
	case number, category:
		if d.code, err = v.column.Code(cell); err != nil {
			return d, column, errors.New(strings.TrimPrefix(err.Error(), fmt.Sprintf("column %q: ", v.column.Name)))
		}
		if v.kind == number {
			d.number = v.scale.value(d.code)
		} else {
			d.text = cell
		}
	case boolean:
		truth, ok := truths[cell]
		if !ok {
			return d, column, errors.New("this is neither yes nor no: write 1 or 0")
		}
		d.truth, d.code = truth, truthCode(truth)
	case date:
		d.number, err = daysBetween(cell, r.day)
	case label:
		if len(cell) > maxLabel || job.Printable(cell, maxLabel) != cell {
			return d, column, fmt.Errorf("a label has at most %d bytes that can be printed: shorten it", maxLabel)
		}
		d.text = cell
	case set:
		d.set, err = hla.ParseSet(v.loci, r.side.molecular, cell)
	case typing:
		return v.castTyping(r.side.molecular, cells)
	}
	return d, column, err
}

// daysBetween counts the days from a date to the day of the run.
func daysBetween(cell string, day time.Time) (float64, error) {
	t, err := time.Parse(dateForm, cell)
	if err != nil {
		return 0, errors.New("this is no date: write year, month and day as 2024-01-31")
	}
	days := civil(day).Sub(civil(t)).Hours() / 24
	if days < 0 {
		return 0, errors.New("the date lies after the day of the run: correct it, or the clock of this machine")
	}
	return days, nil
}

// castTyping reads a typing from one cell or from two; an error of one antigen
// names its column, one of the typing both.
func (v *variable) castTyping(names hla.Names, cells []string) (d datum, column string, err error) {
	var texts []string
	for i, cell := range cells {
		own := hla.Fields(cell)
		for _, text := range own {
			if _, err := hla.ParseAt(v.locus, names, text); err != nil {
				return d, v.columns[i], err
			}
		}
		texts = append(texts, own...)
	}
	t, err := hla.ParseTyping(v.locus, names, texts...)
	d.typing = levelled{t, asTyped}
	return d, strings.Join(v.columns, " and "), err
}
