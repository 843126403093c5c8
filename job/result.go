package job

import (
	"crypto/ed25519"
	"fmt"
)

// SealedOutput is one output's share, encrypted to the recipient.
type SealedOutput struct {
	Name       string
	Ciphertext []byte
}

// SealedShare is one party's contribution to a result. The party's signature
// binds the ciphertexts to job and session, so that a relay can neither forge
// a result nor move an output from one job, party or name to another.
type SealedShare struct {
	Party     string
	Session   [32]byte
	Outputs   []SealedOutput
	Signature []byte
}

func (s *SealedShare) message(jobID Hash) []byte {
	parts := [][]byte{jobID[:], s.Session[:], []byte(s.Party)}
	for _, o := range s.Outputs {
		parts = append(parts, []byte(o.Name), o.Ciphertext)
	}
	return framed(domainShare, parts...)
}

// Sign sets the signature.
func (s *SealedShare) Sign(jobID Hash, key ed25519.PrivateKey) {
	s.Signature = ed25519.Sign(key, s.message(jobID))
}

// Verify checks the signature and that no output comes twice. That party,
// session and outputs are the expected ones is the caller's to check.
func (s *SealedShare) Verify(jobID Hash, key ed25519.PublicKey) error {
	if !verify(key, s.message(jobID), s.Signature) {
		return fmt.Errorf("result of job %s: the signature of party %s does not fit: it was altered on its way, or is of another job; run the job again", jobID.Short(), quoted(s.Party))
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

// SealInfo is the HPKE info under which a party seals an output: a ciphertext
// opens as this output of this party in this session only.
func SealInfo(jobID Hash, session [32]byte, party, output string) []byte {
	return framed(domainSeal, jobID[:], session[:], []byte(party), []byte(output))
}
