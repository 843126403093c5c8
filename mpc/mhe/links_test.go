package mhe_test

import (
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/linktest"
)

// TestSumsOverLinks sums over every transport and along different trees.
func TestSumsOverLinks(t *testing.T) {
	linktest.Each(t, func(t *testing.T, world func(memnet.Config) *memnet.World) {
		for _, c := range []struct {
			sites, branching int
			treeOnly         bool
		}{{3, 2, false}, {5, 2, false}, {5, 2, true}, {5, 4, false}} {
			l := layout(t, 20, 40, c.sites)
			own, sums := vectors(l)
			members := make([]mpc.PartyID, c.sites)
			for i := range members {
				members[i] = mpc.PartyID(i)
			}
			tree, err := mpc.NewTree(members, c.branching)
			if err != nil {
				t.Fatal(err)
			}
			w := world(memnet.Config{N: c.sites, Compute: []mpc.PartyID{}, Timeout: time.Minute})
			parts, err := memnet.Collect(w, func(s *mpc.Session) (mhe.Part, error) {
				return mhe.RevealSum(s, l, mhe.Options{Tree: tree, TreeOnly: c.treeOnly}, own[s.Self()]), nil
			})
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			got, err := ward{layout: l}.open(parts)
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			for v, want := range sums {
				if got[v].Cmp(want) != 0 {
					t.Fatalf("%+v: value %d is %v, want %v", c, v, got[v], want)
				}
			}
		}
	})
}
