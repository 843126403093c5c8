package match

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
)

// Pairs are shared pairs of several sites: in each row a recipient, who is the
// program's candidate, and a donor who does not suit her. Only the program and the
// sites' numbers of rows are public.
type Pairs struct {
	Program *policy.Program
	// Sites has for each site its number of rows. The rows of all lie one after the
	// other, site by site.
	Sites []int
	// Recipients are columns by Program.Candidate, Donors by Program.Donor. The values
	// of a row that is not present are in the inputs' ranges as well.
	Recipients []rss.Vec
	Donors     []rss.Vec
}

// Places of the fields that a matching names partners by; see Pool.Fields.
const (
	FieldPair     = 0 // the id
	FieldHospital = 1 // place in Pairs.Sites, from 1
)

// maxIDBits leaves room for a hospital among the bits of all fields.
const maxIDBits = 48

// maxWorthBits keeps sums over all pairs exact in float64, with room for tolerances.
const maxWorthBits = 20

// CheckPairs refuses policies and sizes that no pool can be made of.
func CheckPairs(p *policy.Program, pairs int) error {
	if pairs < minPairs || pairs > MaxPairs {
		return fmt.Errorf("%d pairs: an exchange is of %d to %d", pairs, minPairs, MaxPairs)
	}
	if len(p.Sort) > 0 {
		return errors.New("the policy is for ranking: an exchange takes one of kind exchange")
	}
	if id := &p.Nodes[p.ID]; id.Low < 0 || id.High >= 1<<maxIDBits {
		return fmt.Errorf("ids of pairs must be from 0 to %d at most", 1<<maxIDBits-1)
	}
	if p.Weight < 0 {
		return nil
	}
	switch w := &p.Nodes[p.Weight]; {
	case w.High-w.Low >= 1<<maxWeightBits:
		return fmt.Errorf("the policy's weight must have %d bits at most: round it", maxWeightBits)
	case p.Heaviest && max(-w.Low, w.High) >= 1<<maxWorthBits:
		return fmt.Errorf("of a weight that mode exact makes most of, the policy must allow no more than %d bits: round it", maxWorthBits)
	case ofDonor(p, p.Weight) && pairs > MaxPairsOfArcs:
		return fmt.Errorf("%d pairs: by weights of donor and recipient together an exchange is of %d at most", pairs, MaxPairsOfArcs)
	}
	return nil
}

// ofDonor tells whether a node depends on the donor.
func ofDonor(p *policy.Program, node int) bool {
	n := &p.Nodes[node]
	return n.Op == policy.OpInput && !n.Candidate ||
		slices.ContainsFunc(n.Args, func(a int) bool { return ofDonor(p, a) })
}

// NewPool evaluates the policy over every donor and recipient. Cycles will have at most
// maxCycle arcs. Who is eligible for whose organ is an arc; where the policy has a
// weight, cycles of a high mean weight come first: of their recipients where the weight is
// of the recipient alone, else of their arcs.
//
// What depends on one side alone is computed once a row, and the rest for all n^2 rows
// at once: of the policy that comes with Consilium that is one lookup in the mask of
// blood groups and an AND and an OR of a bit an antigen. Leaks nothing.
func NewPool(s *mpc.Session, p *Pairs, maxCycle int) *Pool {
	n := p.list().rows()
	if err := CheckPairs(p.Program, n); err != nil {
		s.Fail(err)
		return &Pool{Fields: make([]Field, 2)}
	}
	c := newCircuit(p.Program)
	id := c.run(s.Step("id"), n, p.Recipients, nil, c.number(p.Program.ID))[0]
	q := &Pool{
		N: n, MaxCycle: maxCycle,
		Arcs: c.runAll(s.Step("eligible"), n, n, p.Recipients, p.Donors, c.bit(p.Program.Eligible)),
		Fields: []Field{
			{id, p.Program.Nodes[p.Program.ID].Bits()},
			{p.list().hospitals(s), bits.Len(uint(len(p.Sites)))},
		},
	}
	if p.Program.Weight >= 0 {
		w := &p.Program.Nodes[p.Program.Weight]
		late := c.minus(c.constant(w.High), c.number(p.Program.Weight))
		q.WeightBits = max(1, bits.Len64(uint64(w.High-w.Low)))
		if q.OfArcs = ofDonor(p.Program, p.Program.Weight); q.OfArcs {
			q.Weight = c.tabulate(s.Step("weight"), n, n, p.Recipients, p.Donors, late)
		} else {
			q.Weight = c.run(s.Step("weight"), n, p.Recipients, nil, late)[0]
		}
		if p.Program.Heaviest {
			q.Worth = worthOfArcs(s, q, w.High)
		}
	}
	return q
}

// worthOfArcs turns how far the weights of a pool's arcs are below the greatest into them. Local.
func worthOfArcs(s *mpc.Session, q *Pool, greatest int64) rss.Vec {
	late := q.Weight
	if !q.OfArcs {
		late = rss.Repeat(s, late, q.N) // of the recipient alone: the same for all donors
	}
	return rss.AddConst(s, rss.Neg(s, late), greatest)
}

// list is the recipients alone.
func (p *Pairs) list() *List {
	return &List{Program: p.Program, Sites: p.Sites, Candidates: p.Recipients}
}

// Duplicates finds pairs whose id stands in more than one row, as the function of that
// name does for candidates.
func (p *Pairs) Duplicates(s *mpc.Session) (flags []rss.Vec, count rss.Vec) {
	n := p.list().rows()
	all := p.list().duplicates(s, n)
	if s.Err() != nil {
		all = rss.Zero[ring.Vec64](n)
	}
	return p.Own(s, all), rss.Sum(s, all)
}

// Own cuts a column of all rows into those of each site. Local.
func (p *Pairs) Own(s *mpc.Session, x rss.Vec) []rss.Vec {
	out, at := make([]rss.Vec, len(p.Sites)), 0
	for i, rows := range p.Sites {
		out[i] = rss.Slice(s, x, at, at+rows)
		at += rows
	}
	return out
}
