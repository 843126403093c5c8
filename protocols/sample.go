package protocols

import (
	"fmt"

	"consilium/job"
	"consilium/mpc/rss"
)

// Sample is a set of rows that go to the parties one by one: those that the
// filter selects and in which every vector has a value.
type Sample struct {
	Name    string
	Vectors []job.Vector
}

// Rows is a sample on shares: all sites' rows one after the other in the roster's
// order, as many as the roster declares. Rows outside the sample have value 0 in
// every vector and Member 0; which these are stays secret.
type Rows struct {
	N      int
	Value  map[string]rss.Vec // codes, by the vector's name
	Member rss.Vec            // 0 or 1
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
