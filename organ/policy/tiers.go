package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of the analysis of tiers.
const (
	maxCases  = 1 << 20 // combinations that are tried
	maxDomain = 64      // values of one input that are tried one by one
)

// leaf is a node whose value the analysis takes as free, with the values that are
// tried.
type leaf struct {
	node   int
	domain []int64
	// exact: every value of the domain can be, whatever the other leaves are. Of
	// others some value holds in every case of the exact ones, and which is not known.
	exact bool
}

// checkTiers tries all cases that the conditions of the tiers can tell apart. It
// returns true if in each exactly one tier holds, an error with a case if there is
// one in which none or two do for certain, and false if that cannot be decided here:
// the match then checks each row.
//
// Every input, and every count of antigens and meeting of sets, is taken as free
// in its range, whatever the others are. A number with a wide range that is only
// compared with constants has as many cases as these make; other comparisons of
// such numbers are taken as free.
func (a *assembly) checkTiers() (bool, error) {
	s := &tierSearch{nodes: a.nodes, seen: map[int]bool{}}
	for _, t := range a.tiers {
		s.visit(t)
	}
	cases := 1
	for _, l := range s.leaves {
		if cases *= len(l.domain); cases > maxCases {
			return false, nil
		}
	}
	slices.Sort(s.inner)
	return s.try(a.policy.Tiers, a.tiers)
}

// tierSearch walks from the conditions down to leaves.
type tierSearch struct {
	nodes  []Node
	seen   map[int]bool
	leaves []leaf
	inner  []int
}

func (s *tierSearch) visit(x int) {
	if s.seen[x] {
		return
	}
	s.seen[x] = true
	n := &s.nodes[x]
	switch n.Op {
	case OpConst:
		s.inner = append(s.inner, x)
		return
	case OpInput, OpCountNew, OpIntersects:
		s.leaves = append(s.leaves, s.free(x, true))
		return
	case OpLess, OpEqual:
		if s.wide(n.Args[0]) || s.wide(n.Args[1]) {
			s.compare(x)
			return
		}
	case OpLookup:
		if s.wide(n.Args[0]) {
			s.leaves = append(s.leaves, s.free(x, false))
			return
		}
	}
	s.inner = append(s.inner, x)
	for _, arg := range n.Args {
		s.visit(arg)
	}
}

// free makes a leaf of a node with a small range.
func (s *tierSearch) free(x int, exact bool) leaf {
	n := &s.nodes[x]
	l := leaf{node: x, exact: exact}
	if n.Op == OpLookup {
		l.domain = slices.Compact(slices.Sorted(slices.Values(n.Table)))
		return l
	}
	for v := n.Low; v <= n.High; v++ {
		l.domain = append(l.domain, v)
	}
	return l
}

// wide tells whether a node depends on a number of too many values.
func (s *tierSearch) wide(x int) bool {
	n := &s.nodes[x]
	if n.Op == OpInput {
		return n.High-n.Low >= maxDomain
	}
	return slices.ContainsFunc(n.Args, s.wide) && n.Op != OpLess && n.Op != OpEqual && n.Op != OpIntersects
}

// compare takes a comparison of a wide number. With a constant, the number is a
// leaf whose domain gets the values on both sides of it; otherwise the comparison
// itself is.
func (s *tierSearch) compare(x int) {
	n := &s.nodes[x]
	a, b := n.Args[0], n.Args[1]
	if s.nodes[a].Op == OpConst {
		a, b = b, a
	}
	if s.nodes[b].Op != OpConst {
		s.leaves = append(s.leaves, s.free(x, false))
		return
	}
	s.inner = append(s.inner, x)
	if !s.seen[b] {
		s.seen[b] = true
		s.inner = append(s.inner, b)
	}
	number := &s.nodes[a]
	i := slices.IndexFunc(s.leaves, func(l leaf) bool { return l.node == a })
	if i < 0 {
		i = len(s.leaves)
		s.seen[a] = true
		s.leaves = append(s.leaves, leaf{node: a, domain: []int64{number.Low, number.High}, exact: number.Op == OpInput})
	}
	l := &s.leaves[i]
	k := s.nodes[b].K
	for v := max(k-1, number.Low); v <= min(k+1, number.High); v++ {
		if !slices.Contains(l.domain, v) {
			l.domain = append(l.domain, v)
		}
	}
}

// try goes through all combinations of the leaves' values. Leaves that are not exact turn
// fastest: a case of the others is refused where all that follow from it are at fault.
func (s *tierSearch) try(tiers []Condition, conditions []int) (bool, error) {
	free := slices.DeleteFunc(slices.Clone(s.leaves), func(l leaf) bool { return l.exact })
	s.leaves = append(free, slices.DeleteFunc(s.leaves, func(l leaf) bool { return !l.exact })...)
	each := 1
	for _, l := range free {
		each *= len(l.domain)
	}
	values := make([]int64, len(s.nodes))
	place := make([]int, len(s.leaves))
	undecided, faults := false, 0
	for n := 1; ; n++ {
		for i, l := range s.leaves {
			values[l.node] = l.domain[place[i]]
		}
		for _, x := range s.inner {
			values[x] = s.nodes[x].run(values)
		}
		var holds []string
		for i, c := range conditions {
			if values[c] == 1 {
				holds = append(holds, tiers[i].Name)
			}
		}
		if len(holds) != 1 {
			faults++
		}
		if n%each == 0 {
			if faults == each {
				return false, s.refuse(holds, values)
			}
			undecided, faults = undecided || faults > 0, 0
		}
		if !s.next(place) {
			return !undecided, nil
		}
	}
}

func (s *tierSearch) next(place []int) bool {
	for i := range place {
		if place[i]++; place[i] < len(s.leaves[i].domain) {
			return true
		}
		place[i] = 0
	}
	return false
}

// refuse shows the case in which tiers overlap or leave a hole.
func (s *tierSearch) refuse(holds []string, values []int64) error {
	var example []string
	for _, l := range s.leaves {
		name := s.nodes[l.node].Name
		if name == "" {
			name = s.nodes[l.node].Op.String()
		}
		example = append(example, fmt.Sprintf("%s = %d", name, values[l.node]))
	}
	where := strings.Join(example, ", ")
	if len(holds) == 0 {
		return fmt.Errorf("tiers: none holds where %s: add a tier, or widen one", where)
	}
	return fmt.Errorf("tiers: %s hold at once where %s: let one exclude the others", strings.Join(holds, " and "), where)
}
