package mhe

import (
	"slices"

	"consilium/mpc"

	"github.com/tuneinsight/lattigo/v5/core/rlwe"
	"github.com/tuneinsight/lattigo/v5/mhe"
	"github.com/tuneinsight/lattigo/v5/ring"
)

// relinearisationKey makes the key by which products of ciphertexts become
// ciphertexts again, in two rounds up and down the tree. That all sites got the same
// one is for an echo of seen to tell.
func relinearisationKey(s *mpc.Session, l *Layout, t *mpc.Tree, crs CRS, own *Secret, seen *Seen) *rlwe.RelinearizationKey {
	protocol := mhe.NewRelinearizationKeyGenProtocol(l.rings.bgv[0])
	a := protocol.SampleCRP(crs.expand("relinearisation"))
	ephemeral, one, two := protocol.AllocateShare()
	defer erase(ephemeral.Value)
	protocol.GenShareRoundOne(own.key, a, ephemeral, &one)
	if !sumAll(s.Step("one"), l.rings.key, t, gadget(one.Value), seen) {
		return nil
	}
	protocol.GenShareRoundTwo(ephemeral, own.key, one, &two)
	// Products are left unreduced there.
	for _, row := range two.Value {
		for _, v := range row {
			for _, p := range v {
				l.rings.bgv[0].RingQP().Reduce(p, p)
			}
		}
	}
	if !sumAll(s.Step("two"), l.rings.key, t, gadget(two.Value), seen) {
		return nil
	}
	key := rlwe.NewRelinearizationKey(l.rings.bgv[0])
	protocol.GenRelinearizationKey(one, two, key)
	return key
}

// gadget returns the polynomials of an evaluation key, in the same memory.
func gadget(m [][]rlwe.VectorQP) []ring.Poly {
	var list []ring.Poly
	for _, row := range m {
		for _, v := range row {
			for _, p := range v {
				list = append(list, joined(p))
			}
		}
	}
	return list
}

// sumAll gives all members the sums of their polynomials, along the tree.
func sumAll(s *mpc.Session, c codec, t *mpc.Tree, own []ring.Poly, seen *Seen) bool {
	sizes, frame := slices.Repeat([]int{c.size()}, len(own)), make([]byte, c.size())
	put := func(k int) []byte { return c.put(frame, own[k]) }
	add := func(k int, theirs []byte) error { return c.add(own[k], theirs) }
	get := func(k int, sum []byte) error { return c.get(own[k], sum) }
	if !t.Up(s, sizes, put, add) || !t.Down(s, sizes, put, get) {
		return false
	}
	for k := range own {
		seen.Write(put(k))
	}
	return true
}
