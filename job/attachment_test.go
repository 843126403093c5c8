package job

import (
	"bytes"
	"strings"
	"testing"
)

func TestAttachment(t *testing.T) {
	s := newStudy(t, 3)
	j, with := s.job(), []byte("sealed")
	plain, err := j.Encode()
	if err != nil || bytes.Contains(plain, []byte("attachment")) || j.Attached() {
		t.Fatalf("a job without one says %s, %v", plain, err)
	}
	if err := j.CheckAttachment(nil); err != nil {
		t.Error(err)
	}
	wantError(t, j.CheckAttachment(with), "6 bytes came with it")

	j.Attachment = AttachmentHash(with)
	_, err = j.Encode()
	wantError(t, err, "names no node")
	j.Nodes = []string{"hospital-2"}
	b, err := j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil || got.Attachment != j.Attachment {
		t.Fatalf("%s came back: %v", b, err)
	}
	if err := got.CheckAttachment(with); err != nil {
		t.Error(err)
	}
	wantError(t, got.CheckAttachment(nil), "did not come")
	wantError(t, got.CheckAttachment(append(with, 0)), "altered")
	wantError(t, got.CheckAttachment(with[:5]), "altered")
	wantError(t, got.CheckAttachment(make([]byte, MaxAttachment+1)), "at most 8388608")
	_, err = Decode([]byte(strings.Replace(string(b), j.Attachment.String(), strings.Repeat("0", 64), 1)))
	wantError(t, err, "canonical")
	_, err = Decode([]byte(strings.Replace(string(b), j.Attachment.String(), strings.ToUpper(j.Attachment.String()), 1)))
	wantError(t, err, "job: ")
}

// TestSealersOfAttachment: who gets what a job brings along answers it, a site or not.
func TestSealersOfAttachment(t *testing.T) {
	s := newStudy(t, 4)
	j := s.job()
	j.Engine, j.Nodes = EngineMHE, []string{"hospital-4"}
	s.roster.Datasets[0].Sites = s.roster.Datasets[0].Sites[:2]
	if got := s.roster.Sealers(j); len(got) != 0 {
		t.Fatalf("the sites that take part are %v", got)
	}
	j.Attachment = AttachmentHash([]byte("sealed"))
	if got := s.roster.Sealers(j); strings.Join(got, " ") != "hospital-4" {
		t.Errorf("sealed by %v", got)
	}
}
