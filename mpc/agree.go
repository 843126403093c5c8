package mpc

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Agreement is what the compute parties need to agree on fresh pairwise seeds.
type Agreement struct {
	ID        SessionID
	Self      PartyID
	Names     []string
	Peers     []PartyID // the other compute parties
	Transport Transport
	Key       ed25519.PrivateKey
	PeerKey   func(PartyID) ed25519.PublicKey
	Timeout   time.Duration // bounds the whole agreement
}

const (
	// agreeStep is the channel on which ephemeral keys travel, before the
	// session's own steps begin.
	agreeStep = "agree"
	// keySize is the size of an X25519 public key, agreeSize that of a frame.
	keySize   = 32
	agreeSize = keySize + ed25519.SignatureSize
)

// agreeMessage is what a party signs: its ephemeral key bound to session and sender.
func agreeMessage(id SessionID, sender string, ephemeral []byte) []byte {
	m := append([]byte("consilium seed agreement v1\x00"), id[:]...)
	m = append(m, ephemeral...)
	return append(m, sender...)
}

// Agree makes this session's seeds: a per-session ephemeral X25519 key, signed
// by the roster key, goes to every peer; the pairwise seed is HKDF over the
// shared secret, both ephemeral keys, both names and the session. Nothing of it
// outlives the session, so a key stolen later opens no recorded session. A
// participant without peers gets its own seed and sends nothing.
func Agree(ctx context.Context, a Agreement) (Seeds, error) {
	if err := a.check(); err != nil {
		return Seeds{}, err
	}
	seeds := Seeds{Pair: make(map[PartyID]Seed, len(a.Peers))}
	if _, err := rand.Read(seeds.Own[:]); err != nil {
		return Seeds{}, fmt.Errorf("random seed: %w", err)
	}
	if len(a.Peers) == 0 {
		return seeds, nil
	}
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return Seeds{}, fmt.Errorf("ephemeral key: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.Timeout, fmt.Errorf("not done within %v", a.Timeout))
	defer cancel()
	ch, frame := Channel{a.ID, agreeStep}, a.frame(ephemeral)
	for _, p := range a.Peers {
		if err := a.Transport.Send(ctx, p, ch, frame); err != nil {
			return Seeds{}, fmt.Errorf("seed agreement: send to %s: %w", a.Names[p], explain(ctx, err))
		}
	}
	for _, p := range a.Peers {
		frame, err := a.Transport.Recv(ctx, p, ch)
		if err != nil {
			return Seeds{}, fmt.Errorf("seed agreement: receive from %s: %w", a.Names[p], explain(ctx, err))
		}
		if seeds.Pair[p], err = a.pairSeed(ephemeral, p, frame); err != nil {
			return Seeds{}, fmt.Errorf("seed agreement with %s: %w", a.Names[p], err)
		}
	}
	return seeds, nil
}

// check refuses what would otherwise panic deep inside a library.
func (a *Agreement) check() error {
	if len(a.Peers) == 0 {
		return nil
	}
	if len(a.Key) != ed25519.PrivateKeySize {
		return errors.New("seed agreement: no private key of this participant")
	}
	for _, p := range append([]PartyID{a.Self}, a.Peers...) {
		if p < 0 || int(p) >= len(a.Names) {
			return fmt.Errorf("seed agreement: participant %d of %d", p, len(a.Names))
		}
	}
	return nil
}

// frame is what every peer gets: the ephemeral public key and its signature.
func (a *Agreement) frame(ephemeral *ecdh.PrivateKey) []byte {
	public := ephemeral.PublicKey().Bytes()
	signature := ed25519.Sign(a.Key, agreeMessage(a.ID, a.Names[a.Self], public))
	return append(public, signature...)
}

// pairSeed checks a peer's frame and derives the seed shared with it.
func (a *Agreement) pairSeed(own *ecdh.PrivateKey, p PartyID, frame []byte) (Seed, error) {
	if len(frame) != agreeSize {
		return Seed{}, fmt.Errorf("frame has %d bytes, want %d", len(frame), agreeSize)
	}
	theirs, roster := frame[:keySize], a.PeerKey(p)
	if len(roster) != ed25519.PublicKeySize ||
		!ed25519.Verify(roster, agreeMessage(a.ID, a.Names[p], theirs), frame[keySize:]) {
		return Seed{}, fmt.Errorf("the ephemeral key is not signed by the roster key of %s for this session", a.Names[p])
	}
	public, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return Seed{}, err
	}
	secret, err := own.ECDH(public)
	if err != nil {
		return Seed{}, err
	}
	first, second := a.end(a.Self, own.PublicKey().Bytes()), a.end(p, theirs)
	if p < a.Self {
		first, second = second, first
	}
	okm, err := hkdf.Key(sha256.New, secret, a.ID[:], "consilium pair seed v1\x00"+first+second, SeedSize)
	if err != nil {
		return Seed{}, err
	}
	return Seed(okm), nil
}

// end names one end of a pair. Without the name a peer could pass off another
// party's key as its own and so give two pairs one seed.
func (a *Agreement) end(p PartyID, ephemeral []byte) string {
	name := a.Names[p]
	return fmt.Sprintf("%s%d:%s", ephemeral, len(name), name)
}
