package protocols

import (
	"fmt"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// indicators are vectors that tell the rows of each level.
func (f *factor) indicators() []job.Vector {
	out := make([]job.Vector, len(f.levels))
	for i, level := range f.levels {
		out[i] = levelVector(fmt.Sprintf(".%s.%d", f.column.Name, i), f.column.Name, level)
	}
	return out
}

// values returns the columns of those vectors.
func (r *Rows) values(vectors []job.Vector) []rss.Vec {
	out := make([]rss.Vec, len(vectors))
	for i, v := range vectors {
		out[i] = r.Value[v.Name]
	}
	return out
}

// inParts cuts a vector into k of one length. Local.
func inParts[V ring.Vector[V]](s *mpc.Session, x rss.Share[V], k int) []rss.Share[V] {
	n := x.Len() / k
	out := make([]rss.Share[V], k)
	for i := range out {
		out[i] = rss.Slice(s, x, i*n, (i+1)*n)
	}
	return out
}

// isNone returns 1 for a count of 0, else 0. 9 rounds.
func isNone(s *mpc.Session, count rss.Vec) rss.Vec {
	return rss.ToArith(s.Step("number"), rss.EqualPublic(s.Step("zero"), count, 0, countBits))
}

// lifted returns the plan's outputs over 128 bits. Costs of Lift.
func lifted(s *mpc.Session, p *Plan, values map[string]rss.Vec) map[string]rss.Vec128 {
	var all []rss.Vec
	for _, o := range p.Outputs {
		all = append(all, values[o.Name])
	}
	wide := rss.Lift(s, rss.Concat(s, all...))
	out, at := map[string]rss.Vec128{}, 0
	for _, o := range p.Outputs {
		out[o.Name] = rss.Slice(s, wide, at, at+o.Len)
		at += o.Len
	}
	return out
}
