package mhe

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/big"
	"slices"

	"consilium/mpc"
)

// Options say how the sites of a sum talk.
type Options struct {
	// Tree arranges the sites, all of them and nobody else.
	Tree *mpc.Tree
	// TreeOnly sums the second halves along the tree as well instead of from every
	// site to every site, for sums above TreeOnlyAbove. It saves Layout.ExchangeSize
	// bytes a site and holds against relays only that follow the protocol: one that
	// does not can have the sites switch a ciphertext of its choice.
	TreeOnly bool
}

// Part is what one site has of a sum after its session.
type Part struct {
	Seed   Seed              // of its mask, for the recipient alone
	Digest [sha256.Size]byte // of what was switched and how it came about: equal at all sites
	Total  []byte            // at the root alone: the sums under the masks of all sites
}

// Format shows of a part its digest alone.
func (p Part) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "part of a sum %x", p.Digest[:8]) }

// LogValue shows of a part its digest alone.
func (p Part) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// RevealSum adds the vectors of all sites and makes the sums fit for one recipient:
// who has the root's Total and the Seeds of all sites opens them by Layout.Open,
// and nobody else. The key is made for this sum and forgotten after it.
//
// What the sites see: nonces, a public key, hashes, and ciphertexts under a key of
// which each lacks all other shares. Frames depend on the layout and the tree
// alone. After an error, which the session tells, the part is empty.
func RevealSum(s *mpc.Session, l *Layout, o Options, own []*big.Int) Part {
	return NewSumKey(s, l, o).RevealSum(s, own)
}

// answer adds the fresh ciphertexts of all who answer, and what is stored unless that
// is nil, and switches the sum. Because everybody's ciphertexts are fresh
// and committed to before they are known, nobody chooses what is switched, and it is
// switched for the first time: also where what is stored has been opened before.
func answer(s *mpc.Session, l *Layout, o Options, secret *Secret, sealed, stored *Ciphertexts, seen *Seen) (Part, error) {
	members := o.Tree.Members()
	commitments := Commit(s.Step("commit"), l, o.Tree, sealed, seen)
	if s.Err() != nil || !echo(s.Step("echo"), members, seen, "nonces, key or commitments") {
		return Part{}, nil
	}
	if !SumUp(s.Step("c0"), l, o.Tree, sealed.C0) {
		return Part{}, nil
	}
	if o.TreeOnly {
		SumAlong(s.Step("c1"), l, o.Tree, sealed.C1)
	} else {
		SumExchanged(s.Step("c1"), l, members, sealed.C1, commitments, seen)
	}
	if s.Err() != nil {
		return Part{}, nil
	}
	if stored != nil {
		sealed.add(l, stored)
	}
	frame := make([]byte, l.HalfSize())
	for _, c1 := range sealed.C1 {
		seen.Write(l.rings.half.put(frame, c1))
	}
	if !echo(s.Step("same"), members, seen, "summed ciphertexts") {
		return Part{}, nil
	}
	part, err := Part{Digest: seen.Digest()}, error(nil)
	if part.Seed, err = Switch(l, secret, sealed.C1); err != nil {
		return Part{}, err
	}
	if !SumUp(s.Step("switch"), l, o.Tree, sealed.C1) {
		return Part{}, nil
	}
	if s.Self() == o.Tree.Root() {
		part.Total = total(l, sealed)
	}
	return part, nil
}

// check refuses a tree that does not fit the session or the layout.
func (o Options) check(s *mpc.Session, l *Layout) error {
	if o.Tree == nil || len(o.Tree.Members()) != l.Need {
		return fmt.Errorf("the tree of a sum must have the layout's %d sites", l.Need)
	}
	if !slices.Contains(o.Tree.Members(), s.Self()) {
		return fmt.Errorf("%s is no site of this sum", s.Name(s.Self()))
	}
	return nil
}

// echo ends the session unless all sites have seen the same.
func echo(s *mpc.Session, members []mpc.PartyID, seen *Seen, what string) bool {
	digest := seen.Digest()
	return mpc.Echo(s, members, digest[:], what)
}

// total adds the shares to the first halves.
func total(l *Layout, sum *Ciphertexts) []byte {
	c := l.rings.half
	frame := make([]byte, l.TotalSize())
	for k := range sum.C0 {
		l.rings.q.Add(sum.C0[k], sum.C1[k], sum.C0[k])
		c.put(frame[k*c.size():], sum.C0[k])
	}
	return frame
}
