package rss

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"consilium/mpc"
	"consilium/mpc/ring"
)

// Input shares a vector of public length n that participant from, a party or a
// site, knows; the others pass nil. Participants that are no party get a share
// of length zero.
//
// Components 0 and 1 are expanded from fresh seeds of the owner's, which travel
// in their place; component 2 is x minus these and travels whole. Before use, in
// the step's child "compare", the two holders of each component compare a hash
// of it, so that the owner cannot make them compute on different values. 2
// rounds; the owner sends 2 n elements, a party two hashes. Leaks nothing.
func Input[V ring.Vector[V]](s *mpc.Session, from mpc.PartyID, n int, x V) Share[V] {
	result := zero[V](0)
	if s.Role() >= 0 {
		result = zero[V](max(n, 0))
	}
	if !trio(s) || !positive(s, n) || !participant(s, from) || !begin(s) {
		return result
	}
	var parts [roles]V // the components that this participant knows
	if s.Self() == from {
		if !length(s, x.Len(), n) {
			return result
		}
		parts = deal(s, x)
	} else if !length(s, x.Len(), 0) {
		return result
	}
	me := s.Role()
	if me < 0 {
		return result
	}
	if s.Self() != from {
		parts = accept[V](s, from, n)
	}
	next := (me + 1) % roles
	share := Share[V]{parts[me], parts[next]}
	if s.Err() != nil || !compare(s.Step("compare"), from, share) {
		return result
	}
	return share
}

// seedBytes is the length of a frame that stands for a whole component.
const seedBytes = mpc.SeedSize

// deal splits x and sends each party the components of its role. It returns all.
func deal[V ring.Vector[V]](s *mpc.Session, x V) (parts [roles]V) {
	coins := s.OwnCoins()
	var seeds [roles - 1]mpc.Seed
	parts[2] = x
	for c := range seeds {
		coins.Fill(seeds[c][:])
		parts[c] = expand[V](s, seeds[c], x.Len())
		parts[2] = parts[2].Sub(parts[c])
	}
	for c, seed := range seeds {
		for _, p := range holders(s, c) {
			if p != s.Self() {
				s.Send(p, seed[:])
			}
		}
	}
	buf := scratch(x)
	for lo, hi := range frames(x.Len()) {
		frame := parts[2].Slice(lo, hi).Append(buf)
		for _, p := range holders(s, 2) {
			if p != s.Self() {
				s.Send(p, frame)
			}
		}
		if s.Err() != nil {
			break
		}
	}
	return parts
}

// accept receives the two components of this party's role, in order.
func accept[V ring.Vector[V]](s *mpc.Session, from mpc.PartyID, n int) (parts [roles]V) {
	for c := range roles {
		if h := holders(s, c); s.Self() != h[0] && s.Self() != h[1] {
			continue
		}
		if c == 2 {
			parts[c] = parts[c].Make(n)
			for lo, hi := range frames(n) {
				part := parts[c].Slice(lo, hi)
				frame := receive(s, from, part)
				if frame == nil {
					return parts
				}
				part.SetBytes(frame)
			}
			continue
		}
		frame := s.Recv(from, seedBytes)
		if frame == nil {
			return parts
		}
		parts[c] = expand[V](s, mpc.Seed(frame), n)
	}
	return parts
}

// holders returns the two parties that hold component c: as A and as B.
func holders(s *mpc.Session, c int) [2]mpc.PartyID {
	return [2]mpc.PartyID{at(s, c), at(s, c+roles-1)}
}

// expand returns the component that a dealt seed stands for.
func expand[V ring.Vector[V]](s *mpc.Session, seed mpc.Seed, n int) V {
	var v V
	v = v.Make(n)
	draw(s.ExpandSeed(seed), v)
	return v
}

// compare checks with both neighbours that each component is the same at its
// two holders.
func compare[V ring.Vector[V]](s *mpc.Session, from mpc.PartyID, x Share[V]) bool {
	me, ok := self(s)
	if !ok || !begin(s) {
		return false
	}
	a, b := fingerprint(s, me.role, x.A), fingerprint(s, (me.role+1)%roles, x.B)
	s.Send(me.prev, a)
	s.Send(me.next, b)
	differ := func(p, q mpc.PartyID) {
		s.Fail(fmt.Errorf("the shares of %s differ between %s and %s", s.Name(from), s.Name(p), s.Name(q)))
	}
	if got := s.Recv(me.prev, sha256.Size); got != nil && !bytes.Equal(got, a) {
		differ(me.prev, s.Self())
	}
	if got := s.Recv(me.next, sha256.Size); got != nil && !bytes.Equal(got, b) {
		differ(s.Self(), me.next)
	}
	return s.Err() == nil
}

// fingerprint hashes one component, bound to session, step and index. Only the
// two who hold the component see it.
func fingerprint[V ring.Vector[V]](s *mpc.Session, component int, v V) []byte {
	id, h := s.ID(), sha256.New()
	h.Write([]byte("consilium input v1\x00"))
	h.Write(id[:])
	writeNumbers(h, component, v.Len(), len(s.Path()))
	h.Write([]byte(s.Path()))
	buf := scratch(v)
	for lo, hi := range frames(v.Len()) {
		h.Write(v.Slice(lo, hi).Append(buf))
	}
	return h.Sum(nil)
}

func writeNumbers(h hash.Hash, numbers ...int) {
	for _, n := range numbers {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
}
