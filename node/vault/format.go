package vault

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc/mhe"
	"consilium/node/statedir"
	"consilium/protocols"
)

// The two files are lines of a word and values, and a checksum: there is one spelling of
// everything, so that a reader writes what it has read once more and compares.
const (
	stateWords   = "consilium vault v1\n"
	depositWords = "consilium deposit v1\n"
	maxDeposit   = 64 << 20
)

// state says what is in force. A zero hash is nothing.
type state struct {
	epoch   job.Hash // the newest
	deposit job.Hash // the job that made it
	under   job.Hash // its epoch
	held    bool     // whether this node has a piece of that epoch's key
}

func (s state) encode() []byte {
	lines := []byte(stateWords)
	if s.epoch != (job.Hash{}) {
		lines = fmt.Appendf(lines, "epoch %s\n", s.epoch)
	}
	if s.deposit != (job.Hash{}) {
		lines = fmt.Appendf(lines, "deposit %s\nunder %s\nheld %t\n", s.deposit, s.under, s.held)
	}
	return statedir.Checked(lines)
}

func parseState(b []byte) (state, error) {
	var s state
	if len(b) > statedir.MaxBytes {
		return s, statedir.ErrDamaged
	}
	for line := range strings.Lines(string(b)) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		h, _ := job.ParseHash(value) // of what is no hash nothing is left, and the comparison finds it
		switch word {
		case "epoch":
			s.epoch = h
		case "deposit":
			s.deposit = h
		case "under":
			s.under = h
		case "held":
			s.held = value == "true"
		}
	}
	if whole := s.deposit == (job.Hash{}) || s.under != (job.Hash{}); !whole || !bytes.Equal(b, s.encode()) {
		return state{}, statedir.ErrDamaged
	}
	return s, nil
}

// encodeDeposit writes the deposit's lines: the job, the epoch, who keeps the
// ciphertexts, and of each site the manifest and its signature.
func encodeDeposit(d *protocols.Deposit) []byte {
	lines := fmt.Appendf([]byte(depositWords), "job %s\nepoch %s\n", d.Job, d.Epoch)
	for _, node := range d.At {
		lines = fmt.Appendf(lines, "at %s\n", node)
	}
	for i, m := range d.Manifests {
		lines = append(lines, "site "...)
		lines = base64.StdEncoding.AppendEncode(lines, m)
		lines = append(lines, ' ')
		lines = base64.StdEncoding.AppendEncode(lines, d.Signatures[i])
		lines = append(lines, '\n')
	}
	return statedir.Checked(lines)
}

// parseDeposit reads a deposit's lines, and the manifests in them.
func parseDeposit(b []byte) (*protocols.Deposit, []*mhe.Manifest, error) {
	if len(b) > maxDeposit {
		return nil, nil, statedir.ErrDamaged
	}
	d := new(protocols.Deposit)
	for line := range strings.Lines(string(b)) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "job":
			d.Job, _ = job.ParseHash(value)
		case "epoch":
			d.Epoch, _ = job.ParseHash(value)
		case "at":
			d.At = append(d.At, value)
		case "site":
			manifest, signature, _ := strings.Cut(value, " ")
			m, _ := base64.StdEncoding.DecodeString(manifest)
			s, _ := base64.StdEncoding.DecodeString(signature)
			d.Manifests, d.Signatures = append(d.Manifests, m), append(d.Signatures, s)
		}
	}
	if !bytes.Equal(b, encodeDeposit(d)) {
		return nil, nil, statedir.ErrDamaged
	}
	manifests, err := checkDeposit(d)
	if err != nil {
		return nil, nil, err
	}
	return d, manifests, nil
}

// checkMaker refuses what no job makes, the manifests apart.
func checkMaker(d *protocols.Deposit) error {
	if d.Job == (job.Hash{}) || d.Epoch == (job.Hash{}) {
		return errors.New("a deposit without its job or its key epoch")
	}
	if len(d.At) == 0 || len(d.At) > job.MaxNodes {
		return fmt.Errorf("a deposit that %d nodes keep", len(d.At))
	}
	for i, node := range d.At {
		if !isName(node) || slices.Contains(d.At[:i], node) {
			return fmt.Errorf("a deposit whose keeper %d is no node, or there twice", i+1)
		}
	}
	return nil
}

// isName tells whether a text has the form of a node's name.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// checkDeposit refuses a deposit that no job makes, and returns its manifests.
func checkDeposit(d *protocols.Deposit) ([]*mhe.Manifest, error) {
	if err := checkMaker(d); err != nil {
		return nil, err
	}
	if n := len(d.Manifests); n == 0 || n > mhe.MaxSites || n != len(d.Signatures) {
		return nil, fmt.Errorf("a deposit of %d manifests and %d signatures", n, len(d.Signatures))
	}
	var manifests []*mhe.Manifest
	for i, b := range d.Manifests {
		m, err := mhe.ParseManifest(b)
		if err != nil {
			return nil, err
		}
		twice := slices.ContainsFunc(manifests, func(other *mhe.Manifest) bool { return other.Site == m.Site })
		if m.Epoch != d.Epoch || len(d.Signatures[i]) != ed25519.SignatureSize || twice {
			return nil, fmt.Errorf("manifest %d of the deposit is of another epoch, there twice, or not signed", i+1)
		}
		manifests = append(manifests, m)
	}
	return manifests, nil
}
