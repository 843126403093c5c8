package job

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Limits on a roster.
const (
	MaxRosterBytes = 4 << 20
	MaxNodes       = 100
	maxClients     = 1000
	maxDatasets    = 1000
	maxRows        = 1 << 31 // of one site
)

// Roster is a study's agreed composition: who computes, who holds data, who may
// ask. It is a signed, versioned file; every node pins its hash.
type Roster struct {
	Study       string      `yaml:"study"`
	Version     int         `yaml:"version"`
	Created     time.Time   `yaml:"created"`
	Admin       Admin       `yaml:"admin"`
	Coordinator Coordinator `yaml:"coordinator"`
	Parties     []string    `yaml:"parties,flow"` // three node names of different organisations, in the order of their roles
	Disclosure  Disclosure  `yaml:"disclosure"`
	Overlay     Overlay     `yaml:"overlay,omitempty"`
	Nodes       []Node      `yaml:"nodes"`
	Clients     []Client    `yaml:"clients"`
	Policies    []Policy    `yaml:"policies,omitempty"`
	Datasets    []Dataset   `yaml:"datasets"`

	derived *derived // of a roster that was read from its file
}

// Admin is who signs the roster. Its key stands in the file itself, so the
// signature shows that the file is whole; that it is the agreed one shows only
// its pinned hash.
type Admin struct {
	Name string `yaml:"name"`
	Key  Base64 `yaml:"key"` // Ed25519 public key
}

// Node is a hospital's node.
type Node struct {
	Name         string `yaml:"name"`
	Organisation string `yaml:"organisation"`
	Address      string `yaml:"address"`     // host:port where other nodes reach it
	Certificate  Base64 `yaml:"certificate"` // self-signed X.509, DER, Ed25519; its key is the roster key
}

// Coordinator is the study's rendezvous. It is trusted with nothing.
type Coordinator struct {
	Name        string `yaml:"name"`
	Address     string `yaml:"address"`
	Certificate Base64 `yaml:"certificate"`
}

// Client is a researcher or registry: signs jobs with its certificate's key,
// opens results with the private half of Recipient.
type Client struct {
	Name         string `yaml:"name"`
	Organisation string `yaml:"organisation"`
	Certificate  Base64 `yaml:"certificate"`
	Recipient    Base64 `yaml:"recipient"` // HPKE public key, MLKEM768-X25519
}

// Overlay is what the links between a study's nodes run over. All nodes of a study
// use the same.
type Overlay string

// Known overlays. A study that names none has links.
const (
	OverlayLinks Overlay = "links" // a TCP connection of each two nodes, with mutual TLS
	OverlayOnet  Overlay = "onet"  // the same inside onet
)

func (o Overlay) check() error {
	switch o {
	case "", OverlayLinks, OverlayOnet:
		return nil
	}
	return fmt.Errorf("overlay is %s: use %s or %s", quoted(string(o)), OverlayLinks, OverlayOnet)
}

// Dataset is one table that lies in pieces at several sites.
type Dataset struct {
	Name   string `yaml:"name"`
	Title  string `yaml:"title,omitempty"`
	Sites  []Site `yaml:"sites"`
	Vault  Vault  `yaml:"vault,omitempty"`
	Schema Schema `yaml:"schema,omitempty"`
	List   List   `yaml:"list,omitempty"` // in place of a schema
}

// Vault says how the sites of a dataset keep it encrypted under a key that they
// hold together (engine mhe). Whatever is zero takes its default.
type Vault struct {
	Quorum   int `yaml:"quorum,omitempty"`   // how many sites, any, open together; all by default
	Openings int `yaml:"openings,omitempty"` // ciphertexts that may be opened under one key; 10000 by default
	// Mixed has the keys made wide enough for jobs of engine mixed: columns take up to
	// twice the space.
	Mixed bool `yaml:"mixed,omitempty"`
}

// DefaultOpenings is how many ciphertexts a key epoch opens unless the study says
// otherwise.
const DefaultOpenings = 10_000

// Quorum is how many of the dataset's sites open what is stored, any of them.
func (d *Dataset) Quorum() int { return cmp.Or(d.Vault.Quorum, len(d.Sites)) }

// Openings is how many ciphertexts may be opened under one key of the dataset.
func (d *Dataset) Openings() int { return cmp.Or(d.Vault.Openings, DefaultOpenings) }

// Site says that a node holds rows of a dataset. Rows is public: the number
// that the site seals whatever a filter keeps; a file with fewer is padded with
// unselected rows, one with more is refused.
type Site struct {
	Node string `yaml:"node"`
	Rows int    `yaml:"rows"`
}

// Disclosure is what the study allows results to show. It is enforced inside the
// protocol: a result that breaks it is never opened.
type Disclosure struct {
	MinCount     int  `yaml:"min_count"` // least number of rows, of a group, a cell, of events; 0 sets no limit
	AllowMinimum bool `yaml:"allow_minimum"`
	AllowMaximum bool `yaml:"allow_maximum"`
}

// DefaultMinCount is the minimum count of a study that says nothing of it.
const DefaultMinCount = 10

// RosterFile is a roster with the exact bytes that it was read from.
type RosterFile struct {
	Bytes  []byte
	Roster *Roster
	Hash   Hash // SHA-256 of Bytes: what nodes and clients pin
}

// adminSigner signs notes with an identity's key.
type adminSigner struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s adminSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

func adminVerifier(name string, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(name, key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// SignRoster checks the roster and writes its file: YAML for people to read,
// then the administrator's signature line. The file's admin is that identity; r stays as it is.
func SignRoster(r *Roster, admin *Identity) ([]byte, error) {
	if len(admin.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("roster: the administrator has no Ed25519 key: load its identity")
	}
	pub := admin.Key.Public().(ed25519.PublicKey)
	c := *r
	c.Admin = Admin{Name: admin.Name, Key: Base64(pub)}
	if err := c.Check(); err != nil {
		return nil, err
	}
	text, err := encodeYAML(&c)
	if err != nil {
		return nil, fmt.Errorf("roster: cannot be written: %w", err)
	}
	verifier, err := adminVerifier(admin.Name, pub)
	if err != nil {
		return nil, fmt.Errorf("roster: cannot be signed: %w", err)
	}
	file, err := note.Sign(&note.Note{Text: string(text)}, adminSigner{verifier, admin.Key})
	if err != nil {
		return nil, fmt.Errorf("roster: cannot be signed: %w", err)
	}
	if len(file) > MaxRosterBytes {
		return nil, fmt.Errorf("roster: %d bytes, at most %d are allowed: shorten the schemas' categories", len(file), MaxRosterBytes)
	}
	return file, nil
}

// ParseRoster reads a roster file: its form, the signature of the administrator
// whom it names, and Check. A roster that says nothing of a minimum count has the
// usual one. It does not say that this is the study's roster;
// compare Hash with a pin, or use ReadRoster.
func ParseRoster(file []byte) (*RosterFile, error) {
	if len(file) > MaxRosterBytes {
		return nil, fmt.Errorf("roster: %d bytes, at most %d are allowed: shorten the schemas' categories", len(file), MaxRosterBytes)
	}
	end := bytes.LastIndex(file, []byte("\n\n"))
	if end < 0 {
		return nil, errors.New("roster: no signature at its end: make the file with consilium study create")
	}
	r := Roster{Disclosure: Disclosure{MinCount: DefaultMinCount}}
	if err := DecodeYAML("roster", file[:end+1], MaxRosterBytes, &r); err != nil {
		return nil, err
	}
	if err := verifyRoster(file, &r.Admin); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	r.derived = &derived{values: map[string]any{}}
	return &RosterFile{Bytes: bytes.Clone(file), Roster: &r, Hash: sha256.Sum256(file)}, nil
}

// verifyRoster takes exactly one signature, the administrator's, in its one
// spelling: anything looser would give files of different hashes that say the same.
func verifyRoster(file []byte, admin *Admin) error {
	if err := admin.check(); err != nil {
		return err
	}
	verifier, err := adminVerifier(admin.Name, ed25519.PublicKey(admin.Key))
	if err != nil {
		return fmt.Errorf("roster: admin has no usable key: make the file with consilium study create")
	}
	n, err := note.Open(file, note.VerifierList(verifier))
	if err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 || new(Base64).UnmarshalText([]byte(n.Sigs[0].Base64)) != nil {
		return fmt.Errorf("roster: not signed by its administrator %s alone: it was altered, fetch it again or have it signed anew", admin.Name)
	}
	return nil
}

func (a *Admin) check() error {
	if err := checkName("roster: admin name", a.Name); err != nil {
		return err
	}
	if len(a.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("roster: admin key has %d bytes, an Ed25519 key has %d: make the file with consilium study create", len(a.Key), ed25519.PublicKeySize)
	}
	return nil
}

// ParsePin reads the value of roster_hash in a member's configuration. The zero
// hash is refused: for ReadRoster it would mean any roster.
func ParsePin(text string) (Hash, error) {
	if text == "" {
		return Hash{}, errors.New("roster_hash is missing: no roster is pinned yet: get the roster's hash from the study's administrator over a way that you trust, and run consilium study approve")
	}
	pin, err := ParseHash(text)
	if err == nil && pin == (Hash{}) {
		err = errors.New("zero is no file's hash: copy the roster's hash")
	}
	if err != nil {
		return Hash{}, fmt.Errorf("roster_hash: %w", err)
	}
	return pin, nil
}

// ReadRoster reads the file and, unless pin is zero, demands that hash.
func ReadRoster(path string, pin Hash) (*RosterFile, error) {
	b, err := ReadFile(path, MaxRosterBytes)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: copy the study's roster there", err)
	}
	if err != nil {
		return nil, err
	}
	if got := Hash(sha256.Sum256(b)); pin != (Hash{}) && got != pin {
		return nil, fmt.Errorf("%s: its hash is %s… but %s… is pinned: get the agreed file, or approve this one if the study has changed", path, got.Short(), pin.Short())
	}
	r, err := ParseRoster(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// rostersDir is the folder of a member's directory that keeps rosters.
const rostersDir = "rosters"

// KeptRoster is the path under which a member's directory keeps the roster of
// that hash from its approval on: jobs that were signed under it stay readable
// when the study has a newer one.
func KeptRoster(dir string, hash Hash) string {
	return filepath.Join(dir, rostersDir, hash.String()+".roster")
}

// Node returns the node of that name.
func (r *Roster) Node(name string) (*Node, bool) {
	i := r.NodeIndex(name)
	if i < 0 {
		return nil, false
	}
	return &r.Nodes[i], true
}

// NodeIndex returns the node's place in the roster, or -1.
func (r *Roster) NodeIndex(name string) int {
	for i := range r.Nodes {
		if r.Nodes[i].Name == name {
			return i
		}
	}
	return -1
}

// Names lists the nodes in roster order.
func (r *Roster) Names() []string {
	names := make([]string, len(r.Nodes))
	for i := range r.Nodes {
		names[i] = r.Nodes[i].Name
	}
	return names
}

// PartyIndexes returns the parties' places among the nodes, in the order of their roles.
func (r *Roster) PartyIndexes() []int {
	out := make([]int, len(r.Parties))
	for i, name := range r.Parties {
		out[i] = r.NodeIndex(name)
	}
	return out
}

// NodeKey returns the roster key of node i; nil if its certificate has none,
// which Check refuses.
func (r *Roster) NodeKey(i int) ed25519.PublicKey {
	key, err := CertificateKey(r.Nodes[i].Certificate)
	if err != nil {
		return nil
	}
	return key
}

// NodeByCert returns the node with exactly this certificate.
func (r *Roster) NodeByCert(der []byte) (*Node, bool) {
	for i := range r.Nodes {
		if bytes.Equal(r.Nodes[i].Certificate, der) {
			return &r.Nodes[i], true
		}
	}
	return nil, false
}

// Client returns the client of that name.
func (r *Roster) Client(name string) (*Client, bool) {
	for i := range r.Clients {
		if r.Clients[i].Name == name {
			return &r.Clients[i], true
		}
	}
	return nil, false
}

// ClientByKey returns the client that signs with this key.
func (r *Roster) ClientByKey(pub ed25519.PublicKey) (*Client, bool) {
	for i := range r.Clients {
		key, err := CertificateKey(r.Clients[i].Certificate)
		if err == nil && key.Equal(pub) {
			return &r.Clients[i], true
		}
	}
	return nil, false
}

// ClientByCert returns the client with exactly this certificate.
func (r *Roster) ClientByCert(der []byte) (*Client, bool) {
	for i := range r.Clients {
		if bytes.Equal(r.Clients[i].Certificate, der) {
			return &r.Clients[i], true
		}
	}
	return nil, false
}

// Dataset returns the dataset of that name.
func (r *Roster) Dataset(name string) (*Dataset, bool) {
	for i := range r.Datasets {
		if r.Datasets[i].Name == name {
			return &r.Datasets[i], true
		}
	}
	return nil, false
}

// DatasetNames lists the datasets in roster order.
func (r *Roster) DatasetNames() []string {
	names := make([]string, len(r.Datasets))
	for i := range r.Datasets {
		names[i] = r.Datasets[i].Name
	}
	return names
}

// Site returns the dataset's piece at the node.
func (d *Dataset) Site(node string) (*Site, bool) {
	for i := range d.Sites {
		if d.Sites[i].Node == node {
			return &d.Sites[i], true
		}
	}
	return nil, false
}

// Rows is the number of rows over all sites.
func (d *Dataset) Rows() int {
	n := 0
	for _, s := range d.Sites {
		n += s.Rows
	}
	return n
}

// meaning is a hash of all that decides what codes of the dataset's columns mean, and
// whose they are.
func (d *Dataset) meaning() Hash {
	parts := [][]byte{[]byte(d.Name)}
	for _, s := range d.Sites {
		parts = append(parts, []byte(s.Node), []byte(strconv.Itoa(s.Rows)))
	}
	for i := range d.Schema.Columns {
		parts = append(parts, d.Schema.Columns[i].framed())
	}
	return hashOf(domainDataset, parts...)
}

// framed is all that decides what codes of the column mean.
func (c *Column) framed() []byte {
	categories, missing := framed("categories", texts(c.Categories)...), framed("missing", texts(c.Missing)...)
	return framed("column", []byte(c.Name), []byte(c.Type), []byte(c.Step), []byte(c.Min), []byte(c.Max), categories, missing)
}

// Meaning is a hash of all that decides what codes of the column mean. What describes
// it for people may change without it.
func (c *Column) Meaning() Hash { return hashOf(domainColumn, c.framed()) }

func texts(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}

// sameOrganisation compares as a person would.
func sameOrganisation(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}
