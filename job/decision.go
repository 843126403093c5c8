package job

import (
	"crypto/ed25519"
	"fmt"
	"slices"
)

// MaxReasonBytes caps the reason of a decision.
const MaxReasonBytes = 1 << 10

// Decision is a node's signed answer to an offered job.
type Decision struct {
	Node      string // the node's name in the roster
	Job       Hash   // Signed.ID
	Accept    bool
	Reason    string // of a rejection: why, and how to mend it; at most 1 KiB, one line
	Nonce     []byte // of an acceptance: 32 fresh random bytes
	Signature []byte
}

func (d *Decision) message() []byte {
	answer := []byte("reject")
	if d.Accept {
		answer = []byte("accept")
	}
	return framed(domainDecision, []byte(d.Node), d.Job[:], answer, []byte(d.Reason), d.Nonce)
}

// Sign sets the signature, after cutting the reason to what Verify takes: it
// often is another package's error, and a rejection must arrive.
func (d *Decision) Sign(key ed25519.PrivateKey) {
	d.Reason = Printable(d.Reason, MaxReasonBytes)
	d.Signature = ed25519.Sign(key, d.message())
}

// Verify checks the signature and the form: an acceptance has a nonce of 32
// bytes and no reason, a rejection a reason and no nonce.
func (d *Decision) Verify(key ed25519.PublicKey) error {
	if err := checkName("decision: node", d.Node); err != nil {
		return err
	}
	if !verify(key, d.message(), d.Signature) {
		return fmt.Errorf("decision of %s: the signature does not fit: it was altered, or the node uses another key than the roster's", d.Node)
	}
	if d.Accept && (len(d.Nonce) != NonceSize || d.Reason != "") {
		return fmt.Errorf("decision of %s: an acceptance takes a nonce of %d bytes and no reason: use the same version of consilium everywhere", d.Node, NonceSize)
	}
	if !d.Accept && (len(d.Nonce) != 0 || d.Reason == "") {
		return fmt.Errorf("decision of %s: a rejection takes a reason and no nonce: use the same version of consilium everywhere", d.Node)
	}
	return checkText("decision of "+d.Node+": reason", d.Reason, MaxReasonBytes)
}

// SessionID derives the session of an accepted job from the signed acceptances,
// exactly one of every node that takes part, in any order. A fresh nonce of each
// enters: nobody can choose the id, and it never repeats.
func SessionID(jobID Hash, j *Job, r *Roster, ds []Decision) ([32]byte, error) {
	names := r.Participants(j)
	byNode := make(map[string]*Decision, len(ds))
	for i := range ds {
		d := &ds[i]
		index := r.NodeIndex(d.Node)
		if index < 0 {
			return [32]byte{}, fmt.Errorf("session: a decision is of %s, which is no node of the study: compare roster hashes", quoted(d.Node))
		}
		if !slices.Contains(names, d.Node) {
			return [32]byte{}, fmt.Errorf("session: a decision is of %s, which takes no part in the job", d.Node)
		}
		if byNode[d.Node] != nil {
			return [32]byte{}, fmt.Errorf("session: node %s decided twice: submit the job anew", d.Node)
		}
		if d.Job != jobID {
			return [32]byte{}, fmt.Errorf("session: node %s decided on job %s, not on %s: submit the job anew", d.Node, d.Job.Short(), jobID.Short())
		}
		if err := d.Verify(r.NodeKey(index)); err != nil {
			return [32]byte{}, fmt.Errorf("session: %w", err)
		}
		if !d.Accept {
			return [32]byte{}, fmt.Errorf("session: node %s rejected the job: %s", d.Node, d.Reason)
		}
		byNode[d.Node] = d
	}
	parts := [][]byte{jobID[:], j.Roster[:]}
	for _, name := range names {
		d := byNode[name]
		if d == nil {
			return [32]byte{}, fmt.Errorf("session: the decision of node %s is missing: every node that takes part must accept", name)
		}
		parts = append(parts, []byte(name), d.Nonce)
	}
	return hashOf(domainSession, parts...), nil
}
