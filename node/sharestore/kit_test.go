package sharestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/node/statedir"
	"consilium/node/vault"
	"consilium/protocols"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, keepOn(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// home is the store of party hospital-1, over restarts.
type home struct {
	Config
	store *Store
	log   bytes.Buffer
}

func newHome(t testing.TB) *home {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "vault.key")
	must(t, vault.MakeKey(key))
	h := &home{Config: Config{Dir: filepath.Join(dir, "shares"), Self: "hospital-1", Datasets: []string{"lung"}}}
	h.Log = slog.New(slog.NewTextHandler(&h.log, nil))
	var err error
	h.Key, err = vault.LoadKey(key)
	must(t, err)
	t.Cleanup(func() { h.close(t) })
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open starts the node anew.
func (h *home) open(t testing.TB) *Dataset {
	t.Helper()
	h.close(t)
	var err error
	h.store, err = Open(h.Config)
	must(t, err)
	return h.store.Dataset("lung")
}

func (h *home) close(t testing.TB) {
	t.Helper()
	if h.store != nil {
		must(t, h.store.Close())
		h.store = nil
	}
}

// names lists what is on disk of the dataset, but for the state file.
func (h *home) names(t testing.TB) []string {
	t.Helper()
	return namesIn(t, filepath.Join(h.Dir, "lung"))
}

func namesIn(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != statedir.File {
			names = append(names, e.Name())
		}
	}
	return names
}

// chunkRows is how many rows test chunks have.
const chunkRows = 100

// snapshotOf describes version n of a deposit with so many chunks.
func snapshotOf(n, chunks int) *protocols.ShareSnapshot {
	s := &protocols.ShareSnapshot{
		ID: job.Hash{1, byte(n), byte(n >> 8)}, Deposit: job.Hash{9}, Dataset: "lung", Version: n + 1, Parties: []string{"hospital-1", "hospital-2", "hospital-3"},
		Columns: []protocols.ShareColumn{{Name: "age"}, {Name: "sex"}},
	}
	for k := range chunks {
		s.Chunks = append(s.Chunks, protocols.ShareChunkInfo{Site: "hospital-4", Rows: chunkRows, Explicit: k % 3})
	}
	return s
}

// headFor and blockFor are what a test writes as chunk k of version n.
func headFor(n, k int) *protocols.ShareHead {
	seed := &mpc.Seed{byte(n), byte(n >> 8), byte(k), 1}
	h := &protocols.ShareHead{A: seed, B: seed}
	switch k % 3 { // hospital-1 has role 0
	case 0:
		h.A, h.Salt = nil, seed
	case 1:
		h.B, h.Salt = nil, seed
	}
	return h
}

func blockFor(n, k, column int) *protocols.ShareBlock {
	b := &protocols.ShareBlock{Rows: chunkRows, Bits: ring.Words{uint64(n), uint64(k)}}
	if column != protocols.PresentColumn {
		b.Codes = make(ring.Vec64, chunkRows)
		for i := range b.Codes {
			b.Codes[i] = uint64(n*1_000_000 + k*1000 + 10*i + column)
		}
	}
	return b
}

// write begins version n after base, of which the chunks from first on are new.
func write(d *Dataset, base job.Hash, n, chunks, first int) (protocols.ShareChange, error) {
	c, err := d.Begin(context.Background(), base)
	if err != nil {
		return nil, err
	}
	s := snapshotOf(n, chunks)
	for k := first; k < chunks; k++ {
		if err := c.PutHead(k, headFor(n, k)); err != nil {
			return c, err
		}
		for column := protocols.PresentColumn; column < len(s.Columns) && k%3 != 2; column++ {
			if err := c.PutBlock(k, column, blockFor(n, k, column)); err != nil {
				return c, err
			}
		}
	}
	return c, c.Finish(&protocols.ShareVersion{Snapshot: s, Party: true, Signatures: []protocols.ShareSignature{{Node: "hospital-2", Signature: []byte("signed")}}}, first)
}

func keep(t testing.TB, d *Dataset, base job.Hash, n, chunks, first int, confirm bool) {
	t.Helper()
	c, err := write(d, base, n, chunks, first)
	must(t, err)
	must(t, c.Commit())
	if confirm {
		c.Confirm()
	}
}

// check reads all of a version, of which the chunks before first are those of version old.
func check(d *Dataset, n, chunks, first, old int) error {
	r, err := d.Open(snapshotOf(n, 1).ID)
	if err != nil {
		return err
	}
	defer r.Close()
	if got := len(r.Version().Snapshot.Chunks); got != chunks {
		return fmt.Errorf("version %d has %d chunks, want %d", n, got, chunks)
	}
	for k := range chunks {
		from := n
		if k < first {
			from = old
		}
		h, err := r.Head(k)
		if err != nil {
			return err
		}
		want := headFor(from, k)
		for i, pair := range [][2]*mpc.Seed{{h.A, want.A}, {h.B, want.B}, {h.Salt, want.Salt}} {
			if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil && *pair[0] != *pair[1] {
				return fmt.Errorf("version %d, chunk %d: seed %d is another", n, k, i)
			}
		}
		for column := protocols.PresentColumn; column < 2 && k%3 != 2; column++ {
			b, err := r.Block(k, column)
			if err != nil {
				return err
			}
			if want := blockFor(from, k, column); !slices.Equal(b.Codes, want.Codes) || !slices.Equal(b.Bits, want.Bits) {
				return fmt.Errorf("version %d, chunk %d, column %d: another block", n, k, column)
			}
		}
	}
	return nil
}

func ids(t testing.TB, d *Dataset) (out []int) {
	t.Helper()
	versions, err := d.Versions()
	must(t, err)
	for _, v := range versions {
		out = append(out, v.Snapshot.Version-1)
	}
	return out
}

// clear tells whether an error is one line that names no path and no key.
func (h *home) clear(err error) bool {
	text := err.Error()
	return len(text) < 300 && !strings.ContainsAny(text, "\n\r") && !strings.Contains(text, h.Dir) && !strings.Contains(text, "AGE-SECRET")
}
