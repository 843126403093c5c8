package peer

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"consilium/mpc"
)

// maxEarly is how many sessions a peer may have started that this node has not
// admitted. Those that it left again without a frame make room for others.
const maxEarly = 256

var errClosing = errors.New("this node is closing its links")

// remote is all that this node holds about one peer: its link, if there is one,
// and a lane for each session.
type remote struct {
	id      mpc.PartyID
	name    string
	window  int64
	early   time.Duration
	closing <-chan struct{} // closed when the Net closes
	control chan struct{}   // holds a token while next has work
	shelf   *shelf          // where memory for frames comes from

	bytesSent, bytesReceived   atomic.Uint64
	framesSent, framesReceived atomic.Uint64

	mu      sync.Mutex
	link    *link // nil while down
	trouble error // why the link is down
	lanes   map[mpc.SessionID]*lane
	waiting int     // how many lanes are early
	queue   []*lane // lanes with a control message to send
}

func newRemote(n *Net, id mpc.PartyID) *remote {
	r := &remote{
		id: id, name: n.cfg.Peers[id].Name,
		window: int64(n.cfg.Window), early: n.cfg.Early,
		closing: n.ctx.Done(), control: make(chan struct{}, 1), shelf: &n.shelf,
		lanes: make(map[mpc.SessionID]*lane),
	}
	if id < n.cfg.Self {
		r.trouble = fmt.Errorf("it has not yet connected to this node at %s", n.cfg.Peers[n.cfg.Self].Address)
	} else {
		r.trouble = fmt.Errorf("no answer yet from %s", n.cfg.Peers[id].Address)
	}
	return r
}

// schedule puts a lane's control message in line.
func (r *remote) schedule(l *lane) {
	if r.link == nil || l.queued {
		return
	}
	l.queued = true
	r.queue = append(r.queue, l)
	select {
	case r.control <- struct{}{}:
	default:
	}
}

// next returns the next control message for the given link to write.
func (r *remote) next(on *link) (header, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.link == on && len(r.queue) > 0 {
		l := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		l.queued = false
		switch {
		case l.mark != 0:
			h := header{kind: l.mark, session: l.id}
			l.mark = 0
			return h, true
		case l.state == laneAdmitted && l.due > 0 && l.ending() == nil:
			h := header{kind: kindCredit, size: uint32(l.due), session: l.id}
			l.room += l.due
			l.due = 0
			return h, true
		}
	}
	return header{}, false
}

// attach makes l the peer's link. A link that was there is replaced: the peer
// would not dial again if it still used it.
func (r *remote) attach(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.link; old != nil {
		old.fail(errors.New("replaced by a newer connection of the same node"))
		r.lose(old.err)
	}
	r.link, r.trouble = l, nil
	for _, lane := range r.lanes {
		if lane.state == laneAdmitted && lane.stale && lane.err != nil {
			lane.mark = kindDrop // the peer may not have noticed that frames were lost
		}
		if lane.mark != 0 || lane.due > 0 {
			r.schedule(lane)
		}
		lane.wakeSenders()
	}
}

// detach takes l away, if it still is the peer's link.
func (r *remote) detach(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == l {
		r.lose(l.err)
	}
}

// lose breaks all sessions that lived on the link.
func (r *remote) lose(cause error) {
	r.link, r.queue = nil, nil
	r.trouble = fmt.Errorf("link lost: %w", cause)
	lost := r.lost(cause)
	for id, l := range r.lanes {
		l.mark, l.queued, l.stale = 0, false, true
		switch l.state {
		case laneReleased:
			delete(r.lanes, id)
		case laneEarly:
			if l.passed() {
				continue // nothing of it was lost
			}
			clear(l.steps)
			l.ended = false
			l.breakOff(lost)
		case laneAdmitted:
			l.breakOff(lost)
		}
	}
}

func (r *remote) lost(cause error) error {
	return fmt.Errorf("link to %s lost: %w", r.name, cause)
}

// setTrouble notes why the peer cannot be reached.
func (r *remote) setTrouble(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == nil {
		r.trouble = err
	}
}

// status returns nil while the link is up, otherwise why it is not.
func (r *remote) status() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link != nil {
		return nil
	}
	return fmt.Errorf("%s is unreachable: %w", r.name, r.trouble)
}
