package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	_ "github.com/duckdb/duckdb-go/v2"

	"consilium/benchmarks/measure"
	"consilium/job"
	"consilium/node/source"
	"consilium/synthetic"
)

// result is the line of output. Its fields are those of the benchmarks'
// documentation.
type result struct {
	Op      string  `json:"op"`
	N       int     `json:"n"`
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

// measureSite makes the file in dir and measures.
func measureSite(ctx context.Context, dir string, patients int) (*result, error) {
	path := filepath.Join(dir, "cohort.parquet")
	cohort := synthetic.NewCardiac(sourceSeed)
	schema := cohort.Schema()
	size, err := synthetic.WriteFile(ctx, path, cohort, 0, int64(patients), nil)
	if err != nil {
		return nil, err
	}
	res := &result{Op: "source", N: patients, MB: measure.Round(float64(size) / 1e6)}
	measure.ResetPeak()
	if err := res.addUp(ctx, path, schema); err != nil {
		return nil, err
	}
	if err := res.stream(ctx, path, schema); err != nil {
		return nil, err
	}
	most, err := measure.Peak()
	res.PeakMB = measure.Round(float64(most) / 1e6)
	return res, err
}

// addUp takes the site's sums and DuckDB's in turn.
func (r *result) addUp(ctx context.Context, path string, schema *job.Schema) error {
	want, err := plainSums(ctx, path) // and the file is in the system's memory
	if err != nil {
		return err
	}
	sums := describe(describedColumns)
	var got [][]*big.Int
	var ours, theirs timings
	for range measure.Timed {
		if err := ours.time(func() (err error) { got, err = siteSums(ctx, path, schema, r.N, sums); return err }); err != nil {
			return err
		}
		if err := theirs.time(func() error { _, err := plainSums(ctx, path); return err }); err != nil {
			return err
		}
	}
	seconds, plain := measure.Median(ours.seconds), measure.Median(theirs.seconds)
	r.Seconds, r.DuckDB, r.Ratio = measure.Round(seconds), measure.Round(plain), measure.Round(seconds/plain)
	r.CPU = measure.Round(measure.Median(ours.cpu) / measure.Median(theirs.cpu))
	r.MBs = measure.Round(r.MB / seconds)
	return sameSums(schema, got, want)
}

// stream takes the rows of the first columns that are no texts.
func (r *result) stream(ctx context.Context, path string, schema *job.Schema) error {
	var columns []string
	for _, c := range schema.Columns {
		if c.Type != job.Text && len(columns) < streamedColumns {
			columns = append(columns, c.Name)
		}
	}
	var rows timings
	err := rows.time(func() error { return streamRows(ctx, path, schema, r.N, columns) })
	r.Rows = measure.Round(rows.seconds[0])
	r.RowsMBs = measure.Round(float64(8*len(columns)*r.N) / 1e6 / rows.seconds[0])
	return err
}

// timings are the seconds of several runs, on the wall and of the processors.
type timings struct{ seconds, cpu []float64 }

// time adds one run.
func (t *timings) time(f func() error) error {
	start, used := time.Now(), measure.CPUSeconds()
	err := f()
	t.seconds, t.cpu = append(t.seconds, time.Since(start).Seconds()), append(t.cpu, measure.CPUSeconds()-used)
	return err
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
