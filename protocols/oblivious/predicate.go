package oblivious

import (
	"slices"

	"consilium/job"
)

// truth is a predicate's outcome: of the rows for which neither holds it is unknown.
type truth struct{ yes, no wire }

func (t truth) flip() truth { return truth{t.no, t.yes} }

// truth compiles a predicate; nil is true of every row. What is unknown of one side
// of AND and OR stays out of both planes, so that Kleene's logic needs no more than
// one AND a plane.
func (b *builder) truth(p job.Predicate) truth {
	switch p := p.(type) {
	case nil:
		return truth{always, never}
	case job.Compare:
		return b.valued(p.Column, b.holds(p))
	case job.In:
		among := never
		for _, value := range slices.Compact(slices.Sorted(slices.Values(p.Values))) { // of which a code equals one at most
			among = b.circuit.xor(among, b.equals(p.Column, value))
		}
		return b.valued(p.Column, among)
	case job.IsNull:
		has := b.has(p.Column)
		return truth{has.flip(), has}
	case job.Not:
		return b.truth(p.P).flip()
	case job.And:
		l, r := b.truth(p.L), b.truth(p.R)
		return truth{b.circuit.and(l.yes, r.yes), b.circuit.or(l.no, r.no)}
	case job.Or:
		l, r := b.truth(p.L), b.truth(p.R)
		return truth{b.circuit.or(l.yes, r.yes), b.circuit.and(l.no, r.no)}
	}
	b.fail("a predicate of no known kind")
	return truth{}
}

// valued is a test's outcome where the column has a value, and unknown elsewhere.
func (b *builder) valued(column string, holds wire) truth {
	has := b.has(column)
	yes := b.circuit.and(has, holds)
	return truth{yes, b.circuit.xor(has, yes)}
}

// holds is the wire of a comparison in rows that have a value.
func (b *builder) holds(p job.Compare) wire {
	switch p.Op {
	case job.Eq:
		return b.equals(p.Column, p.Value)
	case job.Ne:
		return b.equals(p.Column, p.Value).flip()
	case job.Lt:
		return b.below(p.Column, p.Value)
	case job.Le:
		return b.upTo(p.Column, p.Value)
	case job.Gt:
		return b.upTo(p.Column, p.Value).flip()
	case job.Ge:
		return b.below(p.Column, p.Value).flip()
	}
	b.fail("a comparison of no known kind")
	return never
}

// upTo is the wire of code <= value.
func (b *builder) upTo(column string, value int64) wire {
	if _, high := codes(b.schema, column); value >= high {
		return always
	}
	return b.below(column, value+1)
}

// cells are the wires of a grouping's cells. No row is in two.
func (b *builder) cells(g *job.Grouping) []wire {
	if g.Predicate != nil {
		t := b.truth(g.Predicate)
		return []wire{t.no, t.yes}
	}
	has := b.has(g.Column)
	in := func(w wire) wire { return b.circuit.and(has, w) }
	var out []wire
	switch {
	case g.Range != nil:
		for code := g.Range.First; code <= g.Range.Last; code++ {
			out = append(out, in(b.equals(g.Column, code)))
		}
	case g.Edges != nil:
		last := len(g.Edges) - 1
		for i, edge := range g.Edges[:last] {
			upper := b.below(g.Column, g.Edges[i+1])
			if i == last-1 {
				upper = b.upTo(g.Column, g.Edges[last])
			}
			out = append(out, in(b.circuit.xor(b.below(g.Column, edge), upper)))
		}
		inside := b.circuit.xor(b.below(g.Column, g.Edges[0]), b.upTo(g.Column, g.Edges[last]))
		out = append(out, in(inside.flip()))
	default:
		for _, level := range g.Levels {
			out = append(out, in(b.equals(g.Column, level)))
		}
	}
	return out
}
