package client

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"consilium/job"
)

// ConfigFile is the name of a client's configuration in its directory.
const ConfigFile = "client.yaml"

const (
	maxConfig = 64 << 10
	// recipientFile is the name under which package job keeps the private key.
	recipientFile = "recipient.key"
)

// config is client.yaml. Paths are relative to the client's directory.
//
//	name: dr-lee
//	identity: .
//	recipient_key: recipient.key
//	roster: roster.yaml
//	roster_hash: 9f2c…
type config struct {
	Name         string `yaml:"name"`          // in the roster
	Identity     string `yaml:"identity"`      // directory of identity.key and identity.crt
	RecipientKey string `yaml:"recipient_key"` // file recipient.key: opens results
	Roster       string `yaml:"roster"`        // file
	RosterHash   string `yaml:"roster_hash"`   // pin: a roster of another hash is refused

	pin job.Hash // RosterHash
}

// readConfig reads client.yaml in dir and makes its paths absolute or relative
// to where the process runs.
func readConfig(dir string) (*config, error) {
	path := filepath.Join(dir, ConfigFile)
	b, err := job.ReadFile(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; name the client's directory with --client or CONSILIUM_CLIENT, or make one with consilium init", path)
	}
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range []*string{&c.Identity, &c.RecipientKey, &c.Roster} {
		*p = job.Within(dir, *p)
	}
	return c, nil
}

// parseConfig reads one YAML document with no key that it does not know.
func parseConfig(b []byte) (*config, error) {
	var c config
	if err := job.DecodeYAML("configuration", b, maxConfig, &c); err != nil {
		return nil, err
	}
	for _, f := range []struct{ key, value string }{
		{"name", c.Name}, {"identity", c.Identity}, {"recipient_key", c.RecipientKey}, {"roster", c.Roster},
	} {
		if f.value == "" {
			return nil, fmt.Errorf("%s is missing", f.key)
		}
	}
	if filepath.Base(c.RecipientKey) != recipientFile {
		return nil, fmt.Errorf("recipient_key must name a file called %s", recipientFile)
	}
	var err error
	if c.pin, err = job.ParsePin(c.RosterHash); err != nil {
		return nil, err
	}
	return &c, nil
}
