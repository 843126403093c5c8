// Package match computes organ matching on secret shares, however its inputs come:
// jobs, sites and policies are the business of its callers.
//
// Exchange and Exact find cycles of a kidney exchange. Who could give to whom, the
// cycles, their number and their scores stay shared; what parties see beyond is said at
// each of the two. Nothing is revealed to anybody here: the result is shares.
package match

import (
	"fmt"
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// Pool is the shared graph of pairs of a recipient and a donor who does not suit her.
// N, the widths and the limits are public.
type Pool struct {
	N    int
	Arcs rss.Bits // bit j of plane i says that pair i's donor suits pair j's recipient

	// Fields are what a result says of a pair's partners.
	Fields []Field

	// Weight, if WeightBits is not 0, stands in for degrees: cycles of low mean weight
	// come first.
	Weight     rss.Vec
	WeightBits int
	// OfArcs: Weight has an element for each arc in place of each pair, for donor i and
	// recipient j at i N + j.
	OfArcs bool
	// Worth, if there is any, is of each arc in the same order: Exact makes most of its sum
	// in place of the number of transplants. Below 2^20 in magnitude.
	Worth rss.Vec

	MaxCycle int // arcs of the longest cycle: 2 or 3
	Steps    int // of selection; 0 stands for DefaultSteps
}

// Field is a number of each pair, from 0 to 2^Bits-1.
type Field struct {
	Values rss.Vec
	Bits   int // of all fields together at most 60
}

// Matching is who gives to whom, for each pair in the order of the pool.
type Matching struct {
	Matched rss.Vec   // 1 where the pair is in a cycle, else all is 0
	To      []rss.Vec // the fields of the pair whose recipient gets this pair's donor's kidney
	From    []rss.Vec // the fields of the pair whose donor gives to this pair's recipient
}

// The limits of pools. The work grows with the third power of the pairs.
const (
	minPairs      = 2
	MaxPairs      = 512
	maxWeightBits = 32
	maxFieldBits  = 60
	// MaxPairsOfArcs is for weights of arcs, whose work is by a factor of hundreds more.
	MaxPairsOfArcs = 200
)

// Below each weight come tieRoom bits of zeros and tieBits of randomness: what 6
// times the random part of a mean comes to, as scores go, stays below 1.
const (
	tieBits = 24
	tieRoom = 3
)

// Exchange chooses disjoint cycles of at most MaxCycle arcs: those of the lowest
// mean weight first, and each of them that has no pair in common with an earlier
// one (greedy). A pair's weight is its degree, the number of cycles that hold it,
// or what the pool gives. Who is in few cycles comes first; with degrees, 98 % of
// the most transplants are reached over generated pools of 20 to 200 pairs. Cycles
// of equal score are in a secret random order. Where the pool has weights of arcs, a
// cycle's score is their mean: see exchangeByArcs.
//
// Cycles are not gone through one by one. In each of a public number of steps every
// pair finds the best of the cycles that hold it and no pair that is gone, and a
// cycle that is best for all its pairs is chosen, with others at the same time.
// That is what greedy chooses: the best cycle of all is best for its pairs, and
// none that is chosen has a better one in its way. Steps beyond those that are
// needed change nothing; where they are too few, the cycles that are left are not
// chosen, and the others are valid all the same.
//
// No cycle's score is computed. A pair's best cycle of two is with the first pair
// of its row, when pairs are sorted by weight, and its best cycle of three with the
// first couple of its row, when all m = n(n-1)/2 couples are sorted by the sum of
// their weights. So one sort of pairs and one of couples order all cycles, the
// first 1 of a row of packed bits is found by layers of ORs, and one comparison a
// pair and step tells which of the two is better.
//
// Two pairs have the same weight to the last random bit with a probability of n^2
// 2^-25 at most: then their order in the pool decides between them.
//
// Nothing is opened but the comparisons of shuffled rows in rss.SortPermutation,
// which show a uniformly random order. Leaks nothing.
//
// The work of a step is about four ANDs for each pair and couple, in packed bits,
// and a product of bit matrices that looks couples up. Measured between three
// processes, NewPool and Duplicates included, in rounds and megabytes a party: 510
// and 1.0 for 40 pairs, 970 and 11 for 100, 1,830 and 138 for 200 (in 63 MB of
// memory); for cycles of two alone 230 and 3.6 for 200.
func Exchange(s *mpc.Session, p *Pool) Matching {
	if !p.check(s) {
		return p.nothing()
	}
	if p.OfArcs {
		return p.exchangeByArcs(s)
	}
	arcs := p.arcs()
	weight, width := p.weights(s.Step("weight"), arcs)
	order := rss.SortPermutation(s.Step("order"), rss.Key{Column: weight, Bits: width})
	arcs = relabel(s.Step("relabel"), order, arcs)
	weight = rss.Permute(s.Step("weights"), order, weight)[0]
	both := rss.And(s.Step("mutual"), arcs, transpose(arcs))
	var gives rss.Bits
	if p.MaxCycle == 2 {
		gives = newTwos(p.N, both).choose(s.Step("choose"), p.steps())
	} else {
		m := newThrees(s.Step("threes"), arcs, both, weight, width)
		gives = direct(s.Step("direct"), m.choose(s.Step("choose"), p.steps()), arcs)
	}
	return p.named(s.Step("names"), order, gives)
}

// exchangeByArcs is Exchange by weights of arcs: cycles of the lowest mean of their arcs
// come first, equal ones in the order of secretly shuffled pairs.
//
// With m = n(n-1)(n-2)/6 + n(n-1)/2 sets of pairs, m scores are sorted once, and each step
// takes some 4 log2(m) bits for each set and pair of it. Measured in rounds and megabytes
// a party: 1,030 and 6.4 for 40 pairs, 2,770 and 169 for 100, 5,560 and 2,690 for 200 (in
// 510 MB of memory). Opens the comparisons of shuffled rows of one sort.
func (p *Pool) exchangeByArcs(s *mpc.Session) Matching {
	order := rss.NewPermutation(s.Step("shuffle"), p.N)
	arcs := relabel(s.Step("relabel"), order, p.arcs())
	weight := relabelNumbers(s.Step("weights"), order, p.Weight)
	market := newRanked(s.Step("sets"), arcs, weight, p.WeightBits, p.MaxCycle)
	return p.named(s.Step("names"), order, market.choose(s.Step("choose"), p.steps()))
}

// DefaultSteps is in how many steps cycles are chosen where a pool does not say: about
// twice as many as it took. Pools of 20, 40, 80, 100 and 200 pairs from the reference's
// generator took at most 4, 7, 14, 12 and 25, and for cycles of two 3, 3, 5, 5 and 9.
func DefaultSteps(pairs, maxCycle int) int {
	if maxCycle == 2 {
		return 4 + pairs/20
	}
	return 4 + pairs/5
}

func (p *Pool) steps() int {
	if p.Steps > 0 {
		return p.Steps
	}
	return DefaultSteps(p.N, p.MaxCycle)
}

// check refuses, before anything is sent, what cannot be a pool.
func (p *Pool) check(s *mpc.Session) bool {
	weights, most := p.N*min(p.WeightBits, 1), MaxPairs
	if p.OfArcs {
		weights, most = p.N*p.N, MaxPairsOfArcs
	}
	for _, b := range []struct {
		what      string
		k, lo, hi int
	}{
		{"pairs", p.N, minPairs, most},
		{"donors of arcs", p.Arcs.Width(), p.N, p.N},
		{"recipients of arcs", p.Arcs.Len(), p.N, p.N},
		{"arcs of the longest cycle", p.MaxCycle, 2, 3},
		{"steps of selection", p.Steps, 0, MaxPairs},
		{"bits of a weight", p.WeightBits, 0, maxWeightBits},
		{"weights", p.Weight.Len(), weights, weights},
		{"arcs with a worth", p.Worth.Len(), min(p.Worth.Len(), 1) * p.N * p.N, p.N * p.N},
	} {
		if b.k < b.lo || b.k > b.hi {
			s.Fail(fmt.Errorf("%d %s, want %d to %d", b.k, b.what, b.lo, b.hi))
			return false
		}
	}
	width := 0
	for _, f := range p.Fields {
		if width += max(f.Bits, 1); f.Values.Len() != p.N || f.Bits < 1 {
			s.Fail(fmt.Errorf("a field of %d elements and %d bits, want %d of 1 at least", f.Values.Len(), f.Bits, p.N))
		}
	}
	if width < 1 || width > maxFieldBits {
		s.Fail(fmt.Errorf("fields of %d bits in all, want 1 to %d", width, maxFieldBits))
	}
	return s.Err() == nil
}

// nothing is the result of a session that failed.
func (p *Pool) nothing() Matching {
	m := Matching{Matched: rss.Zero[ring.Vec64](max(p.N, 0))}
	for range p.Fields {
		m.To, m.From = append(m.To, m.Matched), append(m.From, m.Matched)
	}
	return m
}

// arcs are those of two different pairs. Local.
func (p *Pool) arcs() rss.Bits { return keep(p.Arcs, func(i, j int) bool { return i != j }) }

// weights returns the pairs' weights with their random part, and of how many bits
// they are.
func (p *Pool) weights(s *mpc.Session, arcs rss.Bits) (rss.Vec, int) {
	weight, width := p.Weight, p.WeightBits
	if width == 0 {
		weight, width = degrees(s.Step("degrees"), arcs, p.MaxCycle), degreeBits(p.N, p.MaxCycle)
	}
	ties := numbers(s.Step("ties"), rss.RandomBits(s.Step("random"), p.N, tieBits), tieBits)[0]
	return rss.Add(s, rss.Scale(s, weight, 1<<(tieBits+tieRoom)), ties), width + tieBits + tieRoom
}

// degrees counts for each pair the cycles that hold it: those of 2 arcs are walks of
// 2 arcs from it to itself, those of 3 are walks of 3. 4 rounds, 2 n^2 elements.
func degrees(s *mpc.Session, arcs rss.Bits, maxCycle int) rss.Vec {
	n := arcs.Len()
	a := rss.ToArith(s.Step("arcs"), arcs)
	back := rss.Transpose(s, a, n, n)
	count := rss.DotRows(s.Step("twos"), a, back, n)
	if maxCycle >= 3 {
		square := rss.MatMul(s.Step("square"), a, a, n, n, n)
		count = rss.Add(s, count, rss.DotRows(s.Step("threes"), square, back, n))
	}
	return count
}

// degreeBits is of how many bits degrees are.
func degreeBits(n, maxCycle int) int {
	if maxCycle == 2 {
		return bits.Len(uint(n - 1))
	}
	return bits.Len(uint((n - 1) * (n - 1)))
}

// relabel moves rows and columns of a graph. 6 rounds, 8 n^2 bits.
func relabel(s *mpc.Session, p *rss.Permutation, arcs rss.Bits) rss.Bits {
	arcs = rss.PermuteBits(s.Step("columns"), p, arcs)
	return transpose(rss.PermuteBits(s.Step("rows"), p, transpose(arcs)))
}

// relabelNumbers moves rows and columns of a square of numbers. 4 rounds, 8 n^2 elements.
func relabelNumbers(s *mpc.Session, p *rss.Permutation, x rss.Vec) rss.Vec {
	n := p.Len()
	for _, what := range []string{"columns", "rows"} {
		rows := make([]rss.Vec, n)
		for i := range rows {
			rows[i] = rss.Slice(s, x, i*n, (i+1)*n)
		}
		x = rss.Transpose(s, rss.Concat(s, rss.Permute(s.Step(what), p, rows...)...), n, n)
	}
	return x
}

// named returns the matching of pairs that a permutation has moved. Plane v of gives
// has the bit of the pair that v gives to.
func (p *Pool) named(s *mpc.Session, order *rss.Permutation, gives rss.Bits) Matching {
	all, w, widths := rss.Zero[ring.Vec64](p.N), 0, []int{1}
	for _, f := range p.Fields {
		all = rss.Add(s, all, rss.Scale(s, f.Values, 1<<w))
		w, widths = w+f.Bits, append(widths, f.Bits)
	}
	names := rss.PermuteBits(s.Step("move"), order, rss.Decompose(s.Step("bits"), all, w))
	rows := rss.ConcatPlanes(gives, transpose(gives))
	partner := rss.MatMulBits(s.Step("partner"), rows, transpose(names), 1)
	matched := fold(transpose(gives), func(int) bool { return true })
	back := rss.UnpermuteBits(s.Step("back"), order, rss.ConcatPlanes(
		matched, transpose(partner.Planes(0, p.N)), transpose(partner.Planes(p.N, 2*p.N))))
	values := numbers(s.Step("numbers"), back, append(widths, widths[1:]...)...)
	k := 1 + len(p.Fields)
	return Matching{Matched: values[0], To: values[1:k:k], From: values[k:]}
}
