package peer

import (
	"fmt"

	"consilium/mpc"
)

// arriving returns the lane of a message that came over a link, opening an early
// one for an unknown session.
func (r *remote) arriving(on *link, id mpc.SessionID) (*lane, error) {
	if r.link != on {
		return nil, on.err
	}
	l := r.lanes[id]
	if l != nil {
		return l, nil
	}
	if r.waiting >= maxEarly && !r.forget() {
		return nil, fmt.Errorf("more than %d sessions started that are not admitted here", maxEarly)
	}
	r.waiting++
	l = newLane(id, laneEarly)
	r.lanes[id] = l
	return l, nil
}

// forget makes room for an early session: it drops the oldest that the peer has left
// again without a frame for this node, and reports whether there was one. A node
// that takes no part in its peers' jobs sees all their sessions pass like this.
func (r *remote) forget() bool {
	var oldest *lane
	for _, l := range r.lanes {
		if l.passed() && (oldest == nil || l.since.Before(oldest.since)) {
			oldest = l
		}
	}
	if oldest == nil {
		return false
	}
	r.waiting--
	delete(r.lanes, oldest.id)
	return true
}

// expect charges an announced frame to its session before any memory is spent
// on it. A nil lane means that the frame is late and to be skipped.
func (r *remote) expect(on *link, h header) (*lane, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, err := r.arriving(on, h.session)
	if err != nil {
		return nil, err
	}
	if l.state == laneReleased || l.ending() != nil {
		return nil, nil
	}
	if h.cost() > l.room {
		return nil, fmt.Errorf("session %v: more frames than the credit given allows", h.session)
	}
	l.room -= h.cost()
	return l, nil
}

// deliver files a frame that expect let pass.
func (r *remote) deliver(l *lane, step string, frame []byte) {
	r.framesReceived.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.state != laneReleased && l.ending() == nil {
		l.push(step, frame)
	}
}

// handle acts on a message that is no frame.
func (r *remote) handle(on *link, h header) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.kind == kindDrop && r.lanes[h.session] == nil {
		return nil
	}
	l, err := r.arriving(on, h.session)
	if err != nil {
		return err
	}
	switch h.kind {
	case kindCredit:
		if l.credit += int64(h.size); l.credit > maxCredit {
			return fmt.Errorf("session %v: credit of more than %d bytes", h.session, maxCredit)
		}
		l.wakeSenders()
		return nil
	case kindEnd:
		if l.err == nil {
			l.ended = true
			l.finish()
		}
	case kindDrop:
		l.breakOff(fmt.Errorf("%s has lost or not admitted session %v", r.name, h.session))
	}
	if l.state == laneReleased {
		delete(r.lanes, h.session)
	}
	return nil
}
