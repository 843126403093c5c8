package vault

import (
	"fmt"
	"log/slog"

	"consilium/node/statedir"
)

// Config says whose vaults they are, and where.
type Config struct {
	Dir      string   // made when missing
	Key      *Key     // of the node
	Self     string   // the node's name in the roster
	Datasets []string // of the roster
	Log      *slog.Logger
}

// Store is a node's vaults, one of each dataset.
type Store = statedir.Store[Vault]

// Open opens the vaults and removes what a process that was killed has left half done.
// A vault that is damaged is reported to the log, and refuses what it is asked; the
// others do not suffer.
func Open(c Config) (*Store, error) {
	s, err := statedir.Open(c.Dir, c.Datasets, func(name string) *Vault { return open(&c, name) })
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return s, nil
}
