package job

import "fmt"

// Kind is what a card introduces.
type Kind string

// The kinds of cards.
const (
	KindNode        Kind = "node"
	KindCoordinator Kind = "coordinator"
	KindClient      Kind = "client"
)

// maxCard caps a card's file, in bytes.
const maxCard = 64 << 10

// Card is the public half of a node's, coordinator's or client's keys with how
// to reach it: what it hands to the study's administrator. Nothing in it is
// secret; that it is genuine the administrator must know from elsewhere.
type Card struct {
	Kind         Kind   `yaml:"kind"`
	Name         string `yaml:"name"`
	Organisation string `yaml:"organisation,omitempty"` // nodes and clients
	Address      string `yaml:"address,omitempty"`      // host:port of nodes and coordinators
	Certificate  Base64 `yaml:"certificate"`            // DER
	Recipient    Base64 `yaml:"recipient,omitempty"`    // HPKE public key of clients
}

// ReadCard parses and checks a card's YAML.
func ReadCard(b []byte) (*Card, error) {
	var c Card
	if err := DecodeYAML("card", b, maxCard, &c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return &c, nil
}

// Encode checks the card and writes its YAML.
func (c *Card) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b, err := encodeYAML(c)
	if err != nil {
		return nil, fmt.Errorf("card of %s: cannot be written: %w", c.Name, err)
	}
	return b, nil
}

func (c *Card) check() error {
	switch c.Kind {
	case KindNode, KindCoordinator, KindClient:
	default:
		return fmt.Errorf("card: kind is %s: use node, coordinator or client", quoted(string(c.Kind)))
	}
	if err := checkName("card: name", c.Name); err != nil {
		return err
	}
	what := fmt.Sprintf("card of %s %s", c.Kind, c.Name)
	if _, err := checkCertificate(what, c.Name, c.Certificate); err != nil {
		return err
	}
	if err := c.checkReach(what); err != nil {
		return err
	}
	if c.Kind != KindClient {
		if len(c.Recipient) != 0 {
			return fmt.Errorf("%s: it has a recipient key: only clients open results, remove it", what)
		}
		return nil
	}
	if err := CheckRecipientKey(c.Recipient); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// checkReach checks organisation and address, which depend on the kind.
func (c *Card) checkReach(what string) error {
	if c.Kind != KindCoordinator || c.Organisation != "" {
		if err := checkOrganisation(what, c.Organisation); err != nil {
			return err
		}
	}
	if c.Kind == KindClient {
		if c.Address != "" {
			return fmt.Errorf("%s: it has an address: nobody connects to a client, remove it", what)
		}
		return nil
	}
	return checkAddress(what, c.Address)
}
