package job

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The domains keep a signature or hash of one form from passing as another's.
const (
	domainJob      = "consilium v1 job"
	domainID       = "consilium v1 job id"
	domainDecision = "consilium v1 decision"
	domainCancel   = "consilium v1 cancel"
	domainSession  = "consilium v1 session"
	domainShare    = "consilium v1 sealed share"
	domainOutputs  = "consilium v1 sealed outputs"
	domainOutcome  = "consilium v1 outcome"
	domainSeal     = "consilium v1 seal"
	domainManifest = "consilium v1 deposit manifest"
	domainDataset  = "consilium v1 dataset"
	domainSnapshot = "consilium v1 snapshot"
	domainColumn   = "consilium v1 column"
	domainAnswer   = "consilium v1 offer answer"
)

// framed is the only form in which this package signs and hashes: the domain
// and each part behind its length in 8 bytes, big endian. No two lists of parts
// have the same bytes.
func framed(domain string, parts ...[]byte) []byte {
	b := appendFramed(nil, []byte(domain))
	for _, p := range parts {
		b = appendFramed(b, p)
	}
	return b
}

func appendFramed(b, part []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
	return append(b, part...)
}

func hashOf(domain string, parts ...[]byte) Hash { return sha256.Sum256(framed(domain, parts...)) }

// verify checks lengths first: ed25519.Verify panics on a key of another size.
func verify(key ed25519.PublicKey, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(signature) == ed25519.SignatureSize &&
		ed25519.Verify(key, message, signature)
}

// Sign encodes the job and signs its bytes.
func Sign(j *Job, key ed25519.PrivateKey) (*Signed, error) {
	b, err := j.Encode()
	if err != nil {
		return nil, err
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("job: the signing key is not an Ed25519 private key: load it with its certificate")
	}
	return &Signed{
		Bytes:     b,
		Signer:    key.Public().(ed25519.PublicKey),
		Signature: ed25519.Sign(key, framed(domainJob, b)),
	}, nil
}

// ID names the job everywhere: the hash of signer and bytes under a domain.
func (s *Signed) ID() Hash { return hashOf(domainID, s.Signer, s.Bytes) }

// Verify checks the signature, then decodes the job. It says nothing on who the
// signer is or whether the job is fresh: see Roster.ClientByKey and CheckFresh.
func (s *Signed) Verify() (*Job, error) {
	if len(s.Bytes) > MaxJobBytes {
		return nil, fmt.Errorf("job: %d bytes, at most %d are allowed: shorten its arguments", len(s.Bytes), MaxJobBytes)
	}
	if !verify(s.Signer, framed(domainJob, s.Bytes), s.Signature) {
		return nil, errors.New("job: the signature does not fit its bytes: it was altered on its way, send it again from the signer")
	}
	return Decode(s.Bytes)
}

// SignCancel signs the request to cancel the job. Only the job's signer may.
func SignCancel(id Hash, key ed25519.PrivateKey) []byte {
	return ed25519.Sign(key, framed(domainCancel, id[:]))
}

// VerifyCancel checks a request to cancel the job against its signer's key.
func VerifyCancel(id Hash, key ed25519.PublicKey, sig []byte) error {
	if !verify(key, framed(domainCancel, id[:]), sig) {
		return fmt.Errorf("job %s: the cancellation is not signed by the job's signer: cancel with the key that signed it", id.Short())
	}
	return nil
}

// SignManifest signs what a site deposits of a dataset in that job: the list of its
// ciphertexts. What these mean the dataset's declaration says: under another one the
// signature does not fit.
func SignManifest(id Hash, d *Dataset, manifest []byte, key ed25519.PrivateKey) []byte {
	return ed25519.Sign(key, manifestMessage(id, d, manifest))
}

// VerifyManifest tells whether that is the site's signature of what it deposited of the
// dataset in that job.
func VerifyManifest(id Hash, d *Dataset, manifest []byte, key ed25519.PublicKey, sig []byte) bool {
	return verify(key, manifestMessage(id, d, manifest), sig)
}

// SignSnapshot signs a version of what is deposited as shares, as the node that made it
// with others has seen it: a name, the columns, and commitments to all components.
func SignSnapshot(snapshot []byte, key ed25519.PrivateKey) []byte {
	return ed25519.Sign(key, framed(domainSnapshot, snapshot))
}

// VerifySnapshot tells whether that is the node's signature of the version.
func VerifySnapshot(snapshot []byte, key ed25519.PublicKey, sig []byte) bool {
	return verify(key, framed(domainSnapshot, snapshot), sig)
}

func manifestMessage(id Hash, d *Dataset, manifest []byte) []byte {
	meaning := d.meaning()
	return framed(domainManifest, id[:], meaning[:], manifest)
}
