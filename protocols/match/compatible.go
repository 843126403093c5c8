package match

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// compatible returns the graph of a pool: bit j of plane i says that pair i's donor
// suits pair j's recipient. Donors have traits, recipients refuse traits, and an arc
// is where none is refused. Traits are the antigens, the blood groups, one that all
// donors have and invalid pairs refuse, and one that donors of invalid pairs have and
// all refuse.
//
// How many traits are refused is a matrix product over the numbers 0 and 1, of one
// element an arc. Measured for 180 antigens and 200 pairs: 1.0 MB a party; 1.8 MB for
// an AND of the packed bits of every two pairs and an OR over them, which is the
// less below about 60 pairs, where neither matters (40 pairs: 0.14 and 0.08 MB). 27
// rounds.
func compatible(s *mpc.Session, p *Pool) rss.Bits {
	n, traits := p.N, p.Words*p.WordBits+p.Groups+2
	donors, recipients := p.antigens(s.Step("antigens"))
	groups, refused := p.groups(s.Step("groups"))
	all := rss.Public(s, make(ring.Vec64, n).AddConst(1))
	invalid := rss.Sub(s, all, p.Valid)
	has := rss.Transpose(s, rss.Concat(s, donors, groups, all, invalid), traits, n)
	refuses := rss.Concat(s, recipients, refused, invalid, all)
	count := rss.MatMul(s.Step("count"), has, refuses, n, traits, n)
	arcs := rss.EqualPublic(s.Step("none"), count, 0, bits.Len(uint(traits)))
	return keep(reshape(arcs, n), func(i, j int) bool { return i != j })
}

// antigens returns those of donors and those that recipients refuse, in rows of an
// element a pair, one for each antigen.
func (p *Pool) antigens(s *mpc.Session) (donors, recipients rss.Vec) {
	words := rss.Concat(s, p.DonorAntigens, p.Unacceptable)
	byBit := rss.ToArith(s.Step("elements"), rss.Decompose(s.Step("bits"), words, p.WordBits))
	byPair := rss.Transpose(s, byBit, p.WordBits, words.Len())
	half, width := byPair.Len()/2, p.Words*p.WordBits
	return rss.Transpose(s, rss.Slice(s, byPair, 0, half), p.N, width),
		rss.Transpose(s, rss.Slice(s, byPair, half, 2*half), p.N, width)
}

// groupBits is of how many bits a blood group's code is.
const groupBits = 4

// groups returns which blood group donors have and which recipients refuse, in rows of
// an element a pair, one for each group.
func (p *Pool) groups(s *mpc.Session) (donors, recipients rss.Vec) {
	codes := make(ring.Vec64, p.Groups*p.N)
	for i := range codes {
		codes[i] = uint64(i / p.N)
	}
	has := rss.Equal(s.Step("has"), rss.Repeat(s, p.DonorGroup, p.Groups), rss.Public(s, codes), groupBits)
	accepts := rss.Decompose(s.Step("accepts"), p.Accepts, p.Groups)
	refuses := rss.Not(s, reshape(accepts, len(codes)))
	bits := rss.ToArith(s.Step("elements"), rss.ConcatPlanes(has, refuses))
	return rss.Slice(s, bits, 0, len(codes)), rss.Slice(s, bits, len(codes), 2*len(codes))
}
