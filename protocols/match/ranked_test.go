package match_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"consilium/protocols/match"
)

// weighArcs draws numbers of arcs, of few values so that scores are often equal.
func weighArcs(rng *rand.Rand, n int) []uint64 {
	weights, most := make([]uint64, n*n), []uint64{1, 4, 1 << 20}[rng.IntN(3)]
	for k := range weights {
		weights[k] = rng.Uint64N(most)
	}
	return weights
}

// TestExchangeByArcs: the choice is valid, and greedy by the mean of the cycles' arcs.
func TestExchangeByArcs(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for i := range 60 {
		p, limit := drawPool(rng, 2+rng.IntN(13)), 2+i%2
		p.ofArcs = weighArcs(rng, len(p.pairs))
		m, _ := run(t, p, limit, uint64(i), match.Exchange)
		p.checkValid(t, m, limit)
		p.checkGreedy(t, m, limit)
	}
}

// TestExactByWorth: no choice of cycles is worth more, also where some arcs are worth less
// than nothing.
func TestExactByWorth(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for i := range 40 {
		p, limit := drawPool(rng, 2+rng.IntN(11)), 2+i%2
		p.worth = weighArcs(rng, len(p.pairs))
		for k := range p.worth {
			p.worth[k] -= uint64(i % 3) // as a number with a sign
		}
		worth := func(c []int) int {
			return int(p.sums([][]int{c}, p.worth, func([]int) uint64 { return 1 })[0])
		}
		m, _ := run(t, p, limit, uint64(i), match.Exact)
		p.checkValid(t, m, limit)
		got := 0
		for _, c := range p.cycles(limit) {
			if m.holds(c) {
				got += worth(c)
			}
		}
		if want := p.most(limit, worth); got != want {
			t.Fatalf("pool %d, cycles up to %d: the choice is worth %d, want %d", i, limit, got, want)
		}
	}
}

// TestArcsTranscript: what is opened of weights of arcs is comparisons of shuffled rows,
// and in mode exact the graph and what its arcs are worth.
func TestArcsTranscript(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	one, other := drawPool(rng, 9), drawPool(rng, 9)
	for i := range other.pairs {
		other.pairs[i].invalid = true
	}
	for _, p := range []*pool{one, other} {
		p.ofArcs, p.worth = weighArcs(rng, 9), weighArcs(rng, 9)
	}
	for _, c := range []struct {
		compute  exchange
		openings string
	}{
		{match.Exchange, "exchange/sets/order/"},
		{match.Exact, "exchange/graph/open exchange/worth/open"},
	} {
		_, w := run(t, one, 3, 1, c.compute)
		seen := w.Transcript().At("exchange")
		_, w = run(t, other, 3, 1, c.compute)
		if got := w.Transcript().At("exchange"); got.Shape() != seen.Shape() {
			t.Error("the transcripts of two pools differ in shape")
		}
		for _, o := range seen.Openings() {
			allowed := false
			for prefix := range strings.FieldsSeq(c.openings) {
				allowed = allowed || strings.HasPrefix(o, prefix)
			}
			if !allowed {
				t.Errorf("opens %s", o)
			}
		}
	}
}
