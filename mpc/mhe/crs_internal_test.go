package mhe

import (
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/node/linktest"
)

// A root that shows one branch another nonce of its own, with a commitment that
// fits it: the branches have different references, and the echo tells.
func TestRootThatSplitsTheReferenceIsNoticed(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l, err := NewLayout(1, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := mpc.NewTree([]mpc.PartyID{0, 1, 2}, 2)
		if err != nil {
			t.Fatal(err)
		}
		nonce := make([]byte, nonceSize)
		world := worlds(memnet.Config{N: 3, Compute: []mpc.PartyID{}, Hooks: memnet.Hooks{
			Tamper: func(m memnet.Message) ([]byte, bool) {
				if m.From == 0 && m.To == 2 {
					switch m.Channel.Step {
					case "crs/hash":
						seen := &Seen{session: m.Channel.Session, layout: l.digest()}
						copy(m.Frame, seen.sum("nonce", 0, nonce))
					case "crs/nonce":
						copy(m.Frame, nonce)
					}
				}
				return m.Frame, true
			},
		}})
		references := make([]CRS, 3)
		err = world.Run(func(s *mpc.Session) error {
			seen := NewSeen(s, l)
			references[s.Self()] = AgreeCRS(s.Step("crs"), tree, seen)
			echo(s.Step("echo"), tree.Members(), seen, "nonces")
			return s.Err()
		})
		if references[0] != references[1] || references[0] == references[2] {
			t.Error("the attack did not split the reference")
		}
		if err == nil || !strings.Contains(err.Error(), "has seen other nonces") {
			t.Errorf("a split reference: %v", err)
		}
	})
}

// Every site's nonce, the session and the layout enter the reference: nobody hands
// it in, and none is used twice.
func TestReferenceIsFreshInEverySession(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		tree, err := mpc.NewTree([]mpc.PartyID{0, 1, 2}, 2)
		if err != nil {
			t.Fatal(err)
		}
		l, err := NewLayout(1, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		world, had := worlds(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), make(map[CRS]bool)
		for range 3 {
			out, err := memnet.Collect(world, func(s *mpc.Session) (CRS, error) {
				return AgreeCRS(s.Step("crs"), tree, NewSeen(s, l)), nil
			})
			if err != nil || out[0] != out[1] || out[1] != out[2] {
				t.Fatalf("references differ: %v", err)
			}
			if had[out[0]] {
				t.Error("a reference came again")
			}
			had[out[0]] = true
		}
		one, two := make([]byte, 8), make([]byte, 8)
		for i, use := range []string{"key", "relinearisation"} {
			if _, err := (CRS{1}).expand(use).Read([][]byte{one, two}[i]); err != nil {
				t.Fatal(err)
			}
		}
		if string(one) == string(two) {
			t.Error("two uses of a reference are the same")
		}
	})
}

// The same message is committed to differently in another session, over another
// layout, by another site and for another use.
func TestCommitmentsAreBound(t *testing.T) {
	base := Seen{session: mpc.SessionID{1}, layout: [32]byte{2}}
	session, layout := base, base
	session.session[0], layout.layout[0] = 9, 9
	had := make(map[string]bool)
	for _, c := range [][]byte{
		base.sum("nonce", 0, nil), base.sum("nonce", 1, nil), base.sum("c1", 0, nil),
		session.sum("nonce", 0, nil), layout.sum("nonce", 0, nil), base.sum("nonce", 0, []byte{0}),
	} {
		if had[string(c)] {
			t.Error("two commitments are equal")
		}
		had[string(c)] = true
	}
}
