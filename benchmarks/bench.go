package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"consilium/benchmarks/measure"
)

// bench measures requests one after the other.
type bench struct {
	places   [parties]place
	wan      *wan // nil: loopback
	run      func(p place) runner
	limit    time.Duration
	progress io.Writer
}

// result is one line of output. Its fields are those of the command's
// documentation; the others are for the report.
type result struct {
	Op        string    `json:"op"`
	N         size      `json:"n"`
	Seconds   float64   `json:"seconds"`
	MB        []float64 `json:"mb"`
	Rounds    int       `json:"rounds,omitempty"`
	PeakMB    []float64 `json:"peak_mb"`
	MBs       float64   `json:"mb_s,omitempty"`
	Prepared  float64   `json:"prepared,omitempty"`
	WAN       string    `json:"wan,omitempty"`
	Predicted float64   `json:"predicted,omitempty"`

	shares   float64 // million bytes of the shares of inputs and outputs of a party
	products float64 // see task
}

// newBench measures with processes.
func newBench(l *line, progress io.Writer) *bench {
	return &bench{
		places: loopback(), limit: l.limit, progress: progress,
		run: func(p place) runner { return p.process },
	}
}

// here is where parties and sites run when there is no wide-area network.
var here = place{listen: "127.0.0.1:0"}

func loopback() [parties]place { return [parties]place{here, here, here} }

// measure runs a request with three processes.
func (b *bench) measure(ctx context.Context, r request) (*result, error) {
	fmt.Fprintf(b.progress, "%v …", r)
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not done within %v", b.limit))
	defer cancel()
	o := order{Op: r.op.name, Rows: r.n.rows, Cols: r.n.cols}
	if b.wan != nil {
		o.Lead = 2*b.wan.rtt + time.Millisecond
	}
	ms, err := together(ctx, b.places[:], b.run, o)
	if err != nil {
		fmt.Fprintln(b.progress, " failed")
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("%v: %w", r, err)
	}
	res, err := r.combine(ms)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", r, err)
	}
	if b.wan != nil {
		res.WAN, res.Predicted = b.wan.String(), measure.Round(b.wan.predict(res.Rounds, slices.Max(res.MB)))
	}
	fmt.Fprintf(b.progress, " %.4g s (%.1f s in all)\n", res.Seconds, time.Since(start).Seconds())
	return res, nil
}

// combine makes one result of what the parties measured.
func (r request) combine(ms []*measured) (*result, error) {
	res := &result{Op: r.op.name, N: r.n, products: ms[0].Products}
	slowest := make([]float64, len(ms[0].Seconds))
	events := make([][]event, parties)
	for p, m := range ms {
		for k := range slowest {
			slowest[k] = max(slowest[k], m.Seconds[k])
		}
		events[p] = m.Events
		res.MB = append(res.MB, measure.Round(m.Sent/1e6))
		res.PeakMB = append(res.PeakMB, measure.Round(float64(m.Peak)/1e6))
		res.shares = max(res.shares, float64(m.Shares)/1e6)
	}
	slices.Sort(slowest)
	res.Seconds = measure.Round(slowest[len(slowest)/2])
	if reads := ms[0].Reads; reads > 0 {
		res.MBs, res.Prepared = measure.Round(float64(reads)/1e6/res.Seconds), measure.Round(ms[0].Prepared)
	}
	var err error
	res.Rounds, err = rounds(events)
	return res, err
}
