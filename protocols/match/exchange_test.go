package match_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/protocols/match"
)

// groups are the blood groups in the order of their codes, and suits says which
// recipients a donor's suits: bit by recipient's code.
var (
	groups = []string{"O", "A", "B", "AB"}
	suits  = []int64{0b1111, 0b1010, 0b1100, 0b1000}
)

// pair is a pair in the clear.
type pair struct {
	donor, recipient int // blood groups
	antigens         []int
	unacceptable     []int
	invalid          bool
}

// pool is pairs in the clear, with the number of antigens that there are.
type pool struct {
	pairs    []pair
	antigens int
	weights  []uint64
	ofArcs   []uint64 // weights of arcs, donor by recipient
	worth    []uint64
}

// arc is the oracle of compatibility.
func (p *pool) arc(i, j int) bool {
	a, b := &p.pairs[i], &p.pairs[j]
	if i == j || a.invalid || b.invalid || suits[a.donor]>>b.recipient&1 == 0 {
		return false
	}
	return !slices.ContainsFunc(a.antigens, func(x int) bool { return slices.Contains(b.unacceptable, x) })
}

// pseudonym is what pair i is called.
func pseudonym(i int) uint64 { return uint64(i)*7919 + 1000003 }

// share shares the pool, from party 0.
func (p *pool) share(s *mpc.Session, limit int) *match.Pool {
	n, inputs := len(p.pairs), 0
	in := func(v ring.Vec64) rss.Vec {
		inputs++
		if s.Self() != 0 {
			return rss.Input[ring.Vec64](s.Step("input", inputs), 0, len(v), nil)
		}
		return rss.Input(s.Step("input", inputs), 0, len(v), v)
	}
	names, numbers, arcs := make(ring.Vec64, n), make(ring.Vec64, n), ring.MakePlanes(n, n)
	for i := range names {
		names[i], numbers[i] = pseudonym(i), uint64(i)
		for j := range n {
			arcs.SetBit(i, j, i == j || p.arc(i, j)) // nobody's own donor counts
		}
	}
	shared := &match.Pool{
		N: n, Arcs: inputBits(s.Step("arcs"), arcs), MaxCycle: limit,
		Fields: []match.Field{{Values: in(names), Bits: 24}, {Values: in(numbers), Bits: 9}},
	}
	if p.weights != nil {
		shared.Weight, shared.WeightBits = in(ring.Vec64(p.weights)), 20
	}
	if p.ofArcs != nil {
		shared.Weight, shared.WeightBits, shared.OfArcs = in(ring.Vec64(p.ofArcs)), 20, true
		shared.Steps = n // each takes a cycle while there is one
	}
	if p.worth != nil {
		shared.Worth = in(ring.Vec64(p.worth))
	}
	return shared
}

// inputBits shares planes of bits, from party 0.
func inputBits(s *mpc.Session, p ring.Planes) rss.Bits {
	v := p.Flat().Vec64()
	if s.Self() != 0 {
		v = nil
	}
	x := rss.Input(s, 0, p.N*p.W, v)
	bits := rss.Bits{A: ring.Transpose(x.A, 1), B: ring.Transpose(x.B, 1)}
	planes := make([]rss.Bits, p.W)
	for j := range planes {
		planes[j] = rss.ZeroBits(p.N, 1)
		for i := range p.N {
			planes[j].A.SetBit(0, i, bits.A.Bit(0, j*p.N+i))
			planes[j].B.SetBit(0, i, bits.B.Bit(0, j*p.N+i))
		}
	}
	return rss.ConcatPlanes(planes...)
}

// matching is who gives to whom in the clear: -1 for nobody.
type matching struct{ to, from []int }

// transplants counts.
func (m *matching) transplants() int {
	n := 0
	for _, j := range m.to {
		if j >= 0 {
			n++
		}
	}
	return n
}

type exchange func(s *mpc.Session, p *match.Pool) match.Matching

// run computes a matching of shared pairs and opens it, as no party may.
func run(t testing.TB, p *pool, limit int, seed uint64, compute exchange) (*matching, *memnet.World) {
	t.Helper()
	w := memnet.New(memnet.Config{Seed: seed})
	out, err := memnet.Collect(w, func(s *mpc.Session) ([]ring.Vec64, error) {
		m := compute(s.Step("exchange"), p.share(s.Step("share"), limit))
		var all []ring.Vec64
		for i, x := range []rss.Vec{m.Matched, m.To[0], m.From[0], m.To[1], m.From[1]} {
			all = append(all, rss.Open(s.Step("result", i), x))
		}
		return all, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.read(t, out[0]), w
}

// read checks the form of a result.
func (p *pool) read(t testing.TB, opened []ring.Vec64) *matching {
	t.Helper()
	m := &matching{}
	index := func(name uint64) int {
		if name == 0 {
			return -1
		}
		for i := range p.pairs {
			if pseudonym(i) == name {
				return i
			}
		}
		t.Fatalf("%d is nobody's pseudonym", name)
		return 0
	}
	for i := range p.pairs {
		to, from := index(opened[1][i]), index(opened[2][i])
		if to >= 0 && (opened[3][i] != uint64(to) || opened[4][i] != uint64(from)) {
			t.Fatalf("pair %d: its partners' fields are not of the same pairs", i)
		}
		if matched := opened[0][i]; matched > 1 || (matched == 1) != (to >= 0) || (to >= 0) != (from >= 0) {
			t.Fatalf("pair %d: matched %d, gives to %d, is given by %d", i, matched, to, from)
		}
		m.to, m.from = append(m.to, to), append(m.from, from)
	}
	return m
}

// checkValid wants disjoint cycles of compatible pairs within the limit.
func (p *pool) checkValid(t testing.TB, m *matching, limit int) {
	t.Helper()
	for i, j := range m.to {
		if j < 0 {
			continue
		}
		if !p.arc(i, j) || m.from[j] != i {
			t.Fatalf("pair %d gives to %d, who is given by %d", i, j, m.from[j])
		}
		length := 1
		for k := j; k != i; k = m.to[k] {
			if length++; length > limit {
				t.Fatalf("the cycle of pair %d is longer than %d", i, limit)
			}
		}
	}
}

// cycles lists all cycles: each pair gives to the next.
func (p *pool) cycles(limit int) [][]int {
	var list [][]int
	n := len(p.pairs)
	for i := range n {
		for j := i + 1; j < n; j++ {
			if p.arc(i, j) && p.arc(j, i) {
				list = append(list, []int{i, j})
			}
			for k := j + 1; k < n && limit == 3; k++ {
				if p.arc(i, j) && p.arc(j, k) && p.arc(k, i) {
					list = append(list, []int{i, j, k})
				}
				if p.arc(i, k) && p.arc(k, j) && p.arc(j, i) {
					list = append(list, []int{i, k, j})
				}
			}
		}
	}
	return list
}

// scores are 6 times the mean weight of each cycle's arcs, or else of its pairs: their
// degrees where the pool has no weights.
func (p *pool) scores(cycles [][]int) []uint64 {
	if p.ofArcs != nil {
		return p.sums(cycles, p.ofArcs, func(c []int) uint64 { return uint64(6 / len(c)) })
	}
	weights := p.weights
	if weights == nil {
		weights = make([]uint64, len(p.pairs))
		for _, c := range cycles {
			for _, v := range c {
				weights[v]++
			}
		}
	}
	scores := make([]uint64, len(cycles))
	for k, c := range cycles {
		for _, v := range c {
			scores[k] += weights[v] * uint64(6/len(c))
		}
	}
	return scores
}

// sums adds up numbers of arcs over each cycle, and multiplies.
func (p *pool) sums(cycles [][]int, ofArcs []uint64, by func(c []int) uint64) []uint64 {
	sums := make([]uint64, len(cycles))
	for k, c := range cycles {
		for i, v := range c {
			sums[k] += ofArcs[v*len(p.pairs)+c[(i+1)%len(c)]] * by(c)
		}
	}
	return sums
}

// checkGreedy wants what greedy selection by score may choose, whatever it does
// with equal scores: in the way of each cycle that is not chosen is one with no
// higher score.
func (p *pool) checkGreedy(t testing.TB, m *matching, limit int) {
	t.Helper()
	cycles := p.cycles(limit)
	scores := p.scores(cycles)
	inTheWay := make([]uint64, len(p.pairs)) // the score of the chosen cycle of a pair
	for k, c := range cycles {
		if m.holds(c) {
			for _, v := range c {
				inTheWay[v] = scores[k] + 1
			}
		}
	}
	for k, c := range cycles {
		if !slices.ContainsFunc(c, func(v int) bool { return inTheWay[v] > 0 && inTheWay[v]-1 <= scores[k] }) {
			t.Fatalf("cycle %v of score %d is not chosen, and none that is lower is in its way", c, scores[k])
		}
	}
}

// holds reports whether a cycle is one of the matching.
func (m *matching) holds(c []int) bool {
	for i, v := range c {
		if m.to[v] != c[(i+1)%len(c)] {
			return false
		}
	}
	return true
}

// TestExchange: whatever the pool, the choice is valid and greedy; and it is the one of
// the rules where no scores are equal.
func TestExchange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 80 {
		p, limit := drawPool(rng, 2+rng.IntN(13)), 2+i%2
		if i%4 >= 2 {
			p.weights = make([]uint64, len(p.pairs))
			for v := range p.weights {
				p.weights[v] = rng.Uint64N(1 << 20)
			}
		}
		m, _ := run(t, p, limit, uint64(i), match.Exchange)
		p.checkValid(t, m, limit)
		p.checkGreedy(t, m, limit)
	}
}

// TestExact: the choice is valid and has as many transplants as any.
func TestExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		p, limit := drawPool(rng, 2+rng.IntN(12)), 2+i%2
		m, _ := run(t, p, limit, uint64(i), match.Exact)
		p.checkValid(t, m, limit)
		if got, want := m.transplants(), p.most(limit, func(c []int) int { return len(c) }); got != want {
			t.Fatalf("%d transplants, want %d", got, want)
		}
	}
}

// most tries all choices of cycles for the greatest worth.
func (p *pool) most(limit int, worth func(c []int) int) int {
	cycles := p.cycles(limit)
	best := map[uint]int{} // by the pairs that are left
	var try func(left uint) int
	try = func(left uint) int {
		if n, ok := best[left]; ok {
			return n
		}
		most := 0
		for _, c := range cycles {
			own := uint(0)
			for _, v := range c {
				own |= 1 << v
			}
			if left&own == own {
				most = max(most, worth(c)+try(left&^own))
			}
		}
		best[left] = most
		return most
	}
	return try(1<<len(p.pairs) - 1)
}

// TestReferencePools compares with the most transplants that an integer programme
// finds.
func TestReferencePools(t *testing.T) {
	pools := referencePools(t)
	got, most := 0, 0
	for _, r := range table(t, "examples", "exchange_expected.csv") {
		p, limit, best := pools[whole(t, r["pool"])], whole(t, r["cycle_cap"]), whole(t, r["max_transplants"])
		if n := len(p.cycles(limit)); n != whole(t, r["cycles"]) {
			t.Errorf("%d cycles, want %s", n, r["cycles"])
		}
		m, _ := run(t, p, limit, 5, match.Exchange)
		p.checkValid(t, m, limit)
		p.checkGreedy(t, m, limit)
		got, most = got+m.transplants(), most+best

		m, _ = run(t, p, limit, 5, match.Exact)
		p.checkValid(t, m, limit)
		if n := m.transplants(); n != best {
			t.Errorf("%s pairs, cycles up to %d, exact: %d transplants, want %d", r["pool"], limit, n, best)
		}
	}
	checkQuality(t, got, most)
}

func checkQuality(t *testing.T, got, most int) {
	t.Helper()
	t.Logf("%d of %d transplants", got, most)
	if 100*got < 94*most {
		t.Errorf("%d of %d transplants are less than 94 %%", got, most)
	}
}

// TestGeneratedPools is TestReferencePools over others from the same generator.
func TestGeneratedPools(t *testing.T) {
	l, rng := newLaboratory(t), rand.New(rand.NewPCG(5, 6))
	for i := range 3 {
		got, most := 0, 0
		for _, n := range []int{20, 40, 80} {
			p := l.generated(rng, n)
			for limit := 2; limit <= 3; limit++ {
				m, _ := run(t, p, limit, uint64(i), match.Exchange)
				p.checkValid(t, m, limit)
				p.checkGreedy(t, m, limit)
				best, _ := run(t, p, limit, uint64(i), match.Exact)
				p.checkValid(t, best, limit)
				got, most = got+m.transplants(), most+best.transplants()
			}
		}
		checkQuality(t, got, most)
	}
}

// TestTooFewSteps: what is not chosen yet is left out, and the rest is valid.
func TestTooFewSteps(t *testing.T) {
	p := referencePools(t)[40]
	var before int
	for steps := 1; steps <= 3; steps++ {
		m, _ := run(t, p, 3, 1, func(s *mpc.Session, q *match.Pool) match.Matching {
			q.Steps = steps
			return match.Exchange(s, q)
		})
		p.checkValid(t, m, 3)
		if n := m.transplants(); n <= before {
			t.Errorf("%d transplants after %d steps, %d after one less", n, steps, before)
		} else {
			before = n
		}
	}
}

// TestEqualScoresAreRandom: of two donors who could save one pair's recipient, and
// the other way round, each is chosen about as often, wherever they stand.
func TestEqualScoresAreRandom(t *testing.T) {
	p := &pool{antigens: 2, pairs: []pair{
		{antigens: []int{1}, unacceptable: []int{1}},
		{antigens: []int{0}, unacceptable: []int{0}},
		{antigens: []int{1}, unacceptable: []int{1}},
	}}
	chosen := make([]int, 3)
	const runs = 200
	for seed := range uint64(runs) {
		m, _ := run(t, p, 2, seed, match.Exchange)
		chosen[m.to[1]]++
	}
	// Six standard deviations.
	if chosen[0]+chosen[2] != runs || chosen[0] < runs/2-43 || chosen[2] < runs/2-43 {
		t.Errorf("pairs 0 and 2 were chosen %d and %d times", chosen[0], chosen[2])
	}
}

// TestTranscripts: what is seen of two pools of one size is the same, and the
// comparisons of shuffled rows and, with exact, the graph are all that is opened.
func TestTranscripts(t *testing.T) {
	l, rng := newLaboratory(t), rand.New(rand.NewPCG(7, 8))
	one, other := l.generated(rng, 20), l.generated(rng, 20)
	for i := range other.pairs { // nobody suits anybody, and some are padding
		other.pairs[i].donor, other.pairs[i].recipient, other.pairs[i].invalid = 3, 0, i%3 == 0
	}
	for _, c := range []struct {
		name     string
		limit    int
		compute  exchange
		openings []string
	}{
		{"twos", 2, match.Exchange, []string{"exchange/order/"}},
		{"threes", 3, match.Exchange, []string{"exchange/order/", "exchange/threes/order/"}},
		{"exact", 3, match.Exact, []string{"exchange/graph/open"}},
	} {
		_, w := run(t, one, c.limit, 1, c.compute)
		seen := w.Transcript().At("exchange")
		_, w = run(t, other, c.limit, 1, c.compute)
		if got := w.Transcript().At("exchange"); got.Shape() != seen.Shape() {
			t.Errorf("%s: the transcripts of two pools differ in shape", c.name)
		}
		for _, o := range seen.Openings() {
			if !slices.ContainsFunc(c.openings, func(prefix string) bool { return strings.HasPrefix(o, prefix) }) {
				t.Errorf("%s: opens %s", c.name, o)
			}
		}
	}
}

// TestCosts: the rounds of pools of 10 pairs, so small that they can be counted.
func TestCosts(t *testing.T) {
	p := drawPool(rand.New(rand.NewPCG(9, 10)), 10)
	for limit, want := range map[int][2]int{2: {57, 6}, 3: {126, 30}} {
		var rounds [2]int
		for i := range rounds {
			_, w := run(t, p, limit, 1, func(s *mpc.Session, q *match.Pool) match.Matching {
				q.Steps = 1 + i
				return match.Exchange(s, q)
			})
			rounds[i] = w.Rounds()
		}
		if got := [2]int{rounds[0], rounds[1] - rounds[0]}; got != want {
			t.Errorf("cycles up to %d: %d rounds with one step and %d more with two, want %v", limit, got[0], got[1], want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		change func(p *match.Pool)
		want   string
	}{
		{func(p *match.Pool) { p.N = 1 }, "1 pairs, want 2 to 512"},
		{func(p *match.Pool) { p.N = 3 }, "2 donors of arcs, want 3 to 3"},
		{func(p *match.Pool) { p.MaxCycle = 4 }, "4 arcs of the longest cycle, want 2 to 3"},
		{func(p *match.Pool) { p.Steps = -1 }, "-1 steps of selection"},
		{func(p *match.Pool) { p.WeightBits = 20 }, "0 weights, want 2"},
		{func(p *match.Pool) { p.Fields[0].Bits = 0 }, "a field of 2 elements and 0 bits"},
		{func(p *match.Pool) { p.Fields[1].Bits = 40 }, "fields of 64 bits in all, want 1 to 60"},
		{func(p *match.Pool) { p.Fields = nil }, "fields of 0 bits in all"},
	} {
		for _, compute := range []exchange{match.Exchange, match.Exact} {
			p := &pool{antigens: 3, pairs: make([]pair, 2)}
			w := memnet.New(memnet.Config{Seed: 1})
			err := w.Run(func(s *mpc.Session) error {
				q := p.share(s.Step("share"), 2)
				c.change(q)
				m := compute(s.Step("exchange"), q)
				if n := max(q.N, 0); m.Matched.Len() != n || len(m.To) != len(q.Fields) || len(m.From) != len(q.Fields) {
					t.Errorf("a result of %d pairs for %d", m.Matched.Len(), n)
				}
				return s.Err()
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if len(w.Transcript().At("exchange")) > 0 {
				t.Error("something was sent")
			}
		}
	}
}
