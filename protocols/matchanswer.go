package protocols

import (
	endian "encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"consilium/job"
	"consilium/organ/policy"
)

// Offer is what a hospital was told of one rank of a run: its own candidate's row, or
// that it is none of its own.
type Offer struct {
	Run      job.Hash
	Sequence int
	Job      job.Hash // that revealed it
	Dataset  string
	Policy   string
	Site     string
	At       time.Time // by this node's clock
	Mine     bool
	Result   *Result
}

// Kinds of answers.
const (
	noAnswer = iota
	answerAccepted
	answerRefused
	answerExpired // the time for it was over
	answerKinds
)

// Answered is what came of the offer of a rank: the answer of a hospital, by its place
// among the sites of the list, from 1; or that the time for it was over.
type Answered struct {
	Kind      byte
	Hospital  int
	Code      int
	Signature job.Base64 // of job.Answer
}

// answeredSize is the size of an Answered on the wire: kind, hospital, code, signature.
// It is the same for all kinds.
const (
	signatureSize = 64
	answeredSize  = 1 + 2 + 2 + signatureSize
)

// encode writes an answer in answeredSize bytes; zeros for none.
func (a *Answered) encode() []byte {
	b := make([]byte, 0, answeredSize)
	b = append(b, a.Kind)
	b = endian.BigEndian.AppendUint16(b, uint16(a.Hospital))
	b = endian.BigEndian.AppendUint16(b, uint16(a.Code))
	b = append(b, a.Signature...)
	return append(b, make([]byte, answeredSize-len(b))...)
}

var errAnswer = errors.New("it is no answer: compare versions of consilium")

// parseAnswered reads exactly what encode writes.
func parseAnswered(b []byte) (Answered, error) {
	if len(b) != answeredSize || b[0] >= answerKinds {
		return Answered{}, errAnswer
	}
	a := Answered{Kind: b[0], Hospital: int(endian.BigEndian.Uint16(b[1:])), Code: int(endian.BigEndian.Uint16(b[3:]))}
	if a.signed() {
		a.Signature = slices.Clone(b[5:])
	}
	if string(a.encode()) != string(b) || a.signed() != (a.Hospital > 0) || (a.Kind == answerRefused) != (a.Code > 0) {
		return Answered{}, errAnswer
	}
	return a, nil
}

// signed tells whether a hospital has answered.
func (a *Answered) signed() bool { return a.Kind == answerAccepted || a.Kind == answerRefused }

// travelling is a hospital's answer as it travels; none if it is nil.
func travelling(a *job.Answer, place int) Answered {
	switch {
	case a == nil || len(a.Signature) != signatureSize:
		return Answered{}
	case a.Accept:
		return Answered{answerAccepted, place, 0, a.Signature}
	}
	return Answered{answerRefused, place, a.Code, a.Signature}
}

// CheckAnswer says why an answer is none to that rank of a run: its signature does not
// hold by the roster, or the policy has no such code.
func CheckAnswer(a *job.Answer, r *job.Roster, p *policy.Policy) error {
	index := r.NodeIndex(a.Node)
	if index < 0 {
		return fmt.Errorf("%.64q is no node of the study", a.Node)
	}
	if err := a.Verify(r.NodeKey(index)); err != nil {
		return err
	}
	if _, ok := p.Refusal(a.Code); !a.Accept && !ok {
		return fmt.Errorf("the answer of %s to rank %d of run %s has code %d, which policy %s does not have: %s", a.Node, a.Sequence, a.Run.Short(), a.Code, p.Name, p.RefusalCodes())
	}
	return nil
}

// check is CheckAnswer for one that is known by its hospital's place.
func (a *Answered) check(run job.Hash, sequence int, d *job.Dataset, r *job.Roster, p *policy.Policy) error {
	if !a.signed() {
		return nil
	}
	if a.Hospital > len(d.Sites) {
		return errAnswer
	}
	return CheckAnswer(&job.Answer{
		Run: run, Sequence: sequence, Node: d.Sites[a.Hospital-1].Node, Accept: a.Kind == answerAccepted, Code: a.Code, Signature: a.Signature,
	}, r, p)
}

// value is an answer as results have it.
func (a *Answered) value(sequence int, d *job.Dataset, p *policy.Policy) map[string]any {
	v := map[string]any{"sequence": int64(sequence), "answer": [...]string{"", "accepted", "refused", "expired"}[a.Kind]}
	if a.signed() {
		signature, _ := a.Signature.MarshalText() // never fails
		v["hospital"], v["signature"] = d.Sites[a.Hospital-1].Node, string(signature)
	}
	if a.Kind == answerRefused {
		text, _ := p.Refusal(a.Code)
		v["code"], v["reason"] = int64(a.Code), text
	}
	return v
}

// says is an answer in a sentence.
func (a *Answered) says(sequence int, d *job.Dataset, p *policy.Policy) string {
	switch a.Kind {
	case answerAccepted:
		return fmt.Sprintf("Rank %d was accepted by %s.", sequence, d.Sites[a.Hospital-1].Node)
	case answerRefused:
		text, _ := p.Refusal(a.Code)
		return fmt.Sprintf("Rank %d was refused by %s: %d, %s.", sequence, d.Sites[a.Hospital-1].Node, a.Code, text)
	case answerExpired:
		return fmt.Sprintf("Rank %d was not answered within %v.", sequence, p.AnswerWithin())
	}
	return ""
}
