package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/api"
	"consilium/job"
)

// Watch calls heard for every event of a job, in order and each once, until the
// job ended. It returns nil when the job is Done and an *EndedError when it ended
// otherwise. When the line breaks, or the coordinator restarts, it goes on after
// the last event, until ctx ends. Events that the coordinator repeats, or sends
// late, are dropped.
func (c *Conn) Watch(ctx context.Context, id job.Hash, heard func(Event)) error {
	w := &watch{conn: c, id: id, heard: heard}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = maxReconnect
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		before := w.last.Sequence
		err := w.stream(ctx)
		if w.last.Sequence > before {
			wait.Reset()
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		heard(Event{Time: time.Now(), State: w.last.State, Phase: Reconnecting, Detail: err.Error()})
	}))
	return err
}

type watch struct {
	conn   *Conn
	id     job.Hash
	heard  func(Event)
	last   Event // the latest heard
	refuse Event // the rejection or failure that explains the end
}

// stream listens on one stream. Its error is permanent unless another try may help.
func (w *watch) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := w.conn.rpc.Watch(ctx, &api.WatchRequest{Id: w.id[:], After: w.last.Sequence}, grpc.MaxCallRecvMsgSize(maxEvent))
	if err != nil {
		return w.broken(ctx, err)
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return w.broken(ctx, err)
		}
		e, err := eventFrom(message)
		if err != nil {
			return backoff.Permanent(err)
		}
		if e.Sequence <= w.last.Sequence {
			continue
		}
		w.last = e
		if e.Node != "" && (e.Phase == "rejected" || e.Phase == "failed") {
			w.refuse = e
		}
		w.heard(e)
		if e.State.Terminal() {
			return w.ended(e)
		}
	}
}

// broken sorts out whether to try again.
func (w *watch) broken(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("coordinator %s ended the stream of job %s before the job ended", w.conn.name, w.id.Short())
	}
	told := w.conn.explain(ctx, err)
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.Internal, codes.Unknown:
		return told
	}
	return backoff.Permanent(told)
}

// ended is the verdict of a terminal event.
func (w *watch) ended(e Event) error {
	if e.State == Done {
		return nil
	}
	end := &EndedError{ID: w.id, State: e.State, Node: e.Node, Reason: e.Detail}
	if end.Node == "" && (end.Reason == "" || end.Reason == w.refuse.Detail) {
		end.Node, end.Reason = w.refuse.Node, w.refuse.Detail
	}
	return backoff.Permanent(end)
}
