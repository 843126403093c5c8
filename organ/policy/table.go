package policy

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
	"consilium/organ/hla"
)

// Limits on tables.
const (
	maxTableRows  = 1 << 16
	maxTableBytes = 1 << 20
	// maxLookup is the most cells of a table that can be looked up on shares.
	maxLookup = 1 << 12
)

// Forms of tables.
const (
	formMap         = "map"         // categories -> number: columns of keys, then the value
	formMask        = "mask"        // two categories -> boolean: a header of the second's values, rows of the first's
	formIntervals   = "intervals"   // above, up_to, value: number -> number
	formFrequencies = "frequencies" // locus, level, antigen, frequency
	formMolecular   = "molecular"   // allele, antigen
)

var forms = []string{formMap, formMask, formIntervals, formFrequencies, formMolecular}

// table is a checked Table.
type table struct {
	name   string
	form   string
	keys   int                 // of a map or mask: how many categories
	cells  map[string]*big.Rat // of a map or mask, by the keys joined by a zero byte
	levels [][]string          // the values of each key
	upTo   []float64           // of intervals: the upper bounds but the last
	values []float64           // of intervals
	above  float64             // of intervals: values must be above this
	last   float64             // and at most this
	freq   frequencies
	names  hla.Names
}

func parseTableFile(b []byte) ([][]string, error) {
	if len(b) > maxTableBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", len(b), maxTableBytes)
	}
	in := csv.NewReader(bytes.NewReader(b))
	rows, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func readTable(t *Table) (*table, error) {
	if len(t.Rows) < 2 || len(t.Rows) > maxTableRows {
		return nil, fmt.Errorf("%d rows: give a header and 1 to %d rows, in rows or in a file", len(t.Rows), maxTableRows)
	}
	width := len(t.Rows[0])
	for i, row := range t.Rows {
		if len(row) != width {
			return nil, fmt.Errorf("row %d has %d cells, the header has %d", i, len(row), width)
		}
	}
	out := &table{name: t.Name, form: t.Form}
	switch t.Form {
	case formMap:
		return out, out.readMap(t.Rows)
	case formMask:
		return out, out.readMask(t.Rows)
	case formIntervals:
		return out, out.readIntervals(t.Rows)
	case formFrequencies:
		return out, out.readFrequencies(t.Rows)
	case formMolecular:
		return out, out.readMolecular(t.Rows)
	}
	return nil, fmt.Errorf("form is %.32q: %s", t.Form, job.Near(t.Form, forms))
}

func cellKey(keys ...string) string { return strings.Join(keys, "\x00") }

func (t *table) readMap(rows [][]string) error {
	t.keys = len(rows[0]) - 1
	if t.keys < 1 || t.keys > 2 {
		return fmt.Errorf("%d columns: one or two of categories, and the value last", len(rows[0]))
	}
	t.cells, t.levels = make(map[string]*big.Rat), make([][]string, t.keys)
	for i, row := range rows[1:] {
		v, ok := parseRat(row[t.keys])
		if !ok {
			return fmt.Errorf("row %d: %.32q is no decimal number", i+1, row[t.keys])
		}
		if err := t.put(i+1, row[:t.keys], v); err != nil {
			return err
		}
	}
	return t.complete()
}

func (t *table) readMask(rows [][]string) error {
	t.keys, t.cells, t.levels = 2, make(map[string]*big.Rat), make([][]string, 2)
	for i, row := range rows[1:] {
		for k, cell := range row[1:] {
			if cell != "0" && cell != "1" {
				return fmt.Errorf("row %d: %.32q: a mask holds 1 for yes and 0 for no", i+1, cell)
			}
			v, _ := parseRat(cell)
			if err := t.put(i+1, []string{row[0], rows[0][k+1]}, v); err != nil {
				return err
			}
		}
	}
	return t.complete()
}

func (t *table) put(row int, keys []string, v *big.Rat) error {
	key := cellKey(keys...)
	if _, twice := t.cells[key]; twice {
		return fmt.Errorf("row %d: %.64q stands twice: remove one", row, keys)
	}
	t.cells[key] = v
	for i, k := range keys {
		if !slices.Contains(t.levels[i], k) {
			t.levels[i] = append(t.levels[i], k)
		}
	}
	return nil
}

// complete refuses a map of two keys with a hole.
func (t *table) complete() error {
	want := 1
	for _, l := range t.levels {
		want *= len(l)
	}
	if len(t.cells) != want {
		return fmt.Errorf("%d of %d combinations have a value: give one for each", len(t.cells), want)
	}
	return nil
}

// readIntervals reads bounds that follow each other without gap or overlap: a row
// holds for numbers above the first and up to the second bound. The first lower
// and the last upper bound may be blank, which is no bound.
func (t *table) readIntervals(rows [][]string) error {
	if h := rows[0]; len(h) != 3 || h[0] != "above" || h[1] != "up_to" {
		return fmt.Errorf("the header must be above,up_to and the value's name")
	}
	n := len(rows) - 1
	for i, row := range rows[1:] {
		low, high := negativeInfinity, positiveInfinity
		var ok bool
		if low, ok = edge(row[0], low, i == 0); !ok {
			return fmt.Errorf("row %d: above is %.32q: write a number; only the first row's may be blank", i+1, row[0])
		}
		if high, ok = edge(row[1], high, i == n-1); !ok || !(low < high) {
			return fmt.Errorf("row %d: up_to is %.32q: write a number beyond %.32q; only the last row's may be blank", i+1, row[1], row[0])
		}
		if i == 0 {
			t.above = low
		} else if low != t.last {
			return fmt.Errorf("row %d begins at %.32q and the row before ends at %.32q: let it begin there, without gap or overlap", i+1, row[0], rows[i][1])
		}
		t.last = high
		v, ok := parseRat(row[2])
		if !ok {
			return fmt.Errorf("row %d: %.32q is no decimal number", i+1, row[2])
		}
		f, _ := v.Float64()
		t.values = append(t.values, f)
		t.upTo = append(t.upTo, high)
	}
	t.upTo = t.upTo[:n-1]
	return nil
}

func edge(cell string, blank float64, mayBeBlank bool) (float64, bool) {
	if cell == "" {
		return blank, mayBeBlank
	}
	r, ok := parseRat(cell)
	if !ok {
		return 0, false
	}
	f, _ := r.Float64()
	return f, true
}

// interval returns the value of the interval that holds x.
func (t *table) interval(x float64) (float64, bool) {
	if !(x > t.above && x <= t.last) {
		return 0, false
	}
	i, _ := slices.BinarySearch(t.upTo, x) // x itself is the end of its interval
	return t.values[i], true
}

func (t *table) readMolecular(rows [][]string) error {
	var buf bytes.Buffer
	if err := csv.NewWriter(&buf).WriteAll(rows); err != nil {
		return err
	}
	names, err := hla.ReadNames(&buf)
	t.names = names
	return err
}
