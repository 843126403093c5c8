package client

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"consilium/api"
	"consilium/job"
)

func TestStoredJobs(t *testing.T) {
	s := newStudy(t)
	c := s.load(t)
	if ids, err := c.StoredIDs(); err != nil || len(ids) != 0 {
		t.Fatalf("a new client has jobs %v, %v", ids, err)
	}
	a, b := s.frequency(t, c), s.frequency(t, c)
	for _, signed := range []*job.Signed{a, b, a} {
		if err := c.Keep(signed); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(s.dir, jobsDir, ".half-written"), "{")
	write(t, filepath.Join(s.dir, jobsDir, "copy-of-a-job.json"), "{")
	ids, err := c.StoredIDs()
	if err != nil || len(ids) != 2 || bytes.Compare(ids[0][:], ids[1][:]) >= 0 {
		t.Fatalf("StoredIDs = %v, %v", ids, err)
	}
	stored, err := c.Stored(a.ID())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored.Signed.Bytes, a.Bytes) || stored.Job.Analysis != "frequency" || time.Since(stored.Submitted) > time.Minute {
		t.Errorf("stored %+v", stored)
	}
	for _, prefix := range []string{a.ID().String(), a.ID().String()[:20], strings.ToUpper(a.ID().String()[:20])} {
		if id, err := c.FindStored(prefix); err != nil || id != a.ID() {
			t.Errorf("FindStored(%s) = %v, %v", prefix, id, err)
		}
	}
	_, err = c.FindStored("ab")
	wantError(t, err, "not a job id", "four hex digits")
	_, err = c.FindStored("no-such")
	wantError(t, err, "not a job id")
	_, err = c.FindStored(strings.Repeat("0", 63))
	wantError(t, err, "no job submitted from")
	_, err = c.Stored(job.Hash{1})
	wantError(t, err, "not among those submitted", "only the client that signed")
}

func TestStoredJobsThatAreNotTrue(t *testing.T) {
	s := newStudy(t)
	c := s.load(t)
	signed := s.frequency(t, c)
	if err := c.Keep(signed); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, jobsDir, signed.ID().String()+".json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c2 := range []struct {
		name, text string
		words      []string
	}{
		{"cut", string(good[:len(good)/2]), []string{"not a stored job"}},
		{"empty", "", []string{"not a stored job"}},
		{"a further key", strings.Replace(string(good), "{", "{\n  \"extra\": 1,", 1), []string{"unknown field"}},
		{"a key twice", strings.Replace(string(good), "{", "{\n  \"format\": 1,", 1), []string{"edited"}},
		{"trailing text", string(good) + "{}", []string{"edited"}},
		{"another format", strings.Replace(string(good), `"format": 1`, `"format": 2`, 1), []string{"format 2"}},
		{"too long", string(good) + strings.Repeat(" ", maxStored), []string{"more than"}},
	} {
		t.Run(c2.name, func(t *testing.T) {
			write(t, path, c2.text)
			_, err := c.Stored(signed.ID())
			wantError(t, err, c2.words...)
		})
	}
	t.Run("another job's file", func(t *testing.T) {
		write(t, path, string(good))
		other := job.Hash{7}
		write(t, c.storedPath(other), string(good))
		_, err := c.Stored(other)
		wantError(t, err, "renamed")
	})
	t.Run("signed by somebody else", func(t *testing.T) {
		j, err := signed.Verify()
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := job.Sign(j, s.admin.Key)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, c.Keep(foreign), "another key")
		b, err := encodeStored(&Stored{Signed: foreign, Submitted: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		write(t, c.storedPath(foreign.ID()), string(b))
		_, err = c.Stored(foreign.ID())
		wantError(t, err, "another key")
	})
}

func FuzzStored(f *testing.F) {
	_, public, err := job.NewRecipientKey()
	if err != nil {
		f.Fatal(err)
	}
	id, err := job.NewIdentity("lee", nil)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := job.Sign(&job.Job{
		Protocol: job.ProtocolVersion, Study: "hearts", Dataset: "patients", Analysis: "frequency", Args: map[string]any{},
		Engine: "shares", Recipient: public, Nonce: make([]byte, job.NonceSize), Expires: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}, id.Key)
	if err != nil {
		f.Fatal(err)
	}
	good, err := encodeStored(&Stored{Signed: signed, Submitted: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := decodeStored(good); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeStored(b)
		if err != nil {
			return
		}
		again, err := encodeStored(s)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("a file was accepted that is not in the written form: %v", err)
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, e := range []*api.Event{
		event(1, api.State_STATE_RUNNING, "aare", "computing", "describe/sum"),
		event(-1, api.State_STATE_DONE, "\x1b[2J", strings.Repeat("é", 1000), "a\nb"),
		event(0, 99, "", "", ""),
		{},
	} {
		b, err := proto.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m api.Event
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		e, err := eventFrom(&m)
		if err != nil {
			return
		}
		checkPrintable(t, maxName, e.Node, e.Phase)
		checkPrintable(t, maxText, e.Detail)
		checkState(t, e.State, m.GetState())
	})
}

func FuzzStatus(f *testing.F) {
	for _, s := range []*api.JobStatus{
		{Id: make([]byte, 32), State: api.State_STATE_FAILED, Reason: "aare: no\x1b", Study: "hearts", Dataset: "patients", Analysis: "frequency", Signer: "lee"},
		{Id: make([]byte, 31), State: api.State_STATE_DONE},
		{Id: make([]byte, 32), State: -1},
		{},
	} {
		b, err := proto.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m api.JobStatus
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		s, err := statusFrom(&m)
		if err != nil {
			return
		}
		checkPrintable(t, maxName, s.Study, s.Dataset, s.Analysis, s.Signer)
		checkPrintable(t, maxText, s.Reason)
		checkState(t, s.State, m.GetState())
		if !bytes.Equal(s.ID[:], m.GetId()) {
			t.Errorf("id %x became %x", m.GetId(), s.ID)
		}
	})
}

// checkPrintable wants what a coordinator says to be harmless on a terminal.
func checkPrintable(t *testing.T, limit int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if len(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q may be shown", text)
		}
	}
}

func checkState(t *testing.T, got State, sent api.State) {
	t.Helper()
	if want := strings.ToLower(strings.TrimPrefix(sent.String(), "STATE_")); string(got) != want {
		t.Errorf("state %q became %q", want, got)
	}
}

func FuzzClientConfig(f *testing.F) {
	pin := strings.Repeat("ab", 32)
	good := "name: lee\nidentity: .\nrecipient_key: recipient.key\nroster: study.roster\nroster_hash: " + pin + "\n"
	if _, err := parseConfig([]byte(good)); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(good))
	f.Add([]byte(good + "---\n" + good))
	f.Add([]byte(strings.Replace(good, pin, strings.Repeat("0", 64), 1)))
	f.Add([]byte("name: lee\n"))
	f.Add([]byte("[a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig(b)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("the error is not one line: %q", err)
			}
			return
		}
		if c.Name == "" || c.Identity == "" || c.Roster == "" || filepath.Base(c.RecipientKey) != recipientFile || c.pin == (job.Hash{}) || c.pin.String() != c.RosterHash {
			t.Errorf("accepted %+v", c)
		}
	})
}

func FuzzFetched(f *testing.F) {
	share := &api.SealedShare{
		Party: "aare", Session: make([]byte, 32), Signature: make([]byte, 64),
		Outputs: []*api.SealedOutput{{Name: "counts", Ciphertext: []byte{1}}},
	}
	decision := &api.Decision{Node: "aare", JobId: make([]byte, 32), Accept: true, Nonce: make([]byte, 32), Signature: make([]byte, 64)}
	signed := &api.SignedJob{Job: []byte("{}"), Signer: make([]byte, 32), Signature: make([]byte, 64)}
	good := &api.FetchReply{Job: signed, Decisions: []*api.Decision{decision}, Shares: []*api.SealedShare{share, share}}
	if _, err := fetchedFrom(good); err != nil {
		f.Fatal(err)
	}
	for _, r := range []*api.FetchReply{
		good,
		{},
		{Job: signed},
		{Job: signed, Shares: []*api.SealedShare{share, share, share, share}},
		{Job: signed, Shares: []*api.SealedShare{{Party: "aare"}}},
		{Job: signed, Decisions: []*api.Decision{{Node: "\n", JobId: make([]byte, 32)}}},
	} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r api.FetchReply
		if proto.Unmarshal(b, &r) != nil {
			return
		}
		got, err := fetchedFrom(&r)
		if err != nil {
			return
		}
		if len(got.Shares) > maxShares || len(got.Decisions) > job.MaxNodes || got.Job == nil {
			t.Errorf("beyond the caps: %d shares, %d decisions", len(got.Shares), len(got.Decisions))
		}
		back, err := fetchedFrom(reply(got)) // what is accepted survives the way back
		if err != nil || len(back.Shares) != len(got.Shares) {
			t.Errorf("accepted once and not twice: %v", err)
		}
	})
}
