package mpc

import (
	"fmt"
	"slices"
)

// Up carries payloads from all members towards the root: sums, in the common
// case. There are len(sizes) of them, the k-th of sizes[k] bytes at every member,
// and they flow: while the k-th is on its way up, the next is worked at below, and
// nobody holds more than one child's payload. For every k in order, add(k, frame)
// takes each child's payload, in the order of Children and valid only until it
// returns; then own(k) gives what goes to the parent, and nothing keeps it. own is
// called at the root too, where its result is not used: then the k-th sum is
// complete. An error of add ends the session and names the child.
//
// The tree's members meet at a step of their own; others have nothing to do.
// Up reports whether all went well so far: the session tells what did not.
func (t *Tree) Up(s *Session, sizes []int, own func(k int) []byte, add func(k int, frame []byte) error) bool {
	if !t.begin(s, upward) {
		return false
	}
	self := s.Self()
	for k, size := range sizes {
		for _, child := range t.Children(self) {
			payload := s.recvLong(child, size, t.patienceBelow(s, child))
			if s.Err() != nil {
				return false
			}
			err := add(k, payload)
			s.Recycle(payload)
			if err != nil {
				s.Fail(fmt.Errorf("payload %d of %d from %s: %w", k+1, len(sizes), s.Name(child), err))
				return false
			}
		}
		payload := own(k)
		if parent, has := t.Parent(self); has {
			s.sendLong(parent, payload, size, t.patienceAbove(s, self))
		}
		if s.Err() != nil {
			return false
		}
	}
	return true
}

// Down carries payloads from the root to all members, as Up the other way. For
// every k in order, root(k) gives the payload at the root, and got(k, frame) takes
// it at everybody else, valid only until it returns; the children have it by then.
// An error of got ends the session and names the parent.
func (t *Tree) Down(s *Session, sizes []int, root func(k int) []byte, got func(k int, frame []byte) error) bool {
	if !t.begin(s, downward) {
		return false
	}
	self := s.Self()
	parent, has := t.Parent(self)
	for k, size := range sizes {
		var payload []byte
		if has {
			payload = s.recvLong(parent, size, t.patienceAbove(s, self))
		} else {
			payload = root(k)
		}
		for _, child := range t.Children(self) {
			s.sendLong(child, payload, size, t.patienceBelow(s, child))
		}
		if s.Err() != nil {
			return false
		}
		if !has {
			continue
		}
		err := got(k, payload)
		s.Recycle(payload)
		if err != nil {
			s.Fail(fmt.Errorf("payload %d of %d from %s: %w", k+1, len(sizes), s.Name(parent), err))
			return false
		}
	}
	return true
}

// Collect gives every member what all of them have, own of equal length, in the
// order of Members: gathered to the root, listed from there. It relies on the
// root and on those between to pass on what they were given: Echo tells whether
// they did. It returns nil when the session has failed.
func (t *Tree) Collect(s *Session, own []byte) [][]byte {
	if !t.begin(s, upward) {
		return nil
	}
	size, self := len(own), s.Self()
	list := make([]byte, size*len(t.members))
	entry := func(place int) []byte { return list[place*size : (place+1)*size] }
	copy(entry(t.place[self]), own)
	for _, child := range t.Children(self) {
		places := t.branch(t.place[child])
		part := s.recvLong(child, size*len(places), t.patienceBelow(s, child))
		if s.Err() != nil {
			return nil
		}
		for i, place := range places {
			copy(entry(place), part[i*size:])
		}
		s.Recycle(part)
	}
	if parent, has := t.Parent(self); has {
		var part []byte
		for _, place := range t.branch(t.place[self]) {
			part = append(part, entry(place)...)
		}
		s.sendLong(parent, part, len(part), t.patienceAbove(s, self))
	}
	if !t.Down(s, []int{len(list)}, func(int) []byte { return list }, func(_ int, frame []byte) error {
		if !slices.Equal(frame[t.place[self]*size:][:size], own) {
			return fmt.Errorf("the list has something else for %s than it sent", s.Name(self))
		}
		copy(list, frame)
		return nil
	}) {
		return nil
	}
	entries := make([][]byte, len(t.members))
	for place := range entries {
		entries[place] = slices.Clip(entry(place))
	}
	return entries
}

// begin claims one direction of the tree's links at this step and checks that
// all members take part in the session, this participant as one of them.
func (t *Tree) begin(s *Session, direction string) bool {
	if s.Err() != nil || !s.Claim(direction) {
		return false
	}
	if _, member := t.place[s.Self()]; !member {
		s.Fail(fmt.Errorf("%s is not a member of the tree", s.Name(s.Self())))
		return false
	}
	return s.participate(t.members)
}

// The two directions of links between participants. Up and Down of one tree may
// share a step, for they never use the same direction of a link.
const (
	upward   = "channel up"
	downward = "channel down"
)

// participate checks that all members take part in the session.
func (s *Session) participate(members []PartyID) bool {
	for i, p := range members {
		if p < 0 || int(p) >= s.N() || slices.Contains(members[:i], p) {
			s.Fail(fmt.Errorf("participant %d is not in the session, or twice among the members", p))
			return false
		}
	}
	return true
}
