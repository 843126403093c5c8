package match

import (
	"fmt"
	"math/bits"
	"slices"

	"consilium/organ/policy"
)

// action is what one operation of a circuit does.
type action uint8

// Of numbers, or of bits where that is said; x and y are the arguments. The actions
// up to actXor are local. The others talk and stand in the order in which a circuit
// prefers to do them: first what makes bits, so that bits that become numbers, and
// then products, are many at a time.
const (
	actInput    action = iota // column k of the candidates
	actDonor                  // number k of the donor, or column k of donors
	actConst                  // k
	actAdd                    // x + y
	actSub                    // x - y
	actScale                  // x * k
	actParity                 // the bit of x, which is 0 or 1
	actNot                    // not x, of a bit
	actXor                    // x XOR y, of bits
	actPlanes                 // the low bits of x, width of them
	actZero                   // the bit x = 0, where |x| < 2^width
	actNegative               // the bit x < 0, for x of width bits with the sign
	actAnd                    // x and y, of bits
	actMeet                   // the bit that two lists of planes meet: the first half of the arguments, and the second
	actLookup                 // table[x]
	actNumber                 // the bit x as a number
	actMul                    // x * y
	actDivide                 // the greatest whole number at most x / k, for low <= x <= high
)

const (
	firstTalking = actPlanes
	// narrow is the width of the narrowest comparisons: those of up to 8, 16, 32 and
	// 64 bits go together.
	narrow = 8
)

var actionNames = [...]string{
	"input", "donor", "const", "add", "sub", "scale", "parity", "not", "xor",
	"planes", "zero", "negative", "and", "meet", "lookup", "number", "mul", "divide",
}

// String returns the action's name, which is that of the steps in which it talks.
func (a action) String() string { return actionNames[a] }

// shape says what a value differs by: it has an element for each candidate, for each
// donor, for each donor and candidate, or one.
type shape uint8

const (
	perCandidate shape = 1 << iota
	perDonor
)

// operation is one operation on values, of the shape of the widest of its arguments.
type operation struct {
	act       action
	args      []int // earlier operations
	k         int64
	width     int
	low, high int64
	table     []int64
	shape     shape
}

// circuit is a policy's program in the operations that shares have. It follows from
// the policy alone. A boolean is a bit where it meets booleans and a number where it
// meets numbers; each operation is there once.
type circuit struct {
	program *policy.Program
	code    []operation
	known   map[string]int
	numbers []int // by node: the operation that makes its number, from 1; 0: none yet
	bits    []int // by node: the operation that makes its bit, likewise
}

func newCircuit(p *policy.Program) *circuit {
	n := len(p.Nodes)
	return &circuit{program: p, known: make(map[string]int), numbers: make([]int, n), bits: make([]int, n)}
}

// add appends an operation unless there is one like it.
func (c *circuit) add(o operation) int {
	key := fmt.Sprint(o.act, o.args, o.k, o.width, o.low, o.high, o.table)
	if i, ok := c.known[key]; ok {
		return i
	}
	switch o.act {
	case actInput:
		o.shape = perCandidate
	case actDonor:
		o.shape = perDonor
	}
	for _, a := range o.args {
		o.shape |= c.code[a].shape
	}
	c.code = append(c.code, o)
	c.known[key] = len(c.code) - 1
	return len(c.code) - 1
}

func (c *circuit) input(k int) int      { return c.add(operation{act: actInput, k: int64(k)}) }
func (c *circuit) constant(k int64) int { return c.add(operation{act: actConst, k: k}) }
func (c *circuit) plus(x, y int) int    { return c.add(operation{act: actAdd, args: []int{x, y}}) }
func (c *circuit) minus(x, y int) int   { return c.add(operation{act: actSub, args: []int{x, y}}) }
func (c *circuit) times(x, y int) int   { return c.add(operation{act: actMul, args: []int{x, y}}) }
func (c *circuit) and(x, y int) int     { return c.add(operation{act: actAnd, args: []int{x, y}}) }
func (c *circuit) xor(x, y int) int     { return c.add(operation{act: actXor, args: []int{x, y}}) }
func (c *circuit) or(x, y int) int      { return c.not(c.and(c.not(x), c.not(y))) }

func (c *circuit) not(x int) int {
	if o := &c.code[x]; o.act == actNot {
		return o.args[0]
	}
	return c.add(operation{act: actNot, args: []int{x}})
}

// toBit returns the bit of a number 0 or 1: the lowest bits of its components are
// shares of it.
func (c *circuit) toBit(x int) int {
	if o := &c.code[x]; o.act == actNumber {
		return o.args[0]
	}
	return c.add(operation{act: actParity, args: []int{x}})
}

// toNumber returns a bit as a number.
func (c *circuit) toNumber(x int) int {
	switch o := &c.code[x]; o.act {
	case actParity:
		return o.args[0]
	case actNot:
		return c.minus(c.constant(1), c.toNumber(o.args[0]))
	}
	return c.add(operation{act: actNumber, args: []int{x}})
}

// choose returns the number x where the bit is 1, else y.
func (c *circuit) choose(bit, x, y int) int {
	return c.plus(y, c.times(c.toNumber(bit), c.minus(x, y)))
}

// number returns the operation that makes a node's number.
func (c *circuit) number(node int) int {
	if c.numbers[node] == 0 {
		c.numbers[node] = c.makeNumber(&c.program.Nodes[node], node) + 1
	}
	return c.numbers[node] - 1
}

func (c *circuit) makeNumber(n *policy.Node, node int) int {
	arg := func(k int) int { return c.number(n.Args[k]) }
	switch n.Op {
	case policy.OpInput:
		if n.Candidate {
			return c.input(int(n.K))
		}
		return c.add(operation{act: actDonor, k: n.K})
	case policy.OpConst:
		return c.constant(n.K)
	case policy.OpAdd:
		return c.plus(arg(0), arg(1))
	case policy.OpSub:
		return c.minus(arg(0), arg(1))
	case policy.OpMulConst:
		return c.add(operation{act: actScale, args: []int{arg(0)}, k: n.K})
	case policy.OpMul:
		return c.times(arg(0), arg(1))
	case policy.OpFloorDiv:
		x := &c.program.Nodes[n.Args[0]]
		return c.add(operation{act: actDivide, args: []int{arg(0)}, k: n.K, low: x.Low, high: x.High})
	case policy.OpSelect:
		return c.choose(c.bit(n.Args[0]), arg(1), arg(2))
	case policy.OpLookup:
		return c.add(operation{act: actLookup, args: []int{arg(0)}, table: n.Table})
	case policy.OpMin:
		return c.choose(c.less(n.Args[1], n.Args[0]), arg(1), arg(0))
	case policy.OpMax:
		return c.choose(c.less(n.Args[0], n.Args[1]), arg(1), arg(0))
	case policy.OpCountNew:
		first, second := c.newCodes(n.Args)
		return c.plus(c.toNumber(first), c.toNumber(second))
	}
	return c.toNumber(c.bit(node)) // what is left are conditions
}

// bit returns the operation that makes the bit of a node that is 0 or 1.
func (c *circuit) bit(node int) int {
	if c.bits[node] == 0 {
		c.bits[node] = c.makeBit(&c.program.Nodes[node], node) + 1
	}
	return c.bits[node] - 1
}

func (c *circuit) makeBit(n *policy.Node, node int) int {
	arg := func(k int) int { return c.bit(n.Args[k]) }
	switch n.Op {
	case policy.OpLess:
		return c.less(n.Args[0], n.Args[1])
	case policy.OpEqual:
		return c.equal(n.Args[0], n.Args[1])
	case policy.OpIntersects:
		return c.meet(n.Args)
	case policy.OpNot:
		return c.not(arg(0))
	}
	if c.booleans(n.Args) {
		switch n.Op {
		case policy.OpAnd, policy.OpMul, policy.OpMin:
			return c.and(arg(0), arg(1))
		case policy.OpOr, policy.OpMax:
			return c.or(arg(0), arg(1))
		case policy.OpSelect:
			return c.xor(arg(2), c.and(arg(0), c.xor(arg(1), arg(2))))
		}
	}
	return c.toBit(c.number(node))
}

func (c *circuit) booleans(nodes []int) bool {
	return !slices.ContainsFunc(nodes, func(x int) bool { return !c.program.Nodes[x].Boolean() })
}

// less returns the bit x < y of two nodes.
func (c *circuit) less(x, y int) int {
	if c.booleans([]int{x, y}) {
		return c.and(c.not(c.bit(x)), c.bit(y))
	}
	low, high := c.distance(x, y)
	width := bits.Len64(uint64(max(high, -(low+1), 0))) + 1
	return c.add(operation{act: actNegative, args: []int{c.minus(c.number(x), c.number(y))}, width: width})
}

// equal returns the bit x = y of two nodes.
func (c *circuit) equal(x, y int) int {
	if c.booleans([]int{x, y}) {
		return c.not(c.xor(c.bit(x), c.bit(y)))
	}
	low, high := c.distance(x, y)
	width := max(1, bits.Len64(uint64(max(high, -low))))
	return c.add(operation{act: actZero, args: []int{c.minus(c.number(x), c.number(y))}, width: width})
}

// distance returns the least and the greatest value of x - y, which fit: no value of
// a program has more than 63 bits with the sign.
func (c *circuit) distance(x, y int) (low, high int64) {
	a, b := &c.program.Nodes[x], &c.program.Nodes[y]
	return a.Low - b.High, a.High - b.Low
}

// newCodes returns two bits: that the first of the codes x, y, z, w is neither z nor
// w, and that the second is none of the three others.
func (c *circuit) newCodes(codes []int) (first, second int) {
	x, y, z, w := codes[0], codes[1], codes[2], codes[3]
	differ := func(a, b int) int { return c.not(c.equal(a, b)) }
	first = c.and(differ(x, z), differ(x, w))
	second = c.and(c.and(differ(y, z), differ(y, w)), differ(x, y))
	return first, second
}

// meet returns the bit that two sets have something in common, word by word.
func (c *circuit) meet(words []int) int {
	half := len(words) / 2
	var planes [2][]int
	for k := range half {
		width := 64
		for _, w := range []int{words[k], words[half+k]} {
			width = min(width, c.program.Nodes[w].Bits())
		}
		for side := range planes {
			x := c.number(words[side*half+k])
			planes[side] = append(planes[side], c.add(operation{act: actPlanes, args: []int{x}, width: width}))
		}
	}
	return c.add(operation{act: actMeet, args: slices.Concat(planes[0], planes[1])})
}

// schedule returns the batches, in order, in which the wanted operations and all that
// they need talk. A batch goes in one call.
func (c *circuit) schedule(wanted []int) [][]int {
	needed := c.needed(wanted)
	have := make([]bool, len(c.code)) // without talking any more
	var batches [][]int
	for {
		var ready []int
		for i := range c.code {
			o := &c.code[i]
			if !needed[i] || have[i] || slices.ContainsFunc(o.args, func(a int) bool { return !have[a] }) {
				continue
			}
			if o.act < firstTalking {
				have[i] = true
			} else {
				ready = append(ready, i)
			}
		}
		if len(ready) == 0 {
			return batches
		}
		first := slices.MinFunc(ready, func(i, j int) int { return int(c.code[i].act) - int(c.code[j].act) })
		batch := slices.DeleteFunc(ready, func(i int) bool { return !c.code[first].mixes(&c.code[i]) })
		for _, i := range batch {
			have[i] = true
		}
		batches = append(batches, batch)
	}
}

// needed marks the wanted operations and all that they need.
func (c *circuit) needed(wanted []int) []bool {
	out := make([]bool, len(c.code))
	for _, i := range wanted {
		out[i] = true
	}
	for i := len(c.code) - 1; i >= 0; i-- {
		if out[i] {
			for _, a := range c.code[i].args {
				out[a] = true
			}
		}
	}
	return out
}

// mixes tells whether two operations can go in one call.
func (o *operation) mixes(other *operation) bool {
	if o.act != other.act {
		return false
	}
	class := func(o *operation) int { return bits.Len(uint(max(o.width, narrow) - 1)) }
	switch o.act {
	case actZero, actNegative:
		return class(o) == class(other)
	case actLookup:
		return slices.Equal(o.table, other.table)
	case actDivide:
		return o.k == other.k && o.low == other.low && o.high == other.high
	case actMeet:
		return slices.Equal(o.args, other.args)
	}
	return true
}
