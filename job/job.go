package job

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// ProtocolVersion is the version of job form, links and sealing. Nodes refuse others.
const ProtocolVersion = 1

// Limits on a job. MaxLifetime bounds for how long nodes must remember a nonce.
const (
	MaxJobBytes = 64 << 10
	MaxLifetime = 24 * time.Hour
	NonceSize   = 32
)

// Job is what a researcher asks. Its JSON form is canonical: Decode refuses
// bytes that Encode would not produce.
type Job struct {
	Protocol int            `json:"protocol"`
	Study    string         `json:"study"`
	Roster   Hash           `json:"roster"` // Hash of the roster file that the signer saw
	Dataset  string         `json:"dataset"`
	Analysis string         `json:"analysis"`
	Where    string         `json:"where,omitempty"`
	Args     map[string]any `json:"args"`             // strings, json.Number, bool, lists of these
	Engine   string         `json:"engine"`           // EngineShares, EngineMHE or EngineMixed
	Stored   bool           `json:"stored,omitempty"` // asks what is deposited, not the sites' files
	Nodes    []string       `json:"nodes,omitempty"`  // who takes part, in the roster's order; all nodes where there are none
	// Attachment is the SHA-256 of what the job brings along for the nodes that it
	// names; zero where it brings nothing.
	Attachment Hash      `json:"attachment,omitzero"`
	Recipient  []byte    `json:"recipient"` // HPKE public key of who may open the result
	Nonce      []byte    `json:"nonce"`     // 32 fresh random bytes
	Expires    time.Time `json:"expires"`   // UTC, whole seconds
}

// Signed is a job's exact bytes under its signer's Ed25519 signature.
type Signed struct {
	Bytes     []byte // Encode of a Job
	Signer    ed25519.PublicKey
	Signature []byte
}

// Encode checks the job and returns its canonical JSON: keys in the order of
// the struct, arguments sorted by name, no spaces, no HTML escapes.
func (j *Job) Encode() ([]byte, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	c := *j
	args, err := normalArgs(j.Args)
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	c.Args = args
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&c); err != nil {
		return nil, fmt.Errorf("job: cannot be written as JSON: %w", err)
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(b) > MaxJobBytes {
		return nil, fmt.Errorf("job: %d bytes, at most %d are allowed: shorten its arguments", len(b), MaxJobBytes)
	}
	return b, nil
}

// Decode parses a job and checks every field's form. It writes what it read
// once more and compares, which refuses duplicate and unknown keys, trailing
// bytes and any spelling but the canonical one: two readers cannot understand
// the same signed bytes differently.
func Decode(b []byte) (*Job, error) {
	if len(b) > MaxJobBytes {
		return nil, fmt.Errorf("job: %d bytes, at most %d are allowed: shorten its arguments", len(b), MaxJobBytes)
	}
	var j Job
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&j); err != nil {
		return nil, fmt.Errorf("job: not a job of protocol version %d: %s", ProtocolVersion, oneLine(err.Error()))
	}
	canonical, err := j.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, canonical) {
		return nil, fmt.Errorf("job: its JSON is not in canonical form: write it with this version of consilium")
	}
	return &j, nil
}

// CheckFresh refuses a job that has expired at now, and one that expires more
// than MaxLifetime ahead.
func (j *Job) CheckFresh(now time.Time) error {
	if !now.Before(j.Expires) {
		return fmt.Errorf("job: expired at %s, it is %s here: sign it again, and check both clocks", stamp(j.Expires), stamp(now))
	}
	if j.Expires.Sub(now) > MaxLifetime {
		return fmt.Errorf("job: expires at %s, more than %s from now (%s): sign it with a shorter lifetime, and check both clocks",
			stamp(j.Expires), MaxLifetime, stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (j *Job) check() error {
	if j.Protocol != ProtocolVersion {
		return fmt.Errorf("job: protocol version %d, this program speaks %d: use the same version of consilium everywhere", j.Protocol, ProtocolVersion)
	}
	if err := checkName("job: study", j.Study); err != nil {
		return err
	}
	if err := checkWord("job: dataset", j.Dataset); err != nil {
		return err
	}
	if err := checkWord("job: analysis", j.Analysis); err != nil {
		return err
	}
	if err := checkWord("job: engine", j.Engine); err != nil {
		return err
	}
	if len(j.Nodes) > MaxNodes {
		return fmt.Errorf("job: it names %d nodes, at most %d are allowed", len(j.Nodes), MaxNodes)
	}
	for i, name := range j.Nodes {
		if err := checkName("job: node", name); err != nil {
			return err
		}
		if slices.Contains(j.Nodes[:i], name) {
			return fmt.Errorf("job: it names node %s twice: each takes part once", name)
		}
	}
	if j.Attached() && len(j.Nodes) == 0 {
		return fmt.Errorf("job: it has an attachment and names no node: name those who shall have it")
	}
	if len(j.Where) > MaxPredicateBytes {
		return fmt.Errorf("job: where has %d bytes, at most %d are allowed: shorten the condition", len(j.Where), MaxPredicateBytes)
	}
	if err := checkLines("job: where", j.Where, MaxPredicateBytes); err != nil {
		return err
	}
	if err := CheckRecipientKey(j.Recipient); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	if len(j.Nonce) != NonceSize {
		return fmt.Errorf("job: nonce has %d bytes, it takes exactly %d fresh random ones", len(j.Nonce), NonceSize)
	}
	if j.Expires.Location() != time.UTC || j.Expires.Nanosecond() != 0 || j.Expires.Year() < 2000 || j.Expires.Year() > 9999 {
		return fmt.Errorf("job: expires must be a time in UTC with whole seconds, such as 2030-01-02T15:04:05Z")
	}
	return nil
}
