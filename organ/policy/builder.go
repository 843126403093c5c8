package policy

import (
	"fmt"
	"math/big"
	"slices"
)

// maxNodes bounds a program.
const maxNodes = 1 << 14

// builder makes the nodes of a program. Equal nodes are made once, constants are
// folded, and what is known from ranges is not computed.
type builder struct {
	nodes []Node
	known map[string]int
	err   error // the first width that does not fit
}

func newBuilder() *builder { return &builder{known: make(map[string]int)} }

func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// add appends a node unless there is one like it. Low and high are its range.
func (b *builder) add(n Node, low, high *big.Int) int {
	limit := big.NewInt(maxMagnitude)
	if low.CmpAbs(limit) > 0 || high.CmpAbs(limit) > 0 {
		b.fail("a value needs %d bits, %d are the most: declare smaller ranges or coarser steps", max(low.BitLen(), high.BitLen())+1, 63)
		low, high = new(big.Int), new(big.Int)
	}
	n.Low, n.High = low.Int64(), high.Int64()
	if n.Op != OpConst && n.Op != OpInput && n.Low == n.High {
		return b.constant(n.Low)
	}
	key := fmt.Sprint(n.Op, n.Args, n.K, n.Table, n.Low, n.High)
	if n.Op == OpInput {
		key += n.Name // each once, whatever its range
	}
	if i, ok := b.known[key]; ok {
		return i
	}
	if len(b.nodes) >= maxNodes {
		b.fail("the policy needs more than %d steps: make it smaller", maxNodes)
		return 0
	}
	for _, a := range n.Args {
		n.Candidate = n.Candidate || b.nodes[a].Candidate
	}
	b.nodes = append(b.nodes, n)
	b.known[key] = len(b.nodes) - 1
	return len(b.nodes) - 1
}

func (b *builder) add64(n Node, low, high int64) int {
	return b.add(n, big.NewInt(low), big.NewInt(high))
}

func (b *builder) constant(k int64) int { return b.add64(Node{Op: OpConst, K: k}, k, k) }

// isConst returns the value of a constant node.
func (b *builder) isConst(x int) (int64, bool) {
	n := &b.nodes[x]
	return n.K, n.Op == OpConst
}

func (b *builder) low(x int) *big.Int  { return big.NewInt(b.nodes[x].Low) }
func (b *builder) high(x int) *big.Int { return big.NewInt(b.nodes[x].High) }

func (b *builder) plus(x, y int) int {
	if k, ok := b.isConst(x); ok && k == 0 {
		return y
	}
	if k, ok := b.isConst(y); ok && k == 0 {
		return x
	}
	return b.add(Node{Op: OpAdd, Args: []int{x, y}}, sum(b.low(x), b.low(y)), sum(b.high(x), b.high(y)))
}

func (b *builder) minus(x, y int) int {
	if k, ok := b.isConst(y); ok && k == 0 {
		return x
	}
	if x == y {
		return b.constant(0)
	}
	return b.add(Node{Op: OpSub, Args: []int{x, y}}, difference(b.low(x), b.high(y)), difference(b.high(x), b.low(y)))
}

// scale is x * k.
func (b *builder) scale(x int, k *big.Int) int {
	if !k.IsInt64() {
		b.fail("a factor needs %d bits: write numbers with fewer decimals", k.BitLen())
		return b.constant(0)
	}
	if k.Int64() == 1 {
		return x
	}
	if n := b.nodes[x]; n.Op == OpMulConst {
		return b.scale(n.Args[0], product(k, big.NewInt(n.K)))
	}
	ends := []*big.Int{product(b.low(x), k), product(b.high(x), k)}
	return b.add(Node{Op: OpMulConst, Args: []int{x}, K: k.Int64()}, least(ends), greatest(ends))
}

func (b *builder) times(x, y int) int {
	if k, ok := b.isConst(x); ok {
		return b.scale(y, big.NewInt(k))
	}
	if k, ok := b.isConst(y); ok {
		return b.scale(x, big.NewInt(k))
	}
	ends := []*big.Int{
		product(b.low(x), b.low(y)), product(b.low(x), b.high(y)), product(b.high(x), b.low(y)), product(b.high(x), b.high(y)),
	}
	return b.add(Node{Op: OpMul, Args: []int{x, y}}, least(ends), greatest(ends))
}

// floorDiv is the greatest whole number at most x / k, for positive k.
func (b *builder) floorDiv(x int, k *big.Int) int {
	if k.Cmp(big.NewInt(1)) == 0 {
		return x
	}
	if !k.IsInt64() {
		b.fail("a divisor needs %d bits: write numbers with fewer decimals", k.BitLen())
		return b.constant(0)
	}
	d := k.Int64()
	return b.add64(Node{Op: OpFloorDiv, Args: []int{x}, K: d}, floorDiv(b.nodes[x].Low, d), floorDiv(b.nodes[x].High, d))
}

func floorDiv(x, d int64) int64 {
	q := x / d
	if x%d < 0 {
		q--
	}
	return q
}

func (b *builder) truth(t bool) int { return b.constant(truthCode(t)) }

func (b *builder) less(x, y int) int {
	nx, ny := &b.nodes[x], &b.nodes[y]
	switch {
	case nx.High < ny.Low:
		return b.truth(true)
	case nx.Low >= ny.High || x == y:
		return b.truth(false)
	}
	// At the edge of a range, less is unequal, which costs less on shares.
	if nx.Op == OpConst && nx.K == ny.Low || ny.Op == OpConst && ny.K == nx.High {
		return b.not(b.equal(x, y))
	}
	return b.add64(Node{Op: OpLess, Args: []int{x, y}}, 0, 1)
}

func (b *builder) equal(x, y int) int {
	nx, ny := &b.nodes[x], &b.nodes[y]
	switch {
	case x == y:
		return b.truth(true)
	case nx.High < ny.Low || ny.High < nx.Low:
		return b.truth(false)
	}
	if nx.Op == OpConst {
		return b.equal(y, x)
	}
	if ny.Op == OpConst && nx.Boolean() { // the value itself, or its opposite
		if ny.K == 1 {
			return x
		}
		return b.not(x)
	}
	return b.add64(Node{Op: OpEqual, Args: []int{x, y}}, 0, 1)
}

func (b *builder) and(x, y int) int {
	for _, p := range [2][2]int{{x, y}, {y, x}} {
		if k, ok := b.isConst(p[0]); ok {
			if k == 0 {
				return p[0]
			}
			return p[1]
		}
	}
	if x == y {
		return x
	}
	return b.add64(Node{Op: OpAnd, Args: []int{x, y}}, 0, 1)
}

func (b *builder) or(x, y int) int {
	for _, p := range [2][2]int{{x, y}, {y, x}} {
		if k, ok := b.isConst(p[0]); ok {
			if k == 1 {
				return p[0]
			}
			return p[1]
		}
	}
	if x == y {
		return x
	}
	return b.add64(Node{Op: OpOr, Args: []int{x, y}}, 0, 1)
}

func (b *builder) not(x int) int {
	if k, ok := b.isConst(x); ok {
		return b.constant(1 - k)
	}
	if n := &b.nodes[x]; n.Op == OpNot {
		return n.Args[0]
	}
	return b.add64(Node{Op: OpNot, Args: []int{x}}, 0, 1)
}

// choose is x where c is 1, else y. With two constants it is a sum, with a zero a
// product, which cost less on shares than a choice does.
func (b *builder) choose(c, x, y int) int {
	if k, ok := b.isConst(c); ok {
		if k == 1 {
			return x
		}
		return y
	}
	if x == y {
		return x
	}
	kx, constX := b.isConst(x)
	ky, constY := b.isConst(y)
	switch {
	case constX && constY:
		return b.plus(b.scale(c, difference(big.NewInt(kx), big.NewInt(ky))), y)
	case constY && ky == 0:
		return b.times(c, x)
	case constX && kx == 0:
		return b.times(b.not(c), y)
	}
	return b.add64(Node{Op: OpSelect, Args: []int{c, x, y}}, min(b.nodes[x].Low, b.nodes[y].Low), max(b.nodes[x].High, b.nodes[y].High))
}

func (b *builder) lookup(table []int64, x int) int {
	if n := &b.nodes[x]; n.Low < 0 || n.High >= int64(len(table)) {
		b.fail("a table is looked up beyond its end")
		return b.constant(0)
	}
	return b.add64(Node{Op: OpLookup, Args: []int{x}, Table: table}, slices.Min(table), slices.Max(table))
}

func (b *builder) min(x, y int) int {
	nx, ny := &b.nodes[x], &b.nodes[y]
	switch {
	case nx.High <= ny.Low:
		return x
	case ny.High <= nx.Low:
		return y
	}
	return b.add64(Node{Op: OpMin, Args: []int{x, y}}, min(nx.Low, ny.Low), min(nx.High, ny.High))
}

func (b *builder) max(x, y int) int {
	nx, ny := &b.nodes[x], &b.nodes[y]
	switch {
	case nx.Low >= ny.High:
		return x
	case ny.Low >= nx.High:
		return y
	}
	return b.add64(Node{Op: OpMax, Args: []int{x, y}}, max(nx.Low, ny.Low), max(nx.High, ny.High))
}

// within narrows a node's range to what is known of it otherwise. The node must
// be a sum or a product by a constant, since it is made anew.
func (b *builder) within(x int, low, high int64) int {
	n := b.nodes[x]
	return b.add64(n, max(n.Low, low), min(n.High, high))
}

func sum(x, y *big.Int) *big.Int        { return new(big.Int).Add(x, y) }
func difference(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }
func product(x, y *big.Int) *big.Int    { return new(big.Int).Mul(x, y) }

func least(xs []*big.Int) *big.Int {
	return slices.MinFunc(xs, func(a, b *big.Int) int { return a.Cmp(b) })
}

func greatest(xs []*big.Int) *big.Int {
	return slices.MaxFunc(xs, func(a, b *big.Int) int { return a.Cmp(b) })
}

// prune keeps the nodes that the wanted ones need and returns where each went.
func (b *builder) prune(wanted []int) (nodes []Node, moved []int) {
	needed := make([]bool, len(b.nodes))
	for _, w := range wanted {
		needed[w] = true
	}
	for i := len(b.nodes) - 1; i >= 0; i-- {
		if needed[i] {
			for _, a := range b.nodes[i].Args {
				needed[a] = true
			}
		}
	}
	moved = make([]int, len(b.nodes))
	for i, n := range b.nodes {
		if !needed[i] {
			continue
		}
		n.Args = slices.Clone(n.Args)
		for k, a := range n.Args {
			n.Args[k] = moved[a]
		}
		moved[i] = len(nodes)
		nodes = append(nodes, n)
	}
	return nodes, moved
}
