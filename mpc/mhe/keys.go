package mhe

import (
	"fmt"
	"io"
	"log/slog"
	"slices"

	"consilium/mpc"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring"
	"github.com/tuneinsight/lattigo/v5/ring/ringqp"
)

// Secret is a site's share of the collective key. It prints as redacted.
type Secret struct{ key *rlwe.SecretKey }

// NewSecret draws a share from the system's randomness.
func NewSecret(l *Layout) *Secret {
	return &Secret{rlwe.NewKeyGenerator(l.rings.bgv[0]).GenSecretKeyNew()}
}

// Erase overwrites the share: an epoch ends with its session.
func (k *Secret) Erase() {
	for _, limb := range slices.Concat(k.key.Value.Q.Coeffs, k.key.Value.P.Coeffs) {
		clear(limb)
	}
}

// Format keeps a share out of every verb.
func (*Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps a share out of structured logs.
func (*Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps a share out of JSON.
func (*Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// PublicKey is the collective public key of an epoch.
type PublicKey struct{ key *rlwe.PublicKey }

// CollectiveKey makes the public key to all secrets: with the common a from crs every
// site gives e - a s of its own secret s, the sum goes up the tree at s, and down
// again. That all sites got the same one is for an echo of seen to tell.
func CollectiveKey(s *mpc.Session, l *Layout, t *mpc.Tree, crs CRS, own *Secret, seen *Seen) *PublicKey {
	protocol := mhe.NewPublicKeyGenProtocol(l.rings.bgv[0])
	a := protocol.SampleCRP(crs.expand("key"))
	share := protocol.AllocateShare()
	protocol.GenShare(own.key, a, &share)

	c, sum := l.rings.key, joined(share.Value)
	frame := make([]byte, c.size())
	up := func(int) []byte { return c.put(frame, sum) }
	add := func(_ int, theirs []byte) error { return c.add(sum, theirs) }
	if !t.Up(s, []int{c.size()}, up, add) {
		return nil
	}
	root := func(int) []byte { return frame }
	got := func(_ int, theirs []byte) error {
		copy(frame, theirs)
		return c.get(sum, theirs)
	}
	if !t.Down(s, []int{c.size()}, root, got) {
		return nil
	}
	seen.Write(frame)
	key := rlwe.NewPublicKey(l.rings.bgv[0])
	protocol.GenPublicKey(share, a, key)
	return &PublicKey{key}
}

// joined is a polynomial modulo both kinds of moduli as one, in the same memory.
func joined(p ringqp.Poly) ring.Poly {
	return ring.Poly{Coeffs: slices.Concat(p.Q.Coeffs, p.P.Coeffs)}
}
