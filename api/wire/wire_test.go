package wire

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/job"
)

// Bytes of the right lengths. No test changes them.
var (
	hash      = make([]byte, 32)
	key       = make([]byte, 32)
	signature = make([]byte, 64)
)

func goodSigned() *api.SignedJob {
	return &api.SignedJob{Job: []byte("{}"), Signer: key, Signature: signature}
}

func goodDecision() *api.Decision {
	return &api.Decision{Node: "hospital-1", JobId: hash, Accept: true, Nonce: hash, Signature: signature}
}

func goodShare() *api.SealedShare {
	return &api.SealedShare{
		Party: "hospital-1", Session: hash, Signature: signature,
		Outputs: []*api.SealedOutput{{Name: "n", Ciphertext: []byte{1}}},
	}
}

func wantError(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("%s: got %v, want one harmless line with %q", name, err, want)
	}
}

func TestSignedForm(t *testing.T) {
	if s, err := SignedFrom(goodSigned()); err != nil || !proto.Equal(SignedTo(s), goodSigned()) {
		t.Fatalf("%v came back: %v", s, err)
	}
	for name, c := range map[string]struct {
		change func(*api.SignedJob)
		want   string
	}{
		"job":       {func(m *api.SignedJob) { m.Job = make([]byte, job.MaxJobBytes+1) }, "at most 65536"},
		"signer":    {func(m *api.SignedJob) { m.Signer = key[1:] }, "signer has 31 bytes, it takes 32"},
		"signature": {func(m *api.SignedJob) { m.Signature = nil }, "signature has 0 bytes, it takes 64"},
	} {
		m := goodSigned()
		c.change(m)
		_, err := SignedFrom(m)
		wantError(t, name, err, c.want)
	}
	_, err := SignedFrom(nil)
	wantError(t, "none", err, "no signed job")
}

func TestSubmittedForm(t *testing.T) {
	with := goodSigned()
	with.Attachment = []byte("sealed")
	signed, attachment, err := SubmittedFrom(with)
	if err != nil || string(attachment) != "sealed" || !proto.Equal(SubmittedTo(signed, attachment), with) {
		t.Fatalf("%v with %q came back: %v", signed, attachment, err)
	}
	_, err = SignedFrom(with)
	wantError(t, "where none belongs", err, "an attachment of 6 bytes")
	if signed, attachment, err := SubmittedFrom(goodSigned()); err != nil || attachment != nil || !proto.Equal(SubmittedTo(signed, nil), goodSigned()) {
		t.Errorf("without one: %q, %v", attachment, err)
	}
	with.Attachment = make([]byte, job.MaxAttachment+1)
	_, _, err = SubmittedFrom(with)
	wantError(t, "too large", err, "attachment has 8388609 bytes, at most 8388608")
	with.Attachment, with.Signature = []byte("sealed"), nil
	_, _, err = SubmittedFrom(with)
	wantError(t, "signature", err, "signature has 0 bytes")
	_, _, err = SubmittedFrom(nil)
	wantError(t, "none", err, "no signed job")
}

func TestDecisionForm(t *testing.T) {
	good := goodDecision()
	if d, err := DecisionFrom(good); err != nil || !proto.Equal(DecisionTo(d), good) {
		t.Fatalf("%v came back: %v", d, err)
	}
	for name, c := range map[string]struct {
		change func(*api.Decision)
		want   string
	}{
		"job":          {func(m *api.Decision) { m.JobId = hash[1:] }, "a decision's job has 31 bytes"},
		"no node":      {func(m *api.Decision) { m.Node = "" }, "no printable name"},
		"hostile":      {func(m *api.Decision) { m.Node = "\x1b[2J" }, "no printable name"},
		"long name":    {func(m *api.Decision) { m.Node = strings.Repeat("n", MaxName+1) }, "no printable name of 1 to 200 bytes"},
		"nonce":        {func(m *api.Decision) { m.Nonce = hash[1:] }, "nonce has 31 bytes"},
		"signature":    {func(m *api.Decision) { m.Signature = signature[1:] }, "signature has 63 bytes"},
		"reason":       {func(m *api.Decision) { m.Reason = strings.Repeat("n", job.MaxReasonBytes+1) }, "reason has 1025 bytes, at most 1024"},
		"all left out": {func(m *api.Decision) { proto.Reset(m) }, "a decision's job has 0 bytes"},
	} {
		m := goodDecision()
		c.change(m)
		_, err := DecisionFrom(m)
		wantError(t, name, err, c.want)
		_, err = DecisionsFrom([]*api.Decision{good, m}, 2)
		wantError(t, name+" among others", err, c.want)
	}
	_, err := DecisionFrom(nil)
	wantError(t, "none", err, "0 bytes")
	_, err = DecisionsFrom([]*api.Decision{good, good, good}, 2)
	wantError(t, "too many", err, "3 decisions for 2 nodes")
	ds, err := DecisionsFrom([]*api.Decision{good, {Node: "hospital-2", JobId: hash, Reason: "no", Signature: signature}}, 2)
	if err != nil || len(ds) != 2 || ds[1].Node != "hospital-2" || ds[1].Accept || !proto.Equal(DecisionsTo(ds)[0], good) {
		t.Errorf("decisions are %v, %v", ds, err)
	}
}

func TestShareForm(t *testing.T) {
	if s, err := ShareFrom(goodShare()); err != nil || !proto.Equal(ShareTo(s), goodShare()) {
		t.Fatalf("%v came back: %v", s, err)
	}
	for name, c := range map[string]struct {
		change func(*api.SealedShare)
		want   string
	}{
		"session":      {func(m *api.SealedShare) { m.Session = hash[1:] }, "session has 31 bytes"},
		"signature":    {func(m *api.SealedShare) { m.Signature = nil }, "signature has 0 bytes"},
		"party":        {func(m *api.SealedShare) { m.Party = "a\nb" }, "party has no printable name"},
		"no outputs":   {func(m *api.SealedShare) { m.Outputs = nil }, "0 outputs"},
		"outputs":      {func(m *api.SealedShare) { m.Outputs = make([]*api.SealedOutput, MaxOutputs+1) }, "4097 outputs, it takes 1 to 4096"},
		"name":         {func(m *api.SealedShare) { m.Outputs[0].Name = strings.Repeat("n", MaxName+1) }, "no printable name"},
		"no name":      {func(m *api.SealedShare) { m.Outputs[0].Name = "" }, "no printable name"},
		"hostile name": {func(m *api.SealedShare) { m.Outputs[0].Name = "\x1b[2J" }, "no printable name"},
		"empty":        {func(m *api.SealedShare) { m.Outputs[0].Ciphertext = nil }, "output n is empty"},
		"size":         {func(m *api.SealedShare) { m.Outputs[0].Ciphertext = make([]byte, MaxShare+1) }, "20971522 bytes, at most 20971520"},
	} {
		m := goodShare()
		c.change(m)
		_, err := ShareFrom(m)
		wantError(t, name, err, c.want)
	}
	_, err := ShareFrom(nil)
	wantError(t, "none", err, "session has 0 bytes")
}

// TestResultFitsIntoAReply builds the largest reply that the caps allow.
func TestResultFitsIntoAReply(t *testing.T) {
	outputs := make([]*api.SealedOutput, MaxOutputs)
	blob := make([]byte, MaxShare/MaxOutputs-MaxName)
	for i := range outputs {
		outputs[i] = &api.SealedOutput{Name: strings.Repeat("n", MaxName), Ciphertext: blob}
	}
	share := &api.SealedShare{Party: strings.Repeat("p", 63), Session: hash, Signature: signature, Outputs: outputs}
	if _, err := ShareFrom(share); err != nil {
		t.Fatal(err)
	}
	reply := &api.FetchReply{
		Job:    &api.SignedJob{Job: make([]byte, job.MaxJobBytes), Signer: key, Signature: signature},
		Shares: []*api.SealedShare{share, share, share},
	}
	for range job.MaxNodes {
		reply.Decisions = append(reply.Decisions, &api.Decision{
			Node: share.Party, JobId: share.Session, Accept: true, Nonce: share.Session, Signature: share.Signature,
		})
	}
	if n := proto.Size(reply); n > MaxResult {
		t.Errorf("a reply may have %d bytes, at most %d are sent", n, MaxResult)
	}
	part := proto.CloneOf(share)
	part.Outputs = slices.Repeat([]*api.SealedOutput{{Name: "n", Ciphertext: make([]byte, MaxPart/MaxOutputs-1)}}, MaxOutputs)
	reply.Shares = append(reply.Shares[:1], slices.Repeat([]*api.SealedShare{part}, job.MaxNodes-1)...)
	if n := proto.Size(reply); n > MaxResult {
		t.Errorf("a reply of all sites may have %d bytes, at most %d are sent", n, MaxResult)
	}
	if n := proto.Size(share); n > MaxReport-1024 {
		t.Errorf("a share may have %d bytes, at most %d are received", n, MaxReport)
	}
}
