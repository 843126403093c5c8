package peer

import (
	"time"

	"consilium/mpc"
)

// laneState is where a session stands at this node.
type laneState uint8

const (
	laneEarly    laneState = iota // the peer has started it, this node has not admitted it
	laneAdmitted                  // running here
	laneReleased                  // over here; kept a while so that late frames are known as such
)

// lane is one session's traffic with one peer. Its remote's mutex guards it.
type lane struct {
	id    mpc.SessionID
	state laneState
	since time.Time // when it became early or released

	err   error // why it is broken; nothing more travels
	ended bool  // the peer has left in good order
	stale bool  // the link on which it lived is lost

	credit int64 // what this node may still send
	room   int64 // what the peer may still send
	due    int64 // credit to be given back to the peer

	mark   kind // end or drop, still to be sent; otherwise 0
	queued bool // stands in the remote's list of control messages

	steps  map[string]*inbox
	over   chan struct{} // closed when no further frame can come
	closed bool          // over is closed
	wake   chan struct{} // closed to wake waiting Sends; nil while none waits
}

// inbox holds the frames of one step that Recv has not taken yet.
type inbox struct {
	frames  [][]byte
	waiters int
	ready   chan struct{} // holds a token while a waiter should look again
}

func newLane(id mpc.SessionID, state laneState) *lane {
	return &lane{
		id: id, state: state, since: time.Now(),
		credit: earlyWindow, room: earlyWindow,
		steps: make(map[string]*inbox), over: make(chan struct{}),
	}
}

// ending returns what Recv tells once a step's frames are used up, or nil while
// more may come.
func (l *lane) ending() error {
	if l.ended {
		return mpc.ErrEnded
	}
	return l.err
}

// passed says whether the peer has begun the session and left it in good order
// without a frame for this node, which has not admitted it.
func (l *lane) passed() bool {
	return l.state == laneEarly && l.ended && len(l.steps) == 0
}

// breakOff ends the lane with err, unless it has ended already.
func (l *lane) breakOff(err error) {
	if l.ended || l.err != nil {
		return
	}
	l.err = err
	l.finish()
}

// finish wakes everybody: no further frame comes.
func (l *lane) finish() {
	if !l.closed {
		l.closed = true
		close(l.over)
	}
	l.wakeSenders()
}

func (l *lane) wakeSenders() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

// wakeup returns the channel on which a Send waits for a change.
func (l *lane) wakeup() <-chan struct{} {
	if l.wake == nil {
		l.wake = make(chan struct{})
	}
	return l.wake
}

func (l *lane) inbox(step string) *inbox {
	in := l.steps[step]
	if in == nil {
		in = &inbox{ready: make(chan struct{}, 1)}
		l.steps[step] = in
	}
	return in
}

// push files a frame and wakes one waiter of its step.
func (l *lane) push(step string, frame []byte) {
	in := l.inbox(step)
	in.frames = append(in.frames, frame)
	in.signal()
}

// pop takes the oldest frame of a step, or returns nil.
func (l *lane) pop(step string) []byte {
	in := l.steps[step]
	if in == nil || len(in.frames) == 0 {
		return nil
	}
	frame := in.frames[0]
	in.frames[0] = nil
	in.frames = in.frames[1:]
	if len(in.frames) > 0 {
		in.signal()
	}
	l.tidy(step, in)
	return frame
}

// tidy forgets an inbox that nobody uses, for a session has very many steps.
func (l *lane) tidy(step string, in *inbox) {
	if len(in.frames) == 0 && in.waiters == 0 && l.steps[step] == in {
		delete(l.steps, step)
	}
}

func (in *inbox) signal() {
	select {
	case in.ready <- struct{}{}:
	default:
	}
}
