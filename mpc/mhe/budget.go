package mhe

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Budget counts, in a file, the ciphertexts that were opened under the key of an
// epoch. It is charged, and the file is on disk, before a share leaves the site: who
// dies in between has spent and not answered, never answered and not spent. A process
// has one Budget of an epoch.
type Budget struct {
	mu    sync.Mutex
	path  string
	epoch [sha256.Size]byte
	limit int
	spent int
}

// ErrSpent says that a key has answered as often as its smudging allows.
var ErrSpent = errors.New("the key epoch is spent: its data have to be encrypted to a new one")

const budgetMagic = "consilium mhe budget v1\x00"

// NewBudget begins the count of a fresh epoch. A file that is there already is kept,
// and the error says so: a count never starts again.
func NewBudget(path string, e *Epoch) (*Budget, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("budget %s is there already", path), err)
	}
	b := &Budget{path: path, epoch: e.ID, limit: e.Openings}
	return b, b.write(0)
}

// LoadBudget goes on with the count of an epoch. Without its file nothing is answered.
func LoadBudget(path string, e *Epoch) (*Budget, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	spent, err := parseBudget(content, e.ID)
	if err != nil {
		return nil, fmt.Errorf("budget %s: %w", path, err)
	}
	return &Budget{path: path, epoch: e.ID, limit: e.Openings, spent: spent}, nil
}

func parseBudget(content []byte, epoch [sha256.Size]byte) (int, error) {
	r := &reader{rest: content}
	r.magic(budgetMagic)
	id, spent := r.fixed(len(epoch)), r.number(manyOpenings)
	read := len(content) - len(r.rest)
	// A count that lost a bit on the disk would open more often than it may.
	if sum := r.fixed(sha256.Size); r.end() != nil || [sha256.Size]byte(sum) != sha256.Sum256(content[:read]) {
		return 0, errMalformed
	}
	if [sha256.Size]byte(id) != epoch {
		return 0, errors.New("it belongs to another epoch")
	}
	return spent, nil
}

func (b *Budget) write(spent int) error { return writeDurably(b.path, encodeBudget(b.epoch, spent)) }

func encodeBudget(epoch [sha256.Size]byte, spent int) []byte {
	w := writer(budgetMagic)
	w.fixed(epoch[:])
	w.number(uint64(spent))
	sum := sha256.Sum256(w)
	w.fixed(sum[:])
	return w
}

// Charge takes so many ciphertexts from what is left, durably, or returns an error and
// nothing may be answered.
func (b *Budget) Charge(ciphertexts int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ciphertexts < 1 || ciphertexts > b.limit-b.spent {
		return fmt.Errorf("ciphertexts to open: %d, left: %d: %w", ciphertexts, b.limit-b.spent, ErrSpent)
	}
	// What could not be written may be on disk all the same, or may not: it counts.
	b.spent += ciphertexts
	if err := b.write(b.spent); err != nil {
		return fmt.Errorf("the budget of openings cannot be written: %w", pathless(err))
	}
	return nil
}

// pathless leaves out the file that an error names: who answers tells it to others.
func pathless(err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err
	}
	if link := new(os.LinkError); errors.As(err, &link) {
		return link.Err
	}
	return errors.New("its disk fails")
}

// Left returns how many ciphertexts may still be opened.
func (b *Budget) Left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit - b.spent
}
