package job

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	recipientFile = "recipient.key"
	recipientPEM  = "CONSILIUM RECIPIENT KEY"

	// RecipientKeySize is the length of a recipient's public key in bytes.
	RecipientKeySize = 1216
)

// CheckRecipientKey checks that pub is a public key of the MLKEM768-X25519 hybrid.
func CheckRecipientKey(pub []byte) error {
	if len(pub) != RecipientKeySize {
		return fmt.Errorf("recipient key has %d bytes, it takes %d: use the key of the client's card", len(pub), RecipientKeySize)
	}
	if _, err := hpke.MLKEM768X25519().NewPublicKey(pub); err != nil {
		return errors.New("recipient key is not an MLKEM768-X25519 public key: use the key of the client's card")
	}
	return nil
}

// NewRecipientKey makes a recipient's key pair in HPKE's serialisation.
func NewRecipientKey() (priv, pub []byte, err error) {
	k, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, nil, fmt.Errorf("recipient key: cannot be made: %w", err)
	}
	if priv, err = k.Bytes(); err != nil {
		return nil, nil, fmt.Errorf("recipient key: cannot be written: %w", err)
	}
	return priv, k.PublicKey().Bytes(), nil
}

// SaveRecipientKey writes the private key to recipient.key in dir, readable by
// its owner alone. It refuses to replace one: results sealed to the old key
// could never be opened again.
func SaveRecipientKey(dir string, priv []byte) error {
	if _, err := hpke.MLKEM768X25519().NewPrivateKey(priv); err != nil {
		return errors.New("recipient key: not an MLKEM768-X25519 private key: make one with NewRecipientKey")
	}
	return saveSecret(filepath.Join(dir, recipientFile), recipientPEM, priv)
}

// LoadRecipientKey reads recipient.key in dir and derives its public half.
func LoadRecipientKey(dir string) (priv, pub []byte, err error) {
	path := filepath.Join(dir, recipientFile)
	priv, err = loadSecret(path, recipientPEM)
	if err != nil {
		return nil, nil, err
	}
	k, err := hpke.MLKEM768X25519().NewPrivateKey(priv)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: not an MLKEM768-X25519 private key: restore it from your copy, or run consilium init in a new directory", path)
	}
	return priv, k.PublicKey().Bytes(), nil
}

// saveSecret writes a PEM file of mode 0600 where no file is yet.
func saveSecret(path, kind string, secret []byte) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("%s: cannot be examined: %w", path, err)
		}
		return fmt.Errorf("%s: exists, and a key is never overwritten: choose another directory", path)
	}
	return WriteFile(path, encodePEM(kind, secret), 0o600)
}
