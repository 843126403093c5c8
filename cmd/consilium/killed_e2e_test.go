package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"consilium/cmd/consilium/setup"
	"consilium/job"
)

// nothing is what jobs answer from where nothing is deposited.
const nothing = "nothing"

// TestKilledParties kills a party at a random moment of a deposit, an addition, a refresh
// or a withdrawal, again and again: once it is back, jobs answer from what was there
// before, or from what was to come, or all are told that a withdrawal has begun; and the
// next change goes on from that.
func TestKilledParties(t *testing.T) {
	trials := 10
	if os.Getenv("CONSILIUM_SOAK") == "1" {
		trials = 200
	}
	w := newVaultWorld(t, job.Vault{}, "", fileA, "", fileB, fileC)
	must(t, setup.SetDecideTimeout(w.layout.Central.Dir, 2*time.Second))
	must(t, w.network.Signal("coordinator", syscall.SIGKILL))
	must(t, w.network.Run("coordinator"))
	must(t, w.network.Ready(t.Context()))
	path := filepath.Join(t.TempDir(), "job.yaml")
	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nstored: true\nengine: shares\n")
	run := func(args ...string) (stdout string, err error) {
		stdout, stderr, code := program(t, append(args, "--yes", "--client", w.layout.ClientDir())...)
		if code != 0 {
			err = fmt.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
		return stdout, err
	}
	// sums is what jobs answer from: few rows, all, or nothing.
	sums := func() string {
		t.Helper()
		stdout, err := run("run", "--json", path)
		if err != nil && strings.Contains(err.Error(), "nothing of this dataset is deposited as shares") {
			return nothing
		}
		must(t, err)
		for _, sum := range []string{"170", "220"} {
			if strings.Contains(stdout, `"sum": `+sum) {
				return sum
			}
		}
		t.Fatalf("neither version answers:\n%s", stdout)
		return ""
	}
	few := []string{"deposit", "visits", "--engine", "shares", "--rows", "1"}
	now, changed := nothing, 0
	begin := func(goesOn bool) { // with few rows, where a change cannot go on
		t.Helper()
		if !goesOn {
			_, err := run(few...)
			must(t, err)
			now = "170"
		}
	}
	for trial := range trials {
		var ask []string
		var next string
		switch trial % 4 {
		case 0:
			ask, next = []string{"deposit", "visits", "--engine", "shares"}, "220"
		case 1:
			begin(now == "170")
			ask, next = []string{"deposit", "visits", "--engine", "shares", "--append", "--sites", "hospital-2,hospital-4"}, "220"
		case 2:
			begin(now != nothing)
			ask, next = []string{"refresh", "visits"}, now
		default:
			begin(now != nothing)
			ask, next = []string{"withdraw", "visits", "--engine", "shares"}, nothing
		}
		victim := fmt.Sprintf("hospital-%d", 1+rand.IntN(3))
		back := make(chan error, 1)
		time.AfterFunc(rand.N(150*time.Millisecond), func() {
			back <- errors.Join(w.network.Signal(victim, syscall.SIGKILL), w.network.Run(victim))
		})
		_, failed := run(ask...)
		must(t, <-back)
		must(t, w.network.Ready(t.Context()))
		got := sums()
		if got != next && (got != now || failed == nil) {
			t.Fatalf("%v with %s killed: sums were %s and are %s; the job: %v", ask, victim, now, got, failed)
		}
		if now = got; failed == nil {
			changed++
		}
	}
	t.Logf("%d of %d jobs ended well", changed, trials)
}
