package mpc

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"strings"
	"testing"
)

// fixture is an agreement of "left" (0) and "right" (1) with known keys.
func fixture(self PartyID) (Agreement, *ecdh.PrivateKey) {
	names := []string{"left", "right"}
	key := func(p PartyID) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(p) + 1}, ed25519.SeedSize))
	}
	ephemeral, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{byte(self) + 7}, 32))
	if err != nil {
		panic(err)
	}
	return Agreement{
		ID: SessionID{1}, Self: self, Names: names, Peers: []PartyID{1 - self}, Key: key(self),
		PeerKey: func(p PartyID) ed25519.PublicKey { return key(p).Public().(ed25519.PublicKey) },
	}, ephemeral
}

func TestPairSeed(t *testing.T) {
	left, leftKey := fixture(0)
	right, rightKey := fixture(1)
	a, err := left.pairSeed(leftKey, 1, right.frame(rightKey))
	if err != nil {
		t.Fatal(err)
	}
	b, err := right.pairSeed(rightKey, 0, left.frame(leftKey))
	if err != nil || a != b || a == (Seed{}) {
		t.Fatalf("the two ends differ, or %v", err)
	}

	// Whatever is agreed on enters the seed.
	renamed := right
	renamed.Names = []string{"left", "wrong"}
	other := left
	other.Names = renamed.Names
	if c, err := other.pairSeed(leftKey, 1, renamed.frame(rightKey)); err != nil || c == a {
		t.Errorf("the names do not enter the seed, or %v", err)
	}
	next, other := right, left
	next.ID, other.ID = SessionID{2}, SessionID{2}
	if c, err := other.pairSeed(leftKey, 1, next.frame(rightKey)); err != nil || c == a {
		t.Errorf("the session does not enter the seed, or %v", err)
	}
}

func TestPairSeedRefusals(t *testing.T) {
	left, leftKey := fixture(0)
	right, rightKey := fixture(1)
	good := right.frame(rightKey)
	changed := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 1
		return b
	}
	replayed := right
	replayed.ID = SessionID{2}
	low := append(make([]byte, keySize), ed25519.Sign(right.Key, agreeMessage(right.ID, "right", make([]byte, keySize)))...)
	for name, c := range map[string]struct {
		frame []byte
		want  string
	}{
		"another key":            {changed(0), "not signed"},
		"another signature":      {changed(keySize), "not signed"},
		"of another session":     {replayed.frame(rightKey), "not signed"},
		"sent back to its maker": {left.frame(leftKey), "not signed"},
		"cut":                    {good[:len(good)-1], "frame has 95 bytes, want 96"},
		"too long":               {append(bytes.Clone(good), 0), "frame has 97 bytes, want 96"},
		"empty":                  {nil, "frame has 0 bytes, want 96"},
		"a point of low order":   {low, "low order"},
	} {
		if seed, err := left.pairSeed(leftKey, 1, c.frame); err == nil || seed != (Seed{}) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	left.PeerKey = func(PartyID) ed25519.PublicKey { return nil }
	if _, err := left.pairSeed(leftKey, 1, good); err == nil {
		t.Error("a peer without a roster key is accepted")
	}
}

// No frame but the peer's own is accepted.
func FuzzAgreeFrame(f *testing.F) {
	left, leftKey := fixture(0)
	right, rightKey := fixture(1)
	good := right.frame(rightKey)
	f.Add(good)
	f.Add(good[:95])
	f.Add(left.frame(leftKey))
	f.Add(make([]byte, 96))
	f.Fuzz(func(t *testing.T, frame []byte) {
		_, err := left.pairSeed(leftKey, 1, frame)
		if (err == nil) != bytes.Equal(frame, good) {
			t.Errorf("%x: %v", frame, err)
		}
	})
}

// Coins must stay what they are: shares at rest and transcripts depend on them.
func TestCoinsDiffer(t *testing.T) {
	seen := make(map[string]string)
	for name, c := range map[string]*Coins{
		"base":            newRoot(Seed{1}, SessionID{1}).coins("own\x00a"),
		"another seed":    newRoot(Seed{2}, SessionID{1}).coins("own\x00a"),
		"another session": newRoot(Seed{1}, SessionID{2}).coins("own\x00a"),
		"another step":    newRoot(Seed{1}, SessionID{1}).coins("own\x00b"),
		"another kind":    newRoot(Seed{1}, SessionID{1}).coins("pair\x00a"),
	} {
		b := bytes.Repeat([]byte{0xff}, 32)
		c.Fill(b)
		if was, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s have the same coins", name, was)
		}
		seen[string(b)] = name
	}
	// The stream goes on: two calls give what one longer call gives.
	whole, parts := make([]byte, 40), make([]byte, 40)
	newRoot(Seed{1}, SessionID{1}).coins("x").Fill(whole)
	c := newRoot(Seed{1}, SessionID{1}).coins("x")
	c.Fill(parts[:7])
	c.Fill(parts[7:])
	if !bytes.Equal(whole, parts) || bytes.Equal(whole[:16], whole[16:32]) {
		t.Errorf("%x and %x", whole, parts)
	}
}
