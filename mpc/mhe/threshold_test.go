package mhe_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/linktest"
)

// holding is an epoch at every site: a key that is dealt, and a sum under it.
type holding struct {
	layout *mhe.Layout
	quorum *mhe.Quorum
	sites  []held
	sums   []*big.Int
	world  *memnet.World
}

type held struct {
	key    *mhe.PublicKey
	secret *mhe.Secret
	piece  *mhe.Piece
	stored *mhe.Ciphertexts
}

func quorum(t testing.TB, sites, need int) *mhe.Quorum {
	t.Helper()
	q, err := mhe.NewQuorum(everybody(sites), need)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func everybody(sites int) []mpc.PartyID {
	all := make([]mpc.PartyID, sites)
	for i := range all {
		all[i] = mpc.PartyID(i)
	}
	return all
}

func flat(t testing.TB, members []mpc.PartyID) mhe.Options {
	t.Helper()
	tree, err := mpc.NewTree(members, 2)
	if err != nil {
		t.Fatal(err)
	}
	return mhe.Options{Tree: tree}
}

// hold makes the key of an epoch with all sites, deals it, and leaves every site with
// the sum of all vectors under it.
func hold(t testing.TB, worlds linktest.Worlds, l *mhe.Layout, q *mhe.Quorum, own [][]*big.Int) *holding {
	t.Helper()
	h := &holding{layout: l, quorum: q, world: worlds(memnet.Config{N: l.Sites, Compute: []mpc.PartyID{}})}
	o := flat(t, q.Holders())
	var err error
	h.sites, err = memnet.Collect(h.world, func(s *mpc.Session) (held, error) {
		seen, secret := mhe.NewSeen(s, l), mhe.NewSecret(l)
		key := mhe.CollectiveKey(s.Step("key"), l, o.Tree, mhe.AgreeCRS(s.Step("crs"), o.Tree, seen), secret, seen)
		piece := mhe.Deal(s.Step("deal"), l, q, secret)
		if s.Err() != nil {
			return held{}, nil
		}
		sealed, err := mhe.Encrypt(l, key, own[s.Self()])
		if err == nil {
			mhe.SumAlong(s.Step("c0"), l, o.Tree, sealed.C0)
			mhe.SumAlong(s.Step("c1"), l, o.Tree, sealed.C1)
		}
		return held{key, secret, piece, sealed}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.sums = make([]*big.Int, l.Values)
	for v := range h.sums {
		h.sums[v] = new(big.Int)
		for i := range own {
			h.sums[v].Add(h.sums[v], own[i][v])
		}
	}
	return h
}

// reveal opens with an active set, in a session in which the others say nothing.
func (h *holding) reveal(t testing.TB, active []mpc.PartyID, stored func(p mpc.PartyID) *mhe.Ciphertexts) ([]mhe.Part, error) {
	o := flat(t, active)
	return memnet.Collect(h.world, func(s *mpc.Session) (mhe.Part, error) {
		if !slices.Contains(active, s.Self()) {
			return mhe.Part{}, nil
		}
		site := h.sites[s.Self()]
		secret, err := site.piece.Among(h.layout, h.quorum, active)
		if err != nil {
			return mhe.Part{}, err
		}
		defer secret.Erase()
		return mhe.RevealStored(s, h.layout, o, site.key, secret, stored(s.Self())), nil
	})
}

func (h *holding) own(p mpc.PartyID) *mhe.Ciphertexts { return h.sites[p].stored }

// checked opens with an active set and wants the sums.
func (h *holding) checked(t *testing.T, active []mpc.PartyID) {
	t.Helper()
	parts, err := h.reveal(t, active, h.own)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.layout.Open(together(parts))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, h.sums)
}

// holdVectors is hold for vectors of sites of which so many open together.
func holdVectors(t testing.TB, worlds linktest.Worlds, sites, need, values, bits, openings int) *holding {
	t.Helper()
	q := quorum(t, sites, need)
	own, _ := vectors(layout(t, values, bits, sites))
	return hold(t, worlds, quorumLayout(t, values, bits, q, openings), q, own)
}

func quorumLayout(t testing.TB, values, bits int, q *mhe.Quorum, openings int) *mhe.Layout {
	t.Helper()
	l, err := mhe.NewQuorumLayout(values, bits, q, openings)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAnyQuorumOpens(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		h := holdVectors(t, worlds, 5, 3, 7, 60, 100)
		for _, active := range [][]mpc.PartyID{{0, 1, 2}, {0, 1, 3}, {2, 3, 4}, {0, 2, 4}, {0, 1, 2}} {
			t.Run(fmt.Sprint(active), func(t *testing.T) { h.checked(t, active) })
		}
	})
}

// A hospital falls out while all open together. Its name is said, and a quorum of the
// others opens the same sum in a new session.
func TestQuorumOpensWithOneHospitalDown(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		h := holdVectors(t, worlds, 5, 3, 3, 40, 10)
		healthy := h.world
		h.world = worlds(memnet.Config{N: 5, Compute: []mpc.PartyID{}, Seed: 1, Timeout: 2 * time.Second, Hooks: memnet.Hooks{
			Tamper: func(m memnet.Message) ([]byte, bool) { return m.Frame, m.From != 1 },
		}})
		if _, err := h.reveal(t, []mpc.PartyID{0, 1, 4}, h.own); err == nil || !strings.Contains(err.Error(), "receive from p1") {
			t.Errorf("with a hospital down: %v", err)
		}
		h.world = healthy
		h.checked(t, []mpc.PartyID{0, 2, 4})
	})
}

// The same stored sum, opened twice by the same set and once by another: what is
// switched is never the same, and no share fits another session.
func TestStoredSumIsNeverSwitchedAsItIs(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		h := holdVectors(t, worlds, 3, 2, 1, 20, 10)
		had := make(map[[32]byte]bool)
		var all [][]mhe.Part
		for _, active := range [][]mpc.PartyID{{0, 1}, {0, 1}, {0, 2}} {
			parts, err := h.reveal(t, active, h.own)
			if err != nil {
				t.Fatal(err)
			}
			if had[parts[0].Digest] {
				t.Error("the same ciphertext was switched twice")
			}
			had[parts[0].Digest] = true
			all = append(all, parts)
		}
		if got, err := h.layout.Open(all[0][0].Total, [][]byte{all[0][0].Seed, all[2][2].Seed}); err == nil {
			t.Errorf("a seed of another session opens to %v", got)
		}
	})
}

// A site that is given another stored ciphertext than the others, one chosen so that
// its share would tell its secret, makes none.
func TestChosenStoredCiphertextIsNotSwitched(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		h := holdVectors(t, worlds, 3, 2, 1, 20, 10)
		_, err := h.reveal(t, []mpc.PartyID{0, 1}, func(p mpc.PartyID) *mhe.Ciphertexts {
			stored := copied(h.own(p))
			if p == 1 {
				clear(stored.C1[0].Coeffs[0])
				clear(stored.C1[0].Coeffs[1])
				stored.C1[0].Coeffs[0][0], stored.C1[0].Coeffs[1][0] = 1, 1
			}
			return stored
		})
		if err == nil || !strings.Contains(err.Error(), "has seen other stored ciphertexts, key or sites") {
			t.Errorf("a chosen ciphertext: %v", err)
		}
		if at := h.world.Transcript().At("switch"); len(at) > 0 {
			t.Errorf("%d shares were sent", len(at))
		}
	})
}

// What outlasts its session is not opened on a relay's word.
func TestStoredSumIsNotOpenedInTreeOnlyMode(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		h := holdVectors(t, worlds, 3, 2, 1, 20, 10)
		err := h.world.Run(func(s *mpc.Session) error {
			if s.Self() == 2 {
				return nil
			}
			o := flat(t, []mpc.PartyID{0, 1})
			o.TreeOnly = true
			site := h.sites[s.Self()]
			mhe.RevealStored(s, h.layout, o, site.key, site.secret, site.stored)
			return s.Err()
		})
		if err == nil || !strings.Contains(err.Error(), "tree-only") {
			t.Errorf("%v", err)
		}
	})
}

func TestQuorumRefusesOtherSets(t *testing.T) {
	q := quorum(t, 5, 3)
	for name, active := range map[string][]mpc.PartyID{
		"too few": {0, 1}, "too many": {0, 1, 2, 3}, "none": nil, "not sorted": {1, 0, 2}, "one twice": {0, 0, 1},
		"without self": {1, 2, 3}, "a stranger": {0, 1, 7}, "a negative one": {-1, 0, 1},
	} {
		if err := q.CheckActive(active, 0); err == nil {
			t.Errorf("%s: %v is allowed", name, active)
		}
	}
	if err := q.CheckActive([]mpc.PartyID{0, 3, 4}, 4); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]struct {
		holders []mpc.PartyID
		need    int
	}{
		"one holder": {[]mpc.PartyID{0}, 1}, "a quorum of one": {[]mpc.PartyID{0, 1}, 1}, "more than there are": {[]mpc.PartyID{0, 1}, 3},
		"a holder twice": {[]mpc.PartyID{0, 1, 1}, 2}, "not in order": {[]mpc.PartyID{1, 0}, 2}, "a negative one": {[]mpc.PartyID{-1, 0}, 2},
		"too many holders": {everybody(101), 2},
	} {
		if _, err := mhe.NewQuorum(bad.holders, bad.need); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

func TestHostilePiecesEndTheSession(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		q := quorum(t, 3, 2)
		l := quorumLayout(t, 1, 20, q, 10)
		for name, change := range map[string]func(frame []byte) []byte{
			"truncated": func(f []byte) []byte { return f[:len(f)-1] },
			"padded":    func(f []byte) []byte { return append(f, 0) },
			"empty":     func([]byte) []byte { return nil },
			"oversized": func([]byte) []byte { return make([]byte, mpc.MaxFrame) },
			"unreduced": func(f []byte) []byte { return unreduced(f, 5) },
		} {
			t.Run(name, func(t *testing.T) {
				world := worlds(memnet.Config{N: 3, Compute: []mpc.PartyID{}, Hooks: tamper("deal", 2, func(m memnet.Message) []byte { return change(m.Frame) })})
				err := world.Run(func(s *mpc.Session) error {
					if mhe.Deal(s.Step("deal"), l, q, mhe.NewSecret(l)) != nil && s.Self() != 2 {
						t.Error("a piece was made")
					}
					return s.Err()
				})
				if err == nil || !strings.Contains(err.Error(), "p2") {
					t.Errorf("%v", err)
				}
			})
		}
	})
}
