package job

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
)

// Participants are the nodes that take part in a job, in the order of the roster:
// those that it names, or all.
func (r *Roster) Participants(j *Job) []string {
	names := r.Names()
	if len(j.Nodes) == 0 {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(j.Nodes, name) })
}

// CheckParticipants refuses a job that names nodes which the roster lacks, or not
// in its order.
func (r *Roster) CheckParticipants(j *Job) error {
	for _, name := range j.Nodes {
		if r.NodeIndex(name) < 0 {
			return fmt.Errorf("nodes: unknown node %s: %s", quoted(name), Near(name, r.Names()))
		}
	}
	if len(j.Nodes) > 0 && !slices.Equal(j.Nodes, r.Participants(j)) {
		return fmt.Errorf("nodes: name them in the order of the roster: %s", strings.Join(r.Participants(j), ", "))
	}
	return nil
}

// Sealers are the nodes that each seal a share of the job's result, in the order
// of their roles: the compute parties or, with engine mhe, the dataset's sites that
// take part; of a job with an attachment those who get that. There are none where the
// roster lacks the dataset.
func (r *Roster) Sealers(j *Job) []string {
	if j.Attached() {
		return r.Participants(j)
	}
	if j.Engine != EngineMHE {
		return r.Parties
	}
	d, ok := r.Dataset(j.Dataset)
	if !ok {
		return nil
	}
	var names []string
	for i := range d.Sites {
		if name := d.Sites[i].Node; len(j.Nodes) == 0 || slices.Contains(j.Nodes, name) {
			names = append(names, name)
		}
	}
	return names
}

// SealedOutput is one output's share, encrypted to the recipient; or what goes with
// it and is no secret, in the clear. The plan of the job says which.
type SealedOutput struct {
	Name       string
	Ciphertext []byte
}

// SealedShare is one sealer's contribution to a result. The party's signature
// binds the ciphertexts to job and session, so that a relay can neither forge
// a result nor move an output from one job, party or name to another.
type SealedShare struct {
	Party     string
	Session   [32]byte
	Outputs   []SealedOutput
	Signature []byte
}

// ShareReceipt is what remains of a share when its ciphertexts are gone: it
// proves that the party signed a share with exactly these outputs for the job
// and session, and to whoever has the share, that it is this one.
type ShareReceipt struct {
	Party     string
	Session   Hash
	Outputs   Hash // of all names and ciphertexts, in their order
	Signature []byte
}

// Receipt returns the share's receipt.
func (s *SealedShare) Receipt() *ShareReceipt {
	var parts [][]byte
	for _, o := range s.Outputs {
		parts = append(parts, []byte(o.Name), o.Ciphertext)
	}
	return &ShareReceipt{Party: s.Party, Session: s.Session, Outputs: hashOf(domainOutputs, parts...), Signature: s.Signature}
}

func (r *ShareReceipt) message(jobID Hash) []byte {
	return framed(domainShare, jobID[:], r.Session[:], []byte(r.Party), r.Outputs[:])
}

// Verify checks the party's signature over a share of the job.
func (r *ShareReceipt) Verify(jobID Hash, key ed25519.PublicKey) error {
	if !verify(key, r.message(jobID), r.Signature) {
		return fmt.Errorf("result of job %s: the signature of party %s does not fit: it was altered on its way, or is of another job; run the job again", jobID.Short(), quoted(r.Party))
	}
	return nil
}

// Sign sets the signature.
func (s *SealedShare) Sign(jobID Hash, key ed25519.PrivateKey) {
	s.Signature = ed25519.Sign(key, s.Receipt().message(jobID))
}

// Verify checks the signature and that no output comes twice. That party,
// session and outputs are the expected ones is the caller's to check.
func (s *SealedShare) Verify(jobID Hash, key ed25519.PublicKey) error {
	if err := s.Receipt().Verify(jobID, key); err != nil {
		return err
	}
	seen := make(map[string]bool, len(s.Outputs))
	for _, o := range s.Outputs {
		if seen[o.Name] {
			return fmt.Errorf("result of job %s: party %s sent output %s twice: use the same version of consilium everywhere", jobID.Short(), quoted(s.Party), quoted(o.Name))
		}
		seen[o.Name] = true
	}
	return nil
}

// OutcomeHash names how a job ended at a node, for the node's record: the
// problem if there was one, and the receipt of the share if the node made one.
func OutcomeHash(jobID Hash, problem string, share *ShareReceipt) Hash {
	parts := [][]byte{jobID[:], []byte(problem)}
	if share != nil {
		parts = append(parts, share.message(jobID), share.Signature)
	}
	return hashOf(domainOutcome, parts...)
}

// SealInfo is the HPKE info under which a party seals an output: a ciphertext
// opens as this output of this party in this session only.
func SealInfo(jobID Hash, session [32]byte, party, output string) []byte {
	return framed(domainSeal, jobID[:], session[:], []byte(party), []byte(output))
}
