package client

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"consilium/api"
	"consilium/job"
)

// Caps on what a fetched result may hold. A study has at most 100 nodes and
// three parties, so whatever is beyond them is not a result.
const (
	maxName       = 200
	maxDecisions  = 100
	maxShares     = 3
	maxOutputs    = 4096
	maxJobBytes   = 64 << 10
	maxCiphertext = 20 << 20
)

// Fetched is a finished job as the coordinator relays it: the job's signed
// bytes, every node's signed decision, and each party's signed share of the
// result, still sealed. Its form is checked, nothing of it is verified yet.
type Fetched struct {
	Job       *job.Signed
	Decisions []job.Decision
	Shares    []job.SealedShare
}

func fetchedFrom(r *api.FetchReply) (*Fetched, error) {
	signed, err := signedFrom(r.GetJob())
	if err != nil {
		return nil, err
	}
	if n := len(r.GetDecisions()); n > maxDecisions {
		return nil, fmt.Errorf("%d decisions, at most %d", n, maxDecisions)
	}
	if n := len(r.GetShares()); n > maxShares {
		return nil, fmt.Errorf("%d result shares, at most %d", n, maxShares)
	}
	f := &Fetched{Job: signed}
	for _, d := range r.GetDecisions() {
		decision, err := decisionFrom(d)
		if err != nil {
			return nil, err
		}
		f.Decisions = append(f.Decisions, decision)
	}
	for _, s := range r.GetShares() {
		share, err := shareFrom(s)
		if err != nil {
			return nil, err
		}
		f.Shares = append(f.Shares, share)
	}
	return f, nil
}

func signedFrom(s *api.SignedJob) (*job.Signed, error) {
	switch {
	case s == nil:
		return nil, errors.New("no signed job in it")
	case len(s.GetJob()) == 0 || len(s.GetJob()) > maxJobBytes:
		return nil, fmt.Errorf("the job has %d bytes, want 1 to %d", len(s.GetJob()), maxJobBytes)
	case len(s.GetSigner()) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("the job's signer has %d bytes, want %d", len(s.GetSigner()), ed25519.PublicKeySize)
	case len(s.GetSignature()) != ed25519.SignatureSize:
		return nil, fmt.Errorf("the job's signature has %d bytes, want %d", len(s.GetSignature()), ed25519.SignatureSize)
	}
	return &job.Signed{Bytes: s.GetJob(), Signer: s.GetSigner(), Signature: s.GetSignature()}, nil
}

func decisionFrom(d *api.Decision) (job.Decision, error) {
	id, err := hashFrom("a decision's job id", d.GetJobId())
	if err != nil {
		return job.Decision{}, err
	}
	name, err := nameFrom("a decision's node", d.GetNode())
	switch {
	case err != nil:
		return job.Decision{}, err
	case len(d.GetReason()) > maxJobBytes:
		return job.Decision{}, fmt.Errorf("the decision of %s has a reason of %d bytes", name, len(d.GetReason()))
	case len(d.GetNonce()) > 32:
		return job.Decision{}, fmt.Errorf("the decision of %s has a nonce of %d bytes, at most 32", name, len(d.GetNonce()))
	case len(d.GetSignature()) != ed25519.SignatureSize:
		return job.Decision{}, fmt.Errorf("the decision of %s has a signature of %d bytes, want %d", name, len(d.GetSignature()), ed25519.SignatureSize)
	}
	return job.Decision{
		Node: name, Job: id, Accept: d.GetAccept(), Reason: d.GetReason(), Nonce: d.GetNonce(), Signature: d.GetSignature(),
	}, nil
}

func shareFrom(s *api.SealedShare) (job.SealedShare, error) {
	session, err := hashFrom("a result share's session", s.GetSession())
	if err != nil {
		return job.SealedShare{}, err
	}
	party, err := nameFrom("a result share's party", s.GetParty())
	switch {
	case err != nil:
		return job.SealedShare{}, err
	case len(s.GetOutputs()) > maxOutputs:
		return job.SealedShare{}, fmt.Errorf("the share of %s has %d outputs, at most %d", party, len(s.GetOutputs()), maxOutputs)
	case len(s.GetSignature()) != ed25519.SignatureSize:
		return job.SealedShare{}, fmt.Errorf("the share of %s has a signature of %d bytes, want %d", party, len(s.GetSignature()), ed25519.SignatureSize)
	}
	share := job.SealedShare{Party: party, Session: session, Signature: s.GetSignature()}
	for _, o := range s.GetOutputs() {
		name, err := nameFrom("an output of "+party, o.GetName())
		if err != nil {
			return job.SealedShare{}, err
		}
		if n := len(o.GetCiphertext()); n == 0 || n > maxCiphertext {
			return job.SealedShare{}, fmt.Errorf("output %s of %s has %d bytes, want 1 to %d", name, party, n, maxCiphertext)
		}
		share.Outputs = append(share.Outputs, job.SealedOutput{Name: name, Ciphertext: o.GetCiphertext()})
	}
	return share, nil
}

// nameFrom refuses names that could not stand in a roster or a plan, so that
// they can be printed as they are.
func nameFrom(what, name string) (string, error) {
	if name == "" || name != Printable(name, maxName) {
		return "", fmt.Errorf("%s has no printable name of 1 to %d bytes", what, maxName)
	}
	return name, nil
}

func hashFrom(what string, b []byte) (job.Hash, error) {
	var h job.Hash
	if len(b) != len(h) {
		return h, fmt.Errorf("%s has %d bytes, want %d", what, len(b), len(h))
	}
	copy(h[:], b)
	return h, nil
}
