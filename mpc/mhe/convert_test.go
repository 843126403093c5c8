package mhe_test

import (
	"math/big"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/mhe"
	"consilium/node/linktest"
)

// split makes a key of five sites of which three answer, sums and splits.
func split(t *testing.T, worlds linktest.Worlds, c *mhe.Conversion, q *mhe.Quorum, own [][]*big.Int) [][]*big.Int {
	t.Helper()
	active := []mpc.PartyID{0, 1, 3}
	h := hold(t, worlds, c.Layout, q, own)
	shares, err := memnet.Collect(h.world, func(s *mpc.Session) ([]*big.Int, error) {
		if s.Self() == 2 || s.Self() == 4 {
			return nil, nil
		}
		site := h.sites[s.Self()]
		secret, err := site.piece.Among(c.Layout, q, active)
		if err != nil {
			return nil, err
		}
		return c.Split(s, flat(t, active), site.key, secret, site.stored), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return shares
}

func TestSplitSharesAddUpToTheSums(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		q := quorum(t, 5, 3)
		c, err := mhe.NewConversion(64, 60, q, 50)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(c)
		own, sums := vectors(layout(t, 64, 60, 5))
		shares := split(t, worlds, c, q, own)
		for v := range sums {
			sum := new(big.Int)
			for _, p := range []int{0, 1, 3} {
				sum.Add(sum, shares[p][v])
				if shares[p][v].BitLen() < 60 { // happens with probability 2^-46 a value
					t.Errorf("share %v of value %d hides nothing", shares[p][v], v)
				}
			}
			if sum.Cmp(sums[v]) != 0 {
				t.Fatalf("value %d is %v, want %v", v, sum, sums[v])
			}
		}
	})
}

// Masks fill their range: a mask that were ever only positive, or too short, would
// show what it hides.
func TestMasksFillTheirRange(t *testing.T) {
	c, err := mhe.NewConversion(4096, 20, quorum(t, 5, 3), 50)
	if err != nil {
		t.Fatal(err)
	}
	masks, err := c.Masks()
	if err != nil {
		t.Fatal(err)
	}
	bits := 20 + mhe.HidingBits + 12
	octants := make([]int, 8)
	for _, m := range masks {
		top := new(big.Int).Rsh(m, uint(bits-2)).Int64() + 4
		if top < 0 || top > 7 {
			t.Fatalf("a mask of %d bits, want %d", m.BitLen(), bits)
		}
		octants[top]++
	}
	square := 0.0
	for _, n := range octants {
		square += float64((n - 512) * (n - 512))
	}
	if square /= 512; square > 40 { // seven degrees of freedom: once in 10^6
		t.Errorf("masks are not uniform: %v", octants)
	}
}

func TestConversionRefusesWhatMasksDoNotFit(t *testing.T) {
	big5, big100 := quorum(t, 5, 3), quorum(t, 100, 50)
	for _, c := range []struct {
		values, within int
		q              *mhe.Quorum
		says           string
	}{
		{1, 82, big5, ""},
		{1, 83, big5, "with their masks"},
		{1 << 20, 58, big100, ""},
		{1 << 20, 59, big100, "with their masks"},
		{0, 10, big5, "at least 1"},
		{10, 0, big5, "at least 1"},
	} {
		_, err := mhe.NewConversion(c.values, c.within, c.q, 1)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d values below 2^%d: %v", c.values, c.within, err)
		}
	}
}

func TestTogetherRefusesOtherCiphertexts(t *testing.T) {
	linktest.Each(t, func(t *testing.T, worlds linktest.Worlds) {
		q := quorum(t, 5, 3)
		l := quorumLayout(t, 1, 20, q, 10)
		own, _ := vectors(layout(t, 1, 20, 5))
		h := hold(t, worlds, l, q, own)
		world := worlds(memnet.Config{N: 5, Compute: []mpc.PartyID{}, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			if m.From == 3 && m.To == 0 && m.Channel.Step == "c1/part.0" {
				m.Frame[0] ^= 1
			}
			return m.Frame, true
		}}})
		err := world.Run(func(s *mpc.Session) error {
			mhe.Together(s, l, flat(t, q.Holders()).Tree, h.sites[s.Self()].key, own[s.Self()])
			return s.Err()
		})
		if err == nil || !strings.Contains(err.Error(), "p3 sent other ciphertexts than it had committed to") {
			t.Errorf("%v", err)
		}
	})
}

// Sums of stored columns become shares of the sites that answer, and are opened nowhere:
// each share, the root's too, is as wide as its masks.
func TestStoredSumsBecomeShares(t *testing.T) {
	linktest.Each(t, storedSumsBecomeShares)
}

func storedSumsBecomeShares(t *testing.T, worlds linktest.Worlds) {
	a := theArchive(t)
	c := mhe.Circuit{{"x"}, {"f", "x"}, {"v"}}
	budget, active := budgets(t, a), []mpc.PartyID{0, 2}
	convert := func(within int) ([][]*big.Int, error) {
		return memnet.Collect(worlds(memnet.Config{N: 3, Compute: []mpc.PartyID{}}), func(s *mpc.Session) ([]*big.Int, error) {
			if s.Self() == 1 {
				return nil, nil
			}
			e := a.epochs[s.Self()]
			conversion, err := mhe.NewStoredConversion(len(c), within, e.Bits, e.Quorum, e.Openings)
			if err != nil {
				return nil, err
			}
			return e.Convert(s, flat(t, active), budget(s.Self()), conversion, c, a.inputs(t, e, c)), nil
		})
	}
	shares, err := convert(26)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range a.plain(c) {
		if sum := new(big.Int).Add(shares[0][i], shares[2][i]); sum.Cmp(want) != 0 {
			t.Errorf("sum %d is %v, want %v", i, sum, want)
		}
		for _, p := range active {
			if shares[p][i].BitLen() < 26 { // happens with probability 2^-42 a value
				t.Errorf("share %v of sum %d hides nothing", shares[p][i], i)
			}
		}
	}
	if left := budget(0).Left(); left != 998 {
		t.Errorf("%d openings left of 1000, after two ciphertexts", left)
	}
	for within, says := range map[int]string{24: "there is room for 24", 40: "with their masks, the keys are for 80"} {
		if _, err := convert(within); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("sums below 2^%d: %v, want %q", within, err, says)
		}
	}
}
