package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// writeReport measures everything and writes the report. What failed is told in
// the report as well.
func writeReport(ctx context.Context, l *line, stderr io.Writer) error {
	f, err := l.investigate(ctx, newBench(l, stderr))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	l.print(&b, f)
	if err := os.WriteFile(l.report, b.Bytes(), 0o644); err != nil {
		return err
	}
	return f.failures()
}

// print writes the report as Markdown.
func (l *line) print(w io.Writer, f *findings) {
	fmt.Fprintf(w, "# Results\n\nMeasured by `make bench` on %s: %s, %d cores, %s, %s/%s. The goals are for a machine of two cores.\n",
		time.Now().Format("2 January 2006"), processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprint(w, "What the columns mean stands in `go doc ./benchmarks`.\n")
	if l.divide > 1 {
		fmt.Fprintf(w, "\n**A trial: all sizes are divided by %d, and goals are not judged.**\n", l.divide)
	}
	fmt.Fprint(w, "\n## The machine's floor, in the same run\n\n")
	f.floor.print(w)
	l.printGoals(w, f)
	l.printScaling(w, f)
	l.printWAN(w, f)
}

func (l *line) printGoals(w io.Writer, f *findings) {
	fmt.Fprint(w, "\n## Operations\n\nThree processes on this machine, TLS on. *Floor* is the least time that the measured floor allows, with what binds: *links* "+
		"(bytes of all parties over TLS in six directions), *coins* (two AES streams as long as what is sent), *memory* (shares of inputs and "+
		"outputs moved once), *arithmetic* or *rounds* (half a round trip each). Memory may peak at four times the shares of inputs and outputs "+
		"and 64 MB; of rows on the disk it may take what their chunks do, a gigabyte at most, and rounds are not counted.\n\n| op | n | seconds | at most | | floor | bound by | ratio | MB a party | rounds | peak MB | allowed |\n"+
		"|---|--:|--:|--:|---|--:|---|--:|--:|--:|--:|--:|\n")
	for _, g := range goals {
		r := l.scaled(g.op, g.n)
		o := f.local[r.String()]
		if o.err != nil {
			printFailure(w, r, o.err)
			continue
		}
		most, verdict := "", ""
		if g.most > 0 {
			most, verdict = fmt.Sprint(g.most), l.judge(o.res.Seconds <= g.most)
		}
		least, by := f.floor.least(o.res)
		rounds, allowed := fmt.Sprint(o.res.Rounds), 4*o.res.shares+64
		if o.res.Rounds == 0 {
			rounds = ""
		}
		if o.res.Rounds == 0 || o.res.MBs > 0 {
			allowed = mostOnDisk
		}
		fmt.Fprintf(w, "| %s | %v | %s | %s | %s | %s | %s | %.1f | %.1f | %s | %.0f | %.0f |\n", g.op, r.n, figure(o.res.Seconds), most, verdict,
			figure(least), by, o.res.Seconds/least, slices.Max(o.res.MB), rounds, slices.Max(o.res.PeakMB), allowed)
	}
}

// mostOnDisk is how many MB a party may take for rows that lie on its disk.
const mostOnDisk = 1024

func (l *line) judge(met bool) string {
	switch {
	case l.divide > 1:
		return "not judged"
	case met:
		return "met"
	}
	return "**missed**"
}

func (l *line) printScaling(w io.Writer, f *findings) {
	fmt.Fprint(w, "\n## Scaling\n\nCost should be linear in n, for sort in n log n: the last column then falls to a constant.\n\n"+
		"| op | n | seconds | MB a party | rounds | ns for each n, for sort n log2 n |\n|---|--:|--:|--:|--:|--:|\n")
	for _, s := range scaling {
		for _, n := range s.sizes {
			r := l.scaled(s.op, size{rows: n})
			o := f.local[r.String()]
			if o.err != nil {
				printFailure(w, r, o.err)
				continue
			}
			units := float64(r.n.rows)
			if s.op == "sort" {
				units *= math.Log2(units)
			}
			fmt.Fprintf(w, "| %s | %v | %s | %.2f | %d | %.1f |\n", s.op, r.n, figure(o.res.Seconds),
				slices.Max(o.res.MB), o.res.Rounds, o.res.Seconds/units*1e9)
		}
	}
}

func (l *line) printWAN(w io.Writer, f *findings) {
	fmt.Fprintf(w, "\n## Wide-area network\n\nEmulated: %v round trip, %v Mbit/s for each party. *Predicted* is rounds × one-way delay + bytes / rate; "+
		"at most %v times as much is the goal.\n\n", wanLine.rtt, wanLine.mbit, wanMost)
	if f.noWAN != nil {
		fmt.Fprintf(w, "Not measured: %v.\n", f.noWAN)
		return
	}
	fmt.Fprint(w, "| op | n | seconds | predicted | ratio | | rounds | MB a party |\n|---|--:|--:|--:|--:|---|--:|--:|\n")
	for _, g := range wanGoals {
		r := l.scaled(g.op, g.n)
		o := f.wan[r.String()]
		if o.err != nil {
			printFailure(w, r, o.err)
			continue
		}
		ratio := o.res.Seconds / o.res.Predicted
		fmt.Fprintf(w, "| %s | %v | %s | %s | %.2f | %s | %d | %.2f |\n", g.op, r.n, figure(o.res.Seconds), figure(o.res.Predicted),
			ratio, l.judge(ratio <= wanMost), o.res.Rounds, slices.Max(o.res.MB))
	}
}

func printFailure(w io.Writer, r request, err error) {
	fmt.Fprintf(w, "| %s | %v | failed: %s |\n", r.op.name, r.n, strings.ReplaceAll(err.Error(), "\n", "; "))
}

// figure shows seconds with three digits.
func figure(seconds float64) string {
	switch {
	case seconds >= 100:
		return fmt.Sprintf("%.0f", seconds)
	case seconds >= 0.1:
		return fmt.Sprintf("%.3g", seconds)
	}
	return fmt.Sprintf("%.4f", seconds)
}

// least returns the seconds below which the floor lets no implementation that
// sends these bytes in these rounds come, and what binds it.
func (f *floor) least(r *result) (seconds float64, by string) {
	var sent float64
	for _, mb := range r.MB {
		sent += mb
	}
	cores := float64(min(f.Cores, parties))
	for _, b := range []struct {
		by      string
		seconds float64
	}{
		{"links", sent / f.Six},
		{"coins", 2 * sent / 1e3 / (f.AES * cores)},
		{"memory", parties * r.shares / 1e3 / (f.Copy * cores)},
		{"arithmetic", parties * r.products / 1e9 / (f.Muls * cores)},
		{"rounds", float64(r.Rounds) * f.Echo / 2},
	} {
		if b.seconds > seconds {
			seconds, by = b.seconds, b.by
		}
	}
	return seconds, by
}

// processor is the model of the processor, as the kernel names it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
