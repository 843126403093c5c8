package sharestore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"consilium/daemon"
	"consilium/job"
	"consilium/node/vault"
)

// Config says whose store it is, and where.
type Config struct {
	Dir      string     // made when missing
	Key      *vault.Key // of the node
	Self     string     // the node's name in the roster
	Datasets []string   // of the roster
	Log      *slog.Logger
}

// Store is what a node keeps, dataset by dataset. One process holds it at a time.
type Store struct {
	lock     *os.File
	datasets map[string]*Dataset
}

// Open opens what is kept and removes what a process that was killed has left half done.
// What is damaged is reported to the log, and refuses what it is asked; other datasets do
// not suffer.
func Open(c Config) (*Store, error) {
	lock, err := daemon.HoldDir(c.Dir, ".lock", "node") // no dataset is called so
	if err == nil {
		err = job.SyncDir(filepath.Dir(c.Dir))
	}
	if err != nil {
		if lock != nil {
			err = errors.Join(err, lock.Close())
		}
		return nil, fmt.Errorf("shares: %w", err)
	}
	s := &Store{lock: lock, datasets: make(map[string]*Dataset)}
	for _, name := range c.Datasets {
		s.datasets[name] = open(&c, name)
	}
	return s, nil
}

// Dataset returns what is kept of a dataset; nil when there is no such dataset.
func (s *Store) Dataset(name string) *Dataset { return s.datasets[name] }

// Close gives the store back. Nobody may use it any more.
func (s *Store) Close() error { return s.lock.Close() }
