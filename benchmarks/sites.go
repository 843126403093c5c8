package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"consilium/benchmarks/measure"
	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// sites is how the sites of a sum are arranged.
type sites struct {
	Overlay  job.Overlay
	TreeOnly *bool         // nil: where the layout allows it
	Runs     int           // timed ones, after those that warm up
	Patience time.Duration // bounds each wait for another site
	Scratch  string        // a directory for what the overlay has to write
}

// part is what one site reports of a sum.
type part struct {
	Keys  []float64          // seconds of making the key, of each timed run
	CPU   []float64          // processor seconds, of each timed run
	Begun map[string]float64 // seconds until each step of the last run began

	Seed, Digest, Total []byte // of the last run: the site's part of its result
}

// sum adds the site's vector to those of all others, as often as ordered, each time
// under a new key, and measures it: from plain numbers at all sites to the total at
// the tree's root. All sites begin at the same moment, and the clock starts there.
func (o *order) sum(s *mpc.Session, rec *recorder, sent func() uint64) (*measured, error) {
	v := findSum(o.Op).vector(size{o.Rows, o.Cols}, len(o.Names))
	l, err := mhe.NewLayout(v.values, v.bits, len(o.Names))
	if err != nil {
		return nil, err
	}
	tree, err := treeOf(l)
	if err != nil {
		return nil, err
	}
	options := mhe.Options{Tree: tree, TreeOnly: o.Sites.treeOnly(l)}
	own, m, p := wide(v.own(o.Self)), &measured{Site: &part{}}, mhe.Part{}
	measure.ResetPeak()
	for k := range warmups + o.Sites.Runs {
		run := s.Step("run", k)
		began := meet(s.Step("keys", k), o.Lead)
		key := mhe.NewSumKey(run, l, options)
		keys := time.Since(began)
		rec.record(run.Path())
		start := meet(s.Step("barrier", k), o.Lead)
		o.watch.start(run.Path(), start)
		used, before := measure.CPUSeconds(), sent()
		p = key.RevealSum(run, own)
		took := time.Since(start)
		if k >= warmups {
			m.Seconds = append(m.Seconds, took.Seconds())
			m.Sent += float64(sent()-before) / float64(o.Sites.Runs)
			m.Site.Keys = append(m.Site.Keys, keys.Seconds())
			m.Site.CPU = append(m.Site.CPU, measure.CPUSeconds()-used)
		}
	}
	m.Site.Begun = o.watch.stop()
	m.Site.Seed, m.Site.Digest, m.Site.Total = p.Seed, p.Digest[:], p.Total
	m.Events = rec.events
	if m.Peak, err = measure.Peak(); err != nil {
		return nil, err
	}
	barrier(s.Step("end"), 0) // nobody leaves while another still sums
	return m, s.Err()
}

// treeOnly tells whether the sites rely on the tree.
func (o *sites) treeOnly(l *mhe.Layout) bool {
	if o.TreeOnly != nil {
		return *o.TreeOnly
	}
	return l.ExchangeSize() > mhe.TreeOnlyAbove
}

// treeOf is the tree that a job would sum along.
func treeOf(l *mhe.Layout) (*mpc.Tree, error) {
	members := make([]mpc.PartyID, l.Sites)
	for i := range members {
		members[i] = mpc.PartyID(i)
	}
	return mpc.NewTree(members, mpc.BranchingFor(l.Sites, l.TotalSize()))
}

// stopwatch notes when the steps right below a path begin.
type stopwatch struct {
	mu    sync.Mutex
	path  string
	since time.Time
	begun map[string]float64
}

func (w *stopwatch) start(path string, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.path, w.since, w.begun = path+"/", since, make(map[string]float64)
}

func (w *stopwatch) stop() map[string]float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

// hear hears of all steps of the session.
func (w *stopwatch) hear(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	step, below := strings.CutPrefix(path, w.path)
	if !below || w.begun == nil {
		return
	}
	step, _, _ = strings.Cut(step, "/")
	if _, again := w.begun[step]; !again {
		w.begun[step] = time.Since(w.since).Seconds()
	}
}

// siteResult is one line of output for sites. Its fields are those of the command's
// documentation.
type siteResult struct {
	Op          string             `json:"op"`
	N           size               `json:"n"`
	Sites       int                `json:"sites"`
	Seconds     float64            `json:"seconds"`
	Opening     float64            `json:"opening"`
	Keys        float64            `json:"keys"`
	Steps       map[string]float64 `json:"steps"`
	Rounds      int                `json:"rounds"`
	Branching   int                `json:"branching"`
	Ciphertexts int                `json:"ciphertexts"`
	TreeOnly    bool               `json:"tree_only"`
	Overlay     job.Overlay        `json:"overlay"`
	MB          []float64          `json:"mb"`
	CPU         []float64          `json:"cpu"`
	PeakMB      []float64          `json:"peak_mb"`
}

// startsApart is how long after the last site is ready all begin: longer than it
// takes to tell them all, for each of them.
const startsApart = 10 * time.Millisecond

// sum measures a request with a process for every site, and opens it as the recipient.
func (b *bench) sum(ctx context.Context, r request, n int, arranged sites) (*siteResult, error) {
	fmt.Fprintf(b.progress, "%v over %d sites …", r, n)
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not done within %v", b.limit))
	defer cancel()
	res, err := b.summed(ctx, r, n, arranged)
	if err != nil {
		fmt.Fprintln(b.progress, " failed")
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("%v over %d sites: %w", r, n, err)
	}
	fmt.Fprintf(b.progress, " %.4g s (%.1f s in all)\n", res.Seconds, time.Since(began).Seconds())
	return res, nil
}

func (b *bench) summed(ctx context.Context, r request, n int, arranged sites) (*siteResult, error) {
	v := findSum(r.op.name).vector(r.n, n)
	l, err := mhe.NewLayout(v.values, v.bits, n) // refused before any process starts
	if err != nil {
		return nil, err
	}
	if arranged.Scratch, err = os.MkdirTemp("", "consilium-sites-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(arranged.Scratch)
	o := order{Op: r.op.name, Rows: r.n.rows, Cols: r.n.cols, Sites: &arranged, Lead: time.Duration(n) * startsApart}
	ms, err := together(ctx, slices.Repeat([]place{here}, n), b.run, o)
	if err != nil {
		return nil, err
	}
	opening := time.Now()
	seeds := make([][]byte, n)
	for i, m := range ms {
		seeds[i] = m.Site.Seed
		if string(m.Site.Digest) != string(ms[0].Site.Digest) {
			return nil, fmt.Errorf("site %d has switched something else than site 1", i+1)
		}
	}
	opened, err := l.Open(ms[0].Site.Total, seeds)
	if err != nil {
		return nil, err
	}
	took := time.Since(opening).Seconds()
	if err := v.compare(opened, n); err != nil {
		return nil, err
	}
	return r.combineSites(ms, l, arranged, took)
}

// combineSites makes one result of what the sites measured.
func (r request) combineSites(ms []*measured, l *mhe.Layout, arranged sites, opening float64) (*siteResult, error) {
	tree, err := treeOf(l)
	if err != nil {
		return nil, err
	}
	res := &siteResult{
		Op: r.op.name, N: r.n, Sites: len(ms), Opening: measure.Round(opening),
		Branching: tree.Branching(), Ciphertexts: l.Ciphertexts, TreeOnly: arranged.treeOnly(l), Overlay: arranged.Overlay,
	}
	runs := arranged.Runs
	slowest, keys := make([]float64, runs), make([]float64, runs)
	events := make([][]event, len(ms))
	for i, m := range ms {
		for k := range runs {
			slowest[k], keys[k] = max(slowest[k], m.Seconds[k]), max(keys[k], m.Site.Keys[k])
		}
		events[i] = m.Events
		res.MB = append(res.MB, measure.Round(m.Sent/1e6))
		res.CPU = append(res.CPU, measure.Round(measure.Median(m.Site.CPU)))
		res.PeakMB = append(res.PeakMB, measure.Round(float64(m.Peak)/1e6))
	}
	res.Steps = stepsOf(ms, slowest[runs-1])
	res.Seconds, res.Keys = measure.Round(measure.Median(slowest)+opening), measure.Round(measure.Median(keys))
	res.Rounds, err = rounds(events)
	return res, err
}

// encryption is what a sum begins with, before its first step.
const encryption = "encrypt"

// stepsOf returns how long each step of the last run took: from its beginning to that
// of the next, on average over the sites; the last one until the run's end.
func stepsOf(ms []*measured, end float64) map[string]float64 {
	begun := map[string]float64{encryption: 0}
	for _, m := range ms {
		for step, at := range m.Site.Begun {
			begun[step] += at / float64(len(ms))
		}
	}
	var order []string
	for step := range begun {
		order = append(order, step)
	}
	slices.SortFunc(order, func(x, y string) int {
		if begun[x] < begun[y] {
			return -1
		}
		return 1
	})
	steps := make(map[string]float64)
	for i, step := range order {
		until := end
		if i+1 < len(order) {
			until = begun[order[i+1]]
		}
		steps[step] = measure.Round(until - begun[step])
	}
	return steps
}
