package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// fake is a coordinator over real gRPC and mutual TLS. Each behaviour can be
// replaced; the zero value is an idle, honest one.
type fake struct {
	api.UnimplementedCoordinationServer
	study *study

	mu      sync.Mutex
	jobs    map[job.Hash]*api.SignedJob
	watched []int64 // After of every Watch, in order

	watch func(try int, r *api.WatchRequest, s grpc.ServerStreamingServer[api.Event]) error
	fetch func() *api.FetchReply
	file  []byte        // the roster served; nil: the study's
	late  chan struct{} // when set, List waits for it

	endless bool // List tells the same again and again
}

// start serves the fake until the test ends.
func (f *fake) start(t *testing.T, s *study) {
	t.Helper()
	f.serve(t, s, s.coordinator)
}

func (f *fake) serve(t *testing.T, s *study, as *job.Identity) {
	f.study, f.jobs = s, make(map[job.Hash]*api.SignedJob)
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(job.ServerTLS(as, s.researcher.Certificate))),
		grpc.WaitForHandlers(true))
	api.RegisterCoordinationServer(server, f)
	var done sync.WaitGroup
	done.Go(func() {
		if err := server.Serve(s.listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { server.Stop(); done.Wait() })
}

// dial connects the study's client to the fake.
func (f *fake) dial(t *testing.T) *Conn {
	t.Helper()
	conn, err := f.study.load(t).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (f *fake) Submit(_ context.Context, r *api.SignedJob) (*api.SubmitReply, error) {
	signed, err := wire.SignedFrom(r)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if _, err := signed.Verify(); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := signed.ID()
	_, known := f.jobs[id]
	f.jobs[id] = r
	return &api.SubmitReply{Id: id[:], Known: known}, nil
}

func (f *fake) Watch(r *api.WatchRequest, s grpc.ServerStreamingServer[api.Event]) error {
	f.mu.Lock()
	f.watched = append(f.watched, r.After)
	try := len(f.watched)
	f.mu.Unlock()
	return f.watch(try, r, s)
}

func (f *fake) after() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.watched)
}

func (f *fake) Cancel(_ context.Context, r *api.CancelRequest) (*api.JobStatus, error) {
	id := job.Hash(r.Id)
	f.mu.Lock()
	defer f.mu.Unlock()
	signed, ok := f.jobs[id]
	if !ok {
		return nil, status.Error(codes.NotFound, "there is no such job")
	}
	if err := job.VerifyCancel(id, ed25519.PublicKey(signed.Signer), r.Signature); err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return &api.JobStatus{Id: r.Id, State: api.State_STATE_CANCELLED}, nil
}

func (f *fake) List(_ context.Context, r *api.ListRequest) (*api.ListReply, error) {
	if f.late != nil {
		<-f.late
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	reply := &api.ListReply{}
	ids := slices.SortedFunc(maps.Keys(f.jobs), func(a, b job.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		if len(reply.Jobs) < int(r.Limit) && (f.endless || bytes.Compare(id[:], r.Before) > 0) {
			reply.Jobs = append(reply.Jobs, &api.JobStatus{
				Id: id[:], State: api.State_STATE_RUNNING, SubmittedUnixMs: time.Now().UnixMilli(),
				Study: "hearts", Dataset: "patients", Analysis: "frequency", Signer: "lee",
			})
		}
	}
	return reply, nil
}

func (f *fake) Study(context.Context, *api.StudyRequest) (*api.StudyReply, error) {
	file := f.file
	if file == nil {
		file = f.study.file.Bytes
	}
	return &api.StudyReply{RosterFile: file, Connected: []string{"aare", "emme"}}, nil
}

func (f *fake) Fetch(context.Context, *api.JobRef) (*api.FetchReply, error) {
	return f.fetch(), nil
}

// reply is the wire form of a result.
func reply(f *Fetched) *api.FetchReply {
	r := &api.FetchReply{Job: wire.SignedTo(f.Job), Decisions: wire.DecisionsTo(f.Decisions)}
	for i := range f.Shares {
		r.Shares = append(r.Shares, wire.ShareTo(&f.Shares[i]))
	}
	return r
}

func event(sequence int64, state api.State, node, phase, detail string) *api.Event {
	return &api.Event{Sequence: sequence, UnixMs: 1_700_000_000_000 + sequence, State: state, Node: node, Phase: phase, Detail: detail}
}
