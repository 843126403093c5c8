package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// goal is a size of an operation and the seconds it may take.
type goal struct {
	op   string
	n    size
	most float64 // 0: measured without a goal
}

// goals is what the engine must reach on a machine of two cores, and what is
// measured beside it.
var goals = []goal{
	{"mul", size{rows: 10_000_000}, 0.42},
	{"cmp", size{rows: 1_000_000}, 0.25},
	{"cmp32", size{rows: 1_000_000}, 0.12},
	{"eq16", size{rows: 1_000_000}, 0.08},
	{"sort", size{rows: 100_000}, 0.5},
	{"sort", size{rows: 1_000_000}, 6},
	{"matmul", size{rows: 500}, 0.4},
	{"div", size{rows: 100_000}, 1},
	{"sqrt", size{rows: 100_000}, 2},
	{"match", size{rows: 100_000}, 0.4},
	{"match-etkas", size{rows: 10_000}, 1},
	{"match-etkas", size{rows: 100_000}, 5},
	{"match-etkas-full", size{rows: 10_000}, 3},
	{"dot", size{rows: 10_000_000}, 0},
	{"sort-chunked", size{rows: 1_000_000}, 12},
	{"shuffle", size{rows: 1_000_000}, 0},
	{"topk", size{rows: 1_000_000}, 0},
	{"exp", size{rows: 100_000}, 0},
	{"sigmoid", size{rows: 100_000}, 0},
	{"join", size{rows: 100_000}, 0},
	{"groupby", size{rows: 100_000}, 0},
	{"median", size{rows: 1_000_000}, 12},
	{"mannwhitney", size{rows: 100_000}, 0},
	{"km", size{rows: 100_000}, 0},
	{"logistic", size{569, 30}, 2},
	{"logistic", size{100_000, 12}, 25},
	{"cox", size{10_000, 5}, 10},
	{"describe-store", size{rows: 10_000_000}, 10},
	{"describe-rows", size{rows: 1_000_000}, 0},
	{"km-rows", size{rows: 1_000_000}, 0},
	{"logistic-rows", size{150_000, 5}, 0},
	{"cox-rows", size{70_000, 5}, 0},
	{"exchange", size{rows: 40}, 2},
	{"exchange", size{rows: 100}, 8},
	{"exchange", size{rows: 200}, 90},
	{"exchange-weighted", size{rows: 40}, 0},
}

// series is how an operation's cost grows.
type series struct {
	op    string
	sizes []int
}

var scaling = []series{
	{"mul", []int{10_000, 100_000, 1_000_000, 10_000_000}},
	{"cmp", []int{10_000, 100_000, 1_000_000, 10_000_000}},
	{"sort", []int{10_000, 100_000, 1_000_000, 10_000_000}}, // the last takes four minutes
}

// Over the emulated wide-area network each measurement may take wanMost times
// what rounds and bytes alone cost.
const wanMost = 1.3

var (
	wanLine  = wan{rtt: 40 * time.Millisecond, mbit: 100}
	wanGoals = []goal{{op: "sort", n: size{rows: 10_000}}, {op: "cmp", n: size{rows: 100_000}}}
)

// outcome is what came of one request.
type outcome struct {
	res *result
	err error
}

// findings is all that a report tells.
type findings struct {
	floor *floor
	local map[string]outcome // by request
	wan   map[string]outcome
	noWAN error // why there is no wide-area network; nil: there is
}

// failures returns what failed.
func (f *findings) failures() error {
	var all []error
	for _, m := range []map[string]outcome{f.local, f.wan} {
		for _, o := range m {
			all = append(all, o.err)
		}
	}
	return errors.Join(all...)
}

// scaled is a request of a size whose rows are divided by the command line's
// number, but for enough that a model of the columns has a solution.
func (l *line) scaled(name string, n size) request {
	if l.divide > 1 {
		n.rows = max(n.rows/l.divide, smallest, min(n.rows, rowsEach*n.cols))
	}
	return request{find(name), n}
}

// smallest is the least size of a report: top-k operations choose ten.
const smallest = 10

// rowsEach is the least number of rows for each covariate of a model.
const rowsEach = 20

// investigate measures everything that a report tells.
func (l *line) investigate(ctx context.Context, b *bench) (*findings, error) {
	var requests []request
	for _, g := range goals {
		requests = append(requests, l.scaled(g.op, g.n))
	}
	for _, s := range scaling {
		for _, n := range s.sizes {
			requests = append(requests, l.scaled(s.op, size{rows: n}))
		}
	}
	f := &findings{}
	var err error
	if f.floor, err = measureFloor(ctx, b, wireFrames); err != nil {
		return nil, err
	}
	f.local = b.all(ctx, requests)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	places, stop, err := wanLine.open(ctx)
	if err != nil {
		fmt.Fprintln(b.progress, err)
		f.noWAN = err
		return f, nil
	}
	defer stop()
	requests = nil
	for _, g := range wanGoals {
		requests = append(requests, l.scaled(g.op, g.n))
	}
	far := *b
	far.places, far.wan = places, &wanLine
	f.wan = far.all(ctx, requests)
	return f, ctx.Err()
}

// all measures each request once, and goes on after one that fails.
func (b *bench) all(ctx context.Context, requests []request) map[string]outcome {
	done := make(map[string]outcome)
	slices.SortStableFunc(requests, func(x, y request) int { return x.n.rows - y.n.rows })
	for _, r := range requests {
		if _, twice := done[r.String()]; twice || ctx.Err() != nil {
			continue
		}
		res, err := b.measure(ctx, r)
		done[r.String()] = outcome{res, err}
	}
	return done
}
