package vault

import (
	"bytes"
	"errors"
	"io"

	"filippo.io/age"
)

// Seal encrypts a file's content to the key.
func (k *Key) Seal(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.identity.Recipient())
	if err != nil {
		return nil, err
	}
	_, err = w.Write(plain)
	err = errors.Join(err, w.Close()) // the last block
	return out.Bytes(), err
}

// Open decrypts what Seal encrypted.
func (k *Key) Open(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), k.identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// IsSealed tells whether a file's content is encrypted, to whatever key.
func IsSealed(content []byte) bool { return bytes.HasPrefix(content, []byte("age-encryption.org/")) }
