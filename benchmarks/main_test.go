package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be a party, as the command is one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == partyWord {
		main()
	}
	goleak.VerifyTestMain(m)
}

// run runs a command line in this process.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = command(t.Context(), args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// inProcess runs parties as goroutines of the test.
func inProcess(t *testing.T) *bench {
	return &bench{
		places: loopback(), limit: time.Minute, progress: t.Output(),
		run: func(place) runner {
			return func(ctx context.Context, o *order, ready func(string) error) (*measured, error) {
				return o.do(ctx, ready)
			}
		},
	}
}

// fields are those of a line of output, in their order in the documentation.
var fields = []string{"mb", "n", "op", "peak_mb", "rounds", "seconds"}

// checkLine checks one line of output against the contract. Rounds may be left out.
func checkLine(t *testing.T, text, op, n string, further ...string) {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	want := slices.Sorted(slices.Values(append(slices.Clone(fields), further...)))
	if _, counted := raw["rounds"]; !counted {
		want = slices.DeleteFunc(want, func(name string) bool { return name == "rounds" })
	}
	if got := slices.Sorted(maps.Keys(raw)); !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	if string(raw["op"]) != `"`+op+`"` || string(raw["n"]) != n {
		t.Errorf("op %s, n %s; want %s and %s", raw["op"], raw["n"], op, n)
	}
	var r struct {
		Seconds float64
		MB      []float64
		Rounds  int
		PeakMB  []float64 `json:"peak_mb"`
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Seconds <= 0 || raw["rounds"] != nil && r.Rounds < 1 || len(r.MB) != parties || len(r.PeakMB) != parties {
		t.Errorf("%s: a figure is missing", text)
	}
	for p := range parties {
		if r.MB[p] <= 0 || r.PeakMB[p] <= 1 {
			t.Errorf("%s: party %d has sent or held nothing", text, p+1)
		}
	}
}

func TestThreeProcesses(t *testing.T) {
	status, out, errs := run(t, "mul=100000", "matmul=3x4")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("output:\n%s", out)
	}
	checkLine(t, lines[0], "mul", "100000")
	checkLine(t, lines[1], "matmul", `"3x4"`)
	var r result
	if err := json.Unmarshal([]byte(strings.Replace(lines[0], `"n":100000`, `"n":{}`, 1)), &r); err != nil {
		t.Fatal(err)
	}
	for _, mb := range r.MB { // 8 bytes an element and little else
		if mb < 0.8 || mb > 0.82 {
			t.Errorf("100,000 products send %v MB, want 0.8 and a little", mb)
		}
	}
	if r.Rounds != 1 {
		t.Errorf("a product takes %d rounds, want 1", r.Rounds)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"nonsense=5"}, exitUsage, `no operation "nonsense"`},
		{[]string{"mul=5", "nonsense"}, exitUsage, `no operation "nonsense"`},
		{[]string{"mul"}, exitUsage, "write mul=N"},
		{[]string{"mul="}, exitUsage, "plain digits"},
		{[]string{"mul=0"}, exitUsage, "from 1"},
		{[]string{"mul=-3"}, exitUsage, "from 1"},
		{[]string{"mul=1e6"}, exitUsage, "plain digits"},
		{[]string{"mul=1_000"}, exitUsage, "plain digits"},
		{[]string{"mul=2000000000"}, exitUsage, "1000000000"},
		{[]string{"mul=3x4"}, exitUsage, "takes one number"},
		{[]string{"matmul=3x"}, exitUsage, "plain digits"},
		{[]string{"matmul=3x4x5"}, exitUsage, "plain digits"},
		{[]string{"matmul=20000"}, exitUsage, "at most"},
		{nil, exitUsage, "nothing to measure"},
		{[]string{"--nonsense", "mul=5"}, exitUsage, "nonsense"},
		{[]string{"--wan", "40", "mul=5"}, exitUsage, "40ms,100"},
		{[]string{"--wan", "40,100", "mul=5"}, exitUsage, "not a time"},
		{[]string{"--wan", "40ms,0", "mul=5"}, exitUsage, "Mbit/s"},
		{[]string{"--wan", "40ms,NaN", "mul=5"}, exitUsage, "Mbit/s"},
		{[]string{"--report", "x.md", "mul=5"}, exitUsage, "give it alone"},
		{[]string{"--divide", "0", "--report", "x.md"}, exitUsage, "from 1"},
		{[]string{"--help"}, 0, "usage"},
	} {
		status, out, errs := run(t, c.args...)
		if status != c.status || !strings.Contains(errs, c.stderr) || out != "" {
			t.Errorf("%v: exit status %d, stdout %q, stderr %q; want %d and %q", c.args, status, out, errs, c.status, c.stderr)
		}
	}
}

func TestUnknownOperationListsTheKnown(t *testing.T) {
	_, _, errs := run(t, "nonsense=5")
	for _, o := range ops {
		if !strings.Contains(errs, "\n  "+o.name+" ") {
			t.Errorf("%q does not name %s", errs, o.name)
		}
	}
}

func TestBadReplyFailsTheRun(t *testing.T) {
	if err := beParty(strings.NewReader("{"), &bytes.Buffer{}); err == nil {
		t.Error("half an order is taken")
	}
	b := inProcess(t)
	b.limit = time.Nanosecond
	if _, err := b.measure(t.Context(), request{find("mul"), size{rows: 10}}); err == nil || !strings.Contains(err.Error(), "not done within 1ns") {
		t.Errorf("error %v, want one that names the limit", err)
	}
}
