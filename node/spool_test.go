package node

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLeftOversOfTheSpoolAreTakenAway: what a killed process left there goes at the next
// start, and nothing else lies there while a node waits for jobs.
func TestLeftOversOfTheSpoolAreTakenAway(t *testing.T) {
	s := newStudy(t)
	c := s.config(1)
	dir := filepath.Join(c.State, "spool")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "spool-1"), "left")
	s.start(t, c)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v: %v", left, err)
	}
}

// TestFullDiskFailsTheJob: a job whose rows a party's disk cannot take ends with an error
// that says so, at the coordinator and in the log, and the node goes on.
func TestFullDiskFailsTheJob(t *testing.T) {
	const rows = 30_000 // at each of three sites: together more than a chunk
	s := newStudy(t)
	r := s.newRoster(t)
	for i := range r.Datasets[0].Sites {
		r.Datasets[0].Sites[i].Rows = rows
		writeFile(t, s.path(s.nodes[i].Name+".csv"), "sex,age,marker\n"+strings.Repeat("1,70,10\n", rows))
	}
	s.writeRoster(t, r)
	o := openOffice(t, s)
	s.startAll(t)
	o.hellos(t)

	run := func() []string {
		t.Helper()
		j := s.job()
		j.Args = map[string]any{"columns": []string{"age"}}
		_, outcomes := runTogether(t, o, s.sign(t, j, s.alice))
		var errs []string
		for _, outcome := range outcomes {
			errs = append(errs, outcome.Error)
		}
		return errs
	}
	limit(t, 1<<20)
	for i, err := range run() {
		if !strings.Contains(err, "write a temporary file") || !strings.Contains(err, "file too large") {
			t.Errorf("hospital %d says %q", i+1, err)
		}
	}
	s.logs.wait(t, `msg="job ended"`, "state=failed", "write a temporary file")
	unlimited(t)
	for i, err := range run() {
		if err != "" {
			t.Errorf("hospital %d says %q", i+1, err)
		}
	}
}

// limit has the system refuse to write files beyond a size: a disk that is full, as far as
// a process without privileges can have one.
func limit(t *testing.T, size uint64) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unlimited(t) })
	before.Cur = size
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
}

// unlimited takes the limit away.
func unlimited(t *testing.T) {
	t.Helper()
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
	now.Cur = now.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
}
