package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"filippo.io/age"

	"consilium/job"
)

// Key is what a node's key epochs are encrypted to on its disk: an age identity. It
// prints as redacted.
type Key struct{ identity *age.X25519Identity }

const redacted = "vault key (redacted)"

// Format keeps a key out of every verb.
func (*Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a key out of structured logs.
func (*Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a key out of JSON.
func (*Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MakeKey makes a key file, readable by its owner alone. A file that is there is kept,
// and the error says so.
func MakeKey(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s is there already: a vault key is never replaced, since nothing opens what it has closed", path))
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	text := fmt.Appendf(nil, "# Opens what this node keeps in its vault (age). public key: %s\n%s\n", identity.Recipient(), identity)
	defer clear(text)
	return job.WriteFile(path, text, 0o600)
}

// LoadKey reads a key file, as MakeKey and age-keygen write it.
func LoadKey(path string) (*Key, error) {
	text, err := job.ReadSecret(path)
	defer clear(text)
	if err != nil {
		return nil, err
	}
	// What the parser says may quote the key.
	if list, err := age.ParseIdentities(bytes.NewReader(text)); err == nil && len(list) == 1 {
		if identity, ok := list[0].(*age.X25519Identity); ok {
			return &Key{identity}, nil
		}
	}
	return nil, fmt.Errorf("%s: not a file of one X25519 identity of age: restore it from your copy", path)
}

// Wrap encrypts a short secret to the key, for the node's disk.
func (k *Key) Wrap(secret []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(secret); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Unwrap opens what Wrap has closed, of that many bytes. The caller erases it.
func (k *Key) Unwrap(wrapped []byte, size int) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(wrapped), k.identity)
	if err != nil {
		return nil, errors.New("not closed to this node's vault key")
	}
	secret, err := io.ReadAll(io.LimitReader(r, int64(size)+1))
	if err != nil || len(secret) != size {
		clear(secret)
		return nil, errors.New("damaged")
	}
	return secret, nil
}
