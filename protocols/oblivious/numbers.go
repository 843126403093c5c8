package oblivious

import (
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// number says how a vector of numbers is made, one a row.
type number struct {
	is     source
	column string // whose codes they are
	bit    wire   // whose bits they are, as 0 and 1
	a, b   int    // whose product they are; both stand before it
}

type source int

const (
	column source = iota
	bit
	product
)

// numbers are the vectors that are needed in one of the rings, each made once.
type numbers struct {
	list   []number
	levels []int // of each: how many products it takes one after the other
	known  map[number]int
}

func newNumbers() *numbers { return &numbers{known: map[number]int{}} }

func (ns *numbers) add(n number, level int) int {
	if at, ok := ns.known[n]; ok {
		return at
	}
	at := len(ns.list)
	ns.list, ns.levels, ns.known[n] = append(ns.list, n), append(ns.levels, level), at
	return at
}

func (ns *numbers) column(name string) int { return ns.add(number{is: column, column: name}, 0) }
func (ns *numbers) bit(w wire) int         { return ns.add(number{is: bit, bit: w}, 0) }

// product returns the product of two vectors.
func (ns *numbers) product(a, b int) int {
	if a > b {
		a, b = b, a
	}
	return ns.add(number{is: product, a: a, b: b}, max(ns.levels[a], ns.levels[b])+1)
}

// arithmetic is what differs between the rings: how bits and codes get there.
type arithmetic[V ring.Vector[V]] struct {
	bits  func(*mpc.Session, rss.Bits) rss.Share[V]
	codes func(*mpc.Session, rss.Vec) rss.Share[V]
}

var (
	narrow = arithmetic[ring.Vec64]{rss.ToArith, func(_ *mpc.Session, x rss.Vec) rss.Vec { return x }}
	wide   = arithmetic[ring.Vec128]{rss.ToArith128, rss.Lift}
)

// evaluate makes all vectors over a chunk. 2 rounds and an element a plane of bits
// and row, in the wide ring 4/3 elements of 64 bits a column and row; then per level
// of products 1 round and an element a product and row.
func evaluate[V ring.Vector[V]](s *mpc.Session, ring arithmetic[V], ns *numbers, c *Chunk, bits planes) []rss.Share[V] {
	values, n := make([]rss.Share[V], len(ns.list)), c.Rows()
	var converted, lifted []int
	var planes []rss.Bits
	var columns []rss.Vec
	for i, number := range ns.list {
		switch number.is {
		case column:
			lifted, columns = append(lifted, i), append(columns, c.Columns[number.column].Codes)
		case bit:
			converted, planes = append(converted, i), append(planes, bits.of(s, number.bit))
		}
	}
	for j, i := range lifted {
		values[i] = ring.codes(s.Step("codes", j), columns[j])
	}
	if len(converted) > 0 {
		all := ring.bits(s.Step("bits"), rss.ConcatPlanes(planes...))
		for j, i := range converted {
			values[i] = rss.Slice(s, all, j*n, (j+1)*n)
		}
	}
	multiply(s, ns, values, n)
	return values
}

// multiply makes the products, level by level.
func multiply[V ring.Vector[V]](s *mpc.Session, ns *numbers, values []rss.Share[V], n int) {
	for level := 1; ; level++ {
		var at []int
		var a, b []rss.Share[V]
		for i, number := range ns.list {
			if ns.levels[i] == level {
				at, a, b = append(at, i), append(a, values[number.a]), append(b, values[number.b])
			}
		}
		if len(at) == 0 {
			return
		}
		z := rss.Mul(s.Step("product", level), rss.Concat(s, a...), rss.Concat(s, b...))
		for j, i := range at {
			values[i] = rss.Slice(s, z, j*n, (j+1)*n)
		}
	}
}
