package mhe

import (
	"crypto/subtle"
	"fmt"
	"hash"
	"slices"

	"consilium/mpc"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// Commit tells all sites the hashes of both halves of the own ciphertexts, and
// returns everybody's, in the order of the tree's members. A half is hashed over its
// wire form, with session, layout and the site's number.
func Commit(s *mpc.Session, l *Layout, t *mpc.Tree, own *Ciphertexts, seen *Seen) []Commitment {
	first, second := seen.of("c0", s.Self()), seen.of("c1", s.Self())
	frame := make([]byte, l.HalfSize())
	for k := range own.C0 {
		first.Write(l.rings.half.put(frame, own.C0[k]))
		second.Write(l.rings.half.put(frame, own.C1[k]))
	}
	list := t.Collect(s, second.Sum(first.Sum(nil)))
	if s.Err() != nil {
		return nil
	}
	commitments := make([]Commitment, len(list))
	for i, entry := range list {
		seen.Write(entry)
		commitments[i] = Commitment{[32]byte(entry[:32]), [32]byte(entry[32:])}
	}
	return commitments
}

// Commitment is what a site has bound itself to.
type Commitment struct{ C0, C1 [32]byte }

// SumUp adds polynomials of all sites up the tree. At the root own holds the sums
// afterwards, elsewhere those of the branch below.
func SumUp(s *mpc.Session, l *Layout, t *mpc.Tree, own []ring.Poly) bool {
	c := l.rings.half
	frame := make([]byte, c.size())
	up := func(k int) []byte { return c.put(frame, own[k]) }
	add := func(k int, theirs []byte) error { return c.add(own[k], theirs) }
	return t.Up(s, l.sizes(), up, add)
}

// SumAlong is SumUp and gives all sites the root's sums: they rely on those between
// to have added honestly.
func SumAlong(s *mpc.Session, l *Layout, t *mpc.Tree, own []ring.Poly) bool {
	if !SumUp(s, l, t, own) {
		return false
	}
	c := l.rings.half
	frame := make([]byte, c.size())
	root := func(k int) []byte { return c.put(frame, own[k]) }
	got := func(k int, sum []byte) error { return c.get(own[k], sum) }
	return t.Down(s, l.sizes(), root, got)
}

// sizes are those of the halves of all ciphertexts.
func (l *Layout) sizes() []int { return slices.Repeat([]int{l.HalfSize()}, l.Ciphertexts) }

// exchangeMemory bounds what waits at a site while it adds up what all others send.
const exchangeMemory = 32 << 20

// part is how many ciphertexts go in one frame from each site to each.
func (l *Layout) part() int {
	return max(1, min(exchangeMemory/(l.HalfSize()*(l.Sites-1)), mpc.MaxFrame/l.HalfSize()))
}

// arrivals are some ciphertexts of all other sites.
type arrivals struct {
	lo, hi int
	frames map[mpc.PartyID][]byte
}

// SumExchanged gives every site the sums of all sites' second halves in own, added
// up by itself: each comes from its owner over their own link and must be what the
// owner had committed to. While one part is added up, the next arrives.
func SumExchanged(s *mpc.Session, l *Layout, members []mpc.PartyID, own []ring.Poly, committed []Commitment, seen *Seen) bool {
	incoming := make(chan arrivals)
	go func() {
		defer close(incoming)
		exchangeParts(s, l, members, own, incoming)
	}()
	a := &adder{Layout: l, own: own, peers: without(members, s.Self()), hashes: make(map[mpc.PartyID]hash.Hash)}
	for _, p := range a.peers {
		a.hashes[p] = seen.of("c1", p)
	}
	for part := range incoming {
		if err := a.add(s, part); err != nil {
			s.Fail(err)
		}
		for _, frame := range part.frames {
			s.Recycle(frame)
		}
	}
	if s.Err() != nil {
		return false
	}
	for i, p := range members {
		if p != s.Self() && subtle.ConstantTimeCompare(a.hashes[p].Sum(nil), committed[i].C1[:]) == 0 {
			s.Fail(fmt.Errorf("%s sent other ciphertexts than it had committed to", s.Name(p)))
			return false
		}
	}
	return true
}

// exchangeParts sends own to everybody and passes on what comes from them.
func exchangeParts(s *mpc.Session, l *Layout, members []mpc.PartyID, own []ring.Poly, incoming chan<- arrivals) {
	c, step := l.rings.half, l.part()
	for lo := 0; lo < len(own); lo += step {
		hi := min(lo+step, len(own))
		frame := make([]byte, (hi-lo)*c.size())
		for k := lo; k < hi; k++ {
			c.put(frame[(k-lo)*c.size():], own[k])
		}
		frames := mpc.Exchange(s.Step("part", lo/step), members, frame)
		if s.Err() != nil {
			return
		}
		incoming <- arrivals{lo, hi, frames}
	}
}

// adder adds up what arrives and hashes it for the check of commitments.
type adder struct {
	*Layout
	own    []ring.Poly
	peers  []mpc.PartyID
	hashes map[mpc.PartyID]hash.Hash
}

func (a *adder) add(s *mpc.Session, part arrivals) error {
	c := a.rings.half
	err := parallel(len(a.peers), func() func(i int) error {
		return func(i int) error {
			a.hashes[a.peers[i]].Write(part.frames[a.peers[i]])
			return nil
		}
	})
	if err != nil {
		return err
	}
	return parallel(part.hi-part.lo, func() func(i int) error {
		return func(i int) error {
			for _, p := range a.peers {
				if err := c.add(a.own[part.lo+i], part.frames[p][i*c.size():][:c.size()]); err != nil {
					return fmt.Errorf("ciphertext %d of %s: %w", part.lo+i, s.Name(p), err)
				}
			}
			return nil
		}
	})
}

// without returns the members but one.
func without(members []mpc.PartyID, p mpc.PartyID) []mpc.PartyID {
	return slices.DeleteFunc(slices.Clone(members), func(q mpc.PartyID) bool { return q == p })
}
