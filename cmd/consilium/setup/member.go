package setup

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"consilium/job"
	"consilium/node/vault"
)

// File names in a member's directory.
const (
	CardFile          = "card.yaml"
	RosterFile        = "study.roster"
	NodeConfig        = "node.yaml"
	CoordinatorConfig = "coordinator.yaml"
	ClientConfig      = "client.yaml"
	PolicyFile        = "policy.yaml"
	VaultKeyFile      = "vault.key"
)

// Member says what a new member is called and where it is reached.
type Member struct {
	Name         string
	Organisation string
	Address      string // host:port that others dial; nodes and the coordinator
	Listen       string // host:port to listen on; Address when empty
	Metrics      string // loopback IP:port of health and metrics; nodes and the coordinator
}

// draft is a member whose files are not written yet: everything that can be
// wrong is found before the first byte is on disk.
type draft struct {
	identity *job.Identity
	card     *job.Card
	text     []byte // the encoded card
}

func newDraft(kind job.Kind, m Member, recipient []byte) (*draft, error) {
	if m.Organisation == "" {
		return nil, errors.New("a member needs an organisation: give --organisation")
	}
	var hosts []string
	if kind == job.KindClient {
		if m.Address != "" || m.Listen != "" {
			return nil, errors.New("nobody connects to a client: leave --address and --listen out")
		}
	} else {
		host, err := m.check()
		if err != nil {
			return nil, err
		}
		hosts = []string{host}
	}
	id, err := job.NewIdentity(m.Name, hosts)
	if err != nil {
		return nil, err
	}
	card := &job.Card{Kind: kind, Name: m.Name, Organisation: m.Organisation, Address: m.Address, Certificate: id.Certificate, Recipient: recipient}
	text, err := card.Encode()
	return &draft{id, card, text}, err
}

// check looks at where a daemon is reached, and returns the host.
func (m *Member) check() (host string, err error) {
	for _, a := range []struct{ flag, address string }{{"address", m.Address}, {"listen", m.listen()}, {"metrics", m.Metrics}} {
		h, port, err := net.SplitHostPort(a.address)
		if err != nil || h == "" && a.flag != "listen" {
			return "", fmt.Errorf("--%s %q is not host:port", a.flag, a.address)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("--%s %q: the port is not a number from 1 to 65535", a.flag, a.address)
		}
		if ip := net.ParseIP(h); a.flag == "metrics" && (ip == nil || !ip.IsLoopback()) {
			return "", fmt.Errorf("--metrics %q is not a loopback address such as 127.0.0.1:7401", a.address)
		}
		if a.flag == "address" {
			host = h
		}
	}
	return host, nil
}

func (m *Member) listen() string {
	if m.Listen != "" {
		return m.Listen
	}
	return m.Address
}

// write puts the member's files into dir, which must be empty or absent: setup
// never writes over keys.
func (d *draft) write(dir string, files map[string]string) error {
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
	if err := d.identity.Save(dir); err != nil {
		return err
	}
	errs := []error{job.WriteFile(filepath.Join(dir, CardFile), d.text, 0o644)}
	for name, text := range files {
		errs = append(errs, job.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return errors.Join(errs...)
}

// NewNode makes a node's directory: keys, card, configuration and a policy that
// allows nothing yet.
func NewNode(dir string, m Member) (*job.Card, error) {
	d, err := newDraft(job.KindNode, m, nil)
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
vault_key: %s # opens this node's piece of the key that sites hold together
listen: %q
metrics: %q
datasets: {} # name: path of a CSV or Parquet file
timeout: 20s
deadline: 10m
`, m.Name, m.Name, RosterFile, PolicyFile, VaultKeyFile, m.listen(), m.Metrics)
	if err := d.write(dir, map[string]string{NodeConfig: config, PolicyFile: denyAll}); err != nil {
		return nil, err
	}
	return d.card, vault.MakeKey(filepath.Join(dir, VaultKeyFile))
}

const denyAll = `# What this node takes part in. Nothing is allowed that no rule allows.
# allow:
#   - signers: [alice]                    # client names of the roster, or "*"
#     datasets: [lung]
#     analyses: [describe, frequency]
#     columns: [age, sex]                 # or "*"
#     recipients: [alice]                 # who may open the result, or "*"; left out: the signer alone
allow: []
# How many jobs of one signer on one dataset this node accepts, failed ones too.
budget: {jobs: 1000} # with days: 30, of the last thirty days
`

// NewCoordinator makes a coordinator's directory.
func NewCoordinator(dir string, m Member) (*job.Card, error) {
	d, err := newDraft(job.KindCoordinator, m, nil)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`# Configuration of the coordinator %s. Paths are relative to this file.
identity: .
roster: %s
roster_hash: "" # set by: consilium study approve
state: state
listen: %q
metrics: %q
decide_timeout: 30s
run_timeout: 10m
`, m.Name, RosterFile, m.listen(), m.Metrics)
	return d.card, d.write(dir, map[string]string{CoordinatorConfig: config})
}

// NewClient makes a researcher's or registry's directory, with the key that
// opens results.
func NewClient(dir string, m Member) (*job.Card, error) {
	private, public, err := job.NewRecipientKey()
	if err != nil {
		return nil, err
	}
	d, err := newDraft(job.KindClient, m, public)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`# Configuration of the client %s. Paths are relative to this file.
name: %s
identity: .
recipient_key: recipient.key
roster: %s
roster_hash: "" # set by: consilium study approve
`, m.Name, m.Name, RosterFile)
	if err := d.write(dir, map[string]string{ClientConfig: config}); err != nil {
		return nil, err
	}
	return d.card, job.SaveRecipientKey(dir, private)
}

// Approve installs a roster in a member's directory and pins its hash, which
// the operator has from the study's founders by a second way. It refuses a file
// with another hash, one that does not name this member's key and, unless back is
// set, one that goes back behind the approved version. Every roster that was once
// approved is kept: jobs that were signed under it name it.
func Approve(dir string, file []byte, hash job.Hash, back bool) error {
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
	config = filepath.Join(dir, config)
	if old := approved(dir, config); old != nil {
		if o := old.Roster; !back && o.Study == r.Roster.Study && o.Version > r.Roster.Version {
			return fmt.Errorf("this is version %d of study %s, and version %d is approved: use the newest, or add --force to go back", r.Roster.Version, o.Study, o.Version)
		}
		if err := keep(dir, old); err != nil {
			return err
		}
	}
	if err := keep(dir, r); err != nil {
		return err
	}
	if err := job.WriteFile(filepath.Join(dir, RosterFile), file, 0o644); err != nil {
		return err
	}
	return setKey(config, "roster_hash", hash.String())
}

// approved returns the roster that the member's configuration pins; nil when
// there is none, or nothing with that hash is left of it.
func approved(dir, config string) *job.RosterFile {
	var pinned struct {
		Hash string `yaml:"roster_hash"`
	}
	text, err := os.ReadFile(config)
	if err != nil || yaml.Unmarshal(text, &pinned) != nil {
		return nil // setKey says what is wrong with the configuration
	}
	hash, err := job.ParsePin(pinned.Hash)
	if err != nil {
		return nil
	}
	for _, path := range []string{job.KeptRoster(dir, hash), filepath.Join(dir, RosterFile)} {
		if r, err := job.ReadRoster(path, hash); err == nil {
			return r
		}
	}
	return nil
}

// keep puts a roster among those that were approved here.
func keep(dir string, r *job.RosterFile) error {
	path := job.KeptRoster(dir, r.Hash)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return job.WriteFile(path, r.Bytes, 0o644)
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

// SetDatasets writes a node's datasets into its configuration: paths of files, or
// settings of other sources.
func SetDatasets(dir string, files map[string]any) error {
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
