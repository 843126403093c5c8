package main

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/mpc/spool"
	"consilium/protocols"
)

// Analyses of the catalogue run here as the parties run them: planned from a job,
// computed on shares of generated rows, status and masking included. What sites
// and recipients do is not measured.

// cohort is generated rows of one dataset and a question about them.
type cohort struct {
	analysis string
	args     map[string]any
	where    string
	rows     int
	columns  []generated
	check    func(c *cohort, r *protocols.Result) error
}

// generated is a column: its declaration and its codes. A missing value is one that
// present denies.
type generated struct {
	job.Column
	code    func(i int) int64
	present func(i int) bool // nil: always
}

func (g *generated) cell(i int) (int64, bool) {
	if g.present != nil && !g.present(i) {
		return 0, false
	}
	return g.code(i), true
}

// whole declares a column of whole numbers from 0 to most.
func whole(name string, most int64, code func(i int) int64) generated {
	return generated{Column: job.Column{Name: name, Type: job.Integer, Min: "0", Max: fmt.Sprint(most)}, code: code}
}

// binaryColumn declares a column of 0 and 1, which may group.
func binaryColumn(name string, holds func(i int) bool) generated {
	g := whole(name, 1, func(i int) int64 { return one(holds(i)) })
	g.Categories = []string{"0", "1"}
	return g
}

// study returns the roster and the job of a cohort. Nothing of it is signed: the
// runner's checks are not what is measured.
func (c *cohort) study() (*job.Roster, *job.Job) {
	recipient := []byte("recipient")
	d := job.Dataset{Name: "cohort", Sites: []job.Site{{Node: "site", Rows: c.rows}}}
	for i := range c.columns {
		d.Schema.Columns = append(d.Schema.Columns, c.columns[i].Column)
	}
	r := &job.Roster{
		Study: "benchmark", Nodes: []job.Node{{Name: "site"}}, Datasets: []job.Dataset{d},
		Clients: []job.Client{{Name: "researcher", Recipient: recipient}},
		// Of the least count that is compared at all: nothing is hidden in small runs.
		Disclosure: job.Disclosure{MinCount: 1, AllowMinimum: true, AllowMaximum: true},
	}
	return r, &job.Job{
		Study: r.Study, Dataset: d.Name, Analysis: c.analysis, Args: c.args, Where: c.where, Engine: "shares", Recipient: recipient,
	}
}

// filter tells which rows the cohort's condition selects.
func (c *cohort) filter() (selected func(i int) bool, err error) {
	r, _ := c.study()
	p, err := job.ParsePredicate(c.where, &r.Datasets[0].Schema)
	return func(i int) bool {
		truth, known := job.Eval(p, func(name string) (int64, bool) { return c.column(name).cell(i) })
		return truth && known
	}, err
}

// dealt is the setup of an analysis of cohorts whose rows the parties have in memory. They
// are of no condition.
func dealt(cohort func(n size) *cohort) func(d *dealer, n size) task {
	return func(d *dealer, n size) task { return cohort(n).task(d) }
}

// task shares the cohort's rows.
func (c *cohort) task(d *dealer) task {
	r, j := c.study()
	plan, err := protocols.PlanJob(j, r)
	if err != nil {
		return impossible(err)
	}
	spill, end, err := newSpill()
	if err != nil {
		return impossible(err)
	}
	in := protocols.Inputs{Sums: map[string]rss.Vec128{}, Rows: map[string]*protocols.Sampled{}}
	for _, s := range plan.Summaries {
		in.Sums[s.Name] = rss.Public(d.s, ring.FromBig(c.sums(&s)))
	}
	for _, s := range plan.Samples {
		in.Rows[s.Name] = c.sample(d, spill, s)
	}
	return task{
		close: end,
		run:   func(s *mpc.Session) output { return output{values: plan.Compute(s, in)} },
		check: func(ch *checker, out output) error {
			result, err := ch.finish(plan, out.values)
			if err != nil {
				return err
			}
			return c.check(c, result)
		},
	}
}

// impossible is a task that fails.
func impossible(err error) task {
	return task{
		run:   func(s *mpc.Session) output { s.Fail(err); return output{} },
		check: func(*checker, output) error { return err },
	}
}

// newSpill takes what memory does not hold, in a directory of its own, until end.
func newSpill() (sp *rss.Spill, end func() error, err error) {
	dir, err := os.MkdirTemp("", "consilium-spill-")
	if err != nil {
		return nil, nil, err
	}
	d, err := spool.Open(dir)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	sp = rss.NewSpill(d, rss.ChunkRows)
	return sp, func() error { return errors.Join(sp.Close(), os.RemoveAll(dir)) }, nil
}

// finish opens the outputs and does the recipient's part.
func (c *checker) finish(plan *protocols.Plan, values map[string]rss.Vec128) (*protocols.Result, error) {
	opened := protocols.Opened{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		c.opened++
		opened[name] = rss.Open(c.s.Step("opened", c.opened), values[name]).Big()
	}
	if err := c.s.Err(); err != nil {
		return nil, err
	}
	result, err := plan.Finish(opened)
	if err == nil && result.Status != "ok" {
		err = fmt.Errorf("the status is %q", result.Status)
	}
	return result, err
}

func (c *cohort) column(name string) *generated {
	return &c.columns[slices.IndexFunc(c.columns, func(g generated) bool { return g.Name == name })]
}

// value is a vector's value in row i.
func (c *cohort) value(v *job.Vector, i int) (int64, bool) {
	if v.Column != "" {
		return c.column(v.Column).cell(i)
	}
	truth, known := job.Eval(v.Predicate, func(name string) (int64, bool) { return c.column(name).cell(i) })
	if truth && known {
		return 1, true
	}
	return 0, known
}

// sample shares a sample's rows.
func (c *cohort) sample(d *dealer, spill *rss.Spill, s protocols.Sample) *protocols.Sampled {
	member := make([]bool, c.rows)
	for i := range member {
		member[i] = !slices.ContainsFunc(s.Vectors, func(v job.Vector) bool {
			_, known := c.value(&v, i)
			return !known
		})
	}
	rows := protocols.NewSampled(d.s, spill, c.rows, s)
	var columns []rss.Vec
	for _, v := range s.Vectors {
		columns = append(columns, d.vec(c.rows, func(i int) int64 {
			x, _ := c.value(&v, i)
			return x * one(member[i])
		}))
	}
	rows.Fill().Append(d.s, append(columns, d.vec(c.rows, func(i int) int64 { return one(member[i]) }))...)
	return rows
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// sums computes a summary as a site's database does. Benchmarks use none that
// groups by edges.
func (c *cohort) sums(s *job.Summary) []*big.Int {
	out := make([]*big.Int, s.Len())
	for k := range out {
		out[k] = new(big.Int)
	}
	for i := range c.rows {
		at, known := 0, true
		for _, name := range s.Complete {
			_, present := c.column(name).cell(i)
			known = known && present
		}
		for _, g := range s.Groups {
			x, _ := c.column(g.Column).cell(i)
			at = at*len(g.Levels) + slices.Index(g.Levels, x)
		}
		if !known {
			continue
		}
		for k, term := range s.Terms {
			product := big.NewInt(1)
			for _, name := range term {
				x, _ := c.column(name).cell(i)
				product.Mul(product, big.NewInt(x))
			}
			sum := out[at*len(s.Terms)+k]
			sum.Add(sum, product)
		}
	}
	return out
}
