package mhe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// SeedSize is the length in bytes of a mask's seed.
const SeedSize = 32

// Seed is the seed of a one-time mask. It prints as redacted.
type Seed []byte

// newSeed returns a fresh seed.
func newSeed() Seed {
	seed := make(Seed, SeedSize)
	_, _ = rand.Read(seed) // never fails: the runtime ends the process instead
	return seed
}

// stream is a key of AES-256-CTR with a counter for every ciphertext, so that
// goroutines can draw for several of them at once.
type stream struct{ block cipher.Block }

// newStream returns the stream of a seed for one use.
func newStream(seed []byte, use string) stream {
	key, err := hkdf.Key(sha256.New, seed, nil, "consilium mhe "+use+" v1", 32)
	if err != nil {
		panic("mhe: HKDF refuses a fixed length: " + err.Error())
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("mhe: AES refuses a key of 32 bytes: " + err.Error())
	}
	return stream{block}
}

// at returns the coins of the k-th ciphertext.
func (s stream) at(k int) *coins {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[:8], uint64(k))
	c := &coins{ctr: cipher.NewCTR(s.block, iv[:])}
	c.used = len(c.buffer)
	return c
}

// coins is a stream of random words. It is not safe for concurrent use.
type coins struct {
	ctr    cipher.Stream
	buffer [4096]byte
	used   int
}

func (c *coins) next() uint64 {
	if c.used == len(c.buffer) {
		clear(c.buffer[:])
		c.ctr.XORKeyStream(c.buffer[:], c.buffer[:])
		c.used = 0
	}
	x := binary.LittleEndian.Uint64(c.buffer[c.used:])
	c.used += wordSize
	return x
}

const redacted = "redacted"

// Format keeps a seed out of every verb.
func (Seed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a seed out of structured logs.
func (Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a seed out of JSON, also as a field of something else.
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }
