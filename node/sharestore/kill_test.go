package sharestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"consilium/job"
	"consilium/node/vault"
	"consilium/protocols"
	"consilium/testkit"
)

// kills is how often a process that changes its store is killed.
func kills() int {
	if os.Getenv("CONSILIUM_SOAK") == "1" {
		return 200
	}
	return 10
}

// Of a process that does nothing but change a store.
const (
	childDir   = "CONSILIUM_SHARES_TEST"
	childStart = "CONSILIUM_SHARES_TEST_START"
	childKey   = "vault.key"
)

// The process does, over and over: a deposit of 4 chunks, an addition of 3, a refresh of
// all 7, a withdrawal. Every other version is confirmed only by the step after it.
func step(d *Dataset, n int) error {
	var c protocols.ShareChange
	var err error
	switch n % 4 {
	case 0:
		c, err = write(d, job.Hash{}, n, 4, 0)
	case 1:
		c, err = write(d, snapshotOf(n-1, 1).ID, n, 7, 4)
	case 2:
		c, err = write(d, snapshotOf(n-1, 1).ID, n, 7, 0)
	default:
		w, err := d.Withdraw(context.Background())
		if err != nil {
			return err
		}
		return w.Commit()
	}
	if err != nil {
		return err
	}
	if err := c.Commit(); err != nil {
		return err
	}
	if n/4%2 == 0 {
		c.Confirm()
	}
	return nil
}

// after checks that what is in force is what step n leaves: its own version can be read,
// and the one before too where it is still there.
func after(t *testing.T, d *Dataset, n int) error {
	t.Helper()
	got := ids(t, d)
	if n < 0 || n%4 == 3 {
		if len(got) > 0 {
			return fmt.Errorf("versions %v after a withdrawal", got)
		}
		return nil
	}
	if len(got) == 0 || got[0] != n || len(got) == 2 && got[1] != n-1 {
		return fmt.Errorf("versions %v", got)
	}
	for _, v := range got {
		chunks, first := 7, 0
		switch v % 4 {
		case 0:
			chunks = 4
		case 1:
			first = 4
		}
		if err := check(d, v, chunks, first, v-1); err != nil {
			return err
		}
	}
	return nil
}

func openStepStore(dir string, log io.Writer) (*Store, error) {
	key, err := vault.LoadKey(filepath.Join(dir, childKey))
	if err != nil {
		return nil, err
	}
	return Open(Config{Dir: filepath.Join(dir, "shares"), Key: key, Self: "hospital-1", Datasets: []string{"lung"}, Log: slog.New(slog.NewTextHandler(log, nil))})
}

// keepOn changes a store until the process is killed, and tells of every step that is done.
func keepOn(dir string) error {
	store, err := openStepStore(dir, os.Stderr)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(os.Getenv(childStart))
	for ; err == nil; n++ {
		if err = step(store.Dataset("lung"), n); err == nil {
			_, err = fmt.Println(n)
		}
	}
	return errors.Join(err, store.Close())
}

// A process that changes its store is killed, again and again: the last complete version
// can be read, or with it the one that the process was at; and nothing else is on disk.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	must(t, vault.MakeKey(filepath.Join(dir, childKey)))
	next, torn := 0, 0
	for range kills() {
		done := killed(t, dir, next)
		before := countIn(t, dir)
		store, err := openStepStore(dir, io.Discard)
		must(t, err)
		d := store.Dataset("lung")
		err = after(t, d, done)
		if ahead := after(t, d, done+1); err != nil && ahead == nil {
			done, err = done+1, nil
		}
		if err != nil {
			t.Fatalf("step %d was done: %v", done, err)
		}
		named := 0
		for _, v := range d.now {
			named += 1 + len(v.rows)
		}
		if got := namesIn(t, filepath.Join(dir, "shares", "lung")); len(got) > named {
			t.Errorf("after step %d: %q is left, of %d", done, got, named)
		}
		if countIn(t, dir) < before {
			torn++
		}
		next = done + 1
		must(t, store.Close())
	}
	t.Logf("%d steps, %d of %d kills left something half done", next, torn, kills())
}

// countIn counts all files of the store.
func countIn(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "shares", "lung", "*"))
	must(t, err)
	inside, err := filepath.Glob(filepath.Join(dir, "shares", "lung", "*", "*"))
	must(t, err)
	hidden, err := filepath.Glob(filepath.Join(dir, "shares", "lung", ".*"))
	must(t, err)
	return len(files) + len(inside) + len(hidden)
}

// killed runs the process from step next on, kills it at a random moment, and returns the
// last step that it had said to be done.
func killed(t *testing.T, dir string, next int) int {
	t.Helper()
	p := testkit.Steps{
		Env:  []string{childDir + "=" + dir, childStart + "=" + strconv.Itoa(next)},
		Most: 4, Delay: 60 * time.Millisecond,
	}
	return p.Killed(t, next)
}
