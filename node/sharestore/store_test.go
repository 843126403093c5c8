package sharestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"consilium/job"
	"consilium/node/statedir"
	"consilium/protocols"
)

// What is in force can be read, now and after a start; what it replaces stays until it is
// confirmed; and chunks that two versions share are written once.
func TestVersions(t *testing.T) {
	h := newHome(t)
	d := h.open(t)
	keep(t, d, job.Hash{}, 0, 4, 0, false)
	must(t, check(d, 0, 4, 0, 0))
	keep(t, d, snapshotOf(0, 1).ID, 1, 6, 4, false)
	for range 2 {
		if got := ids(t, d); !slices.Equal(got, []int{1, 0}) {
			t.Errorf("versions %v", got)
		}
		must(t, check(d, 1, 6, 4, 0))
		must(t, check(d, 0, 4, 0, 0))
		d = h.open(t)
	}
	// The next begins with the newest, and gives the one before up.
	c, err := write(d, snapshotOf(1, 1).ID, 2, 6, 0)
	must(t, err)
	if got := ids(t, d); !slices.Equal(got, []int{1}) {
		t.Errorf("versions %v", got)
	}
	hurried, stop := context.WithCancel(t.Context()) // does not wait for the change to end
	stop()
	if _, err := d.Begin(hurried, job.Hash{}); !errors.Is(err, protocols.ErrShareChange) {
		t.Errorf("a second change: %v", err)
	}
	if _, err := d.Withdraw(hurried); !errors.Is(err, protocols.ErrShareChange) {
		t.Errorf("a withdrawal beside a change: %v", err)
	}
	reader, err := d.Open(snapshotOf(1, 1).ID)
	must(t, err)
	must(t, c.Commit())
	c.Confirm()
	if _, err := reader.Block(0, 1); err != nil { // it stays while it is read
		t.Error(err)
	}
	reader.Close()
	must(t, check(d, 2, 6, 0, 0))
	if names := h.names(t); len(names) != 2 {
		t.Errorf("on disk: %q", names)
	}
	// All go back to the version before.
	keep(t, d, snapshotOf(2, 1).ID, 3, 6, 0, false)
	c, err = d.Begin(t.Context(), snapshotOf(2, 1).ID)
	must(t, err)
	begun := make(chan error)
	go func() {
		next, err := d.Begin(t.Context(), snapshotOf(2, 1).ID)
		if err == nil {
			next.Discard()
		}
		begun <- err
	}()
	c.Discard() // for which the next one waits
	must(t, <-begun)
	d = h.open(t)
	must(t, check(d, 2, 6, 0, 0))
	w, err := d.Withdraw(t.Context())
	must(t, err)
	must(t, w.Commit())
	if _, err := d.Withdraw(t.Context()); !errors.Is(err, protocols.ErrNoShares) {
		t.Errorf("a second withdrawal: %v", err)
	}
	if names := h.names(t); len(names) > 0 {
		t.Errorf("on disk after a withdrawal: %q", names)
	}
	d = h.open(t)
	if _, err := d.Open(snapshotOf(2, 1).ID); !errors.Is(err, protocols.ErrNoShares) {
		t.Errorf("after a withdrawal: %v", err)
	}
}

// A version that lacks something, or has too much, is not finished; one that is given up
// leaves nothing.
func TestUnfinished(t *testing.T) {
	h := newHome(t)
	d := h.open(t)
	keep(t, d, job.Hash{}, 0, 3, 0, true)
	for what, put := range map[string]func(c protocols.ShareChange) error{
		"nothing":  func(protocols.ShareChange) error { return nil },
		"too much": func(c protocols.ShareChange) error { return c.PutHead(7, headFor(1, 7)) },
		"twice a one": func(c protocols.ShareChange) error {
			return errors.Join(c.PutHead(0, headFor(1, 0)), c.PutHead(0, headFor(1, 0)))
		},
	} {
		c, err := d.Begin(t.Context(), snapshotOf(0, 1).ID)
		must(t, err)
		err = put(c)
		if err == nil {
			err = c.Finish(&protocols.ShareVersion{Snapshot: snapshotOf(1, 1), Party: true}, 0)
		}
		if err == nil || !h.clear(err) {
			t.Errorf("%s: %v", what, err)
		}
		if err := c.Commit(); err == nil {
			t.Errorf("%s: it is in force", what)
		}
	}
	must(t, check(d, 0, 3, 0, 0))
	if names := h.names(t); len(names) != 2 {
		t.Errorf("on disk: %q", names)
	}
}

// What a site that is no party keeps: how far its rows went.
func TestSite(t *testing.T) {
	h := newHome(t)
	h.Self = "hospital-4"
	d := h.open(t)
	c, err := d.Begin(t.Context(), job.Hash{})
	must(t, err)
	source := &protocols.ShareSource{Rows: 17, Digest: [32]byte{3}}
	must(t, c.Finish(&protocols.ShareVersion{Snapshot: snapshotOf(0, 3), Site: source}, 0))
	must(t, c.Commit())
	d = h.open(t)
	versions, err := d.Versions()
	must(t, err)
	if len(versions) != 1 || versions[0].Party || *versions[0].Site != *source {
		t.Errorf("got %+v", versions)
	}
	if _, err := d.Open(snapshotOf(0, 1).ID); !errors.Is(err, protocols.ErrNoShares) {
		t.Errorf("got %v", err)
	}
}

// Whatever happens to a file of chunks, the version says which, and the rest can be read.
func TestDamage(t *testing.T) {
	flip := func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		must(t, err)
		b[len(b)/2] ^= 1
		must(t, os.WriteFile(path, b, 0o600))
	}
	for what, spoil := range map[string]func(t *testing.T, dir string){
		"flipped":   func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "0-1.arrow")) },
		"truncated": func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "0-1.arrow"), 100)) },
		"emptied":   func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "0-1.arrow"), 0)) },
		"swapped": func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, "1-1.arrow"), filepath.Join(dir, "0-1.arrow")))
			must(t, os.WriteFile(filepath.Join(dir, "1-1.arrow"), nil, 0o600))
		},
	} {
		h := newHome(t)
		d := h.open(t)
		keep(t, d, job.Hash{}, 0, 4, 0, true)
		spoil(t, filepath.Join(h.Dir, "lung", h.rows(t)))
		d = h.open(t)
		r, err := d.Open(snapshotOf(0, 1).ID)
		must(t, err)
		_, err = r.Block(0, 1)
		if err == nil || !h.clear(err) || !strings.Contains(err.Error(), "/0-1.arrow") || !strings.Contains(err.Error(), "dataset lung") || !strings.Contains(err.Error(), "--rebuild hospital-1") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := r.Block(0, 0); err != nil {
			t.Errorf("%s: another file: %v", what, err)
		}
		r.Close()
		// What is rebuilt takes its place.
		keep(t, d, job.Hash{}, 0, 4, 0, true)
		must(t, check(d, 0, 4, 0, 0))
	}
}

// rows is the name of the one directory of chunks.
func (h *home) rows(t testing.TB) string {
	t.Helper()
	for _, name := range h.names(t) {
		if strings.HasPrefix(name, rowsPrefix) {
			return name
		}
	}
	t.Fatal("no chunks")
	return ""
}

// A version of which a file is missing, or whose own is damaged, is none; the log says
// what to do, and a new one can be written. A state file that is damaged ends all use.
func TestLoss(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, h *home, dir string){
		"a chunk": func(t *testing.T, h *home, dir string) {
			must(t, os.Remove(filepath.Join(dir, h.rows(t), "0-1.arrow")))
		},
		"a head":    func(t *testing.T, h *home, dir string) { must(t, os.Remove(filepath.Join(dir, h.rows(t), "3.head"))) },
		"the key":   func(t *testing.T, h *home, dir string) { must(t, os.Remove(filepath.Join(dir, h.rows(t), keyFile))) },
		"all":       func(t *testing.T, h *home, dir string) { must(t, os.RemoveAll(filepath.Join(dir, h.rows(t)))) },
		"version":   func(t *testing.T, h *home, dir string) { must(t, os.Truncate(filepath.Join(dir, h.version(t)), 90)) },
		"other key": func(t *testing.T, h *home, _ string) { h.Key = newHome(t).Key },
	} {
		h := newHome(t)
		d := h.open(t)
		keep(t, d, job.Hash{}, 0, 4, 0, true)
		spoil(t, h, filepath.Join(h.Dir, "lung"))
		d = h.open(t)
		if got, err := d.Versions(); len(got) > 0 || !errors.Is(err, protocols.ErrSharesDamaged) || !h.clear(err) || !strings.Contains(err.Error(), "--rebuild hospital-1") {
			t.Errorf("%s: versions %v, %v", what, got, err)
		}
		if !strings.Contains(h.log.String(), "--rebuild hospital-1") {
			t.Errorf("%s: the log says %s", what, h.log.String())
		}
		keep(t, d, job.Hash{}, 1, 4, 0, true)
		d = h.open(t)
		must(t, check(d, 1, 4, 0, 0))
	}
	h := newHome(t)
	keep(t, h.open(t), job.Hash{}, 0, 4, 0, true)
	before := h.names(t)
	must(t, os.Truncate(filepath.Join(h.Dir, "lung", statedir.File), 30))
	d := h.open(t)
	if _, err := d.Versions(); err == nil || !h.clear(err) {
		t.Errorf("a damaged state: %v", err)
	}
	if _, err := d.Begin(t.Context(), job.Hash{}); err == nil {
		t.Error("something is written beside a damaged state")
	}
	if !slices.Equal(h.names(t), before) {
		t.Error("something was removed")
	}
}

func (h *home) version(t testing.TB) string {
	t.Helper()
	for _, name := range h.names(t) {
		if strings.HasPrefix(name, versionPrefix) {
			return name
		}
	}
	t.Fatal("no version")
	return ""
}

// A disk that is full ends the change with one line, and leaves what is in force. The
// system refuses files beyond a size, which is as good.
func TestFullDisk(t *testing.T) {
	h := newHome(t)
	d := h.open(t)
	keep(t, d, job.Hash{}, 0, 4, 0, true)
	err := d.trouble("cannot be written", &os.PathError{Op: "write", Path: h.Dir, Err: syscall.ENOSPC})
	if !h.clear(err) || !strings.Contains(err.Error(), "dataset lung") || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("got %v", err)
	}
	c, err := d.Begin(t.Context(), snapshotOf(0, 1).ID)
	must(t, err)
	must(t, c.PutHead(0, headFor(1, 0)))
	h.full(t, func() { err = c.PutBlock(0, 0, blockFor(1, 0, 0)) })
	if err == nil || !h.clear(err) {
		t.Errorf("got %v", err)
	}
	c.Discard()
	must(t, check(d, 0, 4, 0, 0))
	if names := h.names(t); len(names) != 2 {
		t.Errorf("on disk: %q", names)
	}
	d = h.open(t)
	must(t, check(d, 0, 4, 0, 0))
}

// full runs f while no file may grow beyond some bytes.
func (h *home) full(t *testing.T, f func()) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	less := limit
	less.Cur = 512
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &less))
	defer func() { must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)) }()
	f()
}

func FuzzParseVersion(f *testing.F) {
	v := &protocols.ShareVersion{Snapshot: snapshotOf(0, 2), Party: true, Site: &protocols.ShareSource{Rows: 3}}
	f.Add(encodeVersion(v, []place{{"rows-0011223344556677", 0}}))
	f.Add([]byte(versionWords))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, places, err := parseVersion(b); err == nil && string(encodeVersion(v, places)) != string(b) {
			t.Error("two spellings of one version")
		}
		if names, err := parseState(b); err == nil && len(names) > maxVersions {
			t.Error("too many versions")
		}
		if _, err := parseBlock(b, 10, true); err == nil {
			t.Log("a block")
		}
	})
}
