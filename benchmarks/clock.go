package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"consilium/benchmarks/measure"
	"consilium/mpc"
)

// How often each operation runs.
const (
	warmups = 1
	timed   = measure.Timed
)

// measured is what one party reports of an operation.
type measured struct {
	Seconds  []float64 // of each timed run
	Sent     float64   // bytes in one run
	Events   []event   // of the last run
	Peak     uint64    // bytes
	Shares   int       // bytes of the shares of inputs and outputs
	Products float64   // see task
	Prepared float64   `json:",omitempty"` // see task
	Reads    int       `json:",omitempty"` // see task

	Wired *wired `json:",omitempty"` // of an order Wire, and nothing else then
	Site  *part  `json:",omitempty"` // of a sum over sites
	Kept  *kept  `json:",omitempty"` // of a deposit
}

// clock shares the inputs, times the runs and checks the last result.
func (o *order) clock(s *mpc.Session, rec *recorder, sent func() uint64) (_ *measured, err error) {
	what := find(o.Op)
	d := &dealer{s: s, seed: mpc.Seed(o.Data)}
	t := what.setup(d, size{o.Rows, o.Cols})
	if t.close != nil {
		defer func() { err = errors.Join(err, t.close()) }()
	}
	m := &measured{Shares: d.bytes, Products: t.products, Prepared: t.prepared, Reads: t.reads}
	measure.ResetPeak()
	var out output
	var before uint64
	warm, runs := warmups, timed
	if t.once {
		warm, runs = 0, 1
	}
	for k := range warm + runs {
		run := s.Step("run", k)
		if !t.once {
			rec.record(run.Path())
		}
		if !barrier(s.Step("barrier", k), o.Lead) {
			return nil, s.Err()
		}
		if k == warm {
			before = sent()
		}
		start := time.Now()
		out = t.run(run.Step(what.name))
		took := time.Since(start)
		if k >= warm {
			m.Seconds = append(m.Seconds, took.Seconds())
		}
	}
	m.Sent, m.Events, m.Shares = float64(sent()-before)/float64(runs), rec.events, m.Shares+out.bytes()
	if m.Peak, err = measure.Peak(); err != nil {
		return nil, err
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if err := t.check(&checker{s: s.Step("check")}, out); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Op, err)
	}
	barrier(s.Step("end"), 0) // nobody leaves while another still checks
	return m, s.Err()
}

// barrier waits until all parties are there: see meet.
func barrier(s *mpc.Session, lead time.Duration) bool {
	meet(s, lead)
	return s.Err() == nil
}

// meet waits until all parties are there, and then until the latest of the times
// that they propose, lead from now, which it returns: with a lead longer than frames
// travel all go on at the same moment. They are on one machine and have one clock.
func meet(s *mpc.Session, lead time.Duration) time.Time {
	start := time.Now().Add(lead).UnixNano()
	frame := binary.LittleEndian.AppendUint64(nil, uint64(start))
	for _, p := range s.Compute() {
		if p != s.Self() {
			s.Send(p, frame)
		}
	}
	for _, p := range s.Compute() {
		if p == s.Self() {
			continue
		}
		if theirs := s.Recv(p, len(frame)); theirs != nil {
			start = max(start, int64(binary.LittleEndian.Uint64(theirs)))
		}
	}
	at := time.Unix(0, start)
	select {
	case <-time.After(time.Until(at)):
	case <-s.Context().Done():
	}
	return at
}
