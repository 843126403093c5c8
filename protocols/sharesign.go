package protocols

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"consilium/job"
	"consilium/mpc"
)

// signSnapshot compares a version with all who make it, and has each sign it. It returns
// nil after a failure.
func (w *work) signSnapshot(s *mpc.Session, v *ShareSnapshot, makers []mpc.PartyID) (*ShareVersion, word) {
	if s.Err() != nil {
		return nil, word{}
	}
	text := v.Bytes()
	digest := sha256.Sum256(text)
	if !mpc.Echo(s.Step("echo"), makers, digest[:], "commitments") {
		return nil, word{}
	}
	own := job.SignSnapshot(text, w.Key)
	theirs := mpc.Exchange(s.Step("signatures"), makers, own)
	version := &ShareVersion{Snapshot: v}
	for _, p := range makers {
		signature := own
		if p != w.self {
			if signature = theirs[p]; s.Err() == nil && !job.VerifySnapshot(text, w.roster.NodeKey(int(p)), signature) {
				s.Fail(fmt.Errorf("%s has not signed the version that it made", s.Name(p)))
			}
		}
		if s.Err() != nil {
			return nil, word{}
		}
		version.Signatures = append(version.Signatures, ShareSignature{s.Name(p), signature})
	}
	return version, digest
}

// confirmShares removes, once all parties have put a change of their shares into force,
// what was in force before. Where that cannot be known now the next change sees to it: it
// is no failure of this one.
func (w *work) confirmShares(s *mpc.Session, c Change) {
	if w.isParty() {
		for _, p := range w.members() {
			if p != w.self {
				s.Send(p, nil)
			}
		}
	}
	change, ok := c.(ShareChange)
	if !ok {
		return
	}
	for _, p := range w.parties {
		if p != w.self {
			s.Recv(p, 0)
		}
	}
	if s.Err() == nil {
		change.Confirm()
	}
}

// sendText sends a text of any length, its length first.
func sendText(s *mpc.Session, to mpc.PartyID, text []byte) {
	s.Send(to, fmt.Appendf(nil, "%016x", len(text)))
	for at := 0; at < len(text) && s.Err() == nil; at += mpc.MaxFrame {
		s.Send(to, text[at:min(at+mpc.MaxFrame, len(text))])
	}
}

// recvText receives what sendText sends, of limit bytes at most; nil after a failure.
func recvText(s *mpc.Session, from mpc.PartyID, limit int) []byte {
	frame := s.Recv(from, 16)
	if frame == nil {
		return nil
	}
	size, err := strconv.ParseUint(string(frame), 16, 63)
	if err != nil || int(size) > limit {
		s.Fail(fmt.Errorf("a text from %s is longer than %d bytes", s.Name(from), limit))
		return nil
	}
	return recvPieces(s, from, int(size))
}
