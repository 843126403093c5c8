package protocols

import (
	"math/big"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Analysis is one question that a study can answer. Implementations hold no state.
type Analysis interface {
	// Name is the word in the job file.
	Name() string
	// Plan checks the job's arguments against the dataset and derives everything
	// that is public: inputs, shapes, outputs and what the recipient will learn.
	// What all analyses share (Analysis, Dataset, Where, Filter) PlanJob fills in.
	// It runs at the client before signing and at every node before accepting,
	// and gives the same plan everywhere.
	Plan(j *job.Job, d *job.Dataset) (*Plan, error)
	// Compute maps sealed inputs to outputs, on shares. It cannot open anything.
	// The outputs have the names and lengths of the plan.
	Compute(s *mpc.Session, p *Plan, in Inputs) Outputs
	// Finish derives the result in the clear, at the recipient alone.
	Finish(p *Plan, opened Opened) (*Result, error)
}

// Plan is the public side of a job.
type Plan struct {
	Analysis string
	Dataset  *job.Dataset
	Where    job.Predicate // nil selects every row
	Filter   string        // Where as the job says it, for people to read
	// Summaries are summed at the sites and over the sites; Columns go row by
	// row. An analysis may use both.
	Summaries []job.Summary
	Columns   []string
	Outputs   []Output
	// Reveals says in one sentence an item what the recipient learns.
	Reveals []string
	// Detail is the analysis's own: what Plan worked out for Compute and Finish.
	Detail any

	analysis Analysis // set by PlanJob
}

// Output declares one vector of 128-bit integers that is revealed to the recipient.
type Output struct {
	Name string
	Len  int
}

// Inputs are what the parties hold after sealing.
type Inputs struct {
	// Sums holds each summary of the plan, added over all sites.
	Sums map[string]rss.Vec128
	// Rows holds the columns of the plan, all sites' rows one after the other in
	// the roster's order; nil when the plan names no columns.
	Rows *Rows
}

// Rows is a table on shares. Rows that the filter leaves out, and padding, have
// value 0, validity 0 and selection 0.
type Rows struct {
	N        int
	Value    map[string]rss.Vec // codes
	Valid    map[string]rss.Vec // 0 or 1
	Selected rss.Vec            // 0 or 1
}

// Outputs are an analysis's results on shares, by output name.
type Outputs map[string]rss.Vec128

// Opened are the same vectors in the clear, as signed integers, at the recipient.
type Opened map[string][]*big.Int

// Result is what the recipient sees.
type Result struct {
	Status string // "ok", or the word that says why there is nothing else
	// Value is the result by the names of the analysis's documentation, made of
	// map[string]any, []any, string, float64, int64, nil: it marshals to JSON.
	Value any
	// Tables are the same figures as a clinical paper prints them.
	Tables []Table
}

// Table is a rectangle of text for a person to read.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string
	Notes  []string
}
