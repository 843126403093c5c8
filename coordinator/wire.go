package coordinator

import (
	"crypto/ed25519"
	"fmt"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/job"
)

// Caps of messages. Three shares fit into one reply of maxResult.
const (
	maxRequest = 4 << 20               // a client's request, in bytes
	maxShare   = 20 << 20              // a party's ciphertexts, in bytes
	maxResult  = 64 << 20              // a reply to Fetch; clients must allow it
	maxReport  = maxShare + maxRequest // any message that is received
	maxOutputs = 4096                  // outputs of a share
	maxOutput  = 200                   // an output's name, in bytes
	maxReason  = 1 << 10               // a decision's reason, in bytes
	maxRunning = 256                   // jobs that a node names in its hello
	hashSize   = len(job.Hash{})       // of jobs, rosters and sessions
	keySize    = ed25519.PublicKeySize
	sigSize    = ed25519.SignatureSize
)

func exactly(what string, b []byte, size int) error {
	if len(b) != size {
		return fmt.Errorf("%s has %d bytes, it takes %d; use the same version of consilium everywhere", what, len(b), size)
	}
	return nil
}

func hashFrom(what string, b []byte) (job.Hash, error) {
	if err := exactly(what, b, hashSize); err != nil {
		return job.Hash{}, err
	}
	return job.Hash(b), nil
}

// signedFrom checks lengths only; the signature is for Verify.
func signedFrom(m *api.SignedJob) (*job.Signed, error) {
	if len(m.GetJob()) > job.MaxJobBytes {
		return nil, fmt.Errorf("job has %d bytes, at most %d are allowed; shorten its arguments", len(m.GetJob()), job.MaxJobBytes)
	}
	if err := exactly("signer", m.GetSigner(), keySize); err != nil {
		return nil, err
	}
	if err := exactly("signature", m.GetSignature(), sigSize); err != nil {
		return nil, err
	}
	return &job.Signed{Bytes: m.GetJob(), Signer: m.GetSigner(), Signature: m.GetSignature()}, nil
}

func signedTo(s *job.Signed) *api.SignedJob {
	return &api.SignedJob{Job: s.Bytes, Signer: s.Signer, Signature: s.Signature}
}

// decisionFrom checks lengths only; the rest is for Verify.
func decisionFrom(m *api.Decision) (*job.Decision, error) {
	id, err := hashFrom("decision: job id", m.GetJobId())
	if err != nil {
		return nil, err
	}
	if len(m.GetReason()) > maxReason {
		return nil, fmt.Errorf("decision: reason has %d bytes, at most %d are allowed", len(m.GetReason()), maxReason)
	}
	if n := len(m.GetNonce()); n != 0 && n != hashSize {
		return nil, fmt.Errorf("decision: nonce has %d bytes, it takes none or %d", n, hashSize)
	}
	if err := exactly("decision: signature", m.GetSignature(), sigSize); err != nil {
		return nil, err
	}
	return &job.Decision{
		Node: m.GetNode(), Job: id, Accept: m.GetAccept(), Reason: m.GetReason(),
		Nonce: m.GetNonce(), Signature: m.GetSignature(),
	}, nil
}

func decisionTo(d job.Decision) *api.Decision {
	return &api.Decision{
		Node: d.Node, JobId: d.Job[:], Accept: d.Accept, Reason: d.Reason,
		Nonce: d.Nonce, Signature: d.Signature,
	}
}

func decisionsTo(ds []job.Decision) []*api.Decision {
	out := make([]*api.Decision, len(ds))
	for i, d := range ds {
		out[i] = decisionTo(d)
	}
	return out
}

// shareFrom checks lengths only; the signature is for Verify.
func shareFrom(m *api.SealedShare) (*job.SealedShare, error) {
	session, err := hashFrom("sealed share: session", m.GetSession())
	if err != nil {
		return nil, err
	}
	if err := exactly("sealed share: signature", m.GetSignature(), sigSize); err != nil {
		return nil, err
	}
	if n := len(m.GetOutputs()); n == 0 || n > maxOutputs {
		return nil, fmt.Errorf("sealed share has %d outputs, it takes 1 to %d", n, maxOutputs)
	}
	s := &job.SealedShare{Party: m.GetParty(), Session: session, Signature: m.GetSignature()}
	size := 0
	for _, o := range m.GetOutputs() {
		if n := len(o.GetName()); n == 0 || n > maxOutput {
			return nil, fmt.Errorf("sealed share: an output's name has %d bytes, it takes 1 to %d", n, maxOutput)
		}
		size += len(o.GetCiphertext())
		s.Outputs = append(s.Outputs, job.SealedOutput{Name: o.GetName(), Ciphertext: o.GetCiphertext()})
	}
	if size > maxShare {
		return nil, fmt.Errorf("sealed share has %d bytes, at most %d are allowed; ask for less in one job", size, maxShare)
	}
	return s, nil
}

func shareTo(s *job.SealedShare) *api.SealedShare {
	m := &api.SealedShare{Party: s.Party, Session: s.Session[:], Signature: s.Signature}
	for _, o := range s.Outputs {
		m.Outputs = append(m.Outputs, &api.SealedOutput{Name: o.Name, Ciphertext: o.Ciphertext})
	}
	return m
}

// encodeShare is the form in which a share is stored; decodeShare is as strict
// with it as with one from the wire.
func encodeShare(s *job.SealedShare) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(shareTo(s))
}

func decodeShare(b []byte) (*api.SealedShare, error) {
	m := new(api.SealedShare)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("stored share cannot be read: %w", err)
	}
	if _, err := shareFrom(m); err != nil {
		return nil, err
	}
	return m, nil
}
