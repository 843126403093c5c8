package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"consilium/daemon"
	"consilium/job"
)

// Config says whose vault it is, and where.
type Config struct {
	Dir      string   // made when missing
	Key      *Key     // of the node
	Self     string   // the node's name in the roster
	Datasets []string // of the roster
	Log      *slog.Logger
}

// Store is a node's vaults, one of each dataset. One process holds it at a time.
type Store struct {
	lock   *os.File
	vaults map[string]*Vault
}

// Open opens the vaults and removes what a process that was killed has left half done.
// A vault that is damaged is reported to the log, and refuses what it is asked; the
// others do not suffer.
func Open(c Config) (*Store, error) {
	lock, err := daemon.HoldDir(c.Dir, ".lock", "node") // no dataset is called so
	if err == nil {
		err = job.SyncDir(filepath.Dir(c.Dir))
	}
	if err != nil {
		if lock != nil {
			err = errors.Join(err, lock.Close())
		}
		return nil, fmt.Errorf("vault: %w", err)
	}
	s := &Store{lock: lock, vaults: make(map[string]*Vault)}
	for _, name := range c.Datasets {
		s.vaults[name] = open(&c, name)
	}
	return s, nil
}

// Dataset returns the vault of a dataset; nil when there is no such dataset.
func (s *Store) Dataset(name string) *Vault { return s.vaults[name] }

// Close gives the vaults back. Nobody may use them any more.
func (s *Store) Close() error { return s.lock.Close() }
