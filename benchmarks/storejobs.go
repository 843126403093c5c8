package main

import (
	"errors"
	"fmt"
	"math/big"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/protocols"
	"consilium/protocols/oblivious"
)

// Jobs on a dataset that parties keep, as they run them.

// stored is the setup of an analysis of cohorts that lie on the parties' disks.
func stored(cohort func(n size) *cohort) func(d *dealer, n size) task {
	return func(d *dealer, n size) task {
		t, err := cohort(n).storedTask(d)
		if err != nil {
			return impossible(err)
		}
		return t
	}
}

// storedTask writes the cohort's store, and plans its job as one on deposited rows.
func (c *cohort) storedTask(d *dealer) (t task, err error) {
	r, j := c.study()
	plan, err := protocols.PlanJob(j, r)
	if err != nil {
		return t, err
	}
	program, err := compiled(plan)
	if err != nil {
		return t, err
	}
	data, err := newStored(d, plan.Dataset, c.columns)
	if err != nil {
		return t, err
	}
	return task{
		once: true, close: data.close,
		run: func(s *mpc.Session) output { return data.compute(s, plan, program) },
		check: func(ch *checker, out output) error {
			result, err := ch.finish(plan, out.values)
			if err != nil {
				return err
			}
			return c.check(c, result)
		},
	}, nil
}

// compiled is what a plan asks of stored rows.
func compiled(plan *protocols.Plan) (*oblivious.Program, error) {
	q := &oblivious.Question{Schema: &plan.Dataset.Schema, Rows: plan.Dataset.Rows(), Where: plan.Where, Summaries: plan.Summaries}
	for _, sample := range plan.Samples {
		q.Samples = append(q.Samples, sample.Vectors)
	}
	return oblivious.Compile(q)
}

// compute takes inputs from the store and makes outputs of them.
func (x *storedData) compute(s *mpc.Session, plan *protocols.Plan, program *oblivious.Program) output {
	spill, end, err := newSpill()
	if err != nil {
		s.Fail(err)
		return output{}
	}
	in := protocols.Inputs{Sums: map[string]rss.Vec128{}, Rows: map[string]*protocols.Sampled{}}
	var samples []*rss.Chunked
	for _, sample := range plan.Samples {
		rows := protocols.NewSampled(s, spill, plan.Dataset.Rows(), sample)
		in.Rows[sample.Name], samples = rows, append(samples, rows.Chunked)
	}
	run := program.Start(samples...)
	if err := x.run(s, run); err != nil {
		s.Fail(err)
	}
	for i, sums := range run.End(s.Step("end")) {
		in.Sums[plan.Summaries[i].Name] = sums
	}
	out := output{values: plan.Compute(s.Step("compute"), in)}
	if err := end(); err != nil {
		s.Fail(err)
	}
	return out
}

const (
	labs = 5
	// labMost bounds the codes: a lab value in tenths, with room.
	labMost = 1 << 17
	// mostStored keeps sums of squares below 2^62.
	mostStored = 1 << (62 - 2*17)
)

// labCohort is five lab values of which a tenth is missing.
func labCohort(n size) *cohort {
	c := &cohort{analysis: "describe", rows: n.rows}
	var names []any
	for k := range labs {
		lab := whole(fmt.Sprintf("lab%d", k+1), labMost-1, func(i int) int64 { return below(labMost, i, 2*k+1) })
		lab.present = func(i int) bool { return below(10, i, 2*k) != 0 }
		c.columns, names = append(c.columns, lab), append(names, lab.Name)
	}
	c.args = map[string]any{"columns": names}
	return c
}

// setupStore writes the store, and plans the sums that describe takes of every column,
// and nothing else: n, the sum and the sum of squares, and the number of rows.
func setupStore(d *dealer, n size) task {
	c := labCohort(n)
	r, j := c.study()
	program, err := summing(j, &r.Datasets[0])
	if err != nil {
		return impossible(err)
	}
	data, err := newStored(d, &r.Datasets[0], c.columns)
	if err != nil {
		return impossible(err)
	}
	return task{
		close: data.close, prepared: data.wrote, reads: 8 * data.values,
		run: func(s *mpc.Session) output {
			run := program.Start()
			if err := data.run(s, run); err != nil {
				s.Fail(err)
			}
			values := map[string]rss.Vec128{}
			for i, x := range run.End(s.Step("end")) {
				values[fmt.Sprint(i)] = x
			}
			return output{values: values}
		},
		check: func(ch *checker, out output) error { return c.checkSums(ch, out) },
	}
}

// summing is the sums of a description.
func summing(j *job.Job, set *job.Dataset) (*oblivious.Program, error) {
	a, err := protocols.Lookup(j.Analysis)
	if err != nil {
		return nil, err
	}
	summarizer, ok := a.(protocols.Summarizer)
	if !ok {
		return nil, errors.New("this analysis takes no sums")
	}
	plan, err := summarizer.PlanSums(j, set, job.Disclosure{})
	if err != nil {
		return nil, err
	}
	return oblivious.Compile(&oblivious.Question{Schema: &set.Schema, Rows: set.Rows(), Summaries: plan.Summaries})
}

// checkSums compares the sums with those in the clear.
func (c *cohort) checkSums(ch *checker, out output) error {
	for i := range len(c.columns) + 1 {
		want := []uint64{uint64(c.rows)}
		if i > 0 {
			want = c.columns[i-1].moments(c.rows)
		}
		ch.opened++
		got := rss.Open(ch.s.Step("opened", ch.opened), out.values[fmt.Sprint(i)]).Big()
		if err := ch.s.Err(); err != nil {
			return err
		}
		for k, w := range want {
			if len(got) != len(want) || got[k].Cmp(new(big.Int).SetUint64(w)) != 0 {
				return fmt.Errorf("wrong result: sum %d of column %d is %v, want %d", k, i, got, w)
			}
		}
	}
	return nil
}

// moments are n, the sum and the sum of squares of a column, which fit 64 bits.
func (g *generated) moments(rows int) []uint64 {
	var n, sum, squares uint64
	for i := range rows {
		if x, ok := g.cell(i); ok {
			n, sum, squares = n+1, sum+uint64(x), squares+uint64(x*x)
		}
	}
	return []uint64{n, sum, squares}
}
