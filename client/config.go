package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

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
	b, err := readCapped(path, maxConfig)
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
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return c, nil
}

// parseConfig reads one YAML document with no key that it does not know.
func parseConfig(b []byte) (*config, error) {
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	var c config
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("not a client's configuration: %s", Printable(err.Error(), maxText))
	}
	if err := d.Decode(new(config)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document; keep the first")
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
	if c.RosterHash == "" {
		return nil, errors.New("no roster is pinned yet; get the roster's hash from the study's administrator over a way that you trust, and run consilium study approve")
	}
	var err error
	if c.pin, err = job.ParseHash(c.RosterHash); err != nil {
		return nil, fmt.Errorf("roster_hash: %w", err)
	}
	return &c, nil
}

// readCapped reads a whole file of at most limit bytes.
func readCapped(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return b, nil
}
