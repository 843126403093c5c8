package wire

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/job"
)

func encode(f *testing.F, m proto.Message) []byte {
	f.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// FuzzFromNode decodes what a node sends. What passes is within the caps and
// comes back the same.
func FuzzFromNode(f *testing.F) {
	for _, m := range []*api.FromNode{
		{Body: &api.FromNode_Decision{Decision: goodDecision()}},
		{Body: &api.FromNode_Decision{Decision: &api.Decision{Node: "hospital-1", JobId: hash, Reason: "no", Signature: signature}}},
		{Body: &api.FromNode_Decision{Decision: &api.Decision{Node: "\n", JobId: hash, Reason: "no", Signature: signature}}},
		{Body: &api.FromNode_Outcome{Outcome: &api.Outcome{JobId: hash, Share: goodShare()}}},
		{Body: &api.FromNode_Outcome{Outcome: &api.Outcome{JobId: hash, Error: "no"}}},
		{Body: &api.FromNode_Progress{Progress: &api.Progress{JobId: hash, Phase: "p", Detail: "d"}}},
		{Body: &api.FromNode_Hello{Hello: &api.Hello{Protocol: 1, Roster: hash, Running: [][]byte{hash}}}},
	} {
		f.Add(encode(f, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(api.FromNode)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		if d, err := DecisionFrom(m.GetDecision()); err == nil {
			checkDecision(t, d)
		}
		if s, err := ShareFrom(m.GetOutcome().GetShare()); err == nil {
			checkShare(t, s)
		}
	})
}

func checkDecision(t *testing.T, d *job.Decision) {
	t.Helper()
	if back, err := DecisionFrom(DecisionTo(d)); err != nil || back.Job != d.Job || back.Node != d.Node || back.Reason != d.Reason {
		t.Errorf("decision came back as %v: %v", back, err)
	}
	if len(d.Reason) > job.MaxReasonBytes || len(d.Signature) != len(signature) || len(d.Node) == 0 || len(d.Node) > MaxName {
		t.Errorf("decision past the caps: %v", d)
	}
}

func checkShare(t *testing.T, s *job.SealedShare) {
	t.Helper()
	back, err := ShareFrom(ShareTo(s))
	if err != nil || !proto.Equal(ShareTo(back), ShareTo(s)) {
		t.Errorf("share came back as %v: %v", back, err)
	}
	size := 0
	for _, o := range s.Outputs {
		if size += len(o.Name) + len(o.Ciphertext); o.Name != job.Printable(o.Name, MaxName) {
			t.Errorf("output %q", o.Name)
		}
	}
	if n := len(s.Outputs); n == 0 || n > MaxOutputs || size > MaxShare || len(s.Signature) != len(signature) {
		t.Errorf("share past the caps: %d outputs of %d bytes", n, size)
	}
}

// FuzzToNode decodes what a coordinator sends.
func FuzzToNode(f *testing.F) {
	decisions := []*api.Decision{goodDecision(), goodDecision()}
	for _, m := range []*api.ToNode{
		{Body: &api.ToNode_Offer{Offer: goodSigned()}},
		{Body: &api.ToNode_Offer{Offer: &api.SignedJob{Job: []byte("{}"), Signer: key, Signature: signature, Attachment: []byte("sealed")}}},
		{Body: &api.ToNode_Start{Start: &api.Start{JobId: hash, Decisions: decisions}}},
		{Body: &api.ToNode_Cancel{Cancel: &api.JobEnd{JobId: hash, Reason: "over"}}},
		{},
	} {
		f.Add(encode(f, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(api.ToNode)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		if s, attachment, err := SubmittedFrom(m.GetOffer()); err == nil {
			back := SubmittedTo(s, attachment)
			if !bytes.Equal(back.GetJob(), m.GetOffer().GetJob()) || !bytes.Equal(back.GetAttachment(), m.GetOffer().GetAttachment()) {
				t.Errorf("came back as %v", back)
			}
			if _, err := SignedFrom(m.GetOffer()); (err == nil) != (len(attachment) == 0) {
				t.Errorf("with an attachment of %d bytes: %v", len(attachment), err)
			}
		}
		ds, err := DecisionsFrom(m.GetStart().GetDecisions(), 2)
		if err != nil {
			return
		}
		if len(ds) > 2 || len(ds) != len(m.GetStart().GetDecisions()) {
			t.Errorf("%d decisions of %d", len(ds), len(m.GetStart().GetDecisions()))
		}
		for i := range ds {
			checkDecision(t, &ds[i])
		}
	})
}

func FuzzSubmitted(f *testing.F) {
	f.Add([]byte("{}"), key, signature)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, b, signer, sig []byte) {
		s, err := SignedFrom(&api.SignedJob{Job: b, Signer: signer, Signature: sig})
		if err != nil {
			return
		}
		if m := SignedTo(s); !bytes.Equal(m.GetJob(), b) || !bytes.Equal(m.GetSigner(), signer) || !bytes.Equal(m.GetSignature(), sig) {
			t.Errorf("came back as %v", m)
		}
		if len(b) > job.MaxJobBytes || len(signer) != len(key) || len(sig) != len(signature) {
			t.Error("past the caps")
		}
		if _, err := s.Verify(); err == nil && len(b) > job.MaxJobBytes {
			t.Error("verified past the cap")
		}
	})
}
