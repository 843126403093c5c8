package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	_ "github.com/duckdb/duckdb-go/v2"

	"consilium/job"
	"consilium/node/source"
	"consilium/synthetic"
)

// lone lists the operations that arrange their processes themselves.
var lone = []loneOp{
	{op{"source", "sums and rows of a Parquet file of N patients at one site, beside DuckDB's own sums", size{rows: maxSize}, nil}, measureSource},
	{op{"deposit", "R rows of C columns from one site to the disks of three parties, as shares", size{maxSize, 500}, nil}, measureDeposit},
}

// loneOp is one of them.
type loneOp struct {
	op
	measure func(ctx context.Context, b *bench, n size) (any, error)
}

func findLone(name string) *loneOp {
	if i := slices.IndexFunc(lone, func(o loneOp) bool { return o.name == name }); i >= 0 {
		return &lone[i]
	}
	return nil
}

// sourceResult is one line of output for a source. Its fields are those of the
// command's documentation.
type sourceResult struct {
	Op      string  `json:"op"`
	N       size    `json:"n"`
	Seconds float64 `json:"seconds"`
	DuckDB  float64 `json:"duckdb"`
	Ratio   float64 `json:"ratio"`
	CPU     float64 `json:"cpu_ratio"`
	MB      float64 `json:"mb"`
	MBs     float64 `json:"mb_s"`
	Rows    float64 `json:"rows_seconds"`
	RowsMBs float64 `json:"rows_mb_s"`
	PeakMB  float64 `json:"peak_mb"`
}

// The columns that are described, and how many are streamed.
var describedColumns = []string{"age", "haemoglobin", "creatinine", "ejection_fraction", "time"}

const streamedColumns = 20

// sourceSeed makes the same patients each time.
const sourceSeed = 20260101

func measureSource(ctx context.Context, b *bench, n size) (_ any, err error) {
	dir, err := os.MkdirTemp("", "consilium-source-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cohort.parquet")
	cohort := synthetic.NewCardiac(sourceSeed)
	schema := cohort.Schema()
	bytes, err := synthetic.WriteFile(ctx, path, cohort, 0, int64(n.rows), nil)
	if err != nil {
		return nil, err
	}
	res := &sourceResult{Op: "source", N: n, MB: round(float64(bytes) / 1e6)}
	resetPeak()
	sums := describe(describedColumns)
	var got [][]*big.Int
	var ours, theirs, oursCPU, theirsCPU, rows []float64
	want, err := plainSums(ctx, path) // and the file is in the system's memory
	if err != nil {
		return nil, err
	}
	for range timed {
		before := cpuSeconds()
		took, err := timeOf(func() (err error) { got, err = siteSums(ctx, path, schema, n.rows, sums); return err })
		if err != nil {
			return nil, err
		}
		ours, oursCPU = append(ours, took), append(oursCPU, cpuSeconds()-before)
		before = cpuSeconds()
		took, err = timeOf(func() error { _, err := plainSums(ctx, path); return err })
		if err != nil {
			return nil, err
		}
		theirs, theirsCPU = append(theirs, took), append(theirsCPU, cpuSeconds()-before)
	}
	if err := sameSums(schema, got, want); err != nil {
		return nil, err
	}
	var columns []string
	for _, c := range schema.Columns {
		if c.Type != job.Text && len(columns) < streamedColumns {
			columns = append(columns, c.Name)
		}
	}
	took, err := timeOf(func() error { return streamRows(ctx, path, schema, n.rows, columns) })
	if err != nil {
		return nil, err
	}
	rows = append(rows, took)
	most, err := peak()
	if err != nil {
		return nil, err
	}
	res.Seconds, res.DuckDB, res.Rows, res.PeakMB = round(median(ours)), round(median(theirs)), round(median(rows)), round(float64(most)/1e6)
	res.CPU = round(median(oursCPU) / median(theirsCPU))
	res.Ratio, res.MBs = round(median(ours)/median(theirs)), round(float64(bytes)/1e6/median(ours))
	res.RowsMBs = round(float64(8*len(columns)*n.rows) / 1e6 / median(rows))
	fmt.Fprintf(b.progress, "source=%v %.4g s, DuckDB %.4g s\n", n, res.Seconds, res.DuckDB)
	return res, nil
}

func timeOf(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}

// describe is what describe asks of a site for its means and variances.
func describe(columns []string) []job.Summary {
	list := []job.Summary{{Name: "rows", Terms: []job.Term{{}}}}
	for _, c := range columns {
		list = append(list, job.Summary{Name: c, Complete: []string{c}, Terms: []job.Term{{}, {c}, {c, c}}})
	}
	return list
}

// siteSums is the way of a job: the file is opened, and cells are checked, anew.
func siteSums(ctx context.Context, path string, schema *job.Schema, rows int, sums []job.Summary) (_ [][]*big.Int, err error) {
	s, err := source.Open(ctx, path, schema, rows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Summaries(ctx, nil, sums)
}

func streamRows(ctx context.Context, path string, schema *job.Schema, rows int, columns []string) (err error) {
	s, err := source.Open(ctx, path, schema, rows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	vectors := make([]job.Vector, len(columns))
	for i, c := range columns {
		vectors[i] = job.Vector{Name: c, Column: c}
	}
	r, err := s.Rows(ctx, nil, vectors)
	if err != nil {
		return err
	}
	defer r.Release()
	seen := 0
	for r.Next() {
		seen += r.Record().Column(0).(*array.Int64).Len()
	}
	if r.Err() == nil && seen != rows {
		return fmt.Errorf("%d rows came of %d", seen, rows)
	}
	return r.Err()
}

// plainSums are DuckDB's own: the counts, sums and sums of squares of the described
// columns in their own types, without a look at what the schema declares.
func plainSums(ctx context.Context, path string) (_ []string, err error) {
	db, err := sql.Open("duckdb", fmt.Sprintf("?threads=%d", min(runtime.GOMAXPROCS(0), 4)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	outputs := []string{"CAST(count(*) AS VARCHAR)"}
	for _, c := range describedColumns {
		square := c + " * " + c
		if c == "time" || c == "age" { // of whole numbers, whose product has their own type
			square = "CAST(" + c + " AS BIGINT) * " + c
		}
		for _, x := range []string{"count(" + c + ")", "sum(" + c + ")", "sum(" + square + ")"} {
			outputs = append(outputs, "CAST("+x+" AS VARCHAR)")
		}
	}
	values := make([]string, len(outputs))
	targets := make([]any, len(outputs))
	for i := range values {
		targets[i] = &values[i]
	}
	err = db.QueryRowContext(ctx, "SELECT "+strings.Join(outputs, ", ")+" FROM read_parquet('"+path+"')").Scan(targets...)
	return values, err
}

// sameSums compares sums of codes with DuckDB's of values.
func sameSums(schema *job.Schema, got [][]*big.Int, want []string) error {
	one := new(big.Rat).SetInt64(1)
	steps := []*big.Rat{one}
	flat := []*big.Int{got[0][0]}
	for i, name := range describedColumns {
		c, ok := schema.Column(name)
		if !ok {
			return fmt.Errorf("the cohort has no column %s", name)
		}
		step := c.StepRat()
		steps = append(steps, one, step, new(big.Rat).Mul(step, step))
		flat = append(flat, got[i+1]...)
	}
	for i, text := range want {
		value, ok := new(big.Rat).SetString(text)
		if !ok || value.Cmp(new(big.Rat).Mul(steps[i], new(big.Rat).SetInt(flat[i]))) != 0 {
			return fmt.Errorf("sum %d is not DuckDB's", i)
		}
	}
	return nil
}
