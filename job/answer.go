package job

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// Answer is a hospital's signed answer to an offer: to one rank of a match run.
type Answer struct {
	Run       Hash   // the job that ranked
	Sequence  int    // the rank, from 1
	Node      string // the hospital's name in the roster
	Accept    bool
	Code      int // of a refusal, by the policy; 0 of an acceptance
	Signature []byte
}

func (a *Answer) message() []byte {
	decision := []byte("refuse")
	if a.Accept {
		decision = []byte("accept")
	}
	return framed(domainAnswer, a.Run[:], binary.BigEndian.AppendUint64(nil, uint64(a.Sequence)), []byte(a.Node),
		decision, binary.BigEndian.AppendUint64(nil, uint64(a.Code)))
}

// Sign sets the signature.
func (a *Answer) Sign(key ed25519.PrivateKey) { a.Signature = ed25519.Sign(key, a.message()) }

// Verify checks the signature and that a refusal has a code, and an acceptance none.
// What codes there are is the policy's to say.
func (a *Answer) Verify(key ed25519.PublicKey) error {
	switch {
	case !verify(key, a.message(), a.Signature):
		return fmt.Errorf("the answer of %s to rank %d of run %s: the signature does not fit: it was altered, is of another run or rank, or the node uses another key than the roster's", a.Node, a.Sequence, a.Run.Short())
	case a.Sequence < 1 || a.Accept != (a.Code == 0) || a.Code < 0:
		return fmt.Errorf("the answer of %s to rank %d of run %s: an acceptance takes no code, a refusal a positive one", a.Node, a.Sequence, a.Run.Short())
	}
	return nil
}
