package protocols

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"consilium/job"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Open turns the three parties' sealed shares into the job's outputs in the
// clear, at their recipient. It trusts none of its arguments but the roster
// file and the key: it derives plan and session itself, checks every party's
// signature, and compares both copies of each component of the sharing.
func Open(signed *job.Signed, file *job.RosterFile, decisions []job.Decision, shares []job.SealedShare, recipientKey []byte) (Opened, *Plan, error) {
	b, err := bind(PlanJob, signed, file, decisions)
	if err != nil {
		return nil, nil, err
	}
	opened, err := b.open(shares, recipientKey)
	if err != nil {
		return nil, nil, fmt.Errorf("result of job %v: %w", b.id, err)
	}
	return opened, b.plan, nil
}

func (b *binding) open(shares []job.SealedShare, recipientKey []byte) (Opened, error) {
	kem, _, _ := suite()
	key, err := kem.NewPrivateKey(recipientKey)
	if err != nil {
		return nil, errors.New("the recipient key is not one of this version")
	}
	if !bytes.Equal(key.PublicKey().Bytes(), b.job.Recipient) {
		return nil, errors.New("it is sealed to another key; open it with the recipient key that the job names")
	}
	ordered, err := b.checkShares(shares)
	if err != nil {
		return nil, err
	}
	opened := Opened{}
	for i, o := range b.plan.revealed() {
		parts := make([]rss.Vec128, len(ordered))
		for role, share := range ordered {
			if parts[role], err = b.openOutput(key, share.Party, o, share.Outputs[i].Ciphertext); err != nil {
				return nil, err
			}
		}
		if opened[o.Name], err = reconstruct(b.roster.Parties, parts); err != nil {
			return nil, fmt.Errorf("output %s: %w", o.Name, err)
		}
	}
	return opened, nil
}

// checkShares returns the shares in the order of the parties' roles: exactly
// one of each party, signed by it for this job and session, with the plan's
// outputs in the plan's order.
func (b *binding) checkShares(shares []job.SealedShare) ([]*job.SealedShare, error) {
	ordered := make([]*job.SealedShare, len(b.roster.Parties))
	for i := range shares {
		share := &shares[i]
		role := slices.Index(b.roster.Parties, share.Party)
		if role < 0 {
			return nil, fmt.Errorf("a share is of %q, which is no party of the roster", share.Party)
		}
		if ordered[role] != nil {
			return nil, fmt.Errorf("there are two shares of %s", share.Party)
		}
		if share.Session != b.session {
			return nil, fmt.Errorf("the share of %s is of another session", share.Party)
		}
		if err := share.Verify(b.id, b.roster.NodeKey(b.roster.NodeIndex(share.Party))); err != nil {
			return nil, err
		}
		if !slices.EqualFunc(share.Outputs, b.plan.revealed(), func(s job.SealedOutput, o Output) bool { return s.Name == o.Name }) {
			return nil, fmt.Errorf("the share of %s has other outputs than the job's plan; do all run the same version?", share.Party)
		}
		ordered[role] = share
	}
	for role, share := range ordered {
		if share == nil {
			return nil, fmt.Errorf("the share of %s is missing", b.roster.Parties[role])
		}
	}
	return ordered, nil
}

func (b *binding) openOutput(key hpke.PrivateKey, party string, o Output, sealed []byte) (rss.Vec128, error) {
	_, kdf, aead := suite()
	plain, err := hpke.Open(key, kdf, aead, job.SealInfo(b.id, b.session, party, o.Name), sealed)
	if err != nil {
		return rss.Vec128{}, fmt.Errorf("output %s of %s cannot be opened: it was not sealed for this job by that party", o.Name, party)
	}
	share, err := decodeShare(plain, o.Len)
	if err != nil {
		return rss.Vec128{}, fmt.Errorf("output %s of %s has the wrong length: %w", o.Name, party, err)
	}
	return share, nil
}

// reconstruct adds up the three components of a sharing. Party i holds
// components i (A) and i+1 (B), so each is there twice, and one party alone
// cannot change the result unnoticed.
func reconstruct(names []string, parts []rss.Vec128) ([]*big.Int, error) {
	total := ring.Vec128{}.Make(parts[0].A.Len())
	for i, part := range parts {
		next := (i + 1) % len(parts)
		if !slices.Equal(part.B, parts[next].A) {
			return nil, fmt.Errorf("%s and %s disagree: one of them is faulty or cheating", names[i], names[next])
		}
		total = total.Add(part.A)
	}
	return total.Big(), nil
}
