package match

import (
	"errors"
	"fmt"
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
)

// List is shared waiting lists and a donor: what a policy's program ranks. Only the
// program and the sites' numbers of rows are public.
type List struct {
	Program *policy.Program
	// Sites has for each site its number of rows. The rows of all lie one after the
	// other, site by site.
	Sites []int
	// Candidates are columns by Program.Candidate, of which one says which rows are
	// present. The values of a row that is not are in the inputs' ranges as well.
	Candidates []rss.Vec
	// Donor are numbers by Program.Donor, of one element each.
	Donor []rss.Vec
}

// presence is the input that is 1 in a row of a candidate and 0 in one that only fills
// up a site's rows to their public number.
const presence = "candidate.present"

// Names of the columns of Rows that every policy has.
const (
	ColumnTier      = "tier"      // place in Program.Tiers, from 0
	ColumnPoints    = "points"    // in Program.PointsStep
	ColumnCandidate = "candidate" // the id
	ColumnHospital  = "hospital"  // place in List.Sites, from 1
)

// Column is a shared column of a result.
type Column struct {
	Name   string
	Values rss.Vec
}

// Rows are shared rows of a ranked list, best first. A row that is none, or that
// belongs to another part of the list, has zeros in all columns, and only Ranked
// tells it from others.
type Rows struct {
	Ranked rss.Vec // 1 or 0
	// Columns are tier, points, candidate, hospital, and then those of Program.Shown.
	Columns []Column
	sites   int
}

// Ranking is the result of Rank.
type Ranking struct {
	Rows
	Eligible rss.Vec // how many candidates are eligible: one element
	// Faults counts the eligible candidates for whom not exactly one tier holds: one
	// element. If it is not 0 the ranking means nothing and must not be revealed.
	Faults rss.Vec
}

// Rank ranks the candidates that are eligible for the donor, best first, and returns
// the best k, or as many as there are rows: k is public, and how many of them are
// rows of the list is not.
//
// The program runs on shares, all candidates at once (see circuit.run), and gives the
// numbers by which the policy's order is ascending; rows that are not eligible come
// last. The sort carries tier, points and so on of the first k rows, and the hospital,
// which follows from where a row lay before; all are then multiplied by whether their
// row is eligible. Nothing is opened but the comparisons of shuffled rows in rss.TopK,
// or in rss.Sort for a policy whose order takes more than 62 bits: they show a
// uniformly random order. Leaks nothing.
//
// The program of ETKAS takes about 290 bytes a row and party in some 50 rounds, and
// all of Rank for the best 50 of 100,000 about 420 bytes.
func Rank(s *mpc.Session, l *List, k int) *Ranking {
	n := l.rows()
	k = min(k, n)
	r := l.blank(max(k, 0))
	if !l.check(s, k) {
		return r
	}
	v := l.evaluate(s.Step("program"))
	columns := slices.Concat([]rss.Vec{v.ranked}, v.columns[:3], []rss.Vec{l.hospitals(s)}, v.columns[3:])
	columns = l.first(s.Step("order"), v.keys, k, columns)
	ranked := columns[0]
	columns = maskEach(s.Step("mask"), []rss.Vec{ranked}, columns[1:])
	if s.Err() != nil {
		return r
	}
	r.Ranked, r.Eligible, r.Faults = ranked, rss.Sum(s, v.ranked), rss.Sum(s, v.faults)
	for i, x := range columns {
		r.Columns[i].Values = x
	}
	return r
}

// rows is the number of rows of all sites.
func (l *List) rows() int {
	n := 0
	for _, site := range l.Sites {
		n += max(site, 0)
	}
	return n
}

// blank returns a ranking of k rows that holds nothing.
func (l *List) blank(k int) *Ranking {
	r := &Ranking{Eligible: rss.Zero[ring.Vec64](1), Faults: rss.Zero[ring.Vec64](1)}
	r.Ranked, r.sites = rss.Zero[ring.Vec64](k), len(l.Sites)
	names := []string{ColumnTier, ColumnPoints, ColumnCandidate, ColumnHospital}
	for _, shown := range l.Program.Shown {
		names = append(names, shown.Name)
	}
	for _, name := range names {
		r.Columns = append(r.Columns, Column{name, rss.Zero[ring.Vec64](k)})
	}
	return r
}

var errKind = errors.New("the policy is for an exchange: it ranks nobody")

// check refuses, before anything is sent, what is no list.
func (l *List) check(s *mpc.Session, k int) bool {
	if len(l.Program.Sort) == 0 {
		s.Fail(errKind)
	}
	for _, site := range l.Sites {
		if site < 0 {
			s.Fail(fmt.Errorf("a site of %d rows", site))
		}
	}
	if k < 1 {
		s.Fail(fmt.Errorf("the best %d of %d rows", k, l.rows()))
	}
	if len(l.Candidates) != len(l.Program.Candidate) || len(l.Donor) != len(l.Program.Donor) {
		s.Fail(fmt.Errorf("%d columns and %d numbers of the donor, the policy has %d and %d",
			len(l.Candidates), len(l.Donor), len(l.Program.Candidate), len(l.Program.Donor)))
	}
	length := func(what string, n int, vectors ...rss.Vec) {
		for _, x := range vectors {
			if x.Len() != n || x.B.Len() != n {
				s.Fail(fmt.Errorf("%s of %d elements, want %d", what, x.Len(), n))
			}
		}
	}
	length("a column", l.rows(), l.Candidates...)
	length("a number of the donor", 1, l.Donor...)
	if !slices.ContainsFunc(l.Program.Candidate, isPresence) {
		s.Fail(errors.New("the program has no input " + presence))
	}
	return s.Err() == nil
}

func isPresence(in policy.InputInfo) bool { return in.Name == presence }

// evaluated is what the program makes of a list, columns of an element a row.
type evaluated struct {
	ranked  rss.Vec // is eligible
	faults  rss.Vec
	keys    []rss.Key
	columns []rss.Vec // tier, points, candidate, and what is shown
}

// evaluate runs the program.
func (l *List) evaluate(s *mpc.Session) *evaluated {
	p, c := l.Program, newCircuit(l.Program)
	faults := c.constant(0)
	if p.Fault >= 0 {
		faults = c.number(p.Fault)
	}
	wanted := []int{c.number(p.Eligible), faults}
	for _, node := range p.Sort {
		wanted = append(wanted, c.number(node))
	}
	wanted = append(wanted, c.number(p.Tier), c.number(p.Points), c.number(p.ID))
	for _, shown := range p.Shown {
		wanted = append(wanted, c.number(shown.Node))
	}
	out := c.run(s, l.rows(), l.Candidates, l.Donor, wanted...)
	v := &evaluated{ranked: out[0], faults: out[1], columns: out[2+len(p.Sort):]}
	for i, node := range p.Sort {
		v.keys = append(v.keys, rss.Key{Column: out[2+i], Bits: p.Nodes[node].Bits()})
	}
	return v
}

// hospitals returns for each row its site's place, from 1: public, until it moves.
func (l *List) hospitals(s *mpc.Session) rss.Vec {
	out := make(ring.Vec64, 0, l.rows())
	for i, site := range l.Sites {
		for range site {
			out = append(out, uint64(i)+1)
		}
	}
	return rss.Public(s, out)
}

// first returns the first k rows of columns in the order of the keys.
func (l *List) first(s *mpc.Session, keys []rss.Key, k int, columns []rss.Vec) []rss.Vec {
	if len(keys) == 1 {
		_, columns = rss.TopK(s, keys[0], k, columns...)
		return columns
	}
	_, columns = rss.Sort(s, keys, columns...)
	for i, x := range columns {
		columns[i] = rss.Slice(s, x, 0, k)
	}
	return columns
}

// maskEach returns all columns times each of the masks: those of the first mask
// first. 1 round, 1 element a row, column and mask. Leaks nothing.
func maskEach(s *mpc.Session, masks, columns []rss.Vec) []rss.Vec {
	var x, y []rss.Vec
	for _, m := range masks {
		for _, c := range columns {
			x, y = append(x, m), append(y, c)
		}
	}
	z := rss.Mul(s, rss.Concat(s, x...), rss.Concat(s, y...))
	out := make([]rss.Vec, len(x))
	for i := range out {
		n := x[i].Len()
		out[i] = rss.Slice(s, z, i*n, (i+1)*n)
	}
	return out
}
