package protocols

import (
	"fmt"
	"slices"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
)

// Sample is a set of rows that go to the parties one by one: those that the
// filter selects and in which every vector has a value.
type Sample struct {
	Name    string
	Vectors []job.Vector
}

// Rows are rows of a sample on shares. Those outside the sample have value 0 in every
// vector and Member 0; which these are stays secret.
type Rows struct {
	N      int
	Value  map[string]rss.Vec // codes, by the vector's name
	Member rss.Vec            // 0 or 1
}

// Sampled is a sample on shares as a whole, which memory need not hold: all sites' rows
// one after the other in the roster's order, as many as the roster declares, in columns
// that are its vectors and, last, who is a member.
type Sampled struct {
	*rss.Chunked
	vectors []job.Vector
}

// NewSampled makes room for a sample of a dataset's rows.
func NewSampled(s *mpc.Session, spill *rss.Spill, rows int, sample Sample) *Sampled {
	return &Sampled{spill.New(s, rows, len(sample.Vectors)+1, 0), sample.Vectors}
}

// at returns the column of a vector.
func (x *Sampled) at(name string) int {
	return slices.IndexFunc(x.vectors, func(v job.Vector) bool { return v.Name == name })
}

// member is the column that tells who is a member.
func (x *Sampled) member() int { return len(x.vectors) }

// chunk returns chunk i: vectors of those names, or all, and the members.
func (x *Sampled) chunk(s *mpc.Session, i int, names ...string) *Rows {
	if len(names) == 0 {
		for _, v := range x.vectors {
			names = append(names, v.Name)
		}
	}
	columns := []int{x.member()}
	for _, name := range names {
		columns = append(columns, x.at(name))
	}
	got := x.Get(s, i, columns...)
	out := &Rows{N: got[0].Len(), Value: make(map[string]rss.Vec), Member: got[0]}
	for k, name := range names {
		out.Value[name] = got[1+k]
	}
	return out
}

// sums returns the number of members and the sum of each vector over all rows. Local.
func (x *Sampled) sums(s *mpc.Session, vectors ...job.Vector) (members rss.Vec, sums []rss.Vec) {
	columns := []int{x.member()}
	for _, v := range vectors {
		columns = append(columns, x.at(v.Name))
	}
	all := columnSums(s, x.Chunked, columns...)
	return all[0], all[1:]
}

// whole returns all rows at once: where a plan has so few that memory holds them.
func (x *Sampled) whole(s *mpc.Session) *Rows {
	out := &Rows{N: x.Rows(), Value: make(map[string]rss.Vec)}
	parts := make([][]rss.Vec, len(x.vectors)+1)
	for i := range x.Chunks() {
		for j, column := range x.Get(s, i) {
			parts[j] = append(parts[j], column)
		}
	}
	for j, v := range x.vectors {
		out.Value[v.Name] = rss.Concat(s, parts[j]...)
	}
	out.Member = rss.Concat(s, parts[x.member()]...)
	return out
}

// columnVector is the vector of a column's codes, by the column's name.
func columnVector(name string) job.Vector { return job.Vector{Name: name, Column: name} }

// columnVectors are the vectors of several columns.
func columnVectors(names ...string) []job.Vector {
	out := make([]job.Vector, len(names))
	for i, name := range names {
		out[i] = columnVector(name)
	}
	return out
}

// levelVector is 1 in rows where a column has the level of that code.
func levelVector(name, column string, level int64) job.Vector {
	return job.Vector{Name: name, Predicate: job.Compare{Column: column, Op: job.Eq, Value: level}}
}

// eventVector is the vector of an event expression, such as "status = 2".
func eventVector(name, expression string, d *job.Dataset) (job.Vector, error) {
	p, err := job.ParsePredicate(expression, &d.Schema)
	if err != nil {
		return job.Vector{}, fmt.Errorf("%s: %w", name, err)
	}
	if p == nil {
		return job.Vector{}, fmt.Errorf("%s is empty: say which rows have it, as in status = 2", name)
	}
	return job.Vector{Name: name, Predicate: p}, nil
}
