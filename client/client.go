package client

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"path/filepath"

	"consilium/job"
)

// Client is a researcher or a registry in one study: its keys and the roster
// that it pins. It is safe for concurrent use.
type Client struct {
	dir       string
	identity  *job.Identity
	recipient recipient
	roster    *job.RosterFile
	self      *job.Client // in the roster
}

// recipient is the key pair to which nodes seal results.
type recipient struct{ private, public []byte }

// String keeps the private key out of logs and errors.
func (recipient) String() string { return "redacted" }

// GoString keeps it out of %#v.
func (recipient) GoString() string { return "redacted" }

// Load reads a client's directory and checks everything in it: the keys, the
// roster against its pin, and that the roster knows this client with exactly
// this certificate and this recipient key.
func Load(dir string) (*Client, error) {
	config, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	identity, err := job.LoadIdentity(config.Identity)
	if err != nil {
		return nil, fmt.Errorf("client's identity: %w", err)
	}
	private, public, err := job.LoadRecipientKey(filepath.Dir(config.RecipientKey))
	if err != nil {
		return nil, fmt.Errorf("client's recipient key: %w", err)
	}
	roster, err := job.ReadRoster(config.Roster, config.pin)
	if err != nil {
		return nil, fmt.Errorf("client's roster: %w", err)
	}
	c := &Client{dir: dir, identity: identity, recipient: recipient{private, public}, roster: roster}
	if err := c.find(config.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ConfigFile), err)
	}
	return c, nil
}

// find looks this client up in the roster.
func (c *Client) find(name string) error {
	self, ok := c.roster.Roster.Client(name)
	study := c.roster.Roster.Study
	switch {
	case !ok:
		return fmt.Errorf("study %s has no client %q; send your card to its administrator, or mend name", study, name)
	case c.identity.Name != name:
		return fmt.Errorf("the identity is that of %q, not of %q; mend name or identity", c.identity.Name, name)
	case !bytes.Equal(self.Certificate, c.identity.Certificate):
		return fmt.Errorf("study %s knows %s by another certificate; send your new card to its administrator, or use the old identity", study, name)
	case !bytes.Equal(self.Recipient, c.recipient.public):
		return fmt.Errorf("study %s seals results of %s to another recipient key; send your new card to its administrator, or use the old recipient.key", study, name)
	}
	c.self = self
	return nil
}

// Name is the client's name in the roster.
func (c *Client) Name() string { return c.self.Name }

// Dir is the client's directory.
func (c *Client) Dir() string { return c.dir }

// Roster is the pinned roster with its hash.
func (c *Client) Roster() *job.RosterFile { return c.roster }

func (c *Client) public() ed25519.PublicKey { return c.identity.Key.Public().(ed25519.PublicKey) }
