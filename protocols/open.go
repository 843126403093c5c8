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

// Open turns the sealed shares of a job into its outputs in the clear, at their
// recipient. It trusts none of its arguments but the roster file and the key: it
// derives plan and session itself, checks the signature of every node that seals,
// and compares what several of them must have alike: both copies of each component
// of a sharing, or under engine mhe what each site switched.
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
	switch {
	case b.plan.scoring != nil:
		return nil, errScoresGone
	case b.plan.custody != nil:
		return b.openWords(ordered)
	case b.plan.match != nil:
		return b.openMatch(key, ordered)
	case b.plan.collective():
		return b.openSums(key, ordered)
	}
	return b.openShares(key, ordered)
}

// openShares puts the sharings of three parties together.
func (b *binding) openShares(key hpke.PrivateKey, ordered []*job.SealedShare) (Opened, error) {
	opened := Opened{}
	for i, o := range b.plan.revealed() {
		var err error
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

// checkShares returns the shares in the order of the sealers' roles: exactly one
// of each, signed by it for this job and session, with the plan's outputs in the
// plan's order.
func (b *binding) checkShares(shares []job.SealedShare) ([]*job.SealedShare, error) {
	sealers := b.roster.Sealers(b.job)
	ordered := make([]*job.SealedShare, len(sealers))
	for i := range shares {
		share := &shares[i]
		role := slices.Index(sealers, share.Party)
		if role < 0 {
			return nil, fmt.Errorf("a share is of %.64q, which seals nothing of this job", share.Party)
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
		if !slices.EqualFunc(share.Outputs, b.plan.sealed(role), func(s job.SealedOutput, name string) bool { return s.Name == name }) {
			return nil, fmt.Errorf("the share of %s has other outputs than the job's plan; do all run the same version?", share.Party)
		}
		ordered[role] = share
	}
	for role, share := range ordered {
		if share == nil {
			return nil, fmt.Errorf("the share of %s is missing", sealers[role])
		}
	}
	return ordered, nil
}

// openSealed opens an output that was sealed to the recipient.
func (b *binding) openSealed(key hpke.PrivateKey, party, output string, sealed []byte) ([]byte, error) {
	_, kdf, aead := suite()
	plain, err := hpke.Open(key, kdf, aead, job.SealInfo(b.id, b.session, party, output), sealed)
	if err != nil {
		return nil, fmt.Errorf("output %s of %s cannot be opened: it was not sealed for this job by that party", output, party)
	}
	return plain, nil
}

func (b *binding) openOutput(key hpke.PrivateKey, party string, o Output, sealed []byte) (rss.Vec128, error) {
	plain, err := b.openSealed(key, party, o.Name, sealed)
	if err != nil {
		return rss.Vec128{}, err
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
	total, err := join(names, parts)
	if err != nil {
		return nil, err
	}
	return total.Big(), nil
}

// join is reconstruct in any ring.
func join[V ring.Vector[V]](names []string, parts []rss.Share[V]) (total V, err error) {
	total = total.Make(parts[0].A.Len())
	for i, part := range parts {
		next := (i + 1) % len(parts)
		if !bytes.Equal(part.B.Append(nil), parts[next].A.Append(nil)) {
			return total, fmt.Errorf("%s and %s disagree: one of them is faulty or cheating", names[i], names[next])
		}
		total = total.Add(part.A)
	}
	return total, nil
}
