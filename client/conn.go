package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// Deadlines of single calls, within whatever the caller's context leaves.
const (
	callTimeout   = 15 * time.Second
	fetchTimeout  = 60 * time.Second
	attachTimeout = 60 * time.Second // of a call with an attachment
)

// Caps on what one answer of the coordinator may take, in bytes.
const (
	maxReply = 2 << 20 // a list of jobs with their reasons
	maxStudy = 5 << 20 // a roster file of at most 4 MiB
	maxEvent = 64 << 10
)

// maxReconnect is the longest wait between two tries to reach the coordinator.
const maxReconnect = 5 * time.Second

// Conn is a client's line to the coordinator, over mutual TLS: the coordinator
// proves the certificate of the roster, the client its own. It is safe for
// concurrent use.
type Conn struct {
	client  *Client
	name    string // the coordinator's
	address string
	grpc    *grpc.ClientConn
	rpc     api.CoordinationClient
}

// Dial connects to the roster's coordinator and asks it for something small, so
// that a coordinator which is down, is somebody else, or does not admit this
// client is noticed here. Close releases the line.
func (c *Client) Dial(ctx context.Context) (*Conn, error) {
	at := c.roster.Roster.Coordinator
	tls := credentials.NewTLS(job.ClientTLS(c.identity, at.Name, at.Certificate))
	params := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: callTimeout}
	params.Backoff.MaxDelay = maxReconnect
	line, err := grpc.NewClient("passthrough:///"+at.Address,
		grpc.WithTransportCredentials(tls), grpc.WithConnectParams(params), grpc.WithNoProxy(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: wire.PingEvery, Timeout: wire.PingWithin}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)))
	if err != nil {
		return nil, fmt.Errorf("coordinator %s at %s: %w", at.Name, at.Address, err)
	}
	conn := &Conn{client: c, name: at.Name, address: at.Address, grpc: line, rpc: api.NewCoordinationClient(line)}
	if _, err := conn.List(ctx, 1); err != nil {
		return nil, errors.Join(err, line.Close())
	}
	return conn, nil
}

// Close ends the line and every call on it.
func (c *Conn) Close() error { return c.grpc.Close() }

// within bounds one call.
func (c *Conn) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("coordinator %s did not answer within %v", c.name, limit))
}

// Submit keeps the signed job in the client's directory and hands it to the
// coordinator. Known says that the coordinator had this very job before, which
// does no harm: it runs once.
func (c *Conn) Submit(ctx context.Context, signed *job.Signed) (id job.Hash, known bool, err error) {
	return c.Bring(ctx, signed, nil)
}

// Bring is Submit of a job with what it brings along.
func (c *Conn) Bring(ctx context.Context, signed *job.Signed, attachment []byte) (id job.Hash, known bool, err error) {
	if err := c.client.Keep(signed); err != nil {
		return job.Hash{}, false, err
	}
	limit := callTimeout
	if len(attachment) > 0 {
		limit = attachTimeout
	}
	ctx, cancel := c.within(ctx, limit)
	defer cancel()
	id = signed.ID()
	reply, err := c.rpc.Submit(ctx, wire.SubmittedTo(signed, attachment))
	if err != nil {
		return id, false, c.explain(ctx, err)
	}
	if !bytes.Equal(reply.GetId(), id[:]) {
		return id, false, fmt.Errorf("coordinator %s took job %s for another; nothing that it says of the job can be used", c.name, id.Short())
	}
	return id, reply.GetKnown(), nil
}

// Cancel asks for the end of a job that this client signed, and returns what
// became of it.
func (c *Conn) Cancel(ctx context.Context, id job.Hash) (Status, error) {
	ctx, cancel := c.within(ctx, callTimeout)
	defer cancel()
	reply, err := c.rpc.Cancel(ctx, &api.CancelRequest{Id: id[:], Signature: job.SignCancel(id, c.client.identity.Key)})
	if err != nil {
		return Status{}, c.explain(ctx, err)
	}
	s, err := statusFrom(reply)
	if err == nil && s.ID != id {
		err = errors.New("it answered for another job")
	}
	if err != nil {
		return Status{}, fmt.Errorf("coordinator %s: cancel: %w", c.name, err)
	}
	return s, nil
}

// List returns at most limit of this client's jobs that the coordinator knows,
// the newest first.
func (c *Conn) List(ctx context.Context, limit int) ([]Status, error) {
	return c.page(ctx, limit, nil)
}

const (
	pageSize = 200
	maxJobs  = 1 << 20 // a coordinator that lists more makes them up
)

// Jobs goes through all of this client's jobs that the coordinator knows, the
// newest first. It asks for them page by page, as far as the loop goes, and ends
// with the first error.
func (c *Conn) Jobs(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		var last []byte
		seen := make(map[job.Hash]bool)
		for {
			jobs, err := c.page(ctx, pageSize, last)
			if err != nil {
				yield(Status{}, err)
				return
			}
			for _, s := range jobs {
				if seen[s.ID] || len(seen) == maxJobs {
					yield(Status{}, fmt.Errorf("coordinator %s lists jobs without end, which no honest one does; use its version of consilium", c.name))
					return
				}
				if !yield(s, nil) {
					return
				}
				seen[s.ID], last = true, s.ID[:]
			}
			if len(jobs) == 0 {
				return
			}
		}
	}
}

// page returns at most limit jobs that were submitted before the job of that id,
// if one is given.
func (c *Conn) page(ctx context.Context, limit int, before []byte) ([]Status, error) {
	ctx, cancel := c.within(ctx, callTimeout)
	defer cancel()
	reply, err := c.rpc.List(ctx, &api.ListRequest{Limit: int32(min(max(limit, 0), 1<<20)), Before: before})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	jobs := make([]Status, 0, len(reply.GetJobs()))
	for _, j := range reply.GetJobs() {
		s, err := statusFrom(j)
		if err != nil {
			return nil, fmt.Errorf("coordinator %s: list: %w", c.name, err)
		}
		jobs = append(jobs, s)
	}
	return jobs, nil
}

// ErrOtherRoster says that the coordinator serves another roster than the one
// that this client pins.
var ErrOtherRoster = errors.New("the coordinator serves another roster than the one pinned here")

// Study checks that the coordinator serves the pinned roster and returns the
// names of the nodes that are attached to it now.
func (c *Conn) Study(ctx context.Context) (connected []string, err error) {
	ctx, cancel := c.within(ctx, callTimeout)
	defer cancel()
	reply, err := c.rpc.Study(ctx, &api.StudyRequest{}, grpc.MaxCallRecvMsgSize(maxStudy))
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	pinned := c.client.roster
	if !bytes.Equal(reply.GetRosterFile(), pinned.Bytes) {
		return nil, fmt.Errorf("%w (%s); if the study has changed, get the new roster and its hash from the administrator and pin it in %s", ErrOtherRoster, pinned.Hash.Short(), ConfigFile)
	}
	for _, name := range reply.GetConnected() {
		if _, ok := pinned.Roster.Node(name); !ok {
			return nil, fmt.Errorf("coordinator %s names a connected node %q that is not in the roster", c.name, job.Printable(name, maxName))
		}
		connected = append(connected, name)
	}
	return connected, nil
}

// Fetch returns a finished job with everybody's signed part. Only its form is
// checked; Result verifies it.
func (c *Conn) Fetch(ctx context.Context, id job.Hash) (*Fetched, error) {
	ctx, cancel := c.within(ctx, fetchTimeout)
	defer cancel()
	reply, err := c.rpc.Fetch(ctx, &api.JobRef{Id: id[:]}, grpc.MaxCallRecvMsgSize(wire.MaxResult))
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	f, err := fetchedFrom(reply)
	if err != nil {
		return nil, fmt.Errorf("the result of job %s that coordinator %s relays is malformed: %w", id.Short(), c.name, err)
	}
	return f, nil
}
