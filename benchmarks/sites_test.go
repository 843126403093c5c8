package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// checkSiteLine checks one line of output against the documentation.
func checkSiteLine(t *testing.T, text string, want siteResult) {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	fields := []string{"branching", "ciphertexts", "cpu", "keys", "mb", "n", "op", "opening", "overlay", "peak_mb", "rounds", "seconds", "sites", "steps", "tree_only"}
	if got := slices.Sorted(maps.Keys(raw)); !slices.Equal(got, fields) {
		t.Errorf("fields %v, want %v", got, fields)
	}
	delete(raw, "n") // a size is written and not read
	rest, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	var r siteResult
	if err := json.Unmarshal(rest, &r); err != nil {
		t.Fatal(err)
	}
	if r.Op != want.Op || r.Sites != want.Sites || r.TreeOnly != want.TreeOnly || r.Overlay != want.Overlay {
		t.Errorf("%s: want %+v", text, want)
	}
	if r.Seconds <= r.Opening || r.Opening <= 0 || r.Keys <= 0 || r.Rounds < 4 || r.Ciphertexts < 1 || r.Branching < 1 {
		t.Errorf("%s: a figure is missing", text)
	}
	steps := []string{"c0", "c1", "commit", "echo", encryption, "same", "switch"}
	if got := slices.Sorted(maps.Keys(r.Steps)); !slices.Equal(got, steps) {
		t.Errorf("steps %v, want %v", got, steps)
	}
	for _, figures := range [][]float64{r.MB, r.CPU, r.PeakMB} {
		if len(figures) != r.Sites || slices.Min(figures) <= 0 {
			t.Errorf("%s: figures of a site are missing", text)
		}
	}
}

// TestEverySum runs each sum with sites as goroutines; the sums are compared with
// those of the plain numbers there.
func TestEverySum(t *testing.T) {
	b := inProcess(t)
	for _, o := range sums {
		for _, treeOnly := range []bool{false, true} {
			r := request{find(o.name), size{rows: 5}}
			t.Run(r.String(), func(t *testing.T) {
				arranged := sites{Overlay: job.OverlayLinks, TreeOnly: &treeOnly, Runs: 2, Patience: time.Minute}
				res, err := b.sum(t.Context(), r, 3, arranged)
				if err != nil {
					t.Fatal(err)
				}
				line, err := json.Marshal(res)
				if err != nil {
					t.Fatal(err)
				}
				checkSiteLine(t, string(line), siteResult{Op: o.name, Sites: 3, TreeOnly: treeOnly, Overlay: job.OverlayLinks})
			})
		}
	}
}

func TestSiteProcesses(t *testing.T) {
	for _, overlay := range []job.Overlay{job.OverlayLinks, job.OverlayOnet} {
		status, out, errs := run(t, "--sites", "4", "--runs", "1", "--overlay", string(overlay), "mhe-km=300")
		if status != 0 {
			t.Fatalf("%s: exit status %d: %s", overlay, status, errs)
		}
		checkSiteLine(t, strings.TrimSuffix(out, "\n"), siteResult{Op: "mhe-km", Sites: 4, Overlay: overlay})
	}
}

func TestSiteCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"mhe-sum=5"}, "--sites"},
		{[]string{"--sites", "3", "nonsense=5"}, `no operation "nonsense"`},
		{[]string{"--sites", "3", "mul=5"}, "leave --sites away"},
		{[]string{"--sites", "1", "mhe-sum=5"}, "from 2 to 100"},
		{[]string{"--sites", "101", "mhe-sum=5"}, "from 2 to 100"},
		{[]string{"--sites", "3", "mhe-sum=3x4"}, "takes one number"},
		{[]string{"--sites", "3", "mhe-linear=1000"}, "at most"},
		{[]string{"--sites", "3", "--overlay", "tor", "mhe-sum=5"}, "use links or onet"},
		{[]string{"--sites", "3", "--runs", "0", "mhe-sum=5"}, "from 1"},
		{[]string{"--sites", "3", "--wan", "40ms,100", "mhe-sum=5"}, "three parties"},
		{[]string{"--tree-only", "mul=5"}, "give --sites"},
		{[]string{"--sites", "3", "--report", "x.md"}, "give it alone"},
	} {
		status, out, errs := run(t, c.args...)
		if status != exitUsage || !strings.Contains(errs, c.stderr) || out != "" {
			t.Errorf("%v: exit status %d, stdout %q, stderr %q; want %d and %q", c.args, status, out, errs, exitUsage, c.stderr)
		}
	}
}

// TestDeadSite lets one site stop in the midst of a sum, after the key is made: the
// others end by their deadline and say who it was.
func TestDeadSite(t *testing.T) {
	const patience, dead = time.Second, 2
	for name, c := range map[string]struct {
		stop func(ctx context.Context, leave func())
		says string
	}{
		"silent": {func(ctx context.Context, _ func()) { <-ctx.Done() }, "run.0/commit: receive from site-3: site-3 sends nothing"},
		"gone":   {func(ctx context.Context, leave func()) { leave(); <-ctx.Done() }, "site-3"},
	} {
		t.Run(name, func(t *testing.T) {
			b := inProcess(t)
			alive := b.run
			b.run = func(p place) runner {
				return func(ctx context.Context, o *order, ready func(string) error) (*measured, error) {
					if o.Self != dead {
						return alive(p)(ctx, o, ready)
					}
					return nil, o.die(ctx, ready, c.stop)
				}
			}
			arranged := sites{Overlay: job.OverlayLinks, Runs: 1, Patience: patience}
			began := time.Now()
			_, err := b.sum(t.Context(), request{find("mhe-sum"), size{rows: 5}}, 4, arranged)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
			if took := time.Since(began); took > 15*patience { // two of them, and what a busy machine takes
				t.Errorf("the others waited for %v", took)
			}
		})
	}
}

// die takes part until the key is made, and then stops.
func (o *order) die(ctx context.Context, ready func(string) error, stop func(ctx context.Context, leave func())) error {
	n, err := o.network(ctx, ready)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.Admit(mpc.SessionID(o.Session)); err != nil {
		return err
	}
	s, err := o.session(ctx, n)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := mhe.NewLayout(5, 34, len(o.Names))
	if err != nil {
		return err
	}
	tree, err := treeOf(l)
	if err != nil {
		return err
	}
	meet(s.Step("keys", 0), 0)
	mhe.NewSumKey(s.Step("run", 0), l, mhe.Options{Tree: tree})
	meet(s.Step("barrier", 0), 0)
	stop(ctx, func() { _ = n.Close() })
	return context.Cause(ctx)
}
