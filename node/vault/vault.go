package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"consilium/job"
	"consilium/mpc/mhe"
	"consilium/node/statedir"
	"consilium/protocols"
)

// Vault is a node's vault of one dataset.
type Vault struct {
	dataset, dir, self string
	key                *Key
	log                *slog.Logger

	mu     sync.Mutex
	broken error // why nothing of it can be used
	now    force
	epochs map[job.Hash]*epoch // all that somebody uses
}

var _ protocols.Vault = (*Vault)(nil)

// force is what is in force; nil is nothing.
type force struct {
	epoch   *epoch
	deposit *deposit
}

func (f force) hold() {
	if f.epoch != nil {
		f.epoch.hold()
	}
	if f.deposit != nil {
		f.deposit.hold()
	}
}

func (f force) release() {
	if f.epoch != nil {
		f.epoch.release()
	}
	if f.deposit != nil {
		f.deposit.release()
	}
}

func (f force) state() state {
	var s state
	if f.epoch != nil {
		s.epoch = f.epoch.id
	}
	if d := f.deposit; d != nil {
		s.deposit, s.under, s.held = d.id, d.epoch, d.under != nil
	}
	return s
}

// epoch is one that is on disk.
type epoch struct {
	kept
	budget *mhe.Budget // the one that this process has
	err    error       // why it cannot be used
}

// open reads what is in force.
func open(c *Config, dataset string) *Vault {
	v := &Vault{
		dataset: dataset, dir: filepath.Join(c.Dir, dataset), self: c.Self, key: c.Key,
		log: c.Log.With("dataset", dataset), epochs: make(map[job.Hash]*epoch),
	}
	if v.broken = v.load(); v.broken != nil {
		v.log.Error("the vault cannot be used, and nothing in it is touched; to begin anew, move its directory away, start again, and have the sites rekey and deposit",
			"directory", v.dir, "error", statedir.Line(v.broken))
	}
	return v
}

func (v *Vault) load() error {
	b, found, err := statedir.Read(v.dir, ours)
	if errors.Is(err, statedir.ErrMissing) {
		return fmt.Errorf("its %w", err)
	}
	if err != nil || !found {
		return err
	}
	s, err := parseState(b)
	if err != nil {
		return fmt.Errorf("its state file: %w", err)
	}
	var now force
	if s.epoch != (job.Hash{}) {
		now.epoch = v.loadEpoch(s.epoch)
	}
	if s.deposit != (job.Hash{}) {
		now.deposit = v.loadDeposit(s)
	}
	now.hold()
	v.now = now
	v.sweep()
	return nil
}

// loadEpoch finds an epoch on disk, reads it once for its budget, and says to the log
// what is wrong with it.
func (v *Vault) loadEpoch(id job.Hash) *epoch {
	if e := v.epochs[id]; e != nil {
		return e
	}
	e := v.newEpoch(id)
	key, err := e.read()
	if err == nil {
		e.budget, err = mhe.LoadBudget(filepath.Join(e.path, budgetFile), key)
		key.Erase()
	}
	switch {
	case errors.Is(err, mhe.ErrOldEpoch): // which tells nothing of the disk, and whoever asks can mend it
		e.err = fmt.Errorf("its key epoch %s: %w", id.Short(), mhe.ErrOldEpoch)
		v.log.Error("the vault has a key that cannot answer any more", "error", statedir.Line(e.err))
	case err != nil:
		e.err = v.trouble("cannot read the key epoch "+id.Short(),
			fmt.Errorf("%w; if vault_key names another file than then, name that one; otherwise this piece of the key is lost: have the sites rekey and deposit anew", err))
	}
	return e
}

func (v *Vault) newEpoch(id job.Hash) *epoch {
	e := &epoch{kept: kept{vault: v, id: id, path: v.directory(epochPrefix, id)}}
	e.gone = func() { delete(v.epochs, id) }
	v.epochs[id] = e
	return e
}

// read reads the epoch from disk.
func (e *epoch) read() (*mhe.Epoch, error) {
	key, err := mhe.LoadEpoch(filepath.Join(e.path, keyFile), e.vault.key.identity)
	if err != nil {
		return nil, err
	}
	if key.ID != e.id {
		key.Erase()
		return nil, fmt.Errorf("%s holds another epoch", e.path)
	}
	return key, nil
}

// open gives the epoch to somebody who will erase it, with its budget.
func (e *epoch) open() (*mhe.Epoch, *mhe.Budget, error) {
	if e.err != nil {
		return nil, nil, e.err
	}
	key, err := e.read()
	if err != nil {
		return nil, nil, e.vault.trouble("cannot read the key epoch "+e.id.Short(), err)
	}
	return key, e.budget, nil
}

// trouble tells the operator's log what is wrong, and returns what others may hear.
func (v *Vault) trouble(what string, err error) error {
	v.log.Error("the vault "+what, "error", statedir.Line(err))
	return fmt.Errorf("its vault of dataset %s %s; its operator's log says why", v.dataset, what)
}

// ready returns an error when nothing of the vault can be used.
func (v *Vault) ready() error {
	if v.broken != nil {
		return v.trouble("cannot be used", v.broken)
	}
	return nil
}

// Epoch implements protocols.Vault. The caller erases the epoch.
func (v *Vault) Epoch() (*mhe.Epoch, *mhe.Budget, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.ready(); err != nil {
		return nil, nil, err
	}
	if v.now.epoch == nil {
		return nil, nil, protocols.ErrNoEpoch
	}
	return v.now.epoch.open()
}

// Left returns how many ciphertexts may still be opened under the key of what is
// deposited, or, where nothing is, under the newest; false where there is none.
func (v *Vault) Left() (int, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.now.epoch
	if v.now.deposit != nil {
		e = v.now.deposit.under
	}
	if e == nil || e.budget == nil {
		return 0, false
	}
	return e.budget.Left(), true
}

// KeepEpoch implements protocols.Vault.
func (v *Vault) KeepEpoch(key *mhe.Epoch) (protocols.Change, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.ready(); err != nil {
		return nil, err
	}
	id := job.Hash(key.ID)
	if v.epochs[id] != nil {
		return nil, fmt.Errorf("key epoch %s is kept already", id.Short())
	}
	e := v.newEpoch(id)
	e.hold()
	if err := e.write(key); err != nil {
		e.release()
		return nil, v.trouble("cannot be written", err)
	}
	return v.newChange(&e.kept, func(now force) (force, error) {
		now.epoch = e
		return now, nil
	}), nil
}

func (e *epoch) write(key *mhe.Epoch) error {
	err := e.vault.makeDir(e.path)
	if err == nil {
		err = key.Save(filepath.Join(e.path, keyFile), e.vault.key.identity.Recipient())
	}
	if err == nil {
		e.budget, err = mhe.NewBudget(filepath.Join(e.path, budgetFile), key)
	}
	return err
}

// makeDir makes a directory for something new, in that of the dataset.
func (v *Vault) makeDir(path string) error {
	if err := statedir.Make(v.dir, v.now != (force{}), state{}.encode()); err != nil {
		return err
	}
	return os.Mkdir(path, 0o700)
}

// enter puts a state into force, on disk and then here. After an error the one before
// holds.
func (v *Vault) enter(next force) error {
	if err := job.SyncDir(v.dir); err != nil {
		return v.trouble("cannot be written", err)
	}
	broken, err := statedir.Replace(v.dir, next.state().encode(), v.now.state().encode())
	if err != nil {
		v.broken = broken
		return v.trouble("cannot be written", err)
	}
	next.hold()
	v.now.release()
	v.now = next
	return nil
}
