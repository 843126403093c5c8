package peer

import (
	"context"
	"fmt"

	"consilium/mpc"
)

// lane returns an admitted session's lane.
func (r *remote) lane(id mpc.SessionID) (*lane, error) {
	l := r.lanes[id]
	if l == nil || l.state != laneAdmitted {
		return nil, fmt.Errorf("session %v is not admitted here or is released", id)
	}
	return l, nil
}

// recv waits for the next frame of a channel.
func (r *remote) recv(ctx context.Context, ch mpc.Channel) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		l, err := r.lane(ch.Session)
		if err != nil {
			return nil, err
		}
		if frame := l.pop(ch.Step); frame != nil {
			r.taken(l, frameCost(len(ch.Step), len(frame)))
			return frame, nil
		}
		if err := l.ending(); err != nil {
			return nil, err
		}
		if err := r.given(ctx, "sends nothing"); err != nil {
			return nil, err
		}
		in := l.inbox(ch.Step)
		in.waiters++
		r.mu.Unlock()
		select {
		case <-in.ready:
		case <-l.over:
		case <-ctx.Done():
		case <-r.closing:
		}
		r.mu.Lock()
		in.waiters--
		l.tidy(ch.Step, in)
	}
}

// taken renews the peer's credit for a frame that Recv took, in steps large
// enough to be few and small enough that a frame of MaxFrame always finds room.
func (r *remote) taken(l *lane, cost int64) {
	l.due += cost
	if l.due >= r.window/8 {
		r.schedule(l)
	}
}

// given says why a wait for the peer, which sends or takes nothing, must be given
// up, or nil.
func (r *remote) given(ctx context.Context, lacks string) error {
	select {
	case <-r.closing:
		return errClosing
	default:
	}
	if ctx.Err() == nil {
		return nil
	}
	if r.link == nil {
		return fmt.Errorf("%s is unreachable: %w; %w", r.name, r.trouble, context.Cause(ctx))
	}
	return fmt.Errorf("%s %s: %w", r.name, lacks, context.Cause(ctx))
}

// reserve waits until the peer has room for a frame and takes it. It returns a
// nil link if the peer has left the session: nobody is there to read the frame.
func (r *remote) reserve(ctx context.Context, id mpc.SessionID, cost int64) (*link, *lane, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		l, err := r.lane(id)
		if err != nil {
			return nil, nil, err
		}
		if l.ended || l.err != nil {
			return nil, nil, l.err
		}
		if r.link != nil && l.credit >= cost {
			l.credit -= cost
			return r.link, l, nil
		}
		if err := r.given(ctx, "takes no more frames"); err != nil {
			return nil, nil, err
		}
		wake := l.wakeup()
		r.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		case <-r.closing:
		}
		r.mu.Lock()
	}
}

// refund gives back what reserve took, for a frame that was not sent.
func (r *remote) refund(l *lane, cost int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.credit += cost
	l.wakeSenders()
}
