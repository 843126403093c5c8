package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
	"consilium/protocols"
)

// deposit is one that is on disk.
type deposit struct {
	kept
	epoch     job.Hash
	under     *epoch // nil where this node has no piece of its key
	described *protocols.Deposit
	manifests []*mhe.Manifest
	err       error // why it cannot be used
}

// newDeposit returns a deposit that uses its epoch as long as it lasts.
func (v *Vault) newDeposit(id, key job.Hash, under *epoch) *deposit {
	d := &deposit{kept: kept{vault: v, id: id, path: v.directory(depositPrefix, id)}, epoch: key, under: under}
	if under != nil {
		under.hold()
	}
	d.gone = func() {
		if under != nil {
			under.release()
		}
	}
	return d
}

// loadDeposit finds the deposit in force on disk, and says to the log what is wrong
// with it.
func (v *Vault) loadDeposit(s state) *deposit {
	var under *epoch
	if s.held {
		under = v.loadEpoch(s.under)
	}
	d := v.newDeposit(s.deposit, s.under, under)
	if err := d.read(); err != nil {
		d.err = v.trouble("cannot read the deposit "+d.id.Short(), fmt.Errorf("%w; have the sites deposit anew", err))
	}
	return d
}

func (d *deposit) read() error {
	b, err := job.ReadFile(filepath.Join(d.path, depositFile), maxDeposit)
	if err != nil {
		return err
	}
	described, manifests, err := parseDeposit(b)
	if err != nil {
		return err
	}
	if described.Job != d.id || described.Epoch != d.epoch {
		return errors.New("it is another deposit than the state names")
	}
	d.described, d.manifests = described, manifests
	if !d.keeps() {
		return nil
	}
	missing := 0
	for place := range d.places() {
		if info, err := os.Lstat(d.file(place)); err != nil || !info.Mode().IsRegular() {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of its ciphertexts are missing", missing)
	}
	return nil
}

// keeps tells whether this node keeps the ciphertexts.
func (d *deposit) keeps() bool { return slices.Contains(d.described.At, d.vault.self) }

// place is where a ciphertext belongs.
type place struct {
	site      mpc.PartyID
	column, k int
}

func (d *deposit) file(p place) string {
	return filepath.Join(d.path, fmt.Sprintf("%d-%d-%d", p.site, p.column, p.k))
}

// places goes through all ciphertexts of the deposit.
func (d *deposit) places() func(yield func(place) bool) {
	return func(yield func(place) bool) {
		for _, m := range d.manifests {
			for column, c := range m.Columns {
				for k := range c.Hashes {
					if !yield(place{m.Site, column, k}) {
						return
					}
				}
			}
		}
	}
}

// holds tells whether a frame is the ciphertext that its site has signed at that place.
func (d *deposit) holds(p place, frame []byte) bool {
	i := slices.IndexFunc(d.manifests, func(m *mhe.Manifest) bool { return m.Site == p.site })
	if i < 0 || p.column < 0 || p.column >= len(d.manifests[i].Columns) {
		return false
	}
	c := d.manifests[i].Columns[p.column]
	if p.k < 0 || p.k >= len(c.Hashes) {
		return false
	}
	hash, err := mhe.HashStored(d.epoch, p.site, c.Name, p.k, frame)
	return err == nil && hash == c.Hashes[p.k]
}

// KeepDeposit implements protocols.Vault. The key of the deposit's epoch is kept while
// it is written, also when the sites rekey meanwhile.
func (v *Vault) KeepDeposit(described *protocols.Deposit) (protocols.DepositChange, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.ready(); err != nil {
		return nil, err
	}
	if err := checkMaker(described); err != nil {
		return nil, err
	}
	under := v.epochs[described.Epoch]
	if under == nil && !slices.Contains(described.At, v.self) {
		return nil, errors.New("this node neither keeps the deposit's ciphertexts nor holds a piece of its key")
	}
	d := v.newDeposit(described.Job, described.Epoch, under)
	d.described = described
	d.hold()
	if err := v.makeDir(d.path); err != nil {
		d.release()
		return nil, v.trouble("cannot be written", err)
	}
	c := &depositChange{deposit: d, put: make(map[place]bool)}
	c.change = v.newChange(&d.kept, func(now force) (force, error) {
		now.deposit = d
		return now, nil
	})
	return c, nil
}

// depositChange is a deposit that is being written.
type depositChange struct {
	*change
	deposit *deposit
	put     map[place]bool
	signed  bool
}

var _ protocols.DepositChange = (*depositChange)(nil)

// Put implements protocols.DepositChange. It takes none twice.
func (c *depositChange) Put(site mpc.PartyID, column, k int, frame []byte) error {
	p := place{site, column, k}
	switch {
	case c.signed:
		return errors.New("the deposit is signed: it takes no ciphertext any more")
	case !c.deposit.keeps():
		return errNotKept
	case c.put[p]:
		return fmt.Errorf("ciphertext %d of column %d of participant %d came twice", k, column, site)
	case len(frame) > maxCiphertext:
		return fmt.Errorf("a ciphertext of %d bytes", len(frame))
	}
	if err := writeNew(c.deposit.file(p), frame); err != nil {
		return c.vault.trouble("cannot be written", err)
	}
	c.put[p] = true
	return nil
}

var errNotKept = errors.New("this node does not keep the deposit's ciphertexts")

// maxCiphertext bounds what is read of a file; ciphertexts have one twelfth of it.
const maxCiphertext = 16 << 20

// writeNew writes a file that is not there yet, durably but for its name.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// Sign implements protocols.DepositChange. At a node that keeps the ciphertexts those
// that the manifests name have been put, and no others. That each has the hash of its
// manifest the caller has seen; it is seen again whenever one is read.
func (c *depositChange) Sign(manifests, signatures [][]byte) error {
	if c.signed {
		return errors.New("the deposit is signed already")
	}
	d := c.deposit
	whole := *d.described
	whole.Manifests, whole.Signatures = manifests, signatures
	parsed, err := checkDeposit(&whole)
	if err != nil {
		return err
	}
	d.described, d.manifests = &whole, parsed
	if d.keeps() {
		named := 0
		for p := range d.places() {
			if !c.put[p] {
				return fmt.Errorf("ciphertext %d of column %d of participant %d has not come", p.k, p.column, p.site)
			}
			named++
		}
		if named != len(c.put) {
			return fmt.Errorf("%d ciphertexts came that no manifest names", len(c.put)-named)
		}
	}
	b := encodeDeposit(&whole)
	if len(b) > maxDeposit {
		return fmt.Errorf("the manifests of the deposit take %d bytes, at most %d are possible: deposit fewer columns", len(b), maxDeposit)
	}
	// It also makes the names of the ciphertexts durable.
	if err := job.WriteFile(filepath.Join(d.path, depositFile), b, 0o600); err != nil {
		return c.vault.trouble("cannot be written", err)
	}
	c.signed = true
	return nil
}

// Commit implements protocols.Change, of what has been signed.
func (c *depositChange) Commit() error {
	if !c.signed {
		c.Discard()
		return errors.New("the deposit is not signed")
	}
	return c.change.Commit()
}

// Withdraw implements protocols.Vault. A deposit that took its place meanwhile stays.
func (v *Vault) Withdraw() (protocols.Change, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.ready(); err != nil {
		return nil, err
	}
	d := v.now.deposit
	if d == nil {
		return nil, protocols.ErrNoDeposit
	}
	d.hold()
	return v.newChange(&d.kept, func(now force) (force, error) {
		if now.deposit != d {
			return now, fmt.Errorf("deposit %s is no longer there to be withdrawn", d.id.Short())
		}
		now.deposit = nil
		return now, nil
	}), nil
}

// Deposit implements protocols.Vault.
func (v *Vault) Deposit() (protocols.StoredDeposit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.ready(); err != nil {
		return nil, err
	}
	d := v.now.deposit
	if d == nil {
		return nil, protocols.ErrNoDeposit
	}
	if d.err != nil {
		return nil, d.err
	}
	d.hold()
	return &reader{deposit: d}, nil
}

// reader is one use of a deposit.
type reader struct {
	deposit *deposit
	closed  sync.Once
}

var _ protocols.StoredDeposit = (*reader)(nil)

// Deposit implements protocols.StoredDeposit. What it returns is not to be changed.
func (r *reader) Deposit() *protocols.Deposit { return r.deposit.described }

// Key implements protocols.StoredDeposit.
func (r *reader) Key() (*mhe.Epoch, *mhe.Budget, error) {
	if r.deposit.under == nil {
		return nil, nil, protocols.ErrNoEpoch
	}
	return r.deposit.under.open()
}

// Ciphertext implements protocols.StoredDeposit. What it returns has the hash that the
// site has signed.
func (r *reader) Ciphertext(site mpc.PartyID, column, k int) ([]byte, error) {
	d, p := r.deposit, place{site, column, k}
	if !d.keeps() {
		return nil, errNotKept
	}
	frame, err := job.ReadFile(d.file(p), maxCiphertext)
	if err == nil && !d.holds(p, frame) {
		err = fmt.Errorf("%s is damaged: not what was deposited; have the sites deposit anew", d.file(p))
	}
	if err != nil {
		return nil, d.vault.trouble("cannot read a ciphertext", err)
	}
	return frame, nil
}

// Close implements protocols.StoredDeposit.
func (r *reader) Close() {
	r.closed.Do(func() {
		r.deposit.vault.mu.Lock()
		defer r.deposit.vault.mu.Unlock()
		r.deposit.release()
	})
}
