package client

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"consilium/api"
	"consilium/job"
)

// served starts a coordinator that answers Fetch with what corrupt makes of an
// honest result, and returns the result as the client opens it.
func served(t *testing.T, corrupt func(s *study, c *Client, honest *Fetched) *api.FetchReply) (value any, err error) {
	t.Helper()
	s, f := newStudy(t), &fake{}
	f.start(t, s)
	conn := f.dial(t)
	signed := s.frequency(t, conn.client)
	honest := s.answer(t, signed, map[string][]int64{"counts": {90, 138}})
	f.fetch = func() *api.FetchReply { return corrupt(s, conn.client, honest) }
	result, err := conn.Result(t.Context(), signed)
	if err != nil {
		if result != nil {
			t.Error("a result together with an error")
		}
		return nil, err
	}
	if result.Status != "ok" {
		t.Errorf("status %q", result.Status)
	}
	return result.Value, nil
}

func TestHonestResult(t *testing.T) {
	value, err := served(t, func(_ *study, _ *Client, honest *Fetched) *api.FetchReply { return reply(honest) })
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(value); got != "map[f:90 m:138]" {
		t.Errorf("value %s", got)
	}
}

func TestResultInAnyOrder(t *testing.T) {
	value, err := served(t, func(_ *study, _ *Client, honest *Fetched) *api.FetchReply {
		slices.Reverse(honest.Decisions)
		slices.Reverse(honest.Shares)
		return reply(honest)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(value); got != "map[f:90 m:138]" {
		t.Errorf("value %s", got)
	}
}

// Whatever a coordinator does to a result, the client refuses it and says why.
func TestCorruptResults(t *testing.T) {
	type corruption func(t *testing.T, s *study, c *Client, f *Fetched)
	for _, c := range []struct {
		name    string
		corrupt corruption
		words   []string
	}{
		{"another recipient key, signed by the coordinator", func(t *testing.T, s *study, c *Client, f *Fetched) {
			j, err := f.Job.Verify()
			if err != nil {
				t.Fatal(err)
			}
			if _, j.Recipient, err = job.NewRecipientKey(); err != nil {
				t.Fatal(err)
			}
			if f.Job, err = job.Sign(j, s.coordinator.Key); err != nil {
				t.Fatal(err)
			}
		}, []string{"another recipient key", "refused"}},
		{"another job of this client", func(t *testing.T, s *study, c *Client, f *Fetched) {
			*f = *s.answer(t, s.frequency(t, c), map[string][]int64{"counts": {1, 2}})
		}, []string{"not the one signed here", "refused"}},
		{"a share signed by nobody", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares[1].Outputs[1].Ciphertext[40] ^= 1
		}, []string{"birs", "signature"}},
		{"a share forged with the coordinator's key", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares[2].Sign(f.Job.ID(), s.coordinator.Key)
		}, []string{"emme", "signature"}},
		{"a share of another session", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares[0] = s.answer(t, f.Job, map[string][]int64{"counts": {90, 138}}).Shares[0]
		}, []string{"aare", "session"}},
		{"another set of decisions", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Decisions = s.decide(t, f.Job)
		}, []string{"session"}},
		{"a party's components that do not agree", func(t *testing.T, s *study, c *Client, f *Fetched) {
			other := s.answer(t, f.Job, map[string][]int64{"counts": {5, 6}})
			other.Decisions = f.Decisions
			j, err := f.Job.Verify()
			if err != nil {
				t.Fatal(err)
			}
			plain := make([]byte, 64)
			f.Shares[1].Outputs[1].Ciphertext = seal(t, j.Recipient, job.SealInfo(f.Job.ID(), f.Shares[1].Session, "birs", "counts"), plain)
			f.Shares[1].Sign(f.Job.ID(), s.nodes[1].Key)
		}, []string{"disagree"}},
		{"a party missing", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares = f.Shares[:2]
		}, []string{"share of emme is missing"}},
		{"a party twice", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares[2] = f.Shares[0]
		}, []string{"two shares of aare"}},
		{"four shares", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares = append(f.Shares, f.Shares[0])
		}, []string{"two shares of aare"}},
		{"more shares than nodes", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares = slices.Repeat(f.Shares[:1], job.MaxNodes+1)
		}, []string{"101 result shares", "malformed"}},
		{"a decision missing", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Decisions = f.Decisions[1:]
		}, []string{"aare", "missing"}},
		{"a rejection passed off as an acceptance", func(t *testing.T, s *study, c *Client, f *Fetched) {
			d := job.Decision{Node: "birs", Job: f.Job.ID(), Reason: "not this one"}
			d.Sign(s.nodes[1].Key)
			d.Accept, d.Reason, d.Nonce = true, "", random(t, 32)
			f.Decisions[1] = d
		}, []string{"birs", "signature"}},
		{"no share at all", func(t *testing.T, s *study, c *Client, f *Fetched) { f.Shares = nil }, []string{"missing"}},
		{"a signature cut short", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares[0].Signature = f.Shares[0].Signature[:63]
		}, []string{"malformed", "63 bytes"}},
		{"a name that a terminal would obey", func(t *testing.T, s *study, c *Client, f *Fetched) {
			f.Shares[0].Party = "\x1b[2Jaare"
		}, []string{"malformed", "no printable name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := served(t, func(s *study, client *Client, honest *Fetched) *api.FetchReply {
				c.corrupt(t, s, client, honest)
				return reply(honest)
			})
			wantError(t, err, c.words...)
		})
	}
}

func TestResultWithoutAJob(t *testing.T) {
	_, err := served(t, func(*study, *Client, *Fetched) *api.FetchReply { return &api.FetchReply{} })
	wantError(t, err, "malformed", "no signed job")
}

func TestResultUnderAnOlderRoster(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.start(t, s)
	conn := f.dial(t)
	signed := s.frequency(t, conn.client)
	honest := s.answer(t, signed, map[string][]int64{"counts": {90, 138}})
	f.fetch = func() *api.FetchReply { return reply(honest) }
	then := s.file
	changed := s.roster(s.file.Roster.Clients[0].Recipient)
	changed.Version = 2
	conn.client.roster = s.sign(t, changed)

	_, err := conn.Result(t.Context(), signed)
	wantError(t, err, then.Hash.Short(), "not among those kept here", job.KeptRoster(s.dir, then.Hash))

	if err := os.MkdirAll(filepath.Dir(job.KeptRoster(s.dir, then.Hash)), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, job.KeptRoster(s.dir, then.Hash), string(conn.client.roster.Bytes))
	_, err = conn.Result(t.Context(), signed)
	wantError(t, err, "the roster of the job", then.Hash.Short(), "is pinned")

	write(t, job.KeptRoster(s.dir, then.Hash), string(then.Bytes))
	result, err := conn.Result(t.Context(), signed)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(result.Value); got != "map[f:90 m:138]" {
		t.Errorf("value %s", got)
	}
}
