package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFloor(t *testing.T) {
	f, err := measureFloor(t.Context(), inProcess(t), 12)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]float64{
		"AES": f.AES, "copy": f.Copy, "multiplications": f.Muls, "cores": float64(f.Cores), "echo": f.Echo,
		"one direction": f.One, "its processor time": f.OneCPU, "six directions": f.Six, "their processor time": f.SixCPU,
	} {
		if !(v > 0) || v > 1e6 {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func TestLeast(t *testing.T) {
	f := &floor{AES: 5, Copy: 10, Muls: 2, Cores: 2, Echo: 2e-5, Six: 1000}
	for _, c := range []struct {
		r       result
		seconds float64
		by      string
	}{
		{result{MB: []float64{80, 80, 80}, Rounds: 1, shares: 480}, 0.24, "links"},
		{result{MB: []float64{0, 0, 0}, Rounds: 1, shares: 320}, 0.048, "memory"},
		{result{MB: []float64{1, 1, 1}, Rounds: 2, shares: 1, products: 4e9}, 3, "arithmetic"},
		{result{MB: []float64{0, 0, 0}, Rounds: 100}, 0.001, "rounds"},
	} {
		if seconds, by := f.least(&c.r); seconds < 0.999*c.seconds || seconds > 1.001*c.seconds || by != c.by {
			t.Errorf("%+v: %v by %s, want %v by %s", c.r, seconds, by, c.seconds, c.by)
		}
	}
}

// TestPlan checks that the report's requests can be asked for at all.
func TestPlan(t *testing.T) {
	for _, g := range append(append([]goal{}, goals...), wanGoals...) {
		if o := find(g.op); o == nil || o.accepts(g.n) != nil {
			t.Errorf("%s=%v is a goal but no request", g.op, g.n)
		}
	}
	for _, s := range scaling {
		if o := find(s.op); o == nil || o.accepts(size{rows: s.sizes[len(s.sizes)-1]}) != nil {
			t.Errorf("the series of %s is none of requests", s.op)
		}
	}
	planned := make(map[string]bool)
	for _, g := range goals {
		planned[g.op] = true
	}
	for _, o := range ops {
		if !planned[o.name] {
			t.Errorf("%s is in no report", o.name)
		}
	}
}

// findingsOf gives every request of the report the same figures.
func findingsOf(l *line, seconds float64) *findings {
	f := &findings{
		floor: &floor{AES: 5, Copy: 10, Muls: 2, Cores: 2, Echo: 2e-5, One: 700, OneCPU: 1.3, Six: 900, SixCPU: 1.4},
		local: make(map[string]outcome), wan: make(map[string]outcome),
	}
	add := func(to map[string]outcome, name string, n size) {
		r := l.scaled(name, n)
		to[r.String()] = outcome{res: &result{
			Op: name, N: r.n, Seconds: seconds, MB: []float64{1, 2, 1.5}, Rounds: 7, PeakMB: []float64{50, 51, 52}, Predicted: 1, shares: 3,
		}}
	}
	for _, g := range goals {
		add(f.local, g.op, g.n)
	}
	for _, s := range scaling {
		for _, n := range s.sizes {
			add(f.local, s.op, size{rows: n})
		}
	}
	for _, g := range wanGoals {
		add(f.wan, g.op, g.n)
	}
	return f
}

func TestReport(t *testing.T) {
	l := &line{divide: 1}
	f := findingsOf(l, 0.41)
	f.local["cmp=1000000"] = outcome{err: errors.New("party-2: gone\nparty-3: gone")}
	var b strings.Builder
	l.print(&b, f)
	for _, want := range []string{
		"TLS, all six directions of three processes | 900 MB/s",
		"| mul | 10000000 | 0.41 | 0.42 | met | 0.0050 | links | 82.0 | 2.0 | 7 | 52 | 76 |",
		"| match | 100000 | 0.41 | 0.4 | **missed** |",
		"| cmp | 1000000 | failed: party-2: gone; party-3: gone |",
		"| dot | 10000000 | 0.41 |  |  |",
		"| mul | 10000 | 0.41 | 2.00 | 7 | 41000.0 |",
		"| sort | 10000 | 0.41 | 1 | 0.41 | met | 7 | 2.00 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
	if err := f.failures(); err == nil || !strings.Contains(err.Error(), "party-2: gone") {
		t.Errorf("failures: %v", err)
	}
}

func TestTrialReportJudgesNothing(t *testing.T) {
	l := &line{divide: 1000}
	f := findingsOf(l, 9)
	f.noWAN = errNoWAN
	var b strings.Builder
	l.print(&b, f)
	if s := b.String(); strings.Contains(s, "missed") || strings.Contains(s, "| met") ||
		!strings.Contains(s, "all sizes are divided by 1000") || !strings.Contains(s, "Not measured: "+errNoWAN.Error()) {
		t.Error(s)
	}
}

// TestReportIsWritten runs everything at the least sizes, in three processes each.
func TestReportIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "R.md")
	if status, out, errs := run(t, "--report", file, "--divide", "1000000000"); status != 0 || out != "" {
		t.Fatalf("exit status %d, stdout %q: %s", status, out, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if rows := regexp.MustCompile(`(?m)^\| (mul|cmp|sort) `).FindAll(b, -1); len(rows) < 4+11 {
		t.Errorf("%d rows of mul, cmp and sort:\n%s", len(rows), b)
	}
	if strings.Contains(string(b), "failed") {
		t.Errorf("%s", b)
	}
}
