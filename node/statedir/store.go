package statedir

import (
	"errors"
	"os"
	"path/filepath"

	"consilium/daemon"
	"consilium/job"
)

// Store is what a node keeps, dataset by dataset. One process holds it at a time.
type Store[D any] struct {
	lock     *os.File
	datasets map[string]*D
}

// Open takes the directory, which it makes when it is missing, and opens what it holds of
// every dataset.
func Open[D any](dir string, datasets []string, open func(dataset string) *D) (*Store[D], error) {
	lock, err := daemon.HoldDir(dir, ".lock", "node") // no dataset is called so
	if err != nil {
		return nil, err
	}
	if err := job.SyncDir(filepath.Dir(dir)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Store[D]{lock: lock, datasets: make(map[string]*D)}
	for _, name := range datasets {
		s.datasets[name] = open(name)
	}
	return s, nil
}

// Dataset returns what is kept of a dataset; nil when there is no such dataset.
func (s *Store[D]) Dataset(name string) *D { return s.datasets[name] }

// Close gives the store back. Nobody may use it any more.
func (s *Store[D]) Close() error { return s.lock.Close() }
