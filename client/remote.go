package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"consilium/job"
)

// ErrUnreachable says that there is no line to the coordinator, or that it broke.
var ErrUnreachable = errors.New("the coordinator cannot be reached")

// RemoteError is what the coordinator answered instead of what was asked.
type RemoteError struct {
	Code codes.Code
	Text string // one printable line
}

// Error is the coordinator's own words.
func (e *RemoteError) Error() string { return e.Text }

// explain turns an error of a call into one line for a person. The context is
// the one of the call.
func (c *Conn) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	text := tidy(s.Message())
	switch s.Code() {
	case codes.Unavailable:
		return fmt.Errorf("%w at %s (%s): %s; is it running, and is the roster's address for it right?", ErrUnreachable, c.address, c.name, text)
	case codes.DeadlineExceeded, codes.Canceled:
		if cause := ended(ctx); cause != nil {
			return cause
		}
		return &RemoteError{s.Code(), fmt.Sprintf("coordinator %s gave up: %s", c.name, text)}
	case codes.ResourceExhausted:
		if strings.HasPrefix(text, "grpc: ") { // gRPC's own words on a message above a cap
			text = fmt.Sprintf("coordinator %s sent more than one message may take, which no honest one does (%s)", c.name, strings.TrimPrefix(text, "grpc: "))
		}
	}
	return &RemoteError{s.Code(), text}
}

// ended returns why ctx is over, or nil. The server counts the same deadline and
// may notice it a moment before this side does.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < time.Second {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

// tidy takes gRPC's wrapping off a transport's message.
func tidy(text string) string {
	if _, inner, ok := strings.Cut(text, `desc = "`); ok {
		text = strings.TrimSuffix(inner, `"`)
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "transport: "), `\"`, `"`)
	return job.Printable(strings.TrimPrefix(text, "Error while dialing: "), maxText)
}
