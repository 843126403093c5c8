package main

import (
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

// TestKilledParties kills a party at a random moment of a deposit, an addition or a
// refresh, again and again: once it is back, jobs answer from what was there before, or
// from what was to come, and the next change goes on from that.
func TestKilledParties(t *testing.T) {
	trials := 3
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
	sums := func() string {
		t.Helper()
		stdout, err := run("run", "--json", path)
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
	all := []string{"deposit", "visits", "--engine", "shares"}
	more := []string{"deposit", "visits", "--engine", "shares", "--append", "--sites", "hospital-2,hospital-4"}
	_, err := run(few...)
	must(t, err)
	now, changed := "170", 0
	for range trials {
		ask, next := []string{"refresh", "visits"}, now
		switch kind := rand.IntN(3); {
		case kind == 0 && now == "170":
			ask, next = more, "220"
		case kind == 0:
			ask, next = few, "170"
		case kind == 1:
			ask, next = all, "220"
		}
		victim := fmt.Sprintf("hospital-%d", 1+rand.IntN(3))
		kill := time.AfterFunc(rand.N(250*time.Millisecond), func() { _ = w.network.Signal(victim, syscall.SIGKILL) })
		_, failed := run(ask...)
		if kill.Stop() {
			_ = w.network.Signal(victim, syscall.SIGKILL)
		}
		must(t, w.network.Run(victim))
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
