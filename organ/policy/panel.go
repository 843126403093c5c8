package policy

import (
	"errors"
	"fmt"
	"slices"

	"consilium/organ/hla"
)

// Bounds of a panel's rules.
const (
	maxPanel   = 1 << 20
	maxQueries = 100_000
)

// checkPanel refuses rules of a panel that mean nothing.
func (f *File) checkPanel() error {
	p := f.Panel
	switch {
	case p == nil:
		return nil
	case f.Kind != Rank:
		return errors.New("panel is for policies of kind rank: remove it")
	case p.Minimum < 1 || p.Minimum > maxPanel:
		return fmt.Errorf("panel: minimum is %d: give from how many donors on something is told, 1 to %d", p.Minimum, maxPanel)
	case p.QueriesPerDay < 1 || p.QueriesPerDay > maxQueries:
		return fmt.Errorf("panel: queries_per_day is %d: give 1 to %d for each hospital", p.QueriesPerDay, maxQueries)
	}
	return nil
}

// excluded finds among the conditions of eligibility the one that a donor's antigens
// and a candidate's antibodies decide, and returns what it negates.
func (a *assembly) excluded(conditions []int) (int, error) {
	found := slices.DeleteFunc(slices.Clone(conditions), func(i int) bool {
		return a.nodes[i].Op != OpNot || !a.crosses(a.nodes[i].Args[0])
	})
	if len(found) != 1 {
		return 0, fmt.Errorf("%d conditions of eligible read !meets(candidate.SET, carried([donor.TYPING, …])), and exactly one must", len(found))
	}
	return a.nodes[found[0]].Args[0], nil
}

// crosses tells whether a node meets a set of the candidate's with what typings of the
// donor's carry: never the empty set, so that a row without antigens is known to be none.
func (a *assembly) crosses(node int) bool {
	n := &a.nodes[node]
	if n.Op != OpIntersects {
		return false
	}
	candidate, donor := &a.nodes[n.Args[0]], &a.nodes[n.Args[len(n.Args)/2]]
	if donor.Candidate {
		candidate, donor = donor, candidate
	}
	return candidate.Candidate && !donor.Candidate &&
		a.candidate.made(a.infos[0][candidate.K].From, set) && a.donor.made(a.infos[1][donor.K].From, typing)
}

// made tells whether inputs are all of a kind.
func (s *side) made(inputs []string, of kind) bool {
	return !slices.ContainsFunc(inputs, func(name string) bool { return s.variables[s.slots[name]].kind != of })
}

// Crossmatch is what the boolean Excluded of a program reads: a set of the candidate's
// that must not meet one of the donor's, both packed over the same loci.
type Crossmatch struct {
	Loci      []hla.Locus
	Candidate []int // places of the words in Program.Candidate
	Donor     []int // places of the words in Program.Donor
}

// Crossmatch returns what Excluded reads. The program must be of a policy with Panel.
func (p *Program) Crossmatch() *Crossmatch {
	n := &p.Nodes[p.Excluded]
	x := &Crossmatch{}
	for _, arg := range n.Args {
		word := &p.Nodes[arg]
		if word.Candidate {
			x.Candidate = append(x.Candidate, int(word.K))
		} else {
			x.Donor = append(x.Donor, int(word.K))
		}
	}
	x.Loci = p.Candidate[x.Candidate[0]].Loci
	return x
}
