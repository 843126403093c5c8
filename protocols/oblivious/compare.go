package oblivious

import (
	"math/bits"
	"slices"
	"sync"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// test compares a column's codes with a public number. In rows where the column is
// missing its outcome means nothing.
type test struct {
	column string
	less   bool // code < value, or else code = value
	value  int64
	width  int // bits in which the outcome shows
}

// codes are the least and the greatest code of a column.
func codes(schema *job.Schema, column string) (low, high int64) {
	c, ok := schema.Column(column)
	if !ok {
		return 0, -1 // Compile has refused it
	}
	return c.Codes()
}

// equals is the wire of code = value.
func (b *builder) equals(column string, value int64) wire {
	low, high := codes(b.schema, column)
	switch {
	case value < low || value > high:
		return never
	case low == high:
		return always
	}
	// Two codes are the same if they are the same modulo a power of two above their
	// largest difference.
	return b.compared(test{column, false, value, bits.Len64(uint64(high - low))})
}

// below is the wire of code < value.
func (b *builder) below(column string, value int64) wire {
	low, high := codes(b.schema, column)
	switch {
	case value <= low:
		return never
	case value > high:
		return always
	case value == low+1:
		return b.equals(column, low)
	case value == high:
		return b.equals(column, high).flip()
	}
	return b.compared(test{column, true, value, bits.Len64(uint64(high-low)) + 1})
}

func (b *builder) compared(t test) wire {
	at := slices.Index(b.tests, t)
	if at < 0 {
		at, b.tests = len(b.tests), append(b.tests, t)
	}
	return b.circuit.plane(gate{op: compared, input: at})
}

// compare runs the tests on some rows, a multiple of 64 of them: those of one kind and
// width as one vector, and the kinds side by side. 5 to 7 rounds; a bit an equality
// and bit of width, 7/4 bits an order (see rss.EqualPublic, rss.LessPublic). A column
// of two codes costs nothing.
func compare(s *mpc.Session, tests []test, c *Chunk, inputs map[gate]rss.Bits) {
	type kind struct {
		less  bool
		width int
	}
	var kinds []kind
	members := map[kind][]int{}
	for i, t := range tests {
		k := kind{t.less, t.width}
		if len(members[k]) == 0 {
			kinds = append(kinds, k)
		}
		members[k] = append(members[k], i)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, k := range kinds {
		step := s.Step("equal", k.width)
		if k.less {
			step = s.Step("less", k.width)
		}
		wg.Go(func() {
			outcome := c.outcomes(step, tests, members[k])
			mu.Lock()
			defer mu.Unlock()
			for j, i := range members[k] {
				inputs[gate{op: compared, input: i}] = outcome.Plane(j)
			}
		})
	}
	wg.Wait()
}

// outcomes returns a plane for each of some tests of one kind and width.
func (c *Chunk) outcomes(s *mpc.Session, tests []test, members []int) rss.Bits {
	shifted := make([]rss.Vec, len(members))
	for j, i := range members {
		shifted[j] = rss.AddConst(s, c.Columns[tests[i].column].Codes, -tests[i].value)
	}
	all, t := rss.Concat(s, shifted...), tests[members[0]]
	var flat rss.Bits
	switch {
	case t.less:
		flat = rss.LessPublic(s, all, 0, t.width)
	case t.width == 1:
		flat = rss.Not(s, rss.Parity(s, all))
	default:
		flat = rss.EqualPublic(s, all, 0, t.width)
	}
	// A plane that is whole words is as many planes as one likes.
	n := c.Rows()
	cut := func(p ring.Planes) ring.Planes { return ring.Planes{N: n, W: len(members), Words: p.Words} }
	return rss.Bits{A: cut(flat.A), B: cut(flat.B)}
}
