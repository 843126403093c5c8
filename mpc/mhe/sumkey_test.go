package mhe_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/linktest"
)

// TestSumKeyServesOnce asks a key for a second sum, whose shares would be the second
// ones under the smudging of one.
func TestSumKeyServesOnce(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l := layout(t, 3, 20, 2)
		own, want := vectors(l)
		members := []mpc.PartyID{0, 1}
		tree, err := mpc.NewTree(members, 1)
		if err != nil {
			t.Fatal(err)
		}
		world := worlds(memnet.Config{N: len(members), Compute: []mpc.PartyID{}})
		parts := make([]mhe.Part, len(members))
		_, err = memnet.Collect(world, func(s *mpc.Session) (mhe.Part, error) {
			key := mhe.NewSumKey(s.Step("first"), l, mhe.Options{Tree: tree})
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				if text := fmt.Sprintf(verb, key); text != "redacted" {
					t.Errorf("%s prints %q", verb, text)
				}
			}
			if text := slog.AnyValue(key).Resolve().String(); text != "redacted" {
				t.Errorf("a log shows %q", text)
			}
			parts[s.Self()] = key.RevealSum(s.Step("first"), own[s.Self()])
			if err := s.Err(); err != nil {
				return mhe.Part{}, fmt.Errorf("the first sum: %w", err)
			}
			mpc.Exchange(s.Step("both"), members, []byte{0}) // nobody fails while the other still sums
			return key.RevealSum(s.Step("second"), own[s.Self()]), nil
		})
		if err == nil || !strings.Contains(err.Error(), "serves no other") {
			t.Errorf("error %v, want one that refuses the second sum", err)
		}
		opened, err := ward{layout: l}.open(parts)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, opened, want)
	})
}
