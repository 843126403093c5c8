package protocols

import (
	"math/big"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
	"consilium/mpc/rss"
	"consilium/protocols/oblivious"
)

// Analysis is one question that a study can answer. Implementations hold no state.
type Analysis interface {
	// Name is the word in the job file.
	Name() string
	// Plan checks the job's arguments against the dataset and derives everything
	// that is public: inputs, shapes, outputs and what the recipient will learn.
	// What all analyses share (Analysis, Engine, Dataset, Where …) PlanJob
	// fills in. The study's rules say whether minimum and maximum may be shown.
	// It runs at the client before signing and at every node before accepting,
	// and gives the same plan everywhere.
	Plan(j *job.Job, d *job.Dataset, rules job.Disclosure) (*Plan, error)
	// Compute maps sealed inputs to outputs, on shares. It cannot open anything.
	// The values have the names and lengths of the plan; they need not be hidden
	// where a failure or min_count forbids them: the runner does that for all.
	Compute(s *mpc.Session, p *Plan, in Inputs) Outputs
	// Finish derives the result in the clear, at the recipient alone, from what was
	// opened with status "ok".
	Finish(p *Plan, opened Opened) (*Result, error)
}

// Plan is the public side of a job.
type Plan struct {
	Analysis string
	Engine   string // job.EngineShares, job.EngineMHE or job.EngineMixed
	Dataset  *job.Dataset
	Where    job.Predicate // nil selects every row
	Filter   string        // Where as the job says it, for people to read
	// Summaries are summed at the sites and over the sites; Samples go row by row.
	// An analysis may use both.
	Summaries []job.Summary
	Samples   []Sample
	Outputs   []Output
	// Failures are the words of what can keep the analysis from a result, in the
	// order of precedence; see Outputs.Failed.
	Failures []string
	// MinCount is the least number of rows that the study lets a result tell of; 0
	// sets no limit.
	MinCount int
	// Reveals says in one sentence an item what the recipient learns.
	Reveals []string
	// Detail is the analysis's own: what Plan worked out for Compute and Finish.
	Detail any

	// Set by PlanJob.
	analysis Analysis
	layout   *mhe.Layout        // how the summaries are encrypted, under engine mhe
	answers  *mhe.Answers       // instead: how they are opened, if they are of what is stored
	mixed    *mixed             // instead: how they are turned into shares
	custody  custody            // in place of an analysis: what is done to vaults
	vault    *vaultShape        // of the keys that a job on vaults makes or uses
	beside   []string           // nodes that are no sites and have a part in a job on vaults
	columns  []string           // that a deposit touches
	scoring  *scoring           // of a private score, which has nothing but this
	match    *matchPlan         // in place of an analysis: of lists by a policy
	lists    []string           // that a match reads
	program  *oblivious.Program // what the parties compute of what they keep, if they do
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
	// Rows holds each sample of the plan.
	Rows map[string]*Sampled
}

// Opened are the same vectors in the clear, as signed integers, at the recipient.
type Opened map[string][]*big.Int

// Result is what the recipient sees.
type Result struct {
	Status string // "ok", or the word that says why there is nothing else
	Reason string // where there is nothing else: the status in a sentence
	// Value is the result by the names of the analysis's documentation, made of
	// map[string]any, []any, string, float64, int64, nil: it marshals to JSON.
	Value any
	// Tables are the same figures as a clinical paper prints them.
	Tables []Table
	// Caveat is what must be known before any figure is believed, such as that the data
	// are made up; every rendering shows it. The results of a study have none.
	Caveat string
}

// Table is a rectangle of text for a person to read.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string
	Notes  []string
}
