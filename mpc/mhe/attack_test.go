package mhe_test

import (
	"errors"
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

// small is a sum over five sites in a tree of branching two: participant 1 is the
// root, 2 and 3 are below it, 4 and 0 below 2.
func small(t testing.TB, worlds linktest.Worlds) ward {
	l := layout(t, 5, 40, 5)
	own, _ := vectors(l)
	return ward{worlds: worlds, layout: l, branching: 2, vectors: own}
}

// tamper changes the messages of one step that participant from sends.
func tamper(step string, from mpc.PartyID, change func(m memnet.Message) []byte) memnet.Hooks {
	return memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		if m.From == from && m.Channel.Step == step {
			return change(m), true
		}
		return m.Frame, true
	}}
}

// fails runs the ward and wants its session to end with an error that says all of
// words, and no part to be left anywhere that could be opened.
func (w ward) fails(t *testing.T, words ...string) {
	t.Helper()
	parts, world, err := w.run()
	if err == nil {
		t.Fatal("the sum went through")
	}
	said := false
	for _, e := range world.Errors() {
		said = said || e != nil && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(e.Error(), word) })
	}
	if !said {
		t.Errorf("nobody says %q: %v", words, err)
	}
	for i, p := range parts {
		if p.Total != nil {
			t.Errorf("participant %d has a total after %v", i, err)
		}
	}
	if got := world.Transcript().At("switch"); len(got) > 0 {
		t.Errorf("%d shares of the key switch were sent", len(got))
	}
}

func TestOtherCiphertextThanCommittedIsNotSwitched(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		w.hooks = memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			if m.From == 3 && m.To == 4 && m.Channel.Step == "c1/part.0" {
				m.Frame[0] ^= 1
			}
			return m.Frame, true
		}}
		w.fails(t, "p3 sent other ciphertexts than it had committed to", "p4, step c1")
	})
}

func TestChosenCiphertextForAllIsNotSwitched(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		w.hooks = tamper("c1/part.0", 2, func(m memnet.Message) []byte {
			clear(m.Frame)
			m.Frame[0] = 1 // c1 = 1 would have every share tell the secret
			return m.Frame
		})
		w.fails(t, "p2 sent other ciphertexts than it had committed to")
	})
}

func TestRelayThatSendsOtherSumsIsNoticedInTreeOnlyMode(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		w.treeOnly = true
		w.hooks = memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			if m.From == 2 && m.To == 4 && m.Channel.Step == "c1" { // down to one of its two children
				m.Frame[8] ^= 1
			}
			return m.Frame, true
		}}
		w.fails(t, "has seen other summed ciphertexts")
	})
}

// A root that lists other things to one branch than to the other.
func TestRootThatSendsDifferentListsIsNoticed(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		for step, entry := range map[string]int{
			"commit":    0,  // the root's own commitment
			"key":       16, // the public key
			"crs/nonce": 0,  // fits no commitment
		} {
			t.Run(strings.ReplaceAll(step, "/", " "), func(t *testing.T) {
				w := small(t, worlds)
				w.hooks = memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
					if m.From == 1 && m.To == 3 && m.Channel.Step == step {
						m.Frame[entry] ^= 1
					}
					return m.Frame, true
				}}
				if step == "crs/nonce" {
					w.fails(t, "p1 opened another nonce than it had committed to")
				} else {
					w.fails(t, "has seen other nonces, key or commitments")
				}
			})
		}
	})
}

// Participant 3 sends ciphertexts of an earlier session again, with the commitment
// that it made there, so that the two fit each other.
func TestFramesOfAnotherSessionDoNotFit(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		members := []mpc.PartyID{0, 1, 2, 3, 4}
		tree, err := mpc.NewTree(members, 2)
		if err != nil {
			t.Fatal(err)
		}
		var old struct {
			sealed     *mhe.Ciphertexts
			commitment mhe.Commitment
		}
		world := worlds(memnet.Config{N: 5, Compute: []mpc.PartyID{}})
		for session := range 2 {
			err = world.Run(func(s *mpc.Session) error {
				seen := mhe.NewSeen(s, w.layout)
				crs := mhe.AgreeCRS(s.Step("crs"), tree, seen)
				key := mhe.CollectiveKey(s.Step("key"), w.layout, tree, crs, mhe.NewSecret(w.layout), seen)
				if s.Err() != nil {
					return s.Err()
				}
				sealed, err := mhe.Encrypt(w.layout, key, w.vectors[s.Self()])
				if err != nil {
					return err
				}
				var committed []mhe.Commitment
				if replays := session == 1 && s.Self() == 3; replays {
					sealed = old.sealed
					for _, entry := range tree.Collect(s.Step("commit"), append(old.commitment.C0[:], old.commitment.C1[:]...)) {
						committed = append(committed, mhe.Commitment{C0: [32]byte(entry), C1: [32]byte(entry[32:])})
					}
				} else {
					committed = mhe.Commit(s.Step("commit"), w.layout, tree, sealed, seen)
				}
				if session == 0 && s.Self() == 3 {
					old.sealed, old.commitment = copied(sealed), committed[3]
				}
				mhe.SumExchanged(s.Step("c1"), w.layout, members, sealed.C1, committed, seen)
				return s.Err()
			})
			if session == 0 && err != nil {
				t.Fatal(err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "p3 sent other ciphertexts than it had committed to") {
			t.Errorf("ciphertexts of another session: %v", err)
		}
	})
}

// copied returns ciphertexts that share no memory with c.
func copied(c *mhe.Ciphertexts) *mhe.Ciphertexts {
	d := &mhe.Ciphertexts{}
	for k := range c.C0 {
		d.C0, d.C1 = append(d.C0, *c.C0[k].CopyNew()), append(d.C1, *c.C1[k].CopyNew())
	}
	return d
}

func TestHostileFramesEndTheSession(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		l := layout(t, 5, 40, 5)
		for _, c := range []struct {
			name, step string
			change     func(m memnet.Message) []byte
			says       string
		}{
			{"truncated", "c0", func(m memnet.Message) []byte { return m.Frame[:len(m.Frame)-1] }, "bytes, want"},
			{"padded", "c0", func(m memnet.Message) []byte { return append(m.Frame, 0) }, "bytes, want"},
			{"empty", "key", func(m memnet.Message) []byte { return nil }, "bytes, want"},
			{"oversized", "c1/part.0", func(m memnet.Message) []byte { return make([]byte, mpc.MaxFrame) }, "bytes, want"},
			{"unreduced", "c0", func(m memnet.Message) []byte { return unreduced(m.Frame, 3) }, "is not reduced"},
			{"unreduced key", "key", func(m memnet.Message) []byte { return unreduced(m.Frame, 3) }, "is not reduced"},
			{"unreduced second limb", "c1/part.0", func(m memnet.Message) []byte { return unreduced(m.Frame, l.HalfSize()/8-1) }, "is not reduced"},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := small(t, worlds)
				w.hooks = tamper(c.step, 4, c.change)
				w.fails(t, c.says, "p4")
			})
		}
	})
}

// unreduced makes a coefficient the largest that eight bytes hold.
func unreduced(frame []byte, coefficient int) []byte {
	for i := range 8 {
		frame[8*coefficient+i] = 0xff
	}
	return frame
}

// A share alone, or all but one mask taken off, is noise: every coefficient is as
// large as the modulus.
func TestTotalWithoutOneMaskDoesNotOpen(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		parts, _, err := w.run()
		if err != nil {
			t.Fatal(err)
		}
		for i := range parts {
			short := slices.Clone(parts)
			short[i].Seed = make(mhe.Seed, mhe.SeedSize)
			if sums, err := w.open(short); err == nil {
				t.Errorf("without the mask of participant %d: %v", i, sums)
			}
		}
		if _, err := w.open(parts); err != nil {
			t.Errorf("with all masks: %v", err)
		}
	})
}

func TestOpenRefusesWhatNoSessionGives(t *testing.T) {
	w := small(t, memnet.New)
	parts, _, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	total := parts[1].Total
	var seeds [][]byte
	for _, p := range parts {
		seeds = append(seeds, p.Seed)
	}
	for name, open := range map[string]func() ([]*big.Int, error){
		"truncated total": func() ([]*big.Int, error) { return w.layout.Open(total[:len(total)-1], seeds) },
		"padded total":    func() ([]*big.Int, error) { return w.layout.Open(append(slices.Clip(total), 0), seeds) },
		"no total":        func() ([]*big.Int, error) { return w.layout.Open(nil, seeds) },
		"unreduced total": func() ([]*big.Int, error) { return w.layout.Open(unreduced(slices.Clone(total), 77), seeds) },
		"a seed too few":  func() ([]*big.Int, error) { return w.layout.Open(total, seeds[1:]) },
		"a seed too many": func() ([]*big.Int, error) { return w.layout.Open(total, append(slices.Clip(seeds), seeds[0])) },
		"a short seed":    func() ([]*big.Int, error) { return w.layout.Open(total, append(slices.Clone(seeds[1:]), seeds[0][1:])) },
		"a seed twice":    func() ([]*big.Int, error) { return w.layout.Open(total, append(slices.Clone(seeds[1:]), seeds[1])) },
	} {
		if sums, err := open(); err == nil {
			t.Errorf("%s: %v", name, sums)
		} else if strings.Contains(err.Error(), "invalid memory") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A share is made once for a ciphertext: the steps of a sum cannot be gone again.
func TestSumIsMadeOnceInASession(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		world := worlds(memnet.Config{N: 5, Compute: []mpc.PartyID{}})
		tree, err := mpc.NewTree([]mpc.PartyID{0, 1, 2, 3, 4}, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if v, _ := recover().(error); !errors.Is(v, mpc.ErrStepReused) {
				t.Errorf("a second sum in the same session ended with %v", v)
			}
		}()
		_ = world.Run(func(s *mpc.Session) error {
			for range 2 {
				mhe.RevealSum(s, w.layout, mhe.Options{Tree: tree}, w.vectors[s.Self()])
			}
			return s.Err()
		})
	})
}

func TestDeadSiteIsNamed(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		w := small(t, worlds)
		w.hooks = memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) { return m.Frame, m.From != 4 }}
		w.timeout = 3 * time.Second
		w.fails(t, "p4 sends nothing")
	})
}
