package peer

import (
	"fmt"
	"time"

	"consilium/mpc"
)

// admit opens a session, with what has come of it already.
func (r *remote) admit(id mpc.SessionID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweepLocked(time.Now())
	l := r.lanes[id]
	switch {
	case l == nil:
		l = newLane(id, laneAdmitted)
	case l.state == laneEarly:
		r.waiting--
		l.state = laneAdmitted
	default:
		l = newLane(id, laneAdmitted)
		l.breakOff(fmt.Errorf("frames of session %v from %s were dropped before it was admitted", id, r.name))
	}
	r.lanes[id] = l
	if l.err != nil {
		l.mark = kindDrop
	} else {
		l.due += r.window - earlyWindow
	}
	r.schedule(l)
}

// release closes a session here and tells the peer. Nothing of it is kept but
// the knowledge that it is over, until the peer leaves it too.
func (r *remote) release(id mpc.SessionID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lanes[id]
	if l == nil || l.state != laneAdmitted {
		return
	}
	l.state, l.since = laneReleased, time.Now()
	clear(l.steps)
	l.finish()
	if l.err == nil && !l.stale {
		l.mark = kindEnd
		r.schedule(l)
	}
	if l.ending() != nil {
		delete(r.lanes, id) // the peer sends no more; a mark waits in the queue
	}
}

// sweep ends the patience with sessions that were never admitted and forgets
// those long released.
func (r *remote) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweepLocked(now)
}

func (r *remote) sweepLocked(now time.Time) {
	for id, l := range r.lanes {
		if l.state == laneAdmitted || now.Sub(l.since) < r.early {
			continue
		}
		if l.state == laneReleased {
			delete(r.lanes, id)
			continue
		}
		r.waiting--
		if l.ending() != nil {
			delete(r.lanes, id)
			continue
		}
		l.state, l.since = laneReleased, now
		clear(l.steps)
		l.mark = kindDrop
		r.schedule(l)
	}
}
