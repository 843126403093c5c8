package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"consilium/job"
	"consilium/node/vault"
	"consilium/protocols"
)

// setup is a checked configuration with what its files hold.
type setup struct {
	config   *Config
	identity *job.Identity
	roster   *job.RosterFile
	data     *datasets
	models   map[string]*protocols.ScoreModel
	vaultKey *vault.Key // nil when the configuration names none
}

// checkSetup reads every file that the configuration names and holds them
// against each other. Its errors are one line each, with how to mend it.
func checkSetup(c *Config, log *slog.Logger) (*setup, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	identity, err := job.LoadIdentity(c.Identity)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	roster, err := pinnedRoster(c)
	if err != nil {
		return nil, err
	}
	if err := checkIdentity(c, identity, roster.Roster); err != nil {
		return nil, err
	}
	if err := protocols.CheckLists(roster.Roster); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	data, err := newDatasets(c, roster.Roster)
	if err != nil {
		return nil, err
	}
	var key *vault.Key
	if c.VaultKey != "" {
		if key, err = vault.LoadKey(c.VaultKey); err != nil {
			return nil, fmt.Errorf("vault_key: %w", err)
		}
	}
	models, err := readModels(c, roster.Roster)
	if err != nil {
		return nil, err
	}
	policy, err := readPolicy(c.Policy, roster.Roster)
	if err != nil {
		return nil, err
	}
	if unknown := policy.Unknown(roster.Roster); len(unknown) > 0 {
		log.Warn("the policy allows something to names that the roster does not have", "names", strings.Join(unknown, ", "))
	}
	if len(policy.Allow) == 0 {
		log.Warn("the policy has no allow rule: every job will be rejected")
	}
	return &setup{config: c, identity: identity, roster: roster, data: data, models: models, vaultKey: key}, nil
}

// Checked is what a reading of one dataset's whole file found.
type Checked struct {
	Dataset  string
	Path     string
	Declared int   // rows that the roster has for this site
	Err      error // nil: the file fits; holds no value of a record
}

// CheckDatasets reads the file of every dataset of which the configuration's node is
// a site, as its jobs would, and hands over what it found, one after the other. Its own
// error is one of the configuration or of its roster.
func CheckDatasets(ctx context.Context, c *Config, found func(Checked)) error {
	roster, err := pinnedRoster(c)
	if err != nil {
		return err
	}
	if err := protocols.CheckLists(roster.Roster); err != nil {
		return fmt.Errorf("roster: %w", err)
	}
	data, err := newDatasets(c, roster.Roster)
	if err != nil {
		return err
	}
	for _, name := range data.names() {
		f := data.files[name]
		err := f.check(ctx)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		found(Checked{Dataset: name, Path: f.setting.Place(), Declared: f.rows, Err: err})
	}
	return nil
}

// pinnedRoster reads the roster and compares its hash with the approved one.
func pinnedRoster(c *Config) (*job.RosterFile, error) {
	file, err := job.ReadRoster(c.Roster, job.Hash{})
	if err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	if file.Hash.String() != c.RosterHash { // a hash has one spelling
		return nil, fmt.Errorf("roster %s has the hash %s and this node pins %s; if this site's operator approves version %d of study %s, read it and then set roster_hash to the file's hash",
			c.Roster, file.Hash, c.RosterHash, file.Roster.Version, file.Roster.Study)
	}
	return file, nil
}

// checkIdentity makes sure that the roster knows this node as it is.
func checkIdentity(c *Config, identity *job.Identity, r *job.Roster) error {
	node, ok := r.Node(c.Name)
	if !ok {
		return fmt.Errorf("the roster of study %s has no node %s; set name to one of %s", r.Study, c.Name, strings.Join(r.Names(), ", "))
	}
	if !bytes.Equal(node.Certificate, identity.Certificate) {
		return fmt.Errorf("the roster has another certificate for %s than %s; use the identity whose card went into the roster, or have the roster changed", c.Name, c.Identity)
	}
	if _, err := job.CertificateKey(r.Coordinator.Certificate); err != nil {
		return fmt.Errorf("the roster's coordinator: %w", err)
	}
	if r.Coordinator.Address == "" {
		return errors.New("the roster gives no address for the coordinator; have the roster changed")
	}
	return nil
}
