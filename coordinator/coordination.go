package coordinator

import (
	"bytes"
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// Sizes of answers to clients.
const (
	listUsual  = 50
	listMost   = 500
	watchBatch = 256
)

var (
	errNoJob    = status.Error(codes.NotFound, "no such job of yours; list yours with `consilium jobs`")
	errStopping = status.Error(codes.Unavailable, "the coordinator is stopping; try again when it is back")
	errReading  = status.Error(codes.Unavailable, "the coordinator cannot read its store; ask its operator")
)

// coordination is the service to clients.
type coordination struct {
	api.UnimplementedCoordinationServer
	cfg      *Config
	desk     *desk
	store    *store
	stopping <-chan struct{}
}

// Submit checks the job's form: who signed it, that it is meant for this study
// and roster, that it is fresh. What it asks for is each node's to judge.
func (c *coordination) Submit(ctx context.Context, m *api.SignedJob) (*api.SubmitReply, error) {
	signed, attachment, err := wire.SubmittedFrom(m)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	j, err := signed.Verify()
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := j.CheckAttachment(attachment); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	client := callerOf(ctx).client
	if signer, ok := c.cfg.Roster.Roster.ClientByKey(signed.Signer); !ok || signer.Name != client.Name {
		return nil, status.Errorf(codes.PermissionDenied, "the job is not signed by %s, who submits it; sign it with the key of the certificate that you connect with", client.Name)
	}
	id := signed.ID()
	r, err := c.store.record(id)
	if err != nil {
		return nil, c.unreadable(err)
	}
	known := r != nil
	if !known { // a known job may have expired since
		if err := c.check(j); err != nil {
			return nil, err
		}
		if known, err = c.desk.submit(client.Name, signed, j, attachment); err != nil {
			return nil, err
		}
	}
	return &api.SubmitReply{Id: id[:], Known: known}, nil
}

func (c *coordination) check(j *job.Job) error {
	roster := c.cfg.Roster.Roster
	switch {
	case j.Study != roster.Study:
		return status.Errorf(codes.InvalidArgument, "the job is for study %q, this coordinator serves %q; connect to the right one", j.Study, roster.Study)
	case j.Roster != c.cfg.Roster.Hash:
		return status.Errorf(codes.FailedPrecondition, "the job names roster %s, the study's is %s; get the current roster and sign the job anew", j.Roster.Short(), c.cfg.Roster.Hash.Short())
	}
	if _, ok := roster.Dataset(j.Dataset); !ok {
		return status.Errorf(codes.NotFound, "study %s has no dataset %q; %s", roster.Study, j.Dataset, job.Near(j.Dataset, roster.DatasetNames()))
	}
	if err := roster.CheckParticipants(j); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := j.CheckFresh(time.Now()); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return nil
}

// visible returns a job to its signer and to the client that its result is
// sealed to. To others it does not exist.
func (c *coordination) visible(ctx context.Context, id []byte) (*record, error) {
	hash, err := wire.HashFrom("job id", id)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	r, err := c.store.record(hash)
	if err != nil {
		return nil, c.unreadable(err)
	}
	client := callerOf(ctx).client
	if r == nil || !(signedBy(r, client) || bytes.Equal(r.recipient, client.Recipient)) {
		return nil, errNoJob
	}
	return r, nil
}

func signedBy(r *record, client *job.Client) bool {
	key, err := job.CertificateKey(client.Certificate)
	return err == nil && bytes.Equal(r.signed.Signer, key)
}

// Watch tells a job's events from the store, then as they come. It reads each
// from the store, so that a slow watcher holds up nobody and misses nothing.
func (c *coordination) Watch(m *api.WatchRequest, stream grpc.ServerStreamingServer[api.Event]) error {
	r, err := c.visible(stream.Context(), m.GetId())
	if err != nil {
		return err
	}
	after := max(m.GetAfter(), 0)
	for {
		news := c.desk.news(r.id) // asked for before reading: nothing falls between
		events, err := c.store.events(r.number, after, watchBatch)
		if err != nil {
			return c.unreadable(err)
		}
		for _, e := range events {
			if err := stream.Send(e); err != nil {
				return err
			}
			if after = e.GetSequence(); over(e.GetState()) {
				return nil
			}
		}
		switch {
		case len(events) == watchBatch:
			continue
		case news == nil && len(events) == 0:
			return nil
		case news == nil:
			continue
		}
		select {
		case <-news:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-c.stopping:
			return errStopping
		}
	}
}

// Cancel ends a job at the wish of its signer, whose signature the nodes check too.
func (c *coordination) Cancel(ctx context.Context, m *api.CancelRequest) (*api.JobStatus, error) {
	r, err := c.visible(ctx, m.GetId())
	if err != nil {
		return nil, err
	}
	if !signedBy(r, callerOf(ctx).client) {
		return nil, status.Errorf(codes.PermissionDenied, "job %s was signed by %s, who alone may cancel it", r.id.Short(), r.client)
	}
	if err := job.VerifyCancel(r.id, r.signed.Signer, m.GetSignature()); err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return c.desk.cancelJob(r.id, m.GetSignature())
}

// List tells a client's own jobs, newest first, a page at a time.
func (c *coordination) List(ctx context.Context, m *api.ListRequest) (*api.ListReply, error) {
	limit := int(m.GetLimit())
	if limit <= 0 {
		limit = listUsual
	}
	key, err := job.CertificateKey(callerOf(ctx).client.Certificate)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	before := int64(math.MaxInt64)
	if len(m.GetBefore()) > 0 {
		r, err := c.visible(ctx, m.GetBefore())
		if err != nil {
			return nil, err
		}
		before = r.number
	}
	records, err := c.store.list(key, before, min(limit, listMost))
	if err != nil {
		return nil, c.unreadable(err)
	}
	reply := &api.ListReply{}
	for _, r := range records {
		reply.Jobs = append(reply.Jobs, r.status())
	}
	return reply, nil
}

// Study tells the roster file as it is served, and who is there.
func (c *coordination) Study(context.Context, *api.StudyRequest) (*api.StudyReply, error) {
	return &api.StudyReply{RosterFile: c.cfg.Roster.Bytes, Connected: c.desk.connected()}, nil
}

// Fetch hands out what a job that is done has brought: the signed job, the
// signed decisions and the sealed shares, from which the recipient checks it all.
func (c *coordination) Fetch(ctx context.Context, m *api.JobRef) (*api.FetchReply, error) {
	r, err := c.visible(ctx, m.GetId())
	if err != nil {
		return nil, err
	}
	if r.state != api.State_STATE_DONE {
		return nil, status.Errorf(codes.FailedPrecondition, "job %s has no result; it is %s", r.id.Short(), stateWord(r.state))
	}
	decisions, err := c.store.decisions(r)
	if err != nil {
		return nil, c.unreadable(err)
	}
	shares, err := c.store.shares(r.number)
	if err != nil {
		return nil, c.unreadable(err)
	}
	j, err := job.Decode(r.signed.Bytes)
	if err != nil {
		return nil, c.unreadable(err)
	}
	roster := c.cfg.Roster.Roster
	sealers := roster.Sealers(j)
	slices.SortFunc(decisions, func(a, b job.Decision) int { return roster.NodeIndex(a.Node) - roster.NodeIndex(b.Node) })
	slices.SortFunc(shares, func(a, b *api.SealedShare) int {
		return slices.Index(sealers, a.GetParty()) - slices.Index(sealers, b.GetParty())
	})
	return &api.FetchReply{Job: wire.SignedTo(r.signed), Decisions: wire.DecisionsTo(decisions), Shares: shares}, nil
}

// unreadable keeps the store's own words in the log.
func (c *coordination) unreadable(err error) error {
	c.cfg.Log.Error("store cannot be read", "error", err)
	return errReading
}
