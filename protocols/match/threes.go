package match

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// threes is the market of cycles of two and three arcs. Pairs are in order of their
// weights, and couples, which are any two pairs, in order of the sums of theirs. Rows
// of couples are interleaved in segments: see firstOf.
type threes struct {
	n       int
	segment int // bits of one
	width   int // bits of a goodness

	// In plane v, the couples and the pairs with which pair v makes a cycle and that
	// are left.
	long, short rss.Bits
	members     rss.Bits // in plane v, the couples with v as lower pair, then as higher
	couples     rss.Bits // a plane a couple: its goodness, and which pairs it is of
	goodness    rss.Bits // a plane for each two pairs: that of their cycle
	partners    rss.Bits // bit j of plane i: i and j are in one cycle that is chosen
}

// newThrees lays out the market of a graph, of which both are the arcs that go both
// ways. What cycles are to a pair of weight v is 6 times their mean weight less 2 v:
// 2 (b + c) with a couple of b and c, and v + 3 b with one pair. Goodness is the
// complement of this, under a leading 1, so that 0, which does not exist, is worst.
func newThrees(s *mpc.Session, arcs, both rss.Bits, weight rss.Vec, width int) *threes {
	n := arcs.Len()
	lower, higher := couples(n)
	m := &threes{n: n, width: width + 3, partners: rss.ZeroBits(n, n)}
	m.segment = 64 * ring.Stride(max(n, (len(lower)+segments-1)/segments))
	m.short = widen(both, m.segment)

	sums := rss.Add(s, elements(weight, lower), elements(weight, higher))
	good := rss.Not(s, rss.Decompose(s.Step("sums"), rss.Scale(s, sums, 2), width+2))
	order := rss.SortPermutation(s.Step("order"), rss.Key{Column: sums, Bits: width + 1})
	sorted := rss.PermuteBits(s.Step("sort"), order, rss.ConcatPlanes(
		cyclesOfThree(s.Step("cycles"), arcs, lower, higher),
		holding(s, n, lower), holding(s, n, higher), good, ones(s, len(lower))))
	places := gather(sorted, interleaved(len(lower), m.segment))
	at := func(lo, hi int) rss.Bits { return places.Planes(lo, hi) }
	low, high := at(n, 2*n), at(2*n, 3*n)
	m.long, m.members = at(0, n), beside(low, high)
	m.couples = transpose(rss.ConcatPlanes(at(3*n, 3*n+m.width), rss.Xor(s, low, high)))

	var own, other []int
	for i := range n * n {
		own, other = append(own, i/n), append(other, i%n)
	}
	scores := rss.Add(s, elements(weight, own), rss.Scale(s, elements(weight, other), 3))
	good = rss.Not(s, rss.Decompose(s.Step("scores"), scores, width+2))
	m.goodness = transpose(rss.ConcatPlanes(good, ones(s, n*n)))
	return m
}

// couples lists all sets of two pairs.
func couples(n int) (lower, higher []int) {
	for b := range n {
		for c := b + 1; c < n; c++ {
			lower, higher = append(lower, b), append(higher, c)
		}
	}
	return lower, higher
}

// cyclesOfThree returns for each pair, a plane each, with which couples it makes a
// cycle, in either direction. 3 rounds, 5 n m bits for m couples.
func cyclesOfThree(s *mpc.Session, arcs rss.Bits, lower, higher []int) rss.Bits {
	back, m := transpose(arcs), len(lower)
	there := make([]int, m)
	for i := range there {
		there[i] = lower[i]*arcs.Len() + higher[i]
	}
	inside := func(b rss.Bits) rss.Bits { return spread(gather(reshape(b, b.Len()*b.Len()), there), b.Len()) }
	ends := rss.And(s.Step("ends"), // from v to one of the couple, and from the other to v
		rss.ConcatPlanes(gather(arcs, lower), gather(arcs, higher)),
		rss.ConcatPlanes(gather(back, higher), gather(back, lower)))
	ways := rss.And(s.Step("ways"), ends, rss.ConcatPlanes(inside(arcs), inside(back)))
	return rss.Or(s.Step("either"), ways.Planes(0, arcs.Len()), ways.Planes(arcs.Len(), ways.Width()))
}

// holding returns which couples hold pair v as the one of them that is given: v's
// plane.
func holding(s *mpc.Session, n int, pairs []int) rss.Bits {
	p := ring.MakePlanes(len(pairs), n)
	for i, v := range pairs {
		p.SetBit(v, i, true)
	}
	return rss.PublicBits(s, p)
}

// ones returns a plane of ones.
func ones(s *mpc.Session, n int) rss.Bits { return rss.Not(s, rss.ZeroBits(n, 1)) }

// elements returns the elements at public places. Local.
func elements(x rss.Vec, from []int) rss.Vec {
	z := rss.Zero[ring.Vec64](len(from))
	for i, k := range from {
		z.A[i], z.B[i] = x.A[k], x.B[k]
	}
	return z
}

// beside returns the planes of x, each followed by that of y, for planes of whole
// words. Local.
func beside(x, y rss.Bits) rss.Bits {
	join := func(p, q ring.Planes) ring.Planes {
		z := ring.MakePlanes(p.N+q.N, p.W)
		for j := range p.W {
			copy(z.Plane(j), p.Plane(j))
			copy(z.Plane(j)[p.Stride():], q.Plane(j))
		}
		return z
	}
	return rss.Bits{A: join(x.A, y.A), B: join(x.B, y.B)}
}

// choose returns the partners that pairs have after so many steps.
func (m *threes) choose(s *mpc.Session, steps int) rss.Bits {
	for i := range steps {
		s := s.Step("step", i)
		wishes, exists := m.wishes(s.Step("wishes"))
		chosen := agreed(s.Step("agreed"), wishes, exists)
		m.partners = rss.Xor(s, m.partners, rss.And(s.Step("chosen"), wishes, spread(chosen, m.n)))
		if i < steps-1 {
			m.remove(s.Step("remove"), chosen)
		}
	}
	return m.partners
}

// wishes returns of the best cycle of each pair the other pairs, bit v of plane u
// for pair u in that of v, and whether there is one.
//
// Any two pairs order the cycles that hold both of them alike, also those of equal
// score: couples of equal sums are in order of their pairs, so that the third pair
// alone decides, and between three and two they compare the same numbers. So two
// pairs that wish for each other wish for the same cycle.
func (m *threes) wishes(s *mpc.Session) (wishes, exists rss.Bits) {
	long, short := firstOf(s.Step("first"), m.long, m.short)
	short = widen(short, m.n)
	three := transpose(rss.MatMulBits(s.Step("couple"), long, m.couples, 1))
	goodness := rss.MatMulBits(s.Step("goodness"), short, m.goodness, m.n)
	two := rss.ConcatPlanes(transpose(goodness), transpose(short))
	better := less(s.Step("better"), three.Planes(0, m.width), two.Planes(0, m.width))
	// Of each, whether it exists, the leading bit of its goodness, and its pairs.
	of := func(b rss.Bits) rss.Bits { return b.Planes(m.width-1, m.width+m.n) }
	best := choose(s.Step("best"), spread(better, m.n+1), of(two), of(three))
	return best.Planes(1, m.n+1), best.Plane(0)
}

// remove takes pairs, and the couples that hold them, out of all rows.
func (m *threes) remove(s *mpc.Session, gone rss.Bits) {
	size := segments * m.segment
	either := rss.MatMulBits(s.Step("members"), gone, m.members, 1)
	dead := rss.Or(s.Step("couples"), cutBits(either, 0, size), cutBits(either, size, 2*size))
	m.long = rss.And(s.Step("long"), m.long, spread(rss.Not(s, dead), m.n))
	m.short = rss.And(s.Step("short"), m.short, spread(rss.Not(s, widen(gone, m.segment)), m.n))
}

// cutBits returns bits lo to hi-1 of a plane, whole words. Local.
func cutBits(b rss.Bits, lo, hi int) rss.Bits {
	return local(b, func(p ring.Planes) ring.Planes {
		return ring.Planes{N: hi - lo, W: 1, Words: p.Words.Slice(lo/64, hi/64)}
	})
}
