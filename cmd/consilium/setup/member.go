package setup

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"consilium/job"
)

// File names in a member's directory.
const (
	CardFile          = "card.yaml"
	RosterFile        = "study.roster"
	NodeConfig        = "node.yaml"
	CoordinatorConfig = "coordinator.yaml"
	ClientConfig      = "client.yaml"
	PolicyFile        = "policy.yaml"
)

// Member says what a new member is called and where it is reached.
type Member struct {
	Name         string
	Organisation string
	Address      string // host:port that others dial; nodes and the coordinator
	Listen       string // host:port to listen on; Address when empty
	Metrics      string // loopback host:port of health and metrics; nodes and the coordinator
}

// emptyDir makes dir or accepts an empty one: setup never writes over keys.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: choose a new directory, so that no key is lost", dir)
	}
	return nil
}

// newMember makes the directory, the identity and the card.
func newMember(dir string, kind job.Kind, m Member) (*job.Card, error) {
	if m.Organisation == "" {
		return nil, errors.New("a member needs an organisation: give --organisation")
	}
	var hosts []string
	if kind == job.KindClient {
		if m.Address != "" || m.Listen != "" {
			return nil, errors.New("nobody connects to a client: leave --address and --listen out")
		}
	} else {
		host, _, err := net.SplitHostPort(m.Address)
		if err != nil || host == "" {
			return nil, fmt.Errorf("address %q is not host:port: others reach the %s there", m.Address, kind)
		}
		hosts = []string{host}
	}
	if err := emptyDir(dir); err != nil {
		return nil, err
	}
	id, err := job.NewIdentity(m.Name, hosts)
	if err != nil {
		return nil, err
	}
	if err := id.Save(dir); err != nil {
		return nil, err
	}
	return &job.Card{Kind: kind, Name: m.Name, Organisation: m.Organisation, Address: m.Address, Certificate: id.Certificate}, nil
}

func writeCard(dir string, c *job.Card) error {
	b, err := c.Encode()
	if err != nil {
		return err
	}
	return job.WriteFile(filepath.Join(dir, CardFile), b, 0o644)
}

// NewNode makes a node's directory: keys, card, configuration and a policy that
// allows nothing yet.
func NewNode(dir string, m Member) (*job.Card, error) {
	card, err := newMember(dir, job.KindNode, m)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`# Configuration of the node %s. Paths are relative to this file.
name: %s
identity: .
roster: %s
roster_hash: "" # set by: consilium study approve
policy: %s
state: state
listen: %s
metrics: %s
datasets: {} # name: path of a CSV or Parquet file
timeout: 20s
deadline: 10m
`, m.Name, m.Name, RosterFile, PolicyFile, m.listen(), m.Metrics)
	return card, errors.Join(
		writeCard(dir, card),
		job.WriteFile(filepath.Join(dir, NodeConfig), []byte(config), 0o644),
		job.WriteFile(filepath.Join(dir, PolicyFile), []byte(denyAll), 0o644))
}

const denyAll = `# What this node takes part in. Nothing is allowed that no rule allows.
# allow:
#   - signers: [alice]                    # client names of the roster, or "*"
#     datasets: [lung]
#     analyses: [describe, frequency]
#     columns: [age, sex]                 # or "*"
allow: []
`

// NewCoordinator makes a coordinator's directory.
func NewCoordinator(dir string, m Member) (*job.Card, error) {
	card, err := newMember(dir, job.KindCoordinator, m)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`# Configuration of the coordinator %s. Paths are relative to this file.
identity: .
roster: %s
roster_hash: "" # set by: consilium study approve
state: state
listen: %s
metrics: %s
decide_timeout: 30s
run_timeout: 10m
`, m.Name, RosterFile, m.listen(), m.Metrics)
	return card, errors.Join(
		writeCard(dir, card),
		job.WriteFile(filepath.Join(dir, CoordinatorConfig), []byte(config), 0o644))
}

// NewClient makes a researcher's or registry's directory, with the key that
// opens results.
func NewClient(dir string, m Member) (*job.Card, error) {
	card, err := newMember(dir, job.KindClient, m)
	if err != nil {
		return nil, err
	}
	private, public, err := job.NewRecipientKey()
	if err != nil {
		return nil, err
	}
	card.Recipient = public
	config := fmt.Sprintf(`# Configuration of the client %s. Paths are relative to this file.
name: %s
identity: .
recipient_key: recipient.key
roster: %s
roster_hash: "" # set by: consilium study approve
`, m.Name, m.Name, RosterFile)
	return card, errors.Join(
		job.SaveRecipientKey(dir, private),
		writeCard(dir, card),
		job.WriteFile(filepath.Join(dir, ClientConfig), []byte(config), 0o644))
}

func (m Member) listen() string {
	if m.Listen != "" {
		return m.Listen
	}
	return m.Address
}

// Approve installs a roster in a member's directory and pins its hash, which
// the operator has from the study's founders by a second way. It refuses a file
// with another hash and one that does not name this member's key.
func Approve(dir string, file []byte, hash job.Hash) error {
	r, err := job.ParseRoster(file)
	if err != nil {
		return err
	}
	if r.Hash != hash {
		return fmt.Errorf("the roster file has hash %s, you approve %s: ask the study's founders which is right", r.Hash, hash)
	}
	id, err := job.LoadIdentity(dir)
	if err != nil {
		return err
	}
	config, err := rosterConfig(r.Roster, id)
	if err != nil {
		return err
	}
	if err := job.WriteFile(filepath.Join(dir, RosterFile), file, 0o644); err != nil {
		return err
	}
	return setKey(filepath.Join(dir, config), "roster_hash", hash.String())
}

// rosterConfig finds a member by its certificate and names its configuration file.
func rosterConfig(r *job.Roster, id *job.Identity) (string, error) {
	if _, ok := r.NodeByCert(id.Certificate); ok {
		return NodeConfig, nil
	}
	if _, ok := r.ClientByCert(id.Certificate); ok {
		return ClientConfig, nil
	}
	if bytes.Equal(r.Coordinator.Certificate, id.Certificate) {
		return CoordinatorConfig, nil
	}
	return "", fmt.Errorf("the roster of study %s does not hold the certificate of %s: send its %s to the study's founders", r.Study, id.Name, CardFile)
}

// setKey sets one scalar of a YAML file and keeps everything else, comments included.
func setKey(path, key, value string) error {
	return editConfig(path, func(root *yaml.Node) error {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == key {
				root.Content[i+1].SetString(value)
				return nil
			}
		}
		return fmt.Errorf("%s has no key %s", path, key)
	})
}

// SetDatasets writes a node's dataset files into its configuration.
func SetDatasets(dir string, files map[string]string) error {
	path := filepath.Join(dir, NodeConfig)
	return editConfig(path, func(root *yaml.Node) error {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == "datasets" {
				var n yaml.Node
				if err := n.Encode(files); err != nil {
					return err
				}
				root.Content[i+1] = &n
				return nil
			}
		}
		return fmt.Errorf("%s has no key datasets", path)
	})
}

func editConfig(path string, edit func(root *yaml.Node) error) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s is not a YAML mapping", path)
	}
	if err := edit(doc.Content[0]); err != nil {
		return err
	}
	if b, err = yaml.Marshal(&doc); err != nil {
		return err
	}
	return job.WriteFile(path, b, 0o644)
}

// SetLimits writes a node's time limits into its configuration.
func SetLimits(dir string, timeout, deadline time.Duration) error {
	path := filepath.Join(dir, NodeConfig)
	return errors.Join(setKey(path, "timeout", timeout.String()), setKey(path, "deadline", deadline.String()))
}

// SetRunTimeout writes the coordinator's limit on a running job.
func SetRunTimeout(dir string, limit time.Duration) error {
	return setKey(filepath.Join(dir, CoordinatorConfig), "run_timeout", limit.String())
}

// AllowAll writes a node policy that lets one client ask everything of every dataset.
func AllowAll(dir, client string) error {
	policy := fmt.Sprintf("allow:\n  - signers: [%s]\n    datasets: [\"*\"]\n    analyses: [\"*\"]\n    columns: [\"*\"]\n", client)
	return job.WriteFile(filepath.Join(dir, PolicyFile), []byte(policy), 0o644)
}

// SetDecideTimeout writes how long the coordinator waits for the nodes' answers.
func SetDecideTimeout(dir string, limit time.Duration) error {
	return setKey(filepath.Join(dir, CoordinatorConfig), "decide_timeout", limit.String())
}
