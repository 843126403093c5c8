package protocols

import (
	"math/big"

	"consilium/mpc"
	"consilium/mpc/mhe"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// SharesOf turns stored sums under a collective key into shares of the three parties,
// so that what was summed under mhe is compared, divided or ranked under shares. The
// sites of the options' tree, who answer, split the sums among themselves and deal
// their parts to the parties. Who is neither passes nil for what only sites have, and
// all call it. It costs the sites an opening of the sums, the parties two rounds and
// the sites two elements a value and site.
//
// What it leaks: to the tree's root the sums under masks, within 2^-41 of random for
// the whole vector (mhe.Conversion); to nobody else anything.
func SharesOf(s *mpc.Session, c *mhe.Conversion, o mhe.Options, key *mhe.PublicKey, secret *mhe.Secret, stored *mhe.Ciphertexts) rss.Vec128 {
	var parts []*big.Int
	if secret != nil {
		parts = c.Split(s.Step("split"), o, key, secret, stored)
	}
	return dealt(s, o.Tree.Members(), c.Values, parts)
}

// dealt gives the parties shares of what additive shares of sites add up to: parts are
// those of this site, nil at others.
func dealt(s *mpc.Session, sites []mpc.PartyID, values int, parts []*big.Int) rss.Vec128 {
	var sum rss.Vec128
	for i, site := range sites {
		var own ring.Vec128
		if site == s.Self() {
			own = ring.FromBig(parts)
		}
		one := rss.Input(s.Step("deal", i), site, values, own)
		if i > 0 && s.Role() >= 0 {
			one = rss.Add(s, sum, one)
		}
		sum = one
	}
	return sum
}

// SumsOf turns shares of the three parties back into sums under a collective key, at
// all members of the tree: the parties, and the sites that hold the key. Values are
// below 2^Within in absolute value. The parties mask them as sites do in SharesOf;
// the first one learns them under the masks, within 2^-41 of random, nobody else
// anything. Two rounds of the parties and four elements a value, and the sending of
// ciphertexts among the tree's members.
func SumsOf(s *mpc.Session, c *mhe.Conversion, t *mpc.Tree, key *mhe.PublicKey, x rss.Vec128) *mhe.Ciphertexts {
	var own []*big.Int // what this party encrypts: its masks taken off
	for i, party := range s.Compute() {
		var mask ring.Vec128
		if party == s.Self() {
			masks, err := c.Masks()
			if err != nil {
				s.Fail(err)
				return nil
			}
			mask = ring.FromBig(masks)
			own = mask.Neg().Big()
		}
		dealt := rss.Input(s.Step("mask", i), party, c.Values, mask)
		if s.Role() >= 0 {
			x = rss.Add(s, x, dealt)
		}
	}
	first := s.Compute()[0]
	masked := rss.RevealTo(s.Step("masked"), first, c.Values, x)
	if s.Self() == first {
		for i, m := range masked.Big() {
			own[i].Add(own[i], m)
		}
	}
	return mhe.Together(s.Step("together"), c.Layout, t, key, own)
}
