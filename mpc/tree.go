package mpc

import (
	"fmt"
	"slices"
	"time"
)

// Tree arranges members of a session for sums and lists of many participants:
// nobody then hears from all others, and what passes a link does not grow with
// their number. It is the complete tree in which the member at place i has the
// members at places b*i+1 … b*i+b below it, and follows from the list of members
// and the branching alone, so that everybody holds the same one.
type Tree struct {
	members   []PartyID
	place     map[PartyID]int
	branching int
	height    int // levels below the root
}

// NewTree returns the tree of members, members[0] at its root, in which nobody
// has more than branching others below.
func NewTree(members []PartyID, branching int) (*Tree, error) {
	if len(members) == 0 || branching < 1 {
		return nil, fmt.Errorf("a tree of %d members and branching %d: both must be at least 1", len(members), branching)
	}
	t := &Tree{slices.Clone(members), make(map[PartyID]int, len(members)), min(branching, max(1, len(members)-1)), 0}
	for i, p := range members {
		if _, twice := t.place[p]; twice {
			return nil, fmt.Errorf("a tree has participant %d twice", p)
		}
		t.place[p] = i
	}
	t.height = t.below(0)
	return t, nil
}

// Root returns the member that sums end at and lists come from.
func (t *Tree) Root() PartyID { return t.members[0] }

// Members returns all members in the order that NewTree was given. It is not to be changed.
func (t *Tree) Members() []PartyID { return t.members }

// Branching returns how many members one of them has below it at most.
func (t *Tree) Branching() int { return t.branching }

// Height returns how many links lie between the root and the members farthest from it.
func (t *Tree) Height() int { return t.height }

// Parent returns the member above p; the root, and who is no member, has none.
func (t *Tree) Parent(p PartyID) (PartyID, bool) {
	i, member := t.place[p]
	if !member || i == 0 {
		return 0, false
	}
	return t.members[(i-1)/t.branching], true
}

// Children returns the members right below p, in order. It is not to be changed.
func (t *Tree) Children(p PartyID) []PartyID {
	i, member := t.place[p]
	if !member {
		return nil
	}
	first, end := t.under(i, i+1)
	return t.members[first:end]
}

// under returns the places [first, end) of all children of those at places
// [from, to): neighbours have neighbouring children.
func (t *Tree) under(from, to int) (first, end int) {
	n := len(t.members)
	return min(t.branching*from+1, n), min(t.branching*to+1, n)
}

// below returns how many levels there are below the place i.
func (t *Tree) below(i int) int {
	levels := -1
	for from, to := i, i+1; from < to; from, to = t.under(from, to) {
		levels++
	}
	return levels
}

// depth returns how many links lie between the root and the place i.
func (t *Tree) depth(i int) int {
	levels := 0
	for ; i > 0; i = (i - 1) / t.branching {
		levels++
	}
	return levels
}

// branch returns the place i and all places under it, level by level.
func (t *Tree) branch(i int) []int {
	var places []int
	for from, to := i, i+1; from < to; from, to = t.under(from, to) {
		for place := from; place < to; place++ {
			places = append(places, place)
		}
	}
	return places
}

// Who waits for a member that waits itself must not give up first, or the error
// names the wrong one. So the patience of the members with each other is graded:
// with those below it grows with the levels under them, and with the one above it
// is longer the farther down one stands. Everybody has given up within two of the
// session's timeouts, and that is also the patience of Exchange, whose members may
// still wait in a tree before it.

// patienceBelow is how long a child is waited for.
func (t *Tree) patienceBelow(s *Session, child PartyID) time.Duration {
	return t.graded(s, t.below(t.place[child]))
}

// patienceAbove is how long the parent of p is waited for.
func (t *Tree) patienceAbove(s *Session, p PartyID) time.Duration {
	return t.graded(s, t.height+t.depth(t.place[p]))
}

func (t *Tree) graded(s *Session, levels int) time.Duration {
	timeout := s.run.cfg.Timeout
	return timeout + timeout*time.Duration(levels)/time.Duration(2*t.height+2)
}

// What BranchingFor reckons with: links between hospitals, in whole microseconds,
// so that every machine comes to the same tree.
const (
	reckonedLatency = 10_000    // of a frame from one to another
	reckonedBytes   = 100       // a microsecond into or out of one node
	reckonedPiece   = 512 << 10 // of a payload, about a ciphertext: pieces flow, so that only the first one waits at every level
	narrowest       = 2         // a chain would take in half as much, but everybody in it would wait for all below
)

// BranchingFor returns the branching of a tree in which so many members sum or
// list payloads of size bytes each. A wide tree has few levels, and with each goes
// the latency of a link; but who has many children has to take in as many
// payloads. The reckoned time of a tree of branching b and height h is
//
//	h (latency + b piece/bandwidth) + b (size - piece)/bandwidth
//
// and the tree of the least is chosen: 100 members are flat up to 10 KiB, branch by
// ten at 100 KiB, by three at 1 MiB and by two from 4 MiB on.
func BranchingFor(members, size int) int {
	flat := max(1, members-1)
	best := flat
	for b := flat - 1; b >= narrowest; b-- {
		if reckon(members, size, b) < reckon(members, size, best) {
			best = b
		}
	}
	return best
}

// reckon returns the reckoned time of a tree.
func reckon(members, size, branching int) int {
	height, level := 0, 1
	for reached := 1; reached < members; height++ {
		level *= branching
		reached += level
	}
	piece := min(size, reckonedPiece)
	return height*(reckonedLatency+branching*piece/reckonedBytes) + branching*(size-piece)/reckonedBytes
}
