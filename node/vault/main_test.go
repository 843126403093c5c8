package vault

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/statedir"
	"consilium/protocols"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, keepOn(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// hospitals hold two key epochs together, of which any two answer, one after the other.
var hospitals = []string{"hospital-1", "hospital-2", "hospital-3"}

const openings = 100

// epochs are what each hospital has of the two. Tests do not erase them.
var epochs = sync.OnceValues(func() ([2][]*mhe.Epoch, error) {
	var made [2][]*mhe.Epoch
	q, err := mhe.NewQuorum([]mpc.PartyID{0, 1, 2}, 2)
	for i := range made {
		if err == nil {
			made[i], err = memnet.Collect(memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), func(s *mpc.Session) (*mhe.Epoch, error) {
				return mhe.MakeEpoch(s, q, 30, openings), nil
			})
		}
	}
	return made, err
})

func theEpochs(t testing.TB) [2][]*mhe.Epoch {
	t.Helper()
	e, err := epochs()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// columns are what a site deposits: its numbers, and one for each row.
func columns(site int) map[string][]int64 {
	x := []int64{int64(site) + 3, -5, int64(10 * site)}[:site+1]
	return map[string][]int64{"x": x, "one": []int64{1, 1, 1}[:site+1]}
}

// sheaf is what all sites deposit in one job, with the ciphertexts.
type sheaf struct {
	deposit *protocols.Deposit
	frames  map[place][]byte
	keys    []ed25519.PublicKey
}

// deposits makes a deposit of some sites under their epochs, which the named nodes keep.
func deposits(held []*mhe.Epoch, id job.Hash, at ...string) (*sheaf, error) {
	d := &sheaf{deposit: &protocols.Deposit{Job: id, Epoch: held[0].ID, At: at}, frames: make(map[place][]byte)}
	for i, e := range held {
		site := mpc.PartyID(i)
		m, err := e.NewManifest(site, i+1)
		if err != nil {
			return nil, err
		}
		for column, name := range []string{"x", "one"} {
			if err := e.Deposit(m, name, 6, columns(i)[name], func(k int, frame []byte) error {
				d.frames[place{site, column, k}] = slices.Clone(frame)
				return nil
			}); err != nil {
				return nil, err
			}
		}
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, err
		}
		d.keys = append(d.keys, public)
		d.deposit.Manifests = append(d.deposit.Manifests, m.Bytes())
		d.deposit.Signatures = append(d.deposit.Signatures, ed25519.Sign(private, m.Bytes()))
	}
	return d, nil
}

func newSheaf(t testing.TB, held []*mhe.Epoch, id job.Hash, at ...string) *sheaf {
	t.Helper()
	d, err := deposits(held, id, at...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write begins to keep the deposit, and signs it.
func (d *sheaf) write(v *Vault) (protocols.DepositChange, error) {
	bare := *d.deposit
	bare.Manifests, bare.Signatures = nil, nil
	c, err := v.KeepDeposit(&bare)
	if err != nil {
		return nil, err
	}
	if slices.Contains(bare.At, v.self) {
		for p, frame := range d.frames {
			if err := c.Put(p.site, p.column, p.k, frame); err != nil {
				return c, err
			}
		}
	}
	return c, c.Sign(d.deposit.Manifests, d.deposit.Signatures)
}

func (d *sheaf) keep(t testing.TB, v *Vault) {
	t.Helper()
	c, err := d.write(v)
	if err == nil {
		err = c.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func keepEpoch(t testing.TB, v *Vault, e *mhe.Epoch) {
	t.Helper()
	c, err := v.KeepEpoch(e)
	if err == nil {
		err = c.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// home is one node's vault of the dataset lung, over restarts.
type home struct {
	Config
	store *Store
	log   bytes.Buffer
}

func newHome(t testing.TB, self string) *home {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "vault.key")
	if err := MakeKey(key); err != nil {
		t.Fatal(err)
	}
	h := &home{Config: Config{Dir: filepath.Join(dir, "vault"), Self: self, Datasets: []string{"lung"}}}
	h.Log = slog.New(slog.NewTextHandler(&h.log, nil))
	var err error
	if h.Key, err = LoadKey(key); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.close(t) })
	return h
}

// open starts the node anew.
func (h *home) open(t testing.TB) *Vault {
	t.Helper()
	h.close(t)
	var err error
	if h.store, err = Open(h.Config); err != nil {
		t.Fatal(err)
	}
	return h.store.Dataset("lung")
}

func (h *home) close(t testing.TB) {
	t.Helper()
	if h.store != nil {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
		h.store = nil
	}
}

// names lists what is on disk of the dataset, but for the state file.
func (h *home) names(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.Dir, "lung"))
	if err != nil {
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

func epochName(e *mhe.Epoch) string { return epochPrefix + job.Hash(e.ID).String() }

// want compares what is on disk.
func (h *home) want(t testing.TB, names ...string) {
	t.Helper()
	slices.Sort(names)
	if got := h.names(t); !slices.Equal(got, names) {
		t.Errorf("on disk: %q, want %q", got, names)
	}
}

// clear tells whether an error is one line that names no path and no key.
func (h *home) clear(err error) bool {
	text := err.Error()
	return len(text) < 300 && !strings.ContainsAny(text, "\n\r") && !strings.Contains(text, h.Dir) && !strings.Contains(text, "AGE-SECRET")
}
