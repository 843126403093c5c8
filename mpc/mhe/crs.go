package mhe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"consilium/mpc"
)

// nonceSize is the length of what every site adds to the common reference string.
const nonceSize = 32

// CRS is the common reference string of one session: a hash of the session and of
// a nonce from every site, committed to before any is opened. Nobody else has a say
// in it. What it is expanded to is labelled by its use.
type CRS [sha256.Size]byte

// AgreeCRS makes the common reference string along the tree, at steps below s. That
// all sites got the same one is for an echo of seen to tell.
func AgreeCRS(s *mpc.Session, t *mpc.Tree, seen *Seen) CRS {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails: the runtime ends the process instead
	committed := t.Collect(s.Step("hash"), seen.sum("nonce", s.Self(), nonce))
	nonces := t.Collect(s.Step("nonce"), nonce)
	if s.Err() != nil {
		return CRS{}
	}
	crs := seen.begin("crs")
	for i, p := range t.Members() {
		if subtle.ConstantTimeCompare(committed[i], seen.sum("nonce", p, nonces[i])) == 0 {
			s.Fail(fmt.Errorf("%s opened another nonce than it had committed to", s.Name(p)))
			return CRS{}
		}
		crs.Write(nonces[i])
		seen.Write(committed[i])
		seen.Write(nonces[i])
	}
	return CRS(crs.Sum(nil))
}

// expand returns the random bytes of one use of the reference: AES-256-CTR under a hash
// of both.
func (c CRS) expand(use string) io.Reader {
	key := sha256.Sum256(append([]byte("consilium mhe crs "+use+" v2\x00"), c[:]...))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("mhe: AES refuses a key of 32 bytes: " + err.Error())
	}
	return keystream{cipher.NewCTR(block, make([]byte, aes.BlockSize))}
}

// keystream reads a cipher's stream.
type keystream struct{ cipher.Stream }

func (k keystream) Read(b []byte) (int, error) {
	clear(b)
	k.XORKeyStream(b, b)
	return len(b), nil
}

// Seen is a digest of all that a site was told and that every site must have been
// told alike. Its hashes, and all others that sites commit with, begin with the
// session and the layout: what was sent in one session fits no other.
type Seen struct {
	hash.Hash
	session mpc.SessionID
	layout  [sha256.Size]byte
}

// NewSeen begins a digest for the session and its layout.
func NewSeen(s *mpc.Session, l *Layout) *Seen {
	seen := &Seen{session: s.ID(), layout: l.digest()}
	seen.Hash = seen.begin("seen")
	return seen
}

// begin returns a hash for one use.
func (seen *Seen) begin(use string) hash.Hash {
	h := sha256.New()
	h.Write([]byte("consilium mhe " + use + " v1\x00"))
	h.Write(seen.session[:])
	h.Write(seen.layout[:])
	return h
}

// of returns a hash of something that participant p says.
func (seen *Seen) of(use string, p mpc.PartyID) hash.Hash {
	h := seen.begin(use)
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(p)))
	return h
}

// sum returns the commitment of p to a short message.
func (seen *Seen) sum(use string, p mpc.PartyID, message []byte) []byte {
	h := seen.of(use, p)
	h.Write(message)
	return h.Sum(nil)
}

// Digest is what the digest says so far.
func (seen *Seen) Digest() [sha256.Size]byte { return [sha256.Size]byte(seen.Sum(nil)) }
