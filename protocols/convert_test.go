package protocols

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// crossing is five sites with a key of which any three answer, and three parties,
// who are sites or not.
type crossing struct {
	*mhe.Conversion
	quorum *mhe.Quorum
	sites  []mpc.PartyID
	world  *memnet.World
}

func newCrossing(t *testing.T, values, within int, parties ...mpc.PartyID) *crossing {
	t.Helper()
	c := &crossing{sites: []mpc.PartyID{0, 1, 2, 3, 4}}
	var err error
	if c.quorum, err = mhe.NewQuorum(c.sites, 3); err != nil {
		t.Fatal(err)
	}
	if c.Conversion, err = mhe.NewConversion(values, within, c.quorum, 100); err != nil {
		t.Fatal(err)
	}
	c.world = memnet.New(memnet.Config{N: int(max(parties[2]+1, 5)), Compute: parties, Seed: 5})
	return c
}

// tree is over members, the first at its root.
func tree(t *testing.T, members ...mpc.PartyID) *mpc.Tree {
	tree, err := mpc.NewTree(members, 2)
	if err != nil {
		t.Error(err)
	}
	return tree
}

// keyed makes the key at the sites, gives its public part to all, and returns what
// this participant has of it.
func (c *crossing) keyed(t *testing.T, s *mpc.Session, keys chan *mhe.PublicKey) (*mhe.PublicKey, *mhe.Piece) {
	if int(s.Self()) >= len(c.sites) {
		return <-keys, nil
	}
	seen, secret, all := mhe.NewSeen(s, c.Layout), mhe.NewSecret(c.Layout), tree(t, c.sites...)
	defer secret.Erase()
	key := mhe.CollectiveKey(s.Step("key"), c.Layout, all, mhe.AgreeCRS(s.Step("crs"), all, seen), secret, seen)
	piece := mhe.Deal(s.Step("pieces"), c.Layout, c.quorum, secret)
	if s.Self() == 0 {
		for range s.N() - len(c.sites) {
			keys <- key
		}
	}
	return key, piece
}

// share is this participant's share of the key among the active sites.
func (c *crossing) share(t *testing.T, piece *mhe.Piece, active []mpc.PartyID, self mpc.PartyID) *mhe.Secret {
	if !slices.Contains(active, self) {
		return nil
	}
	secret, err := piece.Among(c.Layout, c.quorum, active)
	if err != nil {
		t.Error(err)
	}
	return secret
}

// Sums of five sites under mhe, compared by three parties under shares.
func TestSumUnderMheCompareUnderShares(t *testing.T) {
	const within = 60
	bound := int64(1)<<within - 1
	left := []int64{0, 1, -1, bound, -bound, 5000000000, -7, 3}
	right := []int64{0, 0, 0, -bound, bound, 5000000001, -7, -3}
	for _, parties := range [][]mpc.PartyID{{0, 1, 2}, {5, 6, 7}} {
		t.Run(fmt.Sprint(parties), func(t *testing.T) {
			c, keys := newCrossing(t, 2*len(left), within, parties...), make(chan *mhe.PublicKey, 3)
			active := []mpc.PartyID{0, 2, 4}
			less, err := memnet.Collect(c.world, func(s *mpc.Session) ([]uint64, error) {
				key, piece := c.keyed(t, s, keys)
				var stored *mhe.Ciphertexts
				var secret *mhe.Secret
				if int(s.Self()) < len(c.sites) {
					stored = mhe.Together(s.Step("sum"), c.Layout, tree(t, c.sites...), key, parts(slices.Concat(left, right), int(s.Self()), len(c.sites)))
					secret = c.share(t, piece, active, s.Self())
				}
				x := SharesOf(s.Step("cross"), c.Conversion, mhe.Options{Tree: tree(t, active...)}, key, secret, stored)
				if s.Role() < 0 {
					return nil, s.Err()
				}
				n := len(left)
				bits := rss.Less(s.Step("less"), rss.Slice(s, x, 0, n), rss.Slice(s, x, n, 2*n), within+2)
				answer := rss.Open(s.Step("answer"), rss.ToArith(s.Step("bits"), bits))
				return answer, s.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range left {
				want := uint64(0)
				if left[i] < right[i] {
					want = 1
				}
				if got := less[parties[0]][i]; got != want {
					t.Errorf("%d < %d is %d", left[i], right[i], got)
				}
			}
		})
	}
}

// parts are what site i of n has of public sums: unequal, of both signs.
func parts(sums []int64, i, n int) []*big.Int {
	own := make([]*big.Int, len(sums))
	for v, sum := range sums {
		x := sum / int64(n) * int64(i%2)
		if i == n-1 {
			for j := range n - 1 {
				sum -= sums[v] / int64(n) * int64(j%2)
			}
			x = sum
		}
		own[v] = big.NewInt(x)
	}
	return own
}

// Shares of three parties to a ciphertext of five sites and back again.
func TestSharesToSumsAndBack(t *testing.T) {
	for _, parties := range [][]mpc.PartyID{{0, 1, 2}, {5, 6, 7}} {
		t.Run(fmt.Sprint(parties), func(t *testing.T) {
			const within = 40
			want := []int64{0, 1, -1, 1<<within - 1, 1 - 1<<within}
			c, keys := newCrossing(t, len(want), within, parties...), make(chan *mhe.PublicKey, 3)
			members := slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.sites, parties))))
			active := []mpc.PartyID{1, 2, 3}
			out, err := memnet.Collect(c.world, func(s *mpc.Session) ([]*big.Int, error) {
				key, piece := c.keyed(t, s, keys)
				var own ring.Vec128
				if s.Self() == parties[0] {
					for _, x := range want {
						own = append(own, ring.FromBig([]*big.Int{big.NewInt(x)})...)
					}
				}
				x := rss.Input(s.Step("input"), parties[0], len(want), own)
				stored := SumsOf(s.Step("there"), c.Conversion, tree(t, members...), key, x)
				if s.Err() != nil {
					return nil, s.Err()
				}
				secret := c.share(t, piece, active, s.Self())
				y := SharesOf(s.Step("back"), c.Conversion, mhe.Options{Tree: tree(t, active...)}, key, secret, stored)
				if s.Role() < 0 {
					return nil, s.Err()
				}
				return rss.Open(s.Step("answer"), y).Big(), s.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range want {
				if got := out[parties[1]][i]; got.Cmp(big.NewInt(x)) != 0 {
					t.Errorf("%d came back as %v", x, got)
				}
			}
		})
	}
}
