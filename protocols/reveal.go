package protocols

import (
	"crypto/hpke"
	"fmt"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// The sealing of results: post-quantum hybrid, as job.NewRecipientKey makes keys.
func suite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// A sealed output's plaintext is the party's two components of the sharing,
// A then B, each Len elements, little endian, of 16 bytes, or 8 of a match, and
// nothing else.

// encodeShare returns the plaintext of a sealed output.
func encodeShare[V ring.Vector[V]](x rss.Share[V]) []byte {
	return x.B.Append(x.A.Append(nil))
}

// decodeShare reads the plaintext of a sealed output of n elements.
func decodeShare(b []byte, n int) (rss.Vec128, error) { return decodeParts[ring.Vec128](b, n) }

// decodeParts is decodeShare in any ring.
func decodeParts[V ring.Vector[V]](b []byte, n int) (share rss.Share[V], err error) {
	var v V
	half := v.Make(n).Size()
	if len(b) != 2*half {
		return share, fmt.Errorf("%d bytes, want %d", len(b), 2*half)
	}
	return rss.Share[V]{A: v.Decode(b[:half]), B: v.Decode(b[half:])}, nil
}

// recipientKey returns the key to which the result is sealed.
func (w *work) recipientKey(s *mpc.Session) hpke.PublicKey {
	kem, _, _ := suite()
	to, err := kem.NewPublicKey(w.job.Recipient)
	if err != nil {
		s.Fail(fmt.Errorf("the job's recipient key: %w", err))
	}
	return to
}

// reveal seals this party's share of every output to the job's recipient and
// signs it. With revealPart and score it is the only way in which a result leaves the session.
func (w *work) reveal(s *mpc.Session, outputs map[string]rss.Vec128) *job.SealedShare {
	to := w.recipientKey(s)
	if s.Err() != nil {
		return nil
	}
	_, kdf, aead := suite()
	share := &job.SealedShare{Party: w.Self, Session: w.session}
	for _, o := range w.plan.revealed() {
		info := job.SealInfo(w.id, w.session, w.Self, o.Name)
		sealed, err := hpke.Seal(to, kdf, aead, info, encodeShare(outputs[o.Name]))
		if err != nil {
			s.Fail(fmt.Errorf("seal output %s: %w", o.Name, err))
			return nil
		}
		share.Outputs = append(share.Outputs, job.SealedOutput{Name: o.Name, Ciphertext: sealed})
	}
	share.Sign(w.id, w.Key)
	return share
}
