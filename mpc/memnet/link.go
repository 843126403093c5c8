package memnet

import (
	"context"
	"sync"
	"time"

	"consilium/mpc"
)

// link carries frames from one participant to another.
type link struct {
	window int // frames of one channel that may wait; 0: any number

	mu     sync.Mutex
	queues map[mpc.Channel]*queue
	ended  map[mpc.SessionID]bool // the sender has left the session
	gone   map[mpc.SessionID]bool // the receiver has left the session
	cut    error                  // not nil: the link is lost
}

// queue is one channel of a link.
type queue struct {
	parcels []parcel
	sent    int
	changed chan struct{} // closed at the next change, when somebody waits for it
}

// parcel is a frame that waits to be received.
type parcel struct {
	frame []byte
	ready time.Time // zero: at once
	depth int       // rounds that lie behind this frame
}

func newLink(window int) *link {
	return &link{
		window: window,
		queues: make(map[mpc.Channel]*queue),
		ended:  make(map[mpc.SessionID]bool),
		gone:   make(map[mpc.SessionID]bool),
	}
}

// queue returns the queue of ch. The caller holds mu.
func (l *link) queue(ch mpc.Channel) *queue {
	q := l.queues[ch]
	if q == nil {
		q = &queue{}
		l.queues[ch] = q
	}
	return q
}

// wait returns what is closed at q's next change. The caller holds mu.
func (q *queue) wait() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

// notify wakes who waits for q. The caller holds mu.
func (q *queue) notify() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// number takes the next index of the channel, waiting while its window is full.
func (l *link) number(ctx context.Context, ch mpc.Channel) (int, error) {
	for {
		l.mu.Lock()
		q := l.queue(ch)
		full := l.window > 0 && len(q.parcels) >= l.window && !l.gone[ch.Session]
		if l.cut != nil || !full {
			defer l.mu.Unlock()
			q.sent++
			return q.sent - 1, l.cut
		}
		changed := q.wait()
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-changed:
		}
	}
}

// put queues a parcel.
func (l *link) put(ch mpc.Channel, p parcel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queue(ch)
	q.parcels = append(q.parcels, p)
	q.notify()
}

// take returns the channel's next parcel as soon as it is there and ready.
func (l *link) take(ctx context.Context, ch mpc.Channel) (parcel, error) {
	for {
		p, hold, changed, err := l.try(ch)
		if err != nil || changed == nil {
			return p, err
		}
		if err := sleep(ctx, hold, changed); err != nil {
			return parcel{}, err
		}
	}
}

// try takes a parcel, or says what to wait for: a change, and a time if hold is
// not zero.
func (l *link) try(ch mpc.Channel) (p parcel, hold time.Duration, changed <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queue(ch)
	switch {
	case l.cut != nil:
		return p, 0, nil, l.cut
	case len(q.parcels) > 0:
		if p = q.parcels[0]; !p.ready.IsZero() {
			hold = time.Until(p.ready)
		}
		if hold <= 0 {
			q.parcels[0] = parcel{}
			q.parcels = q.parcels[1:]
			q.notify()
			return p, 0, nil, nil
		}
		return parcel{}, hold, q.wait(), nil
	case l.ended[ch.Session]:
		return p, 0, nil, mpc.ErrEnded
	}
	return p, 0, q.wait(), nil
}

// sleep waits for a change, for hold if that is not zero, or for ctx.
func sleep(ctx context.Context, hold time.Duration, changed <-chan struct{}) error {
	var due <-chan time.Time
	if hold > 0 {
		timer := time.NewTimer(hold)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-due:
	}
	return nil
}

// change applies f under the lock and wakes everybody on the link.
func (l *link) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	for _, q := range l.queues {
		q.notify()
	}
}

// unread returns how many frames of each channel were never received.
func (l *link) unread() map[mpc.Channel]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := make(map[mpc.Channel]int)
	for ch, q := range l.queues {
		if len(q.parcels) > 0 {
			left[ch] = len(q.parcels)
		}
	}
	return left
}
