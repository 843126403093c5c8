package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

// What a declared number means does not hang on how a file writes it.
func TestDeclaredMissingNumbers(t *testing.T) {
	column := job.Column{Name: "v", Type: job.Integer, Min: "-20", Max: "20", Missing: []string{"-9", "NA", "7.50"}}
	listed := column
	listed.Categories = []string{"1", "3"}
	fine := column
	fine.Type, fine.Step = job.Decimal, "0.5"
	files := map[string]string{
		"CSV":             write(t, "h.csv", "w,v\n1,1\n1,-9\n1,3\n"),
		"CSV of doubles":  write(t, "h.csv", "w,v\n1,1.0\n1,-9.0\n1,3.0\n"),
		"CSV, exponents":  write(t, "h.csv", "w,v\n1,1e0\n1,-0.9e+1\n1,03\n"),
		"CSV, texts":      write(t, "h.csv", "w,v\n1,1\n1,NA\n1,3\n"),
		"CSV, fraction":   write(t, "h.csv", "w,v\n1,1\n1,7.5\n1,3\n"),
		"CSV, one column": write(t, "h.csv", "v\n1\n-9.0\n3\n"),
		"Parquet doubles": writeParquet(t, "SELECT * FROM (VALUES (1::DOUBLE), (-9), (3)) x(v)"),
		"Parquet bigints": writeParquet(t, "SELECT * FROM (VALUES (1::BIGINT), (-9), (3)) x(v)"),
		"Parquet decimal": writeParquet(t, "SELECT * FROM (VALUES (1::DECIMAL(9,3)), (-9), (3)) x(v)"),
		"Parquet null":    writeParquet(t, "SELECT * FROM (VALUES (1::DOUBLE), (NULL), (3)) x(v)"),
	}
	for name, path := range files {
		for kind, c := range map[string]job.Column{"integer": column, "list": listed, "decimal": fine} {
			t.Run(name+", "+kind, func(t *testing.T) {
				s := open(t, path, schemaOf(c), 3)
				got := ints(summaries(t, s, nil, job.Summary{Name: "sum", Complete: []string{"v"}, Terms: []job.Term{{}, {"v"}}})[0])
				steps := int64(1)
				if kind == "decimal" {
					steps = 2
				}
				if want := []int64{2, 4 * steps}; !slices.Equal(got, want) {
					t.Errorf("n and sum %v, want %v", got, want)
				}
				if got := stream(t, s, nil, "v"); !slices.Equal(got.valid["v"], []bool{true, false, true}) {
					t.Errorf("valid: %v", got.valid["v"])
				}
			})
		}
	}
}

// Texts are no numbers: a list may hold 9.0 beside a missing 9.
func TestDeclaredMissingTextsAreNotNumbers(t *testing.T) {
	c := job.Column{Name: "v", Type: job.Text, Categories: []string{"9.0"}, Missing: []string{"9"}}
	s := open(t, write(t, "h.csv", "v\n9\n9.0\n"), schemaOf(c), 2)
	if got := stream(t, s, nil, "v"); !slices.Equal(got.valid["v"], []bool{false, true}) {
		t.Errorf("valid: %v", got.valid["v"])
	}
}

// A file of one column keeps its missing rows, which are blank lines.
func TestOneColumn(t *testing.T) {
	schema := schemaOf(job.Column{Name: "v", Type: job.Integer, Min: "0", Max: "9", Missing: []string{"-9"}})
	for name, c := range map[string]struct {
		content string
		want    []bool // which rows have a value
	}{
		"between":            {"v\n1\n-9\n\n3", []bool{true, false, false, true}},
		"CRLF":               {"v\r\n1\r\n-9\r\n\r\n3\r\n", []bool{true, false, false, true}},
		"first":              {"v\n\n\n3\n", []bool{false, false, true}},
		"last":               {"v\n1\n\n", []bool{true, false}},
		"last, CRLF":         {"v\r\n1\r\n\r\n\r\n", []bool{true, false, false}},
		"last, CR alone":     {"v\n1\n\r", []bool{true, false}},
		"no line end":        {"v\n1\n\"\"", []bool{true, false}},
		"quoted":             {"v\n\"\"\n\n\"2\"\n", []bool{false, false, true}},
		"lines in a cell":    {"v\n\"\n\n\"\n\n1\n", []bool{false, false, true}},
		"spaces":             {"v\n \n1\n", []bool{false, true}},
		"byte order mark":    {"\uFEFFv\n\n1\n", []bool{false, true}},
		"before the header":  {"\n\nv\n\n1\n", []bool{false, true}},
		"nothing but blanks": {"v\n\n\n", []bool{false, false}},
		"no rows":            {"v\n", nil},
		"header alone":       {"v", nil},
		"more than a buffer": {"v\n" + strings.Repeat("\n", 9000) + "1\n", slices.Concat(make([]bool, 9000), []bool{true})},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{write(t, "h.csv", c.content), write(t, "h.csv.gz", string(zip(t, c.content)))} {
				s := open(t, file, schema, max(len(c.want), 1))
				got := stream(t, s, nil, "v")
				if !slices.Equal(got.valid["v"][:len(c.want)], c.want) || !slices.Equal(got.selected[:len(c.want)], slices.Repeat([]bool{true}, len(c.want))) {
					t.Errorf("%d rows, not as wanted", len(c.want))
				}
				if s.store.rows != len(c.want) {
					t.Errorf("%d rows, want %d", s.store.rows, len(c.want))
				}
			}
		})
	}
}

// Blank lines without end are rows, not one long record.
func TestOneColumnMayBeMostlyBlank(t *testing.T) {
	table, err := openCSV(write(t, "h.csv", "v\n"+strings.Repeat("\n", 2*maxRecord)+"1\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer table.close()
	rows := 0
	for ; err == nil; rows++ {
		_, err = table.next(t.Context())
	}
	if !errors.Is(err, io.EOF) || rows-1 != 2*maxRecord+1 {
		t.Errorf("%d rows, then %v", rows-1, err)
	}
}

// Rows are numbered as they are counted: blank lines of one column are rows,
// those between rows of several columns are not.
func TestRowNumbersPastBlankLines(t *testing.T) {
	schema := schemaOf(integer("v", "0", "9"))
	for name, c := range map[string]struct{ content, want string }{
		"one column, cell":      {"v\n1\n\n\n31337\n", "h.csv: row 4, column v: out of the declared range 0 to 9"},
		"one column, quote":     {"v\n1\n\r\n\n3\"1337\n", "h.csv: row 4: a quote is out of place"},
		"one column, open":      {"v\n\n\"31337\n\n", "h.csv: row 2: a quote is out of place"},
		"one column, two cells": {"v\n\n3133,7\n", "h.csv: row 2: does not have 1 cells"},
		"one column, endless":   {"v\n\n\n\"" + strings.Repeat("a", maxRecord+8192), "h.csv: row 3: is longer than"},
		"one column, too many":  {"v\n1\n2\n3\n4\n\n", "h.csv: has more than the 4 rows"},
		"two columns, cell":     {"v,w\n1,1\n\n\r\n31337,1\n", "h.csv: row 2, column v: out of the declared range 0 to 9"},
		"two columns, quote":    {"v,w\n\n1,1\n\n\n3\"1337,1\n", "h.csv: row 2: a quote is out of place"},
	} {
		t.Run(name, func(t *testing.T) {
			err := openAndCheck(t.Context(), write(t, "h.csv", c.content), schema, 4)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "3133") {
				t.Errorf("error %v, want %s …", err, c.want)
			}
		})
	}
}

// Whatever cells a file of one column is made of are read back, however a
// program writes a blank one.
func TestOneColumnReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.csv")
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "1", "a b", "\n", "x\n\ny", " ", strings.Repeat("long", 1200)}), 0, 40).Draw(t, "cells")
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end")
		written := "v" + end
		for _, cell := range cells {
			if strings.Contains(cell, "\n") || rapid.Bool().Draw(t, "quoted") {
				cell = `"` + cell + `"`
			}
			written += cell + end
		}
		if len(cells) > 0 && cells[len(cells)-1] != "" && rapid.Bool().Draw(t, "cut") {
			written = strings.TrimSuffix(written, end)
		}
		if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readCells(t, path); !slices.Equal(got, cells) {
			t.Fatalf("%q is read as %q", written, got)
		}
	})
}

// readCells reads a file of one column.
func readCells(t *rapid.T, path string) []string {
	table, err := openCSV(path)
	if err != nil {
		t.Fatal(err)
	}
	defer table.close()
	var cells []string
	for {
		row, err := table.next(context.Background())
		if errors.Is(err, io.EOF) {
			return cells
		}
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, row[0])
	}
}
