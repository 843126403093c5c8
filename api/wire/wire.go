package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"consilium/api"
	"consilium/job"
)

func exactly(what string, b []byte, size int) error {
	if len(b) != size {
		return fmt.Errorf("%s has %d bytes, it takes %d; use the same version of consilium everywhere", what, len(b), size)
	}
	return nil
}

// printable refuses names that could stand in neither a roster nor a plan.
func printable(what, name string) error {
	if name == "" || name != job.Printable(name, MaxName) {
		return fmt.Errorf("%s has no printable name of 1 to %d bytes", what, MaxName)
	}
	return nil
}

// HashFrom takes the id of a job, roster or session.
func HashFrom(what string, b []byte) (job.Hash, error) {
	if err := exactly(what, b, len(job.Hash{})); err != nil {
		return job.Hash{}, err
	}
	return job.Hash(b), nil
}

// SignedFrom takes a signed job, not verified, where none has an attachment.
func SignedFrom(m *api.SignedJob) (*job.Signed, error) {
	signed, attachment, err := SubmittedFrom(m)
	if err == nil && len(attachment) > 0 {
		return nil, fmt.Errorf("an attachment of %d bytes came with a job where none belongs", len(attachment))
	}
	return signed, err
}

// SubmittedFrom takes a signed job and what came with it. Nothing is verified: that is
// for Signed.Verify and Job.CheckAttachment.
func SubmittedFrom(m *api.SignedJob) (signed *job.Signed, attachment []byte, err error) {
	if m == nil {
		return nil, nil, errors.New("there is no signed job; use the same version of consilium everywhere")
	}
	if n := len(m.GetAttachment()); n > job.MaxAttachment {
		return nil, nil, fmt.Errorf("attachment has %d bytes, at most %d are allowed; ask about less at a time", n, job.MaxAttachment)
	}
	if len(m.GetJob()) > job.MaxJobBytes {
		return nil, nil, fmt.Errorf("job has %d bytes, at most %d are allowed; shorten its arguments", len(m.GetJob()), job.MaxJobBytes)
	}
	if err := exactly("signer", m.GetSigner(), ed25519.PublicKeySize); err != nil {
		return nil, nil, err
	}
	if err := exactly("signature", m.GetSignature(), ed25519.SignatureSize); err != nil {
		return nil, nil, err
	}
	signed = &job.Signed{Bytes: m.GetJob(), Signer: m.GetSigner(), Signature: m.GetSignature()}
	return signed, m.GetAttachment(), nil
}

// SignedTo is the message of a signed job.
func SignedTo(s *job.Signed) *api.SignedJob {
	return &api.SignedJob{Job: s.Bytes, Signer: s.Signer, Signature: s.Signature}
}

// SubmittedTo is the message of a signed job with what it brings along.
func SubmittedTo(s *job.Signed, attachment []byte) *api.SignedJob {
	m := SignedTo(s)
	m.Attachment = attachment
	return m
}

// DecisionFrom takes a node's decision, not verified.
func DecisionFrom(m *api.Decision) (*job.Decision, error) {
	id, err := HashFrom("a decision's job", m.GetJobId())
	if err != nil {
		return nil, err
	}
	if err := printable("a decision's node", m.GetNode()); err != nil {
		return nil, err
	}
	if n := len(m.GetReason()); n > job.MaxReasonBytes {
		return nil, fmt.Errorf("a decision's reason has %d bytes, at most %d are allowed", n, job.MaxReasonBytes)
	}
	if n := len(m.GetNonce()); n != 0 && n != job.NonceSize {
		return nil, fmt.Errorf("a decision's nonce has %d bytes, it takes none or %d", n, job.NonceSize)
	}
	if err := exactly("a decision's signature", m.GetSignature(), ed25519.SignatureSize); err != nil {
		return nil, err
	}
	return &job.Decision{
		Node: m.GetNode(), Job: id, Accept: m.GetAccept(), Reason: m.GetReason(),
		Nonce: m.GetNonce(), Signature: m.GetSignature(),
	}, nil
}

// DecisionsFrom takes the decisions of at most so many nodes, not verified.
func DecisionsFrom(ms []*api.Decision, nodes int) ([]job.Decision, error) {
	if len(ms) > nodes {
		return nil, fmt.Errorf("there are %d decisions for %d nodes", len(ms), nodes)
	}
	decisions := make([]job.Decision, len(ms))
	for i, m := range ms {
		d, err := DecisionFrom(m)
		if err != nil {
			return nil, err
		}
		decisions[i] = *d
	}
	return decisions, nil
}

// DecisionTo is the message of a decision.
func DecisionTo(d *job.Decision) *api.Decision {
	return &api.Decision{
		Node: d.Node, JobId: d.Job[:], Accept: d.Accept, Reason: d.Reason,
		Nonce: d.Nonce, Signature: d.Signature,
	}
}

// DecisionsTo is the message of several decisions, in their order.
func DecisionsTo(ds []job.Decision) []*api.Decision {
	ms := make([]*api.Decision, len(ds))
	for i := range ds {
		ms[i] = DecisionTo(&ds[i])
	}
	return ms
}

// ShareFrom takes a party's sealed share of a result, not verified.
func ShareFrom(m *api.SealedShare) (*job.SealedShare, error) {
	session, err := HashFrom("sealed share: session", m.GetSession())
	if err != nil {
		return nil, err
	}
	if err := printable("sealed share: party", m.GetParty()); err != nil {
		return nil, err
	}
	if err := exactly("sealed share: signature", m.GetSignature(), ed25519.SignatureSize); err != nil {
		return nil, err
	}
	if n := len(m.GetOutputs()); n == 0 || n > MaxOutputs {
		return nil, fmt.Errorf("sealed share has %d outputs, it takes 1 to %d", n, MaxOutputs)
	}
	s := &job.SealedShare{Party: m.GetParty(), Session: session, Signature: m.GetSignature()}
	for _, o := range m.GetOutputs() {
		if err := printable("sealed share: an output", o.GetName()); err != nil {
			return nil, err
		}
		if len(o.GetCiphertext()) == 0 {
			return nil, fmt.Errorf("sealed share: output %s is empty", o.GetName())
		}
		s.Outputs = append(s.Outputs, job.SealedOutput{Name: o.GetName(), Ciphertext: o.GetCiphertext()})
	}
	if size := Size(s); size > MaxShare {
		return nil, fmt.Errorf("sealed share has %d bytes, at most %d are allowed; ask for less in one job", size, MaxShare)
	}
	return s, nil
}

// Size is what MaxShare and MaxPart cap of a share: its outputs with their names.
func Size(s *job.SealedShare) int {
	size := 0
	for _, o := range s.Outputs {
		size += len(o.Name) + len(o.Ciphertext)
	}
	return size
}

// ShareTo is the message of a sealed share.
func ShareTo(s *job.SealedShare) *api.SealedShare {
	m := &api.SealedShare{Party: s.Party, Session: s.Session[:], Signature: s.Signature}
	for _, o := range s.Outputs {
		m.Outputs = append(m.Outputs, &api.SealedOutput{Name: o.Name, Ciphertext: o.Ciphertext})
	}
	return m
}
