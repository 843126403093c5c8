package job

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func TestSignedJob(t *testing.T) {
	s := newStudy(t, 3)
	j := s.job()
	signed, err := Sign(j, s.client.Key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := signed.Verify()
	if err != nil {
		t.Fatal(err)
	}
	j.Args["columns"] = []any{"age", "sex"}
	if !reflect.DeepEqual(got, j) {
		t.Errorf("got %+v, want %+v", got, j)
	}
	if c, ok := s.roster.ClientByKey(signed.Signer); !ok || c.Name != "ada" {
		t.Errorf("signer is %v", c)
	}

	for i := range signed.Bytes {
		altered := *signed
		altered.Bytes = bytes.Clone(signed.Bytes)
		altered.Bytes[i] ^= 1
		if _, err := altered.Verify(); err == nil {
			t.Fatalf("byte %d altered, not refused", i)
		}
		if altered.ID() == signed.ID() {
			t.Fatalf("byte %d altered, same id", i)
		}
	}
	for i := range signed.Signature {
		altered := *signed
		altered.Signature = bytes.Clone(signed.Signature)
		altered.Signature[i] ^= 1
		if _, err := altered.Verify(); err == nil {
			t.Fatalf("byte %d of the signature altered, not refused", i)
		}
	}
	for name, change := range map[string]func(*Signed){
		"another signer": func(x *Signed) { x.Signer = s.admin.Key.Public().(ed25519.PublicKey) },
		"no signer":      func(x *Signed) { x.Signer = nil },
		"long signer":    func(x *Signed) { x.Signer = append(bytes.Clone(x.Signer), 0) },
		"no signature":   func(x *Signed) { x.Signature = nil },
		"bare signature": func(x *Signed) { x.Signature = ed25519.Sign(s.client.Key, x.Bytes) },
		"other's domain": func(x *Signed) { x.Signature = ed25519.Sign(s.client.Key, framed(domainCancel, x.Bytes)) },
		"more than fits": func(x *Signed) { x.Bytes = make([]byte, MaxJobBytes+1) },
	} {
		t.Run(name, func(t *testing.T) {
			x := *signed
			change(&x)
			_, err := x.Verify()
			wantError(t, err, "job: ")
		})
	}
	other := *signed
	other.Signer = s.admin.Key.Public().(ed25519.PublicKey)
	if other.ID() == signed.ID() {
		t.Error("the id does not depend on the signer")
	}
	_, err = Sign(j, nil)
	wantError(t, err, "signing key")
}

// TestFraming pins the bytes that other implementations must sign and hash.
func TestFraming(t *testing.T) {
	got := framed("ab", []byte("c"), nil)
	want := "0000000000000002" + "6162" + "0000000000000001" + "63" + "0000000000000000"
	if hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
	signed := &Signed{Bytes: []byte("{}"), Signer: make([]byte, 32)}
	message := "\x00\x00\x00\x00\x00\x00\x00\x13consilium v1 job id" +
		"\x00\x00\x00\x00\x00\x00\x00\x20" + strings.Repeat("\x00", 32) + "\x00\x00\x00\x00\x00\x00\x00\x02{}"
	if signed.ID() != sha256.Sum256([]byte(message)) {
		t.Errorf("id is not the hash of its framed parts")
	}
}

func TestCancel(t *testing.T) {
	s := newStudy(t, 3)
	pub := s.client.Key.Public().(ed25519.PublicKey)
	sig := SignCancel(Hash{1}, s.client.Key)
	if err := VerifyCancel(Hash{1}, pub, sig); err != nil {
		t.Error(err)
	}
	wantError(t, VerifyCancel(Hash{2}, pub, sig), "cancellation")
	wantError(t, VerifyCancel(Hash{1}, s.admin.Key.Public().(ed25519.PublicKey), sig), "cancellation")
	wantError(t, VerifyCancel(Hash{1}, nil, sig), "cancellation")
}

func decide(s *study, jobID Hash) []Decision {
	ds := make([]Decision, len(s.nodes))
	for i, id := range s.nodes {
		nonce := sha256.Sum256([]byte(id.Name))
		ds[i] = Decision{Node: id.Name, Job: jobID, Accept: true, Nonce: nonce[:]}
		ds[i].Sign(id.Key)
	}
	return ds
}

func TestSessionID(t *testing.T) {
	s := newStudy(t, 4)
	jobID, j := Hash{1}, &Job{Roster: Hash{2}}
	ds := decide(s, jobID)
	want, err := SessionID(jobID, j, s.roster, ds)
	if err != nil {
		t.Fatal(err)
	}
	ds[0], ds[3] = ds[3], ds[0]
	if got, err := SessionID(jobID, j, s.roster, ds); err != nil || got != want {
		t.Errorf("order matters: %x %x %v", got, want, err)
	}
	if got, _ := SessionID(jobID, &Job{Roster: Hash{3}}, s.roster, ds); got == want {
		t.Error("the roster does not enter")
	}
	if got, _ := SessionID(Hash{3}, j, s.roster, decide(s, Hash{3})); got == want {
		t.Error("the job does not enter")
	}
	for i := range s.nodes {
		ds := decide(s, jobID)
		ds[i].Nonce[5] ^= 1
		ds[i].Sign(s.nodes[i].Key)
		if got, err := SessionID(jobID, j, s.roster, ds); err != nil || got == want {
			t.Errorf("nonce of node %d does not enter: %v", i, err)
		}
	}

	stranger := newTestIdentity(t, "stranger")
	for name, c := range map[string]struct {
		change func([]Decision) []Decision
		want   string
	}{
		"missing":            {func(ds []Decision) []Decision { return ds[:3] }, "hospital-4 is missing"},
		"none":               {func([]Decision) []Decision { return nil }, "is missing"},
		"twice":              {func(ds []Decision) []Decision { return append(ds, ds[1]) }, "decided twice"},
		"twice, one missing": {func(ds []Decision) []Decision { ds[3] = ds[1]; return ds }, "decided twice"},
		"stranger": {func(ds []Decision) []Decision {
			d := Decision{Node: "stranger", Job: jobID, Accept: true, Nonce: ds[0].Nonce}
			d.Sign(stranger.Key)
			return append(ds, d)
		}, "no node of the study"},
		"other job": {func(ds []Decision) []Decision { ds[2] = decide(s, Hash{9})[2]; return ds }, "decided on job"},
		"rejection": {func(ds []Decision) []Decision {
			ds[2] = Decision{Node: "hospital-3", Job: jobID, Reason: "policy: no"}
			ds[2].Sign(s.nodes[2].Key)
			return ds
		}, "hospital-3 rejected the job: policy: no"},
		"altered nonce":  {func(ds []Decision) []Decision { ds[1].Nonce[0] ^= 1; return ds }, "signature does not fit"},
		"altered answer": {func(ds []Decision) []Decision { ds[1].Accept = false; return ds }, "signature does not fit"},
		"other's key":    {func(ds []Decision) []Decision { ds[1].Sign(s.nodes[0].Key); return ds }, "signature does not fit"},
		"short nonce":    {func(ds []Decision) []Decision { ds[1].Nonce = ds[1].Nonce[1:]; ds[1].Sign(s.nodes[1].Key); return ds }, "nonce of 32 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := SessionID(jobID, j, s.roster, c.change(decide(s, jobID)))
			wantError(t, err, c.want)
		})
	}
}

// TestSessionIDOfSome: only those whom the job names decide.
func TestSessionIDOfSome(t *testing.T) {
	s := newStudy(t, 4)
	jobID, j := Hash{1}, &Job{Nodes: []string{"hospital-1", "hospital-3"}}
	ds := decide(s, jobID)
	some := []Decision{ds[2], ds[0]}
	if _, err := SessionID(jobID, j, s.roster, some); err != nil {
		t.Error(err)
	}
	_, err := SessionID(jobID, j, s.roster, ds)
	wantError(t, err, "hospital-2, which takes no part")
	_, err = SessionID(jobID, j, s.roster, some[:1])
	wantError(t, err, "hospital-1 is missing")

	wantError(t, s.roster.CheckParticipants(&Job{Nodes: []string{"hospital-5"}}), `unknown node "hospital-5"`)
	wantError(t, s.roster.CheckParticipants(&Job{Nodes: []string{"hospital-3", "hospital-1"}}), "order of the roster: hospital-1, hospital-3")
	if err := s.roster.CheckParticipants(j); err != nil {
		t.Error(err)
	}
}

func TestDecisionForm(t *testing.T) {
	id := newTestIdentity(t, "hospital-1")
	pub := id.Key.Public().(ed25519.PublicKey)
	for name, c := range map[string]struct {
		d    Decision
		want string
	}{
		"rejection":              {Decision{Reason: "no"}, ""},
		"rejection, no reason":   {Decision{}, "takes a reason"},
		"rejection with nonce":   {Decision{Reason: "no", Nonce: make([]byte, 32)}, "no nonce"},
		"acceptance with reason": {Decision{Accept: true, Reason: "so", Nonce: make([]byte, 32)}, "no reason"},
		"reason of two lines":    {Decision{Reason: "no\nno"}, "printed"},
		"long reason":            {Decision{Reason: strings.Repeat("n", 2000)}, "at most 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			c.d.Node = id.Name
			c.d.Signature = ed25519.Sign(id.Key, c.d.message())
			err := c.d.Verify(pub)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, c.want)
		})
	}
}

func TestDecisionSignCutsTheReason(t *testing.T) {
	id := newTestIdentity(t, "hospital-1")
	for reason, want := range map[string]string{
		"no\nno\x1b\xff":               "no no??",
		strings.Repeat("é", 600):       strings.Repeat("é", 510) + "…",
		strings.Repeat("n", 1024):      strings.Repeat("n", 1024),
		"x" + strings.Repeat("é", 600): "x" + strings.Repeat("é", 510) + "…",
	} {
		d := Decision{Node: id.Name, Reason: reason}
		d.Sign(id.Key)
		if err := d.Verify(id.Key.Public().(ed25519.PublicKey)); err != nil || d.Reason != want {
			t.Errorf("reason %q, %v", d.Reason, err)
		}
	}
}

func TestSealedShare(t *testing.T) {
	s := newStudy(t, 3)
	id := s.nodes[0]
	pub := id.Key.Public().(ed25519.PublicKey)
	fresh := func() *SealedShare {
		share := &SealedShare{Party: id.Name, Session: [32]byte{7}, Outputs: []SealedOutput{{"n", []byte("abc")}, {"sum", []byte("defg")}}}
		share.Sign(Hash{1}, id.Key)
		return share
	}
	if err := fresh().Verify(Hash{1}, pub); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*SealedShare){
		"party":      func(x *SealedShare) { x.Party = "hospital-2" },
		"session":    func(x *SealedShare) { x.Session[31] = 1 },
		"name":       func(x *SealedShare) { x.Outputs[0].Name = "m" },
		"ciphertext": func(x *SealedShare) { x.Outputs[1].Ciphertext[3] ^= 1 },
		"swapped":    func(x *SealedShare) { x.Outputs[0], x.Outputs[1] = x.Outputs[1], x.Outputs[0] },
		"dropped":    func(x *SealedShare) { x.Outputs = x.Outputs[:1] },
		"moved bytes": func(x *SealedShare) {
			x.Outputs[0].Name, x.Outputs[0].Ciphertext = "na", []byte("bc")
		},
		"twice": func(x *SealedShare) { x.Outputs[1].Name = "n"; x.Sign(Hash{1}, id.Key) },
	} {
		t.Run(name, func(t *testing.T) {
			share := fresh()
			change(share)
			wantError(t, share.Verify(Hash{1}, pub), "result of job")
		})
	}
	wantError(t, fresh().Verify(Hash{2}, pub), "does not fit")
	wantError(t, fresh().Verify(Hash{1}, s.nodes[1].Key.Public().(ed25519.PublicKey)), "does not fit")
}

func TestShareReceipt(t *testing.T) {
	s := newStudy(t, 3)
	id := s.nodes[0]
	pub := id.Key.Public().(ed25519.PublicKey)
	share := &SealedShare{Party: id.Name, Session: [32]byte{7}, Outputs: []SealedOutput{{"n", []byte("abc")}}}
	share.Sign(Hash{1}, id.Key)
	if err := share.Receipt().Verify(Hash{1}, pub); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*ShareReceipt){
		"party":     func(r *ShareReceipt) { r.Party = "hospital-2" },
		"session":   func(r *ShareReceipt) { r.Session[0] ^= 1 },
		"outputs":   func(r *ShareReceipt) { r.Outputs[0] ^= 1 },
		"signature": func(r *ShareReceipt) { r.Signature = r.Signature[1:] },
	} {
		receipt := share.Receipt()
		change(receipt)
		if err := receipt.Verify(Hash{1}, pub); err == nil {
			t.Errorf("%s: altered, and verified", name)
		}
	}
	other := *share
	other.Outputs = []SealedOutput{{"n", []byte("abd")}}
	hashes := map[Hash]bool{
		OutcomeHash(Hash{1}, "", nil): true, OutcomeHash(Hash{2}, "", nil): true, OutcomeHash(Hash{1}, "no", nil): true,
		OutcomeHash(Hash{1}, "", share.Receipt()): true, OutcomeHash(Hash{1}, "", other.Receipt()): true,
	}
	if len(hashes) != 5 {
		t.Errorf("%d different hashes of 5 outcomes", len(hashes))
	}
}

func TestSealInfoIsInjective(t *testing.T) {
	seen := map[string]bool{}
	for _, info := range [][]byte{
		SealInfo(Hash{1}, [32]byte{}, "a", "b"), SealInfo(Hash{2}, [32]byte{}, "a", "b"), SealInfo(Hash{1}, [32]byte{1}, "a", "b"),
		SealInfo(Hash{1}, [32]byte{}, "ab", ""), SealInfo(Hash{1}, [32]byte{}, "", "ab"), SealInfo(Hash{1}, [32]byte{}, "b", "a"),
	} {
		seen[string(info)] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d different infos of 6", len(seen))
	}
}
