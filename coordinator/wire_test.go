package coordinator

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"consilium/api"
	"consilium/job"
)

// FuzzFromNode decodes what a node sends. What passes comes back the same, is
// within the caps and survives the store.
func FuzzFromNode(f *testing.F) {
	hash, sig := make([]byte, hashSize), make([]byte, sigSize)
	share := &api.SealedShare{Party: "hospital-1", Session: hash, Signature: sig, Outputs: []*api.SealedOutput{{Name: "n", Ciphertext: []byte{1}}}}
	for _, m := range []*api.FromNode{
		{Body: &api.FromNode_Decision{Decision: &api.Decision{Node: "hospital-1", JobId: hash, Accept: true, Nonce: hash, Signature: sig}}},
		{Body: &api.FromNode_Decision{Decision: &api.Decision{Node: "hospital-1", JobId: hash, Reason: "no", Signature: sig}}},
		{Body: &api.FromNode_Outcome{Outcome: &api.Outcome{JobId: hash, Share: share}}},
		{Body: &api.FromNode_Outcome{Outcome: &api.Outcome{JobId: hash, Error: "no"}}},
		{Body: &api.FromNode_Progress{Progress: &api.Progress{JobId: hash, Phase: "p", Detail: "d"}}},
		{Body: &api.FromNode_Hello{Hello: &api.Hello{Protocol: 1, Roster: hash, Running: [][]byte{hash}}}},
	} {
		f.Add(must(proto.Marshal(m)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(api.FromNode)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		if d, err := decisionFrom(m.GetDecision()); err == nil {
			if back, err := decisionFrom(decisionTo(*d)); err != nil || back.Job != d.Job || back.Node != d.Node || back.Reason != d.Reason {
				t.Errorf("decision came back as %v: %v", back, err)
			}
			if len(d.Reason) > maxReason || len(d.Signature) != sigSize {
				t.Errorf("decision past the caps: %v", d)
			}
		}
		s, err := shareFrom(m.GetOutcome().GetShare())
		if err != nil {
			return
		}
		back, err := decodeShare(must(encodeShare(s)))
		if err != nil || !proto.Equal(back, shareTo(s)) {
			t.Errorf("share came back as %v: %v", back, err)
		}
	})
}

func FuzzStoredShare(f *testing.F) {
	f.Add(must(proto.Marshal(&api.SealedShare{Party: "hospital-1", Session: make([]byte, hashSize), Signature: make([]byte, sigSize),
		Outputs: []*api.SealedOutput{{Name: "n", Ciphertext: []byte{1}}}})))
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeShare(b)
		if err != nil {
			return
		}
		if n := len(m.GetOutputs()); n == 0 || n > maxOutputs || len(m.GetSession()) != hashSize || len(m.GetSignature()) != sigSize {
			t.Errorf("past the caps: %v", m)
		}
	})
}

func FuzzSubmitted(f *testing.F) {
	f.Add([]byte("{}"), make([]byte, keySize), make([]byte, sigSize))
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, b, signer, signature []byte) {
		s, err := signedFrom(&api.SignedJob{Job: b, Signer: signer, Signature: signature})
		if err != nil {
			return
		}
		if m := signedTo(s); !bytes.Equal(m.GetJob(), b) || !bytes.Equal(m.GetSigner(), signer) || !bytes.Equal(m.GetSignature(), signature) {
			t.Errorf("came back as %v", m)
		}
		if _, err := s.Verify(); err == nil && len(b) > job.MaxJobBytes {
			t.Error("verified past the cap")
		}
	})
}

func TestWireRefusesWrongLengths(t *testing.T) {
	hash, sig := make([]byte, hashSize), make([]byte, sigSize)
	good := func() *api.SealedShare {
		return &api.SealedShare{Party: "hospital-1", Session: hash, Signature: sig, Outputs: []*api.SealedOutput{{Name: "n", Ciphertext: []byte{1}}}}
	}
	if _, err := shareFrom(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*api.SealedShare){
		"session":   func(m *api.SealedShare) { m.Session = hash[1:] },
		"signature": func(m *api.SealedShare) { m.Signature = nil },
		"outputs":   func(m *api.SealedShare) { m.Outputs = make([]*api.SealedOutput, maxOutputs+1) },
		"name":      func(m *api.SealedShare) { m.Outputs[0].Name = string(make([]byte, maxOutput+1)) },
		"no name":   func(m *api.SealedShare) { m.Outputs[0].Name = "" },
		"size":      func(m *api.SealedShare) { m.Outputs[0].Ciphertext = make([]byte, maxShare+1) },
	} {
		m := good()
		change(m)
		if _, err := shareFrom(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, m := range map[string]*api.Decision{
		"none":      nil,
		"job":       {JobId: hash[1:], Signature: sig},
		"nonce":     {JobId: hash, Nonce: hash[1:], Signature: sig},
		"signature": {JobId: hash, Nonce: hash, Signature: sig[1:]},
		"reason":    {JobId: hash, Reason: string(make([]byte, maxReason+1)), Signature: sig},
	} {
		if _, err := decisionFrom(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, limit := rapid.String().Draw(t, "s"), rapid.IntRange(0, 50).Draw(t, "limit")
		out := printable(s, limit)
		if len(out) != min(len(s), limit) {
			t.Fatalf("%d bytes of %d, cap %d", len(out), len(s), limit)
		}
		for i := range len(out) {
			if c := s[i]; out[i] < ' ' || out[i] > '~' || (c >= ' ' && c <= '~' && out[i] != c) {
				t.Fatalf("byte %d: %q became %q", i, c, out[i])
			}
		}
	})
}
