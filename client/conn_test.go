package client

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"go.uber.org/goleak"

	"consilium/api"
	"consilium/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wantError checks that an error is one line with all these words in it.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	text := err.Error()
	if strings.ContainsAny(text, "\n\r") {
		t.Errorf("the error has several lines: %q", text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("error %q does not say %q", text, w)
		}
	}
}

func TestSubmitListCancel(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.start(t, s)
	conn := f.dial(t)
	signed := s.frequency(t, conn.client)

	id, known, err := conn.Submit(t.Context(), signed)
	if err != nil || known || id != signed.ID() {
		t.Fatalf("Submit = %v, %v, %v", id, known, err)
	}
	if _, known, err = conn.Submit(t.Context(), signed); err != nil || !known {
		t.Fatalf("second Submit: known %v, %v", known, err)
	}
	stored, err := s.load(t).Stored(id)
	if err != nil || !bytes.Equal(stored.Signed.Bytes, signed.Bytes) {
		t.Fatalf("the submitted job is not in the client's directory: %v", err)
	}
	jobs, err := conn.List(t.Context(), 10)
	if err != nil || len(jobs) != 1 || jobs[0].ID != id || jobs[0].State != Running || jobs[0].Analysis != "frequency" {
		t.Fatalf("List = %+v, %v", jobs, err)
	}
	end, err := conn.Cancel(t.Context(), id)
	if err != nil || end.State != Cancelled {
		t.Fatalf("Cancel = %+v, %v", end, err)
	}
	_, err = conn.Cancel(t.Context(), job.Hash{1})
	wantError(t, err, "there is no such job")
	if err.Error() != "there is no such job" {
		t.Errorf("a coordinator's message is wrapped: %q", err)
	}
}

func TestJobsGoesThroughAllPages(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.start(t, s)
	conn := f.dial(t)
	const many = 2*pageSize + 7
	for i := range many {
		f.jobs[job.Hash{byte(i >> 8), byte(i), 1}] = nil
	}
	seen := make(map[job.Hash]bool)
	for status, err := range conn.Jobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen[status.ID] = true
	}
	if len(seen) != many {
		t.Errorf("%d jobs of %d", len(seen), many)
	}
	for range conn.Jobs(t.Context()) {
		break // a loop may end before the jobs do
	}
	f.endless = true
	var last error
	for _, last = range conn.Jobs(t.Context()) {
	}
	wantError(t, last, "without end")
}

func TestStudyChecksThePin(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.start(t, s)
	conn := f.dial(t)
	connected, err := conn.Study(t.Context())
	if err != nil || strings.Join(connected, " ") != "aare emme" {
		t.Fatalf("Study = %v, %v", connected, err)
	}
	other := s.roster(s.file.Roster.Clients[0].Recipient)
	other.Version = 2
	f.file = s.sign(t, other).Bytes
	_, err = conn.Study(t.Context())
	wantError(t, err, "serves another roster", s.file.Hash.Short(), "pin it")
	if !errors.Is(err, ErrOtherRoster) {
		t.Errorf("%v is not ErrOtherRoster", err)
	}
}

func TestCoordinatorWithAnotherCertificate(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.serve(t, s, identity(t, "rendezvous")) // the right name, another key
	_, err := s.load(t).Dial(t.Context())
	wantError(t, err, "cannot be reached", "rendezvous")
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v is not ErrUnreachable", err)
	}
}

func TestCoordinatorIsDown(t *testing.T) {
	s := newStudy(t)
	s.listener.Close()
	_, err := s.load(t).Dial(t.Context())
	wantError(t, err, "coordinator cannot be reached", s.listener.Addr().String(), "connection refused", "is it running")
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v is not ErrUnreachable", err)
	}
}

func TestLateAnswer(t *testing.T) {
	s, f := newStudy(t), &fake{late: make(chan struct{})}
	f.start(t, s)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("no answer within 200ms"))
	defer cancel()
	_, err := s.load(t).Dial(ctx)
	close(f.late)
	wantError(t, err, "no answer within 200ms")
}

func TestOversizedMessage(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.start(t, s)
	conn := f.dial(t)
	f.file = make([]byte, maxStudy+1)
	_, err := conn.Study(t.Context())
	wantError(t, err, "coordinator rendezvous sent more than one message may take")

	f.watch = func(_ int, _ *api.WatchRequest, s grpc.ServerStreamingServer[api.Event]) error {
		return s.Send(event(1, api.State_STATE_RUNNING, "aare", "computing", strings.Repeat("x", maxEvent)))
	}
	err = conn.Watch(t.Context(), job.Hash{1}, func(Event) { t.Error("an oversized event was delivered") })
	wantError(t, err, "coordinator rendezvous sent more than one message may take")
}

func TestWatchResumes(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.watch = func(try int, r *api.WatchRequest, s grpc.ServerStreamingServer[api.Event]) error {
		send := func(es ...*api.Event) (err error) {
			for _, e := range es {
				err = errors.Join(err, s.Send(e))
			}
			return err
		}
		run := api.State_STATE_RUNNING
		switch try {
		case 1: // cut by a crash
			return errors.Join(send(event(1, run, "aare", "accepted", ""), event(2, run, "birs", "accepted", "")),
				status.Error(codes.Unavailable, "going down"))
		case 2: // repeats what is known, and sends late what belongs before
			return send(event(1, run, "aare", "accepted", ""), event(2, run, "birs", "accepted", ""), event(3, run, "emme", "accepted", ""),
				event(2, run, "birs", "accepted", ""), event(3, run, "emme", "accepted", ""))
		default:
			return send(event(4, run, "", "computing", "sum"), event(5, api.State_STATE_DONE, "", "done", ""),
				event(6, run, "", "computing", "after the end"))
		}
	}
	f.start(t, s)
	conn := f.dial(t)
	var sequences []int64
	broke := 0
	err := conn.Watch(t.Context(), job.Hash{1}, func(e Event) {
		if e.Phase == Reconnecting {
			broke++
			return
		}
		sequences = append(sequences, e.Sequence)
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{1, 2, 3, 4, 5}; !equal(sequences, want) {
		t.Errorf("heard %v, want %v", sequences, want)
	}
	if want := []int64{0, 2, 3}; !equal(f.after(), want) {
		t.Errorf("asked for events after %v, want %v", f.after(), want)
	}
	if broke != 2 {
		t.Errorf("heard of %d broken lines, want 2", broke)
	}
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestWatchEnds(t *testing.T) {
	run := api.State_STATE_RUNNING
	for _, c := range []struct {
		name   string
		events []*api.Event
		end    error
		state  State
		words  []string
	}{
		{
			"rejected by a node",
			[]*api.Event{event(1, run, "birs", "rejected", "column sex is not allowed"), event(2, api.State_STATE_REJECTED, "", "rejected", "")},
			nil, Rejected,
			[]string{"was rejected by birs: column sex is not allowed"},
		},
		{
			"rejected, with the coordinator's words",
			[]*api.Event{event(1, run, "birs", "rejected", "no"), event(2, api.State_STATE_REJECTED, "", "rejected", "birs: no")},
			nil, Rejected,
			[]string{"was rejected: birs: no"},
		},
		{
			"failed",
			[]*api.Event{event(1, api.State_STATE_FAILED, "emme", "failed", "disk\x1b[2J full\nreally")},
			nil, Failed,
			[]string{"failed at emme: disk?[2J full really"},
		},
		{
			"cancelled",
			[]*api.Event{event(1, api.State_STATE_CANCELLED, "", "cancelled", "cancelled by lee")},
			nil, Cancelled,
			[]string{"was cancelled: cancelled by lee"},
		},
		{
			"expired",
			[]*api.Event{event(1, api.State_STATE_EXPIRED, "", "expired", "")},
			nil, Expired,
			[]string{"expired before it began"},
		},
		{"a state from nowhere", []*api.Event{event(1, 99, "", "", "")}, nil, "", []string{"state 99"}},
		{"unknown job", nil, status.Error(codes.NotFound, "there is no such job"), "", []string{"there is no such job"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, f := newStudy(t), &fake{}
			f.watch = func(_ int, _ *api.WatchRequest, s grpc.ServerStreamingServer[api.Event]) error {
				for _, e := range c.events {
					if err := s.Send(e); err != nil {
						return err
					}
				}
				return c.end
			}
			f.start(t, s)
			err := f.dial(t).Watch(t.Context(), job.Hash{0xab}, func(Event) {})
			wantError(t, err, c.words...)
			var ended *EndedError
			if errors.As(err, &ended) != (c.state != "") || ended != nil && ended.State != c.state {
				t.Errorf("%#v, want an EndedError with state %q", err, c.state)
			}
		})
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.watch = func(_ int, _ *api.WatchRequest, s grpc.ServerStreamingServer[api.Event]) error {
		if err := s.Send(event(1, api.State_STATE_RUNNING, "", "running", "")); err != nil {
			return err
		}
		<-s.Context().Done()
		return s.Context().Err()
	}
	f.start(t, s)
	conn := f.dial(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	err := conn.Watch(ctx, job.Hash{1}, func(Event) { cancel(errors.New("enough")) })
	wantError(t, err, "enough")
}

func TestWatchWaitsForACoordinatorThatIsGone(t *testing.T) {
	s, f := newStudy(t), &fake{}
	f.watch = func(int, *api.WatchRequest, grpc.ServerStreamingServer[api.Event]) error {
		return status.Error(codes.Unavailable, "going down")
	}
	f.start(t, s)
	conn := f.dial(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	tries := 0
	err := conn.Watch(ctx, job.Hash{1}, func(e Event) {
		if e.Phase != Reconnecting || !strings.Contains(e.Detail, "going down") {
			t.Errorf("heard %+v", e)
		}
		if tries++; tries == 3 {
			cancel(errors.New("three tries"))
		}
	})
	wantError(t, err, "three tries")
}
