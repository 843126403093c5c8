package protocols

import (
	"context"
	"encoding/csv"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
)

// cell is one value of a table in memory: its code, or missing.
type cell struct {
	code  int64
	valid bool
}

// rowsInMemory is a SiteData that does everything the slow and obvious way.
type rowsInMemory struct {
	schema *job.Schema
	rows   []map[string]cell
	err    error // what every question gets instead, if not nil
}

// fromText casts rows of text by the schema; a blank cell is missing.
func fromText(t testing.TB, schema *job.Schema, header []string, lines [][]string) *rowsInMemory {
	t.Helper()
	out := &rowsInMemory{schema: schema}
	for _, line := range lines {
		row := map[string]cell{}
		for i, name := range header {
			c, ok := schema.Column(name)
			if !ok {
				t.Fatalf("no column %s", name)
			}
			if line[i] == "" {
				row[name] = cell{}
				continue
			}
			code, err := c.Code(line[i])
			if err != nil {
				t.Fatal(err)
			}
			row[name] = cell{code, true}
		}
		out.rows = append(out.rows, row)
	}
	return out
}

// selects tells whether the where-clause is known to be true of a row.
func selects(where job.Predicate, row map[string]cell) bool {
	if where == nil {
		return true
	}
	truth, known := job.Eval(where, func(name string) (int64, bool) { return row[name].code, row[name].valid })
	return truth && known
}

// Summaries implements SiteData.
func (d *rowsInMemory) Summaries(_ context.Context, where job.Predicate, summaries []job.Summary) ([][]*big.Int, error) {
	if d.err != nil {
		return nil, d.err
	}
	var out [][]*big.Int
	for _, s := range summaries {
		sums := make([]*big.Int, s.Len())
		for i := range sums {
			sums[i] = new(big.Int)
		}
		for _, row := range d.rows {
			d.addRow(sums, where, &s, row)
		}
		out = append(out, sums)
	}
	return out, nil
}

func (d *rowsInMemory) addRow(sums []*big.Int, where job.Predicate, s *job.Summary, row map[string]cell) {
	if !selects(where, row) {
		return
	}
	for _, name := range s.Complete {
		if !row[name].valid {
			return
		}
	}
	at := 0
	for _, g := range s.Groups {
		cell, ok := g.Cell(func(name string) (int64, bool) { return row[name].code, row[name].valid })
		if !ok {
			return
		}
		at = at*g.Cells() + cell
	}
	for k, term := range s.Terms {
		product := big.NewInt(1)
		for _, name := range term {
			product.Mul(product, big.NewInt(row[name].code))
		}
		sum := sums[at*len(s.Terms)+k]
		sum.Add(sum, product)
	}
}

// Rows implements SiteData, in batches of three rows.
func (d *rowsInMemory) Rows(_ context.Context, where job.Predicate, vectors []job.Vector) (array.RecordReader, error) {
	if d.err != nil {
		return nil, d.err
	}
	var fields []arrow.Field
	for _, v := range vectors {
		fields = append(fields,
			arrow.Field{Name: v.Name, Type: arrow.PrimitiveTypes.Int64},
			arrow.Field{Name: v.Name + ".valid", Type: arrow.FixedWidthTypes.Boolean})
	}
	fields = append(fields, arrow.Field{Name: ".selected", Type: arrow.FixedWidthTypes.Boolean})
	schema := arrow.NewSchema(fields, nil)
	builder := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer builder.Release()
	var records []arrow.Record
	for batch := range slices.Chunk(d.rows, 3) {
		for _, row := range batch {
			selected := selects(where, row)
			for i, v := range vectors {
				c := cellOfVector(v, row)
				if !selected || !c.valid {
					c = cell{}
				}
				builder.Field(2 * i).(*array.Int64Builder).Append(c.code)
				builder.Field(2*i + 1).(*array.BooleanBuilder).Append(c.valid)
			}
			builder.Field(2 * len(vectors)).(*array.BooleanBuilder).Append(selected)
		}
		records = append(records, builder.NewRecord())
	}
	return array.NewRecordReader(schema, records)
}

// cellOfVector is a row's value of a vector.
func cellOfVector(v job.Vector, row map[string]cell) cell {
	if v.Column != "" {
		return row[v.Column]
	}
	truth, known := job.Eval(v.Predicate, func(name string) (int64, bool) { return row[name].code, row[name].valid })
	c := cell{valid: known}
	if known && truth {
		c.code = 1
	}
	return c
}

// failing is a site whose file cannot be read.
func failing() *rowsInMemory {
	return &rowsInMemory{err: errors.New("hospital-2.csv, row 17, column age: a value is outside the declared range")}
}

// table is a CSV file as text.
type table struct {
	header []string
	lines  [][]string
}

func readTable(t testing.TB, path string) table {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return table{all[0], all[1:]}
}

// inferSchema declares a schema from all files of a dataset together.
func inferSchema(tables []table) job.Schema {
	var schema job.Schema
	for i, name := range tables[0].header {
		distinct := map[string]bool{}
		for _, t := range tables {
			for _, line := range t.lines {
				if line[i] != "" {
					distinct[line[i]] = true
				}
			}
		}
		schema.Columns = append(schema.Columns, inferColumn(name, distinct))
	}
	return schema
}

func inferColumn(name string, distinct map[string]bool) job.Column {
	c := job.Column{Name: name, Type: job.Text}
	var values []*big.Rat
	decimals := 0
	for text := range distinct {
		c.Categories = append(c.Categories, text)
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			value, _ := new(big.Rat).SetString(text)
			values = append(values, value)
			if _, fraction, ok := strings.Cut(text, "."); ok {
				decimals = max(decimals, len(fraction))
			}
		}
	}
	slices.Sort(c.Categories)
	if len(values) < len(distinct) {
		return c
	}
	c.Type, c.Step = job.Integer, "1"
	if decimals > 0 {
		c.Type, c.Step = job.Decimal, "0."+strings.Repeat("0", decimals-1)+"1"
	}
	c.Min = slices.MinFunc(values, (*big.Rat).Cmp).FloatString(decimals)
	c.Max = slices.MaxFunc(values, (*big.Rat).Cmp).FloatString(decimals)
	if len(distinct) > 20 {
		c.Categories = nil
	}
	return c
}

// referenceDataset reads a dataset of a set, "reference" or "certified": its tables
// by site.
func referenceDataset(t testing.TB, set, name string) []table {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "testdata", set, "data", name, "hospital-*.csv"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files of %s: %v", name, err)
	}
	var out []table
	for _, path := range paths {
		out = append(out, readTable(t, path))
	}
	return out
}
