package mpc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
)

// SeedSize is the size in bytes of every seed.
const SeedSize = 32

// Seed is the root of one stream of coins. It prints as "redacted".
type Seed [SeedSize]byte

// Seeds are a participant's roots of randomness for one session: Own is known
// to itself alone, Pair[p] to itself and participant p. Agree makes them for
// real sessions; tests pass their own.
type Seeds struct {
	Own  Seed
	Pair map[PartyID]Seed
}

// Coins is a stream of pseudorandom bytes: AES-128-CTR under a key derived from
// a seed, the session and the step (HKDF-SHA-256). It is not safe for
// concurrent use.
type Coins struct{ stream cipher.Stream }

// Fill overwrites dst with the next coins.
func (c *Coins) Fill(dst []byte) {
	clear(dst)
	c.stream.XORKeyStream(dst, dst)
}

// OwnCoins returns this step's coins that nobody else knows. A second call on
// one step ends the session, so that what they would mask is not sent.
func (s *Session) OwnCoins() *Coins {
	s.Claim("own coins")
	return s.coins(s.run.own, "own")
}

// PairCoins returns this step's coins that this participant shares with peer. A
// second call on one step with the same peer ends the session, so that what
// they would mask is not sent.
func (s *Session) PairCoins(peer PartyID) *Coins {
	s.Claim("coins with " + s.Name(peer))
	r, ok := s.run.pair[peer]
	if !ok {
		s.Fail(errors.New("no shared seed with " + s.Name(peer)))
		r = newRoot(Seed{}, s.ID())
	}
	return s.coins(r, "pair")
}

// ExpandSeed returns the coins of a seed that a participant deals to parties
// for one step: the same bytes at everyone who holds the seed. The dealer draws
// a fresh seed for each stream; the step claims nothing.
func (s *Session) ExpandSeed(seed Seed) *Coins {
	return s.coins(newRoot(seed, s.ID()), "dealt")
}

func (s *Session) coins(r root, kind string) *Coins { return r.coins(kind + "\x00" + s.path) }

// root is a seed bound to a session: the extract of HKDF, which is the same for all
// steps and half of a derivation's time.
type root []byte

func newRoot(seed Seed, id SessionID) root {
	r, err := hkdf.Extract(sha256.New, seed[:], id[:])
	if err != nil {
		panic("mpc: HKDF refuses a seed: " + err.Error())
	}
	return r
}

// coins returns the coins of a domain.
func (r root) coins(domain string) *Coins {
	okm, err := hkdf.Expand(sha256.New, r, "consilium coins v1\x00"+domain, 32)
	if err != nil {
		panic("mpc: HKDF refuses a fixed length: " + err.Error())
	}
	block, err := aes.NewCipher(okm[:16])
	if err != nil {
		panic("mpc: AES refuses a 16-byte key: " + err.Error())
	}
	return &Coins{cipher.NewCTR(block, okm[16:])}
}

// Kept returns coins of a seed that lasts beyond a session, such as that of a component
// which is kept on disk: the same bytes in every session. Who draws the seed uses it for
// nothing else; domains keep its streams apart.
func (seed Seed) Kept(domain string) *Coins {
	return newRoot(seed, SessionID{}).coins("kept\x00" + domain)
}
