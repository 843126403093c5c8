package protocols

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"

	"consilium/job"
	"consilium/mpc/mhe"
)

// openSums takes every site's mask off the total, at the recipient. All sites must
// have switched the same: their digests are compared first.
func (b *binding) openSums(key hpke.PrivateKey, parts []*job.SealedShare) (Opened, error) {
	first := parts[0]
	for _, part := range parts {
		digest := part.Outputs[digestAt].Ciphertext
		if len(digest) != digestSize {
			return nil, fmt.Errorf("output %s of %s has %d bytes, want %d", outputDigest, part.Party, len(digest), digestSize)
		}
		if !bytes.Equal(digest, first.Outputs[digestAt].Ciphertext) {
			return nil, fmt.Errorf("%s and %s switched different ciphertexts: one of them is faulty or cheating", first.Party, part.Party)
		}
	}
	var seeds [][]byte
	for _, part := range parts {
		seed, err := b.openSealed(key, part.Party, outputSeed, part.Outputs[seedAt].Ciphertext)
		if err != nil {
			return nil, err
		}
		if len(seed) != mhe.SeedSize {
			return nil, fmt.Errorf("output %s of %s has the wrong length: %d bytes, want %d", outputSeed, part.Party, len(seed), mhe.SeedSize)
		}
		seeds = append(seeds, seed)
	}
	open := b.plan.layout.Open
	if b.plan.answers != nil {
		open = b.plan.answers.Open
	}
	sums, err := open(first.Outputs[totalAt].Ciphertext, seeds)
	if err != nil {
		return nil, fmt.Errorf("output %s of %s: %w", outputTotal, first.Party, err)
	}
	if len(sums) != b.plan.sums() {
		return nil, errors.New("it has another number of sums than the job's plan")
	}
	opened := Opened{}
	for _, summary := range b.plan.Summaries {
		opened[summary.Name], sums = sums[:summary.Len()], sums[summary.Len():]
	}
	return opened, nil
}
