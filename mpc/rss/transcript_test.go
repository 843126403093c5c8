package rss_test

import (
	"runtime"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/testkit"
)

// record runs everything on inputs of a salt and returns the transcript.
func record(t *testing.T, seed uint64, n int, salt int64) memnet.Transcript {
	t.Helper()
	w := memnet.New(four(seed))
	x, y := vectors(n, salt)
	if err := w.Run(func(s *mpc.Session) error { return everything(s, x, y) }); err != nil {
		t.Fatal(err)
	}
	return w.Transcript()
}

func TestGoldenTranscript(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		tr := record(t, 7, 3, 11)
		testkit.Golden(t, "transcript.golden", tr.String())
		testkit.Golden(t, "openings.golden", strings.Join(tr.Openings(), "\n")+"\n")
	}
}

func TestShapeDoesNotDependOnInputs(t *testing.T) {
	a, b := record(t, 1, 5, 1), record(t, 1, 5, -123456789)
	if a.Shape() != b.Shape() {
		t.Errorf("shapes differ:\n%s\n%s", a.Shape(), b.Shape())
	}
	if a.String() == b.String() {
		t.Error("contents are equal for different inputs: the test compares nothing")
	}
	if c := record(t, 1, 6, 1); a.Shape() == c.Shape() {
		t.Error("another length has the same shape: the test compares nothing")
	}
}

// With other coins but the same inputs no frame of a masked step is the same.
func TestCoinsMaskEveryFrame(t *testing.T) {
	a, b := record(t, 1, 5, 1), record(t, 2, 5, 1)
	for i, r := range a {
		if o := b[i]; r.Hash == o.Hash {
			t.Errorf("%s %d>%d is the same with other coins", r.Step, r.From, r.To)
		}
	}
}
