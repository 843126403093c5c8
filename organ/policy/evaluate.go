package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// Ranked is one row of a result in the clear.
type Ranked struct {
	Row    int   // of the candidates, from 0
	ID     int64 // the candidate's
	Tier   int   // of Program.Tiers
	Points int64 // in Program.PointsStep
	Shown  []int64
}

// Run computes every node for one candidate and one donor, in the clear. It is
// the definition of what nodes mean.
func (p *Program) Run(candidate, donor []int64) []int64 {
	v := make([]int64, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Op == OpInput {
			if n.Candidate {
				v[i] = candidate[n.K]
			} else {
				v[i] = donor[n.K]
			}
			continue
		}
		v[i] = n.run(v)
	}
	return v
}

// run computes a node other than an input from the values before it.
func (n *Node) run(v []int64) int64 {
	at := func(k int) int64 { return v[n.Args[k]] }
	switch n.Op {
	case OpConst:
		return n.K
	case OpAdd:
		return at(0) + at(1)
	case OpSub:
		return at(0) - at(1)
	case OpMulConst:
		return at(0) * n.K
	case OpMul:
		return at(0) * at(1)
	case OpFloorDiv:
		return floorDiv(at(0), n.K)
	case OpLess:
		return truthCode(at(0) < at(1))
	case OpEqual:
		return truthCode(at(0) == at(1))
	case OpAnd:
		return at(0) & at(1)
	case OpOr:
		return at(0) | at(1)
	case OpNot:
		return 1 - at(0)
	case OpSelect:
		if at(0) == 1 {
			return at(1)
		}
		return at(2)
	case OpLookup:
		return n.Table[at(0)]
	case OpMin:
		return min(at(0), at(1))
	case OpMax:
		return max(at(0), at(1))
	case OpCountNew:
		return countNew(at(0), at(1), at(2), at(3))
	case OpIntersects:
		half := len(n.Args) / 2
		for k := range half {
			if at(k)&at(half+k) != 0 {
				return 1
			}
		}
		return 0
	}
	panic("policy: no such operation: " + n.Op.String())
}

func countNew(x, y, z, w int64) int64 {
	count := truthCode(x != z && x != w)
	if y != x {
		count += truthCode(y != z && y != w)
	}
	return count
}

// check refuses numbers outside the inputs' ranges, which only a caller's mistake
// brings here.
func (p *Program) check(inputs []InputInfo, values []int64) error {
	if len(values) != len(inputs) {
		return fmt.Errorf("%d numbers for %d inputs", len(values), len(inputs))
	}
	for i, v := range values {
		if v < inputs[i].Low || v > inputs[i].High {
			return fmt.Errorf("%s is outside its range", inputs[i].Name)
		}
	}
	return nil
}

// Evaluate ranks the eligible candidates for a donor, best first, in the clear:
// for tests, for replays of a run from its inputs, and for what a hospital wants
// to know of its own rows.
func (p *Program) Evaluate(candidates *Rows, donor []int64) ([]Ranked, error) {
	if err := p.check(p.Donor, donor); err != nil {
		return nil, fmt.Errorf("donor: %w", err)
	}
	type placed struct {
		Ranked
		keys []int64
	}
	var all []placed
	for i := range candidates.N {
		row := candidates.Row(i)
		if err := p.check(p.Candidate, row); err != nil {
			return nil, fmt.Errorf("candidate in row %d: %w", i+1, err)
		}
		v := p.Run(row, donor)
		if p.Fault >= 0 && v[p.Fault] == 1 {
			return nil, fmt.Errorf("candidate in row %d: no tier or more than one holds: let the policy's tiers exclude each other and cover all", i+1)
		}
		if v[p.Eligible] == 0 {
			continue
		}
		r := placed{Ranked: Ranked{Row: i, ID: v[p.ID], Tier: int(v[p.Tier]), Points: v[p.Points]}}
		for _, s := range p.Shown {
			r.Shown = append(r.Shown, v[s.Node])
		}
		for _, k := range p.Sort {
			r.keys = append(r.keys, v[k])
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b placed) int { return slices.Compare(a.keys, b.keys) })
	out := make([]Ranked, len(all))
	for i, r := range all {
		out[i] = r.Ranked
		if i > 0 && cmp.Compare(r.ID, out[i-1].ID) == 0 {
			return nil, fmt.Errorf("candidates in rows %d and %d have the same id", out[i-1].Row+1, r.Row+1)
		}
	}
	return out, nil
}
