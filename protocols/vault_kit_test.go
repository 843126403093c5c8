package protocols

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"filippo.io/age"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// vaultInMemory is a Vault that does everything the obvious way. Epochs are on disk all
// the same: that is how they are copied.
type vaultInMemory struct {
	t   testing.TB
	dir string
	key *age.X25519Identity

	mu      sync.Mutex
	epochs  map[job.Hash]*mhe.Budget
	newest  job.Hash // zero: none
	deposit *depositInMemory
	pending int   // changes that were neither committed nor discarded
	open    int   // stored deposits that were not closed
	full    error // what every write gets, if not nil
}

type depositInMemory struct {
	Deposit
	ciphertexts map[string][]byte
}

func newVault(t testing.TB) *vaultInMemory {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return &vaultInMemory{t: t, dir: t.TempDir(), key: key, epochs: map[job.Hash]*mhe.Budget{}}
}

func (v *vaultInMemory) path(id job.Hash, what string) string {
	return filepath.Join(v.dir, id.Short()+what)
}

func (v *vaultInMemory) load(id job.Hash) (*mhe.Epoch, *mhe.Budget, error) {
	if id == (job.Hash{}) {
		return nil, nil, ErrNoEpoch
	}
	e, err := mhe.LoadEpoch(v.path(id, ".age"), v.key)
	return e, v.epochs[id], err
}

// Epoch implements Vault.
func (v *vaultInMemory) Epoch() (*mhe.Epoch, *mhe.Budget, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.load(v.newest)
}

// KeepEpoch implements Vault.
func (v *vaultInMemory) KeepEpoch(e *mhe.Epoch) (Change, error) {
	if v.full != nil {
		return nil, v.full
	}
	id := job.Hash(e.ID)
	if err := e.Save(v.path(id, ".age"), v.key.Recipient()); err != nil {
		return nil, err
	}
	budget, err := mhe.NewBudget(v.path(id, ".budget"), e)
	if err != nil {
		return nil, err
	}
	return v.begin(func() { v.epochs[id], v.newest = budget, id }), nil
}

// changeInMemory is a Change.
type changeInMemory struct {
	vault *vaultInMemory
	apply func()
}

func (v *vaultInMemory) begin(apply func()) *changeInMemory {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending++
	return &changeInMemory{v, apply}
}

func (c *changeInMemory) end(apply func()) {
	c.vault.mu.Lock()
	defer c.vault.mu.Unlock()
	c.vault.pending--
	apply()
}

func (c *changeInMemory) Commit() error { c.end(c.apply); return nil }
func (c *changeInMemory) Discard()      { c.end(func() {}) }

type depositChangeInMemory struct {
	*changeInMemory
	*depositInMemory
}

// KeepDeposit implements Vault.
func (v *vaultInMemory) KeepDeposit(d *Deposit) (DepositChange, error) {
	if d.Manifests != nil || d.Signatures != nil || d.Job == (job.Hash{}) || d.Epoch == (job.Hash{}) {
		return nil, errors.New("the deposit does not begin as it must")
	}
	fresh := &depositInMemory{Deposit: *d, ciphertexts: map[string][]byte{}}
	return &depositChangeInMemory{v.begin(func() { v.deposit = fresh }), fresh}, nil
}

func keyOf(site mpc.PartyID, column, k int) string { return fmt.Sprint(site, column, k) }

// Put implements DepositChange.
func (c *depositChangeInMemory) Put(site mpc.PartyID, column, k int, frame []byte) error {
	key := keyOf(site, column, k)
	if c.vault.full != nil {
		return c.vault.full
	}
	if c.ciphertexts[key] != nil || c.Manifests != nil {
		return errors.New("a ciphertext comes twice, or too late")
	}
	c.ciphertexts[key] = slices.Clone(frame)
	return nil
}

// Sign implements DepositChange.
func (c *depositChangeInMemory) Sign(manifests, signatures [][]byte) error {
	c.Manifests, c.Signatures = manifests, signatures
	return nil
}

// storedInMemory is a StoredDeposit.
type storedInMemory struct {
	vault *vaultInMemory
	*depositInMemory
}

// Deposit implements Vault.
func (v *vaultInMemory) Deposit() (StoredDeposit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.deposit == nil {
		return nil, ErrNoDeposit
	}
	v.open++
	return &storedInMemory{v, v.deposit}, nil
}

func (d *storedInMemory) Deposit() *Deposit { return &d.depositInMemory.Deposit }

func (d *storedInMemory) Key() (*mhe.Epoch, *mhe.Budget, error) {
	d.vault.mu.Lock()
	defer d.vault.mu.Unlock()
	if d.vault.epochs[d.Epoch] == nil {
		return nil, nil, ErrNoEpoch
	}
	return d.vault.load(d.Epoch)
}

func (d *storedInMemory) Ciphertext(site mpc.PartyID, column, k int) ([]byte, error) {
	frame := d.ciphertexts[keyOf(site, column, k)]
	if frame == nil {
		return nil, errors.New("it is not here")
	}
	return slices.Clone(frame), nil
}

func (d *storedInMemory) Close() {
	d.vault.mu.Lock()
	defer d.vault.mu.Unlock()
	d.vault.open--
}

// Withdraw implements Vault.
func (v *vaultInMemory) Withdraw() (Change, error) {
	v.mu.Lock()
	none := v.deposit == nil
	v.mu.Unlock()
	if none {
		return nil, ErrNoDeposit
	}
	return v.begin(func() { v.deposit = nil }), nil
}

// vaults are a study with a vault at every node.
type vaults struct {
	*study
	of []*vaultInMemory
}

func withVaults(s *study) *vaults {
	v := &vaults{study: s}
	for range s.nodes {
		v.of = append(v.of, newVault(s.t))
	}
	return v
}

// try is a trial of a job under engine mhe, at nodes with their vaults. It checks that
// nothing is left open in them.
func (v *vaults) try(a ask, change func(j *job.Job)) *trial {
	v.t.Helper()
	j := v.job(a)
	j.Engine = job.EngineMHE
	if change != nil {
		change(j)
	}
	tr := v.study.try(v.sign(j))
	plan, err := PlanJob(j, v.roster.Roster)
	v.must(err)
	tr.task = func(i int, task *Task) {
		task.Vault = v.of[i]
		if !plan.ReadsRows() {
			task.Data = nil
		}
	}
	return tr
}

// do runs a job that must end well.
func (v *vaults) do(a ask, change func(j *job.Job)) *Result {
	v.t.Helper()
	r := v.try(a, change).succeed()
	v.tidy()
	return r
}

// tidy checks that no job left anything half done.
func (v *vaults) tidy() {
	v.t.Helper()
	for i, vault := range v.of {
		if vault.pending != 0 || vault.open != 0 {
			v.t.Errorf("%s: %d changes pending, %d deposits open", v.nodes[i].Name, vault.pending, vault.open)
		}
	}
}

// stored makes a job one on what is deposited, answered by those nodes.
func stored(nodes ...string) func(j *job.Job) {
	return func(j *job.Job) { j.Stored, j.Nodes = true, nodes }
}

// hospitals are names of nodes.
func hospitals(numbers ...int) []string {
	var names []string
	for _, n := range numbers {
		names = append(names, fmt.Sprintf("hospital-%d", n))
	}
	return names
}
