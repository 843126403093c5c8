package oblivious

import (
	"cmp"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// wire is a plane of bits, one a row, or its complement, which costs nothing.
type wire struct {
	plane int
	not   bool
}

// Plane 0 is false everywhere.
var (
	never  = wire{}
	always = wire{not: true}
)

func (w wire) flip() wire { return wire{w.plane, !w.not} }

// gate says how a plane is made.
type gate struct {
	op    op
	a, b  wire // of and, xor
	input int  // of given, compared
}

type op int

const (
	constant op = iota
	given       // which rows have a value of a column, or exist at all
	compared    // the outcome of a test
	and
	xor
)

// circuit is what is computed of bits. Every plane is made once, however often it is
// asked for; planes stand in an order in which they can be made.
type circuit struct {
	gates  []gate
	levels []int // of each plane: how many ANDs it takes one after the other
	known  map[gate]int
}

func newCircuit() *circuit {
	c := &circuit{known: map[gate]int{}}
	c.plane(gate{})
	return c
}

func (c *circuit) plane(g gate) wire {
	if at, ok := c.known[g]; ok {
		return wire{plane: at}
	}
	level := 0
	if g.op == and || g.op == xor {
		level = max(c.levels[g.a.plane], c.levels[g.b.plane])
	}
	if g.op == and {
		level++
	}
	at := len(c.gates)
	c.gates, c.levels, c.known[g] = append(c.gates, g), append(c.levels, level), at
	return wire{plane: at}
}

func (c *circuit) and(a, b wire) wire {
	a, b = inOrder(a, b)
	switch { // a constant comes first
	case a == never, a == b.flip():
		return never
	case a == always, a == b:
		return b
	}
	return c.plane(gate{op: and, a: a, b: b})
}

func (c *circuit) or(a, b wire) wire { return c.and(a.flip(), b.flip()).flip() }

// xor is the OR of two that exclude each other.
func (c *circuit) xor(a, b wire) wire {
	not := a.not != b.not
	a, b = inOrder(wire{plane: a.plane}, wire{plane: b.plane})
	var out wire
	switch {
	case a == b: // never
	case a == never:
		out = b
	default:
		out = c.plane(gate{op: xor, a: a, b: b})
	}
	return wire{out.plane, out.not != not}
}

// all is the AND of any number, as shallow as can be.
func (c *circuit) all(ws ...wire) wire {
	switch len(ws) {
	case 0:
		return always
	case 1:
		return ws[0]
	}
	half := len(ws) / 2
	return c.and(c.all(ws[:half]...), c.all(ws[half:]...))
}

func inOrder(a, b wire) (wire, wire) {
	if cmp.Or(cmp.Compare(a.plane, b.plane), boolean(a.not)-boolean(b.not)) > 0 {
		return b, a
	}
	return a, b
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// planes are the values of a circuit's planes over some rows.
type planes []rss.Bits

// run makes all planes, those of gates given and compared from the inputs. Per level
// of ANDs 1 round and a bit an AND and row.
func (c *circuit) run(s *mpc.Session, n int, inputs map[gate]rss.Bits) planes {
	values := make(planes, len(c.gates))
	deepest := 0
	for i, g := range c.gates {
		deepest = max(deepest, c.levels[i])
		switch g.op {
		case constant:
			values[i] = rss.ZeroBits(n, 1)
		case given, compared:
			values[i] = inputs[g]
		}
	}
	for level := range deepest + 1 {
		c.ands(s, level, values)
		for i, g := range c.gates {
			if g.op == xor && c.levels[i] == level {
				values[i] = rss.Xor(s, values.of(s, g.a), values.of(s, g.b))
			}
		}
	}
	return values
}

// ands makes the ANDs of one level, which take nothing of that level.
func (c *circuit) ands(s *mpc.Session, level int, values planes) {
	var at []int
	var a, b []rss.Bits
	for i, g := range c.gates {
		if g.op == and && c.levels[i] == level {
			at, a, b = append(at, i), append(a, values.of(s, g.a)), append(b, values.of(s, g.b))
		}
	}
	if len(at) == 0 {
		return
	}
	z := rss.And(s.Step("and", level), rss.ConcatPlanes(a...), rss.ConcatPlanes(b...))
	for j, i := range at {
		values[i] = z.Plane(j)
	}
}

func (v planes) of(s *mpc.Session, w wire) rss.Bits {
	if w.not {
		return rss.Not(s, v[w.plane])
	}
	return v[w.plane]
}
