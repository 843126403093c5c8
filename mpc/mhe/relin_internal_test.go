package mhe

import (
	"bytes"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// TestHostileKeyFramesEndTheSession: parts of keys for products and for turns that are
// not polynomials of their form end the making of an epoch, with the sender's name,
// whether they go up the tree or down.
func TestHostileKeyFramesEndTheSession(t *testing.T) {
	l, err := newVault(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := mpc.NewTree([]mpc.PartyID{0, 1, 2}, 2)
	if err != nil {
		t.Fatal(err)
	}
	unreduced := func(f []byte) []byte { return append(f[:len(f)-wordSize], bytes.Repeat([]byte{0xff}, wordSize)...) }
	for form, c := range map[string]codec{"products": l.rings.key, "turns": l.rings.turn} {
		for name, change := range map[string]func(frame []byte) []byte{
			"truncated": func(f []byte) []byte { return f[:len(f)-1] },
			"padded":    func(f []byte) []byte { return append(f, 0) },
			"empty":     func([]byte) []byte { return nil },
			"oversized": func([]byte) []byte { return make([]byte, mpc.MaxFrame) },
			"unreduced": unreduced,
		} {
			for from, to := range map[mpc.PartyID]mpc.PartyID{2: 0, 0: 1} {
				world := memnet.New(memnet.Config{N: 3, Compute: []mpc.PartyID{}, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
					if m.From == from && m.To == to && len(m.Frame) == c.size() {
						return change(m.Frame), true
					}
					return m.Frame, true
				}}})
				err := world.Run(func(s *mpc.Session) error {
					own := []ring.Poly{ring.NewPoly(c.n, len(c.moduli)-1), ring.NewPoly(c.n, len(c.moduli)-1)}
					sumAll(s.Step("keys"), c, tree, own, NewSeen(s, l))
					return s.Err()
				})
				if who := []string{"p0", "p1", "p2"}[from]; err == nil || !strings.Contains(err.Error(), who) {
					t.Errorf("%s, a frame that is %s, from %d to %d: %v", form, name, from, to, err)
				}
			}
		}
	}
}
