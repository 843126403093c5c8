package rss_test

import (
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// shares inputs x twice from the site, in two steps, and multiplies.
func shares(t *testing.T, w *memnet.World, x ring.Vec64) []map[string]rss.Vec {
	t.Helper()
	out, err := memnet.Collect(w, func(s *mpc.Session) (map[string]rss.Vec, error) {
		a := rss.Input(s.Step("a"), site, len(x), only(s, site, x))
		b := rss.Input(s.Step("b"), site, len(x), only(s, site, x))
		if s.Role() < 0 {
			return nil, nil
		}
		return map[string]rss.Vec{"a": a, "b": b, "ab": rss.Mul(s.Step("mul"), a, b)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[:3]
}

func TestReplication(t *testing.T) {
	got := shares(t, memnet.New(four(1)), ring.Vec64{1, 2, 3})
	for role, m := range got {
		for name, x := range m {
			if !slices.Equal(x.B, got[(role+1)%3][name].A) {
				t.Errorf("%s: B of role %d is not A of the next", name, role)
			}
		}
	}
}

// A party's view of an input is the same for every secret but for one component
// that the other two mask: components 0 and 1 do not depend on x, and 2 is x
// minus these.
func TestComponentsHideTheInput(t *testing.T) {
	zero, one := shares(t, memnet.New(four(5)), ring.Vec64{0, 0}), shares(t, memnet.New(four(5)), ring.Vec64{1, 1 << 63})
	for c := range 2 {
		if !slices.Equal(zero[c]["a"].A, one[c]["a"].A) {
			t.Errorf("component %d depends on the secret", c)
		}
	}
	if got := one[2]["a"].A.Sub(zero[2]["a"].A); !slices.Equal(got, ring.Vec64{1, 1 << 63}) {
		t.Errorf("component 2 moves by %v", got)
	}
}

// No stream of coins is used twice: not for two components, two steps, two
// sessions of the same seeds, or a product.
func TestCoinsAreNotReused(t *testing.T) {
	w := memnet.New(four(5))
	seen := make(map[uint64]string)
	for range 2 {
		for role, m := range shares(t, w, make(ring.Vec64, 8)) {
			for name, x := range m {
				for _, e := range x.A {
					if was, ok := seen[e]; ok || e == 0 {
						t.Fatalf("%s of role %d repeats an element of %s", name, role, was)
					}
					seen[e] = name
				}
			}
		}
	}
}

// The frame of a product is uniform: over many runs with the same inputs each
// bit of it is one about half of the time.
func TestProductFramesAreBalanced(t *testing.T) {
	const n = 4096
	w := memnet.New(four(9))
	ones := [64]int{}
	for _, e := range shares(t, w, make(ring.Vec64, n))[0]["ab"].A {
		for bit := range ones {
			ones[bit] += int(e >> bit & 1)
		}
	}
	for bit, k := range ones {
		if k < n/2-6*32 || k > n/2+6*32 { // six standard deviations of sqrt(n)/2
			t.Errorf("bit %d is one in %d of %d elements", bit, k, n)
		}
	}
}
