package match

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// twos is the market of cycles of two arcs. Pairs are in order of their weights.
type twos struct {
	n        int
	both     rss.Bits // bit j of plane i: pairs i and j suit each other, and j is left
	partners rss.Bits // bit j of plane i: i and j are in one cycle that is chosen
}

func newTwos(n int, both rss.Bits) *twos {
	return &twos{n: n, both: both, partners: rss.ZeroBits(n, n)}
}

// choose returns the partners that pairs have after so many steps.
func (m *twos) choose(s *mpc.Session, steps int) rss.Bits {
	for i := range steps {
		s := s.Step("step", i)
		seen := prefixOr(s.Step("first"), m.both)
		first := rss.Xor(s, seen, shift(seen, 1))
		// Rows are one-hot or zero: the sum of products is the product at the one.
		agreed := rss.And(s.Step("agreed"), first, transpose(first))
		m.partners = rss.Xor(s, m.partners, agreed)
		used := fold(agreed, func(int) bool { return true })
		m.both = rss.And(s.Step("left"), m.both, spread(rss.Not(s, used), m.n))
	}
	return m.partners
}

// agreed returns the pairs that all those wish for whom they wish for. Bit v of plane u
// of wishes says that pair v wishes for pair u; exists, that v wishes for anybody.
// 1 + ceil(log2 log2 n) rounds and 1 more at most, n^2 bits.
func agreed(s *mpc.Session, wishes, exists rss.Bits) rss.Bits {
	vain := rss.And(s.Step("vain"), wishes, rss.Not(s, transpose(wishes)))
	return none(s.Step("none"), vain, rss.Not(s, exists))
}

// none returns the bits that are zero in all planes, of which two at most are not,
// and in a further plane. Numbers of two different planes, counted from 1, are not
// equal: the XOR of those of planes with a 1 is zero where there is none, and only
// there.
func none(s *mpc.Session, planes, further rss.Bits) rss.Bits {
	sums := []rss.Bits{further}
	for t := range bits.Len(uint(planes.Width())) {
		sums = append(sums, fold(planes, func(j int) bool { return (j+1)>>t&1 == 1 }))
	}
	return rss.Not(s, rss.OrAll(s, rss.ConcatPlanes(sums...)))
}
