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
// What the pairs are called, and so who is in the cycles, stays secret. Weights do
// not count; which of several best choices is taken depends on the shuffle alone.
//
// Each party solves the programme by itself, and they compare what they found. That
// takes as long as the graph demands, until the session's context ends:
// milliseconds for 100 pairs, some seconds for 200.
//
// About 65 rounds. Opens the shuffled graph, n^2 bits, at the step "graph".
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
	cycles, err := mostTransplants(s.Context(), p.N, cyclesOf(p.N, p.MaxCycle, graph.Bit))
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
