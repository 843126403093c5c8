package protocols

import (
	"crypto/hpke"
	"errors"
	"fmt"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
)

// Under engine mhe a site's share of the result has these outputs. The total is in
// the share of the first site alone, which is the root of the tree that sums go up.
const (
	outputSeed   = "seed"   // of the mask over this site's part of the total: sealed to the recipient
	outputDigest = "digest" // of what was switched, the same at all sites: in the clear
	outputTotal  = "total"  // the sums under all sites' masks: in the clear
)

// The places of these outputs in a share.
const (
	seedAt = iota
	digestAt
	totalAt
)

// digestSize is the length of what says which ciphertexts were switched.
const digestSize = len(mhe.Part{}.Digest)

// partOutputs are the outputs of a site's share, in order. Role is the site's place
// among the dataset's.
func partOutputs(role int) []string {
	if role == 0 {
		return []string{outputSeed, outputDigest, outputTotal}
	}
	return []string{outputSeed, outputDigest}
}

// layOut settles how the plan's sums are encrypted, once they are checked.
func (p *Plan) layOut() error {
	if len(p.Samples) > 0 || len(p.Outputs) != len(p.Summaries) {
		return errors.New("its plan for engine mhe has more than sums")
	}
	bits := 1
	for i := range p.Summaries {
		bits = max(bits, p.Summaries[i].Bits(&p.Dataset.Schema, p.Dataset.Rows()))
	}
	var err error
	p.layout, err = mhe.NewLayout(p.sums(), bits, len(p.Dataset.Sites))
	return err
}

// collective tells whether the sites compute together, under engine mhe.
func (p *Plan) collective() bool { return p.Engine == job.EngineMHE }

// sealed are the names of the outputs in the share of the sealer with that role.
func (p *Plan) sealed(role int) []string {
	switch {
	case p.scoring != nil:
		return []string{outputScores, outputKind}
	case p.custody != nil:
		return p.custody.outputs()
	case p.collective():
		return partOutputs(role)
	}
	var names []string
	if p.match != nil && p.match.next == nil {
		names = append(names, commitmentsOutput)
	}
	for _, o := range p.revealed() {
		names = append(names, o.Name)
	}
	if p.match != nil && p.match.next != nil {
		names = append(names, outputAnswer)
	}
	return names
}

// sumTogether is a site's part under engine mhe. Its sums leave it encrypted under
// a key that all sites hold together, and only added up; what is opened has every
// site's mask on it, and the recipient alone gets all seeds of the masks.
func (w *work) sumTogether(s *mpc.Session) *job.SealedShare {
	own := w.readSums(s.Step(stepSeal), w.plan.sums()).Big()
	l := w.plan.layout
	tree, err := mpc.NewTree(w.sites, mpc.BranchingFor(len(w.sites), l.TotalSize()))
	if err != nil {
		s.Fail(err)
		return nil
	}
	part := mhe.RevealSum(s.Step(stepCompute), l, mhe.Options{Tree: tree}, own)
	return w.revealPart(s.Step(stepReveal), part)
}

// revealPart seals the seed of this site's mask to the recipient and signs the part.
func (w *work) revealPart(s *mpc.Session, part mhe.Part) *job.SealedShare {
	to := w.recipientKey(s)
	if s.Err() != nil {
		return nil
	}
	_, kdf, aead := suite()
	seed, err := hpke.Seal(to, kdf, aead, job.SealInfo(w.id, w.session, w.Self, outputSeed), part.Seed)
	if err != nil {
		s.Fail(fmt.Errorf("seal output %s: %w", outputSeed, err))
		return nil
	}
	share := &job.SealedShare{Party: w.Self, Session: w.session, Outputs: []job.SealedOutput{
		{Name: outputSeed, Ciphertext: seed},
		{Name: outputDigest, Ciphertext: part.Digest[:]},
	}}
	if s.Role() == 0 {
		share.Outputs = append(share.Outputs, job.SealedOutput{Name: outputTotal, Ciphertext: part.Total})
	}
	share.Sign(w.id, w.Key)
	return share
}
