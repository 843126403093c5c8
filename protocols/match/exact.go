package match

import (
	"crypto/sha256"
	"encoding/binary"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Exact chooses disjoint cycles of at most MaxCycle arcs with the most transplants
// that there can be, and it does so in the clear: the three parties see the graph
// of who could give to whom, of secretly shuffled pairs without names. All that
// follows from the graph they see too: how many pairs there are, how many could
// give to each, what cycles there are and which are chosen. Who knows some pairs so
// well as to recognise their place in the graph learns whom they fit. So no party
// may be a site of the pool, and who asks for it has to say what the parties see.
// What the pairs are called, and so who is in the cycles, stays secret. Which of several
// best choices is taken depends on the shuffle alone.
//
// Weights do not count, unless the pool says what arcs are worth: then the sum of that is
// what there can be no more of, and the parties see of each arc what it is worth, too.
//
// Each party solves the programme by itself, and they compare what they found. That
// takes as long as the graph demands, until the session's context ends:
// milliseconds for 100 pairs, some seconds for 200.
//
// About 65 rounds. Opens the shuffled graph, n^2 bits, at the step "graph", and what its
// arcs are worth, n^2 numbers, at the step "worth".
func Exact(s *mpc.Session, p *Pool) Matching {
	if !p.check(s) {
		return p.nothing()
	}
	shuffle := rss.NewPermutation(s.Step("shuffle"), p.N)
	arcs := relabel(s.Step("relabel"), shuffle, p.arcs())
	graph := rss.OpenBits(s.Step("graph"), arcs)
	if s.Err() != nil {
		return p.nothing()
	}
	cycles, err := p.solve(s, cyclesOf(p.N, p.MaxCycle, graph.Bit), shuffle, arcs)
	if err != nil {
		s.Fail(err)
		return p.nothing()
	}
	gives := ring.MakePlanes(p.N, p.N)
	var list []byte
	for _, c := range cycles {
		for i, v := range c {
			to := c[(i+1)%len(c)]
			gives.SetBit(v, to, true)
			list = binary.LittleEndian.AppendUint16(list, uint16(v))
			list = binary.LittleEndian.AppendUint16(list, uint16(to))
		}
	}
	digest := sha256.Sum256(list)
	if !mpc.Echo(s.Step("agree"), s.Compute(), digest[:], "choice of cycles") {
		return p.nothing()
	}
	return p.named(s.Step("names"), shuffle, rss.PublicBits(s, gives))
}

// solve returns the best of the shuffled graph's cycles.
func (p *Pool) solve(s *mpc.Session, cycles []cycle, shuffle *rss.Permutation, arcs rss.Bits) ([]cycle, error) {
	if p.Worth.Len() == 0 {
		return mostTransplants(s.Context(), p.N, cycles)
	}
	s = s.Step("worth")
	moved := relabelNumbers(s.Step("relabel"), shuffle, p.Worth)
	there := rss.ToArith(s.Step("there"), reshape(arcs, p.N*p.N))
	open := rss.Open(s.Step("open"), rss.Mul(s.Step("mask"), there, moved)).Int64()
	if err := s.Err(); err != nil {
		return nil, err
	}
	return mostWorth(s.Context(), p.N, cycles, func(c cycle) int {
		sum := int64(0)
		for i, v := range c {
			sum += open[v*p.N+c[(i+1)%len(c)]]
		}
		return int(sum)
	})
}
