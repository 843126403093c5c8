package mpc_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// agreeAll runs an agreement of parties a, b, c over a network and returns what
// each got.
func agreeAll(t *testing.T, net *memnet.Network, change func(*mpc.Agreement)) ([]mpc.Seeds, []error) {
	t.Helper()
	names := []string{"a", "b", "c"}
	publics, privates := make([]ed25519.PublicKey, 3), make([]ed25519.PrivateKey, 3)
	for p := range names {
		var err error
		if publics[p], privates[p], err = ed25519.GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	seeds, errs := make([]mpc.Seeds, 3), make([]error, 3)
	var wg sync.WaitGroup
	for p := range mpc.PartyID(3) {
		a := mpc.Agreement{
			ID: mpc.SessionID{1}, Self: p, Names: names, Peers: []mpc.PartyID{(p + 1) % 3, (p + 2) % 3},
			Transport: net.Transport(p), Key: privates[p], Timeout: time.Minute,
			PeerKey: func(p mpc.PartyID) ed25519.PublicKey { return publics[p] },
		}
		if change != nil {
			change(&a)
		}
		wg.Go(func() {
			seeds[p], errs[p] = mpc.Agree(t.Context(), a)
			net.End(p, a.ID)
		})
	}
	wg.Wait()
	return seeds, errs
}

func TestAgree(t *testing.T) {
	seeds, errs := agreeAll(t, memnet.NewNetwork(3, 0, memnet.Hooks{}), nil)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	all := make(map[mpc.Seed]bool)
	for p := range mpc.PartyID(3) {
		q := (p + 1) % 3
		if seeds[p].Pair[q] != seeds[q].Pair[p] {
			t.Errorf("%d and %d do not agree", p, q)
		}
		if len(seeds[p].Pair) != 2 {
			t.Errorf("%d has %d pair seeds", p, len(seeds[p].Pair))
		}
		all[seeds[p].Own], all[seeds[p].Pair[q]] = true, true
	}
	if len(all) != 6 || all[mpc.Seed{}] {
		t.Errorf("%d seeds are different and set, want 6", len(all))
	}
	again, _ := agreeAll(t, memnet.NewNetwork(3, 0, memnet.Hooks{}), nil)
	if all[again[0].Own] || all[again[0].Pair[1]] {
		t.Error("a second agreement gives a seed of the first")
	}
}

func TestAgreeRefusesAManInTheMiddle(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		if m.From == 0 && m.To == 1 {
			m.Frame[5] ^= 1
		}
		return m.Frame, true
	}})
	_, errs := agreeAll(t, net, nil)
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "seed agreement with a: the ephemeral key is not signed by the roster key of a") {
		t.Errorf("got %v", errs[1])
	}
}

func TestAgreeNeedsTheSameSession(t *testing.T) {
	first := make(map[mpc.PartyID][]byte)
	net := memnet.NewNetwork(3, 0, memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		if m.From == 0 && m.To == 1 {
			first[1] = append([]byte(nil), m.Frame...)
		}
		return m.Frame, true
	}})
	if _, errs := agreeAll(t, net, nil); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	replay := memnet.NewNetwork(3, 0, memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
		if m.From == 0 && m.To == 1 {
			return first[1], true
		}
		return m.Frame, true
	}})
	_, errs := agreeAll(t, replay, func(a *mpc.Agreement) { a.ID = mpc.SessionID{2} })
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "not signed") {
		t.Errorf("a replayed frame: %v", errs[1])
	}
}

func TestAgreeEndsWithItsPeers(t *testing.T) {
	net := memnet.NewNetwork(3, 0, memnet.Hooks{})
	net.End(2, mpc.SessionID{1})
	net.Cut(0, 2, errors.New("cable pulled"))
	a := mpc.Agreement{ID: mpc.SessionID{1}, Names: []string{"a", "b", "c"}}
	_, a.Key, _ = ed25519.GenerateKey(rand.Reader)
	for want, c := range map[string]struct {
		self, peer mpc.PartyID
		timeout    time.Duration
	}{
		"seed agreement: receive from c: peer has ended the session": {1, 2, time.Minute},
		"seed agreement: send to c: cable pulled":                    {0, 2, time.Minute},
		": not done within 1ms":                                      {0, 1, time.Millisecond},
	} {
		a.Self, a.Peers, a.Transport, a.Timeout = c.self, []mpc.PartyID{c.peer}, net.Transport(c.self), c.timeout
		if _, err := mpc.Agree(t.Context(), a); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAgreeAlone(t *testing.T) {
	seeds, err := mpc.Agree(context.Background(), mpc.Agreement{})
	if err != nil || seeds.Own == (mpc.Seed{}) || len(seeds.Pair) != 0 {
		t.Errorf("%v, %d pairs", err, len(seeds.Pair))
	}
}

func TestAgreeChecksItsArguments(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	for name, a := range map[string]mpc.Agreement{
		"no key":       {Names: []string{"a", "b"}, Peers: []mpc.PartyID{1}},
		"unknown peer": {Names: []string{"a", "b"}, Peers: []mpc.PartyID{2}, Key: key},
		"unknown self": {Names: []string{"a", "b"}, Self: -1, Peers: []mpc.PartyID{1}, Key: key},
	} {
		if _, err := mpc.Agree(context.Background(), a); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
