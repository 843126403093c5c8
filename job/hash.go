package job

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 digest, written as 64 hex digits in text.
type Hash [sha256.Size]byte

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 16 hex digits: enough to tell two hashes apart in a
// message, not enough to pin anything by.
func (h Hash) Short() string { return hex.EncodeToString(h[:8]) }

// MarshalText writes the hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is ParseHash.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

// ParseHash reads 64 lower-case hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != s {
		return Hash{}, fmt.Errorf("hash: not %d lower-case hex digits: copy the whole hash", 2*len(h))
	}
	return Hash(b), nil
}

// Base64 is a byte string that stands in YAML as strict standard base64.
type Base64 []byte

// MarshalText writes standard base64.
func (b Base64) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(b)), nil
}

// UnmarshalText reads standard base64 and nothing looser, so that a value has
// one spelling.
func (b *Base64) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || base64.StdEncoding.EncodeToString(raw) != string(text) {
		return fmt.Errorf("not standard base64: copy the whole value")
	}
	*b = raw
	return nil
}
