package match

import (
	"math/bits"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// ranked is the market of cycles whose arcs have weights of their own. Of such cycles
// no order of pairs or of couples decides which is better, so each set of two or three
// pairs is there by itself, with the place of its score among all scores, and in each
// step every pair finds the lowest place in a tournament among the sets that hold it.
// Pairs are in a secret random order.
//
// A set has one cycle: of three pairs that can give both ways round, the better one.
type ranked struct {
	n     int
	sets  []set
	left  rss.Bits // a bit a set: it has a cycle, and all its pairs are left
	lanes *lanes
	score rss.Bits // in lanes: see the planes below

	partners rss.Bits // bit j of plane i: i and j are in one cycle that is chosen
	back     rss.Bits // of a pair in a cycle that is chosen: the cycle's planeBack
}

// The planes of a set's score in the lanes, lowest first; after them its place, and on
// top whether it is gone.
const (
	planeBack  = iota // the cycle goes from each pair to the one before it, and the first gives to the last
	planeThree        // it is of three pairs
	planePlace
)

// set is pairs in ascending order; of two, the third is -1.
type set [3]int

// setsOf lists all sets of two and, where cycles are that long, of three pairs.
func setsOf(n, maxCycle int) []set {
	var list []set
	for a := range n {
		for b := a + 1; b < n; b++ {
			list = append(list, set{a, b, -1})
		}
	}
	for a := 0; a < n && maxCycle == 3; a++ {
		for b := a + 1; b < n; b++ {
			for c := b + 1; c < n; c++ {
				list = append(list, set{a, b, c})
			}
		}
	}
	return list
}

// lanes is how the sets that hold each pair lie side by side: lane v of every slot has
// a set that holds pair v, or none. A slot is whole words, so that the sets of all pairs
// meet in one operation.
type lanes struct {
	width int   // bits of a slot
	from  []int // at slot k, lane v: the set, or -1
}

func newLanes(n int, sets []set) *lanes {
	l := &lanes{width: wholeWords(n)}
	used := make([]int, n)
	for i, members := range sets {
		for _, v := range members {
			if v < 0 {
				continue
			}
			at := used[v]*l.width + v
			for at >= len(l.from) {
				for range l.width {
					l.from = append(l.from, -1)
				}
			}
			l.from[at] = i
			used[v]++
		}
	}
	return l
}

// newRanked lays the market out. Weight has for donor i and recipient j at i n + j how
// late the arc comes: a number of so many bits.
//
// A cycle's score is 6 times the mean of its arcs. Scores are sorted once; from then on
// the place, which no two sets share, stands for them.
func newRanked(s *mpc.Session, arcs rss.Bits, weight rss.Vec, width, maxCycle int) *ranked {
	n := arcs.Len()
	m := &ranked{n: n, sets: setsOf(n, maxCycle), partners: rss.ZeroBits(n, n), back: rss.ZeroBits(n, 1)}
	m.lanes = newLanes(n, m.sets)
	score, back := m.cycles(s.Step("cycles"), arcs, weight, width)
	order := rss.SortPermutation(s.Step("order"), rss.Key{Column: score, Bits: width + 3})
	places, three := ring.MakePlanes(len(m.sets), bits.Len(uint(len(m.sets)))), ring.MakePlanes(len(m.sets), 1)
	for i, members := range m.sets {
		three.SetBit(0, i, members[2] >= 0)
		for k := range places.W {
			places.SetBit(k, i, i>>k&1 == 1)
		}
	}
	place := rss.UnpermuteBits(s.Step("places"), order, rss.PublicBits(s, places))
	m.score = gather(rss.ConcatPlanes(back, rss.PublicBits(s, three), place), m.lanes.from)
	return m
}

// cycles returns of each set the score of its cycle and whether that goes back, and
// notes which sets have one. The score of a set without is anything.
func (m *ranked) cycles(s *mpc.Session, arcs rss.Bits, weight rss.Vec, width int) (score rss.Vec, back rss.Bits) {
	// Two pairs have a third arc that is always there and weighs nothing: after all others.
	arcs = local(reshape(arcs, m.n*m.n), func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(m.n*m.n+1, 1)
		copy(z.Words, p.Words)
		return z
	})
	always := ring.MakePlanes(m.n*m.n+1, 1)
	always.SetBit(0, m.n*m.n, true)
	arcs = rss.Xor(s, arcs, rss.PublicBits(s, always))
	weight = rss.Concat(s, weight, rss.Zero[ring.Vec64](1))
	couples := m.n * (m.n - 1) / 2
	var exist [2]rss.Bits
	var late [2]rss.Vec
	for way := range late {
		var at [3][]int
		for _, members := range m.sets {
			for k, place := range members.arcs(m.n, way == 1) {
				at[k] = append(at[k], place)
			}
		}
		exist[way] = rss.AndAll(s.Step("exist", way), rss.ConcatPlanes(gather(arcs, at[0]), gather(arcs, at[1]), gather(arcs, at[2])))
		sum := rss.Add(s, elements(weight, at[0]), rss.Add(s, elements(weight, at[1]), elements(weight, at[2])))
		late[way] = rss.Scale(s, rss.Slice(s, sum, 0, couples), 3)
		if couples < len(m.sets) {
			late[way] = rss.Concat(s, late[way], rss.Scale(s, rss.Slice(s, sum, couples, len(m.sets)), 2))
		}
	}
	less := rss.Sub(s, late[1], late[0])
	wins := rss.Or(s.Step("wins"), rss.Not(s, exist[0]), rss.LessPublic(s.Step("earlier"), less, 0, width+4))
	back = rss.And(s.Step("back"), exist[1], wins)
	m.left = rss.Or(s.Step("either"), exist[0], exist[1])
	return rss.Add(s, late[0], rss.Mul(s.Step("change"), rss.ToArith(s.Step("chosen"), back), less)), back
}

// arcs are the places of a cycle's three arcs, donor by recipient; where there are two,
// the third is the place after all arcs.
func (of set) arcs(n int, back bool) [3]int {
	a, b, c := of[0], of[1], of[2]
	switch {
	case c < 0:
		return [3]int{a*n + b, b*n + a, n * n}
	case back:
		return [3]int{b*n + a, c*n + b, a*n + c}
	}
	return [3]int{a*n + b, b*n + c, c*n + a}
}

// choose returns to whom each pair gives after so many steps, bit u of plane v for v
// to u.
func (m *ranked) choose(s *mpc.Session, steps int) rss.Bits {
	for i := range steps {
		s := s.Step("step", i)
		best := m.best(s.Step("best"))
		chosen := m.agree(s.Step("agree"), best)
		if i < steps-1 {
			m.remove(s.Step("remove"), chosen)
		}
	}
	// Who comes next among the partners or, in cycles that go back, the other one.
	next := nextOf(s.Step("next"), m.partners)
	return rss.Xor(s, next, rss.And(s.Step("back"), m.partners, fill(m.back, m.n)))
}

// best returns of each pair the planes of the best set that holds it and is left, with
// on top whether there is none.
func (m *ranked) best(s *mpc.Session) rss.Bits {
	gone := rss.Not(s, gather(m.left, m.lanes.from))
	b, width := rss.ConcatPlanes(m.score, gone), m.lanes.width
	for slots := len(m.lanes.from) / width; slots > 1; slots -= slots / 2 {
		s, half := s.Step("of", slots), slots/2*width
		low, high := within(b, 0, half), within(b, 1, half)
		better := less(s.Step("less"), high.Planes(planePlace, b.Width()), low.Planes(planePlace, b.Width()))
		winner := choose(s.Step("winner"), spread(better, b.Width()), high, low)
		if slots%2 == 1 {
			winner = beside(winner, within(b, slots-1, width))
		}
		b = winner
	}
	return widen(b, m.n)
}

// agree notes the cycles that are best for all their pairs, and returns which pairs
// these are. Two pairs name the same place where both are in the same set, and only
// there.
func (m *ranked) agree(s *mpc.Session, best rss.Bits) rss.Bits {
	top := best.Width() - 1
	var differ []rss.Bits
	for k := planePlace; k < top; k++ {
		differ = append(differ, local(rss.Xor(s, spread(best.Plane(k), m.n), fill(best.Plane(k), m.n)), ring.Planes.Flat))
	}
	same := rss.Not(s, rss.OrAll(s.Step("same"), rss.ConcatPlanes(differ...)))
	there := rss.Not(s, best.Plane(top))
	named := rss.And(s.Step("named"), reshape(same, m.n), fill(there, m.n))
	named = keep(named, func(i, j int) bool { return i != j })
	// Of two pairs one other must name it, of three two must.
	each := transpose(named)
	one := fold(each, func(int) bool { return true }) // or three, which cannot be
	some := rss.Not(s, none(s.Step("some"), each, rss.ZeroBits(m.n, 1)))
	chosen := choose(s.Step("chosen"), best.Plane(planeThree), rss.Xor(s, some, one), one)
	m.partners = rss.Xor(s, m.partners, rss.And(s.Step("partners"), named, fill(chosen, m.n)))
	m.back = rss.Xor(s, m.back, rss.And(s.Step("back"), chosen, best.Plane(planeBack)))
	return chosen
}

// remove takes the sets out that hold one of these pairs.
func (m *ranked) remove(s *mpc.Session, gone rss.Bits) {
	stays := []rss.Bits{m.left}
	for k := range len(set{}) {
		from := make([]int, len(m.sets))
		for i, members := range m.sets {
			from[i] = members[k]
		}
		stays = append(stays, rss.Not(s, gather(gone, from)))
	}
	m.left = rss.AndAll(s, rss.ConcatPlanes(stays...))
}
