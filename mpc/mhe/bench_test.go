package mhe_test

import (
	"math/big"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
)

// BenchmarkSum is a whole sum over memory links, all sites on this machine: divide
// by their number for one site's processor time.
func BenchmarkSum(b *testing.B) {
	for _, c := range []struct {
		name                string
		values, bits, sites int
		treeOnly            bool
	}{
		{"1M/12", 1_000_000, 36, 12, false},
		{"1M/12/tree", 1_000_000, 36, 12, true},
		{"16k/96", 16_384, 21, 96, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := layout(b, c.values, c.bits, c.sites)
			own := make([]*big.Int, c.values)
			for i := range own {
				own[i] = big.NewInt(int64(i))
			}
			w := ward{worlds: memnet.New, layout: l, branching: 3, treeOnly: c.treeOnly}
			for range c.sites {
				w.vectors = append(w.vectors, own)
			}
			for b.Loop() {
				parts, _, err := w.run()
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if _, err := w.open(parts); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	l := layout(b, 100_000, 36, 2)
	own := make([]*big.Int, l.Values)
	for i := range own {
		own[i] = big.NewInt(int64(i))
	}
	w := ward{worlds: memnet.New, layout: l, branching: 1, vectors: [][]*big.Int{own, own}}
	parts, _, err := w.run()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.open(parts); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLayout(b *testing.B) {
	for b.Loop() {
		if _, err := mhe.NewLayout(1000, 100, 12); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSite is what a site works for a million sums, without the links: the
// floor under BenchmarkSum.
func BenchmarkSite(b *testing.B) {
	l := layout(b, 1_000_000, 36, 12)
	own := make([]*big.Int, l.Values)
	for i := range own {
		own[i] = big.NewInt(int64(i))
	}
	world := memnet.New(memnet.Config{N: 12, Compute: []mpc.PartyID{}})
	tree, err := mpc.NewTree([]mpc.PartyID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3)
	if err != nil {
		b.Fatal(err)
	}
	secret := mhe.NewSecret(l)
	keys, err := memnet.Collect(world, func(s *mpc.Session) (*mhe.PublicKey, error) {
		seen := mhe.NewSeen(s, l)
		crs := mhe.AgreeCRS(s.Step("crs"), tree, seen)
		return mhe.CollectiveKey(s.Step("key"), l, tree, crs, secret, seen), nil
	})
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := mhe.Encrypt(l, keys[0], own)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			if _, err := mhe.Encrypt(l, keys[0], own); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("switch", func(b *testing.B) {
		for b.Loop() {
			if _, err := mhe.Switch(l, secret, sealed.C1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
