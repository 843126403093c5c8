package node

import (
	"fmt"

	"consilium/api"
	"consilium/job"
)

// The forms in which the coordinator's messages carry what package job signs
// and verifies. Lengths are checked here, everything else by package job.

func hashFrom(what string, b []byte) (job.Hash, error) {
	var h job.Hash
	if len(b) != len(h) {
		return h, fmt.Errorf("%s has %d bytes, want %d", what, len(b), len(h))
	}
	return job.Hash(b), nil
}

func signedFrom(m *api.SignedJob) *job.Signed {
	return &job.Signed{Bytes: m.GetJob(), Signer: m.GetSigner(), Signature: m.GetSignature()}
}

func decisionsFrom(ms []*api.Decision, limit int) ([]job.Decision, error) {
	if len(ms) > limit {
		return nil, fmt.Errorf("%d decisions for %d nodes", len(ms), limit)
	}
	decisions := make([]job.Decision, len(ms))
	for i, m := range ms {
		id, err := hashFrom("a decision's job", m.GetJobId())
		if err != nil {
			return nil, err
		}
		decisions[i] = job.Decision{
			Node: m.GetNode(), Job: id, Accept: m.GetAccept(), Reason: m.GetReason(),
			Nonce: m.GetNonce(), Signature: m.GetSignature(),
		}
	}
	return decisions, nil
}

func decisionMessage(d *job.Decision) *api.FromNode {
	return &api.FromNode{Body: &api.FromNode_Decision{Decision: &api.Decision{
		Node: d.Node, JobId: d.Job[:], Accept: d.Accept, Reason: d.Reason,
		Nonce: d.Nonce, Signature: d.Signature,
	}}}
}

func progressMessage(id job.Hash, phase, detail string) *api.FromNode {
	return &api.FromNode{Body: &api.FromNode_Progress{Progress: &api.Progress{JobId: id[:], Phase: phase, Detail: detail}}}
}

func outcomeMessage(o *api.Outcome) *api.FromNode {
	return &api.FromNode{Body: &api.FromNode_Outcome{Outcome: o}}
}

// shareMessage is nil for a node that is no compute party and has no share.
func shareMessage(s *job.SealedShare) *api.SealedShare {
	if s == nil {
		return nil
	}
	m := &api.SealedShare{Party: s.Party, Session: s.Session[:], Signature: s.Signature}
	for _, o := range s.Outputs {
		m.Outputs = append(m.Outputs, &api.SealedOutput{Name: o.Name, Ciphertext: o.Ciphertext})
	}
	return m
}
