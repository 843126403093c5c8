package sharestore

import (
	"fmt"

	"consilium/node/statedir"
	"consilium/node/vault"
)

// Config says whose store it is, and where, as for the node's vaults.
type Config = vault.Config

// Store is what a node keeps as shares, dataset by dataset.
type Store = statedir.Store[Dataset]

// Open opens what is kept and removes what a process that was killed has left half done.
// What is damaged is reported to the log, and refuses what it is asked; other datasets do
// not suffer.
func Open(c Config) (*Store, error) {
	s, err := statedir.Open(c.Dir, c.Datasets, func(name string) *Dataset { return open(&c, name) })
	if err != nil {
		return nil, fmt.Errorf("shares: %w", err)
	}
	return s, nil
}
