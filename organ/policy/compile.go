package policy

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/google/cel-go/common/operators"

	"consilium/organ/hla"
)

// result is what an expression of the match is compiled to: a node, or a number
// or text that is known.
type result struct {
	kind   kind
	node   int
	step   *big.Rat // of a number: its value is node * step
	known  *big.Rat // a number that is known: there is no node
	text   string   // a category that is known, if levels is nil
	levels []string // of a category: sorted, the node is a place among them

	variable *variable // of a typing, antigens or a set: where it comes from
	level    level
	carried  []*variable // of a set: the typings of which it is what they carry
}

// extract takes an input of the program from a row's values.
type extract func(values []datum) int64

// compiler compiles the expressions of the match.
type compiler struct {
	*builder
	env       *environment
	candidate *side
	donor     *side
	values    map[string]result // of the match, by name
	infos     [2][]InputInfo    // candidate, donor
	extracts  [2][]extract
}

// sideOf returns the side of a variable, and its place in infos.
func (c *compiler) sideOf(v *variable) (*side, int) {
	if strings.HasPrefix(v.full, c.candidate.name+".") {
		return c.candidate, 0
	}
	return c.donor, 1
}

// input returns the node of an input, which it declares at its first use.
func (c *compiler) input(v *variable, info InputInfo, x extract) int {
	_, which := c.sideOf(v)
	k := slices.IndexFunc(c.infos[which], func(i InputInfo) bool { return i.Name == info.Name })
	if k < 0 {
		k = len(c.infos[which])
		c.infos[which] = append(c.infos[which], info)
		c.extracts[which] = append(c.extracts[which], x)
	}
	return c.add64(Node{Op: OpInput, K: int64(k), Candidate: which == 0, Name: info.Name}, info.Low, info.High)
}

// read is the value of an input or site value.
func (c *compiler) read(v *variable) (result, error) {
	s, _ := c.sideOf(v)
	slot := s.slots[v.full]
	code := func(values []datum) int64 { return values[slot].code }
	switch v.kind {
	case number:
		low, high := v.column.Codes()
		if low == high {
			return result{kind: number, known: new(big.Rat).Mul(new(big.Rat).SetInt64(low), v.step)}, nil
		}
		node := c.input(v, InputInfo{Name: v.full, Kind: Number, Low: low, High: high, Step: v.step}, code)
		return result{kind: number, node: node, step: v.step}, nil
	case boolean:
		return result{kind: boolean, node: c.input(v, InputInfo{Name: v.full, Kind: Boolean, High: 1}, code)}, nil
	case category:
		levels := v.levels()
		node := c.input(v, InputInfo{Name: v.full, Kind: Code, High: int64(len(levels)) - 1, Levels: levels}, code)
		return result{kind: category, node: node, levels: levels}, nil
	case typing:
		return result{kind: typing, variable: v, level: asTyped}, nil
	case set:
		return result{kind: set, variable: v}, nil
	}
	return result{}, fmt.Errorf("a %s does not enter the match: compute a site value from it", v.kind)
}

// codes returns the nodes of the two antigens of a typing at a level.
func (c *compiler) codes(r result) [2]int {
	s, _ := c.sideOf(r.variable)
	slot := s.slots[r.variable.full]
	var nodes [2]int
	for i := range nodes {
		first, at := i == 0, r.level
		nodes[i] = c.input(r.variable, InputInfo{
			Name: fmt.Sprintf("%s.%s.%d", r.variable.full, r.level, i+1), Kind: Antigen, High: int64(hla.Count(r.variable.locus)) - 1,
		}, func(values []datum) int64 {
			t := at.at(values[slot].typing.typing)
			if first {
				return int64(t.First.Code())
			}
			return int64(t.Second.Code())
		})
	}
	return nodes
}

// words returns the nodes of a set's packed words over the loci.
func (c *compiler) words(r result, loci []hla.Locus) []int {
	owner, name := r.variable, ""
	var from []string
	var of func(values []datum) hla.Set
	if r.carried != nil {
		owner = r.carried[0]
		s, _ := c.sideOf(owner)
		var slots []int
		var names []string
		for _, v := range r.carried {
			slots = append(slots, s.slots[v.full])
			names = append(names, v.input.Name)
			from = append(from, v.full)
		}
		name = fmt.Sprintf("%s.carried(%s)", s.name, strings.Join(names, ","))
		of = func(values []datum) hla.Set {
			var all []hla.Typing
			for _, slot := range slots {
				all = append(all, values[slot].typing.typing)
			}
			return hla.Carried(all...)
		}
	} else {
		s, _ := c.sideOf(owner)
		slot := s.slots[owner.full]
		name, from = owner.full, []string{owner.full}
		of = func(values []datum) hla.Set { return values[slot].set }
	}
	var nodes []int
	for i, bits := range hla.WordWidths(loci) {
		nodes = append(nodes, c.input(owner, InputInfo{
			Name: fmt.Sprintf("%s.%s.word%d", name, lociName(loci), i+1), Kind: Word, High: 1<<bits - 1, Loci: loci, From: from,
		}, func(values []datum) int64 { return of(values).Words(loci)[i] }))
	}
	return nodes
}

func lociName(loci []hla.Locus) string {
	names := make([]string, len(loci))
	for i, l := range loci {
		names[i] = l.String()
	}
	return strings.Join(names, "")
}

// compile compiles a checked expression.
func (c *compiler) compile(x *expr) (result, error) {
	switch x.op {
	case opName:
		if v, ok := c.values[x.name]; ok {
			return v, nil
		}
		for _, s := range []*side{c.candidate, c.donor} {
			if slot, ok := s.slots[x.name]; ok {
				r, err := c.read(s.variables[slot])
				if err != nil {
					return r, x.errorf("%v", err)
				}
				return r, nil
			}
		}
		return result{}, x.errorf("%s is read at a site alone", x.name)
	case opNumber:
		return result{kind: number, known: x.num}, nil
	case opText:
		return result{kind: category, text: x.text}, nil
	case opTruth:
		return result{kind: boolean, node: c.truth(x.truth)}, nil
	case "carried":
		return c.carried(x)
	case operators.In:
		return c.in(x)
	}
	args := make([]result, len(x.args))
	for i, a := range x.args {
		var err error
		if args[i], err = c.compile(a); err != nil {
			return result{}, err
		}
	}
	r, err := c.call(x, args)
	if err == nil && c.builder.err != nil {
		return result{}, x.errorf("%v", c.builder.err)
	}
	return r, err
}

func (c *compiler) call(x *expr, args []result) (result, error) {
	if t, ok := c.env.tables[x.op]; ok {
		return c.table(x, t, args)
	}
	switch x.op {
	case operators.Add, operators.Subtract, "min", "max":
		return c.arithmetic(x.op, args[0], args[1]), nil
	case operators.Multiply:
		return c.multiply(args[0], args[1]), nil
	case operators.Negate:
		return c.multiply(result{kind: number, known: big.NewRat(-1, 1)}, args[0]), nil
	case operators.Divide:
		if args[1].known == nil || args[1].known.Sign() == 0 {
			return result{}, x.args[1].errorf("the match divides by numbers that are written out, other than 0: divide in a site value")
		}
		return c.multiply(args[0], result{kind: number, known: new(big.Rat).Inv(args[1].known)}), nil
	case "round":
		return c.floor(args[0], big.NewRat(1, 2)), nil
	case "floor":
		return c.floor(args[0], new(big.Rat)), nil
	case operators.Less:
		return c.below(args[0], args[1]), nil
	case operators.Greater:
		return c.below(args[1], args[0]), nil
	case operators.LessEquals:
		return c.opposite(c.below(args[1], args[0])), nil
	case operators.GreaterEquals:
		return c.opposite(c.below(args[0], args[1])), nil
	case operators.Equals, operators.NotEquals:
		r, err := c.same(x, args[0], args[1])
		if err == nil && x.op == operators.NotEquals {
			r = c.opposite(r)
		}
		return r, err
	case operators.LogicalAnd:
		return result{kind: boolean, node: c.and(args[0].node, args[1].node)}, nil
	case operators.LogicalOr:
		return result{kind: boolean, node: c.or(args[0].node, args[1].node)}, nil
	case operators.LogicalNot:
		return c.opposite(args[0]), nil
	case operators.Conditional:
		return c.conditional(x, args)
	case "broad", "split":
		r := args[0]
		r.kind, r.level = antigens, level(x.op)
		return r, nil
	case "new_antigens":
		return c.newAntigens(x, args[0], args[1])
	case "meets":
		return c.meets(x, args[0], args[1])
	}
	return result{}, x.errorf("%s has no meaning in the match", x.op)
}

// common brings two numbers to one step.
func (c *compiler) common(x, y result) (a, b int, step *big.Rat) {
	// What is known has the coarsest step there is: itself.
	stepOf := func(r result) *big.Rat {
		if r.known == nil {
			return r.step
		}
		return new(big.Rat).Abs(r.known)
	}
	sx, sy := stepOf(x), stepOf(y)
	switch {
	case sx.Sign() == 0 && sy.Sign() == 0:
		step = one
	case sx.Sign() == 0:
		step = sy
	case sy.Sign() == 0:
		step = sx
	default:
		step = commonStep(sx, sy)
	}
	return c.at(x, step), c.at(y, step), step
}

// at returns a number's node at a step of which it is a whole multiple.
func (c *compiler) at(r result, step *big.Rat) int {
	if r.known == nil {
		return c.scale(r.node, steps(r.step, step))
	}
	k := steps(r.known, step)
	if k.BitLen() > 62 {
		c.fail("a number needs %d bits, 62 are the most: declare coarser steps", k.BitLen())
		return c.constant(0)
	}
	return c.constant(k.Int64())
}

func (c *compiler) arithmetic(op string, x, y result) result {
	if x.known != nil && y.known != nil {
		v := new(big.Rat)
		switch op {
		case operators.Add:
			v.Add(x.known, y.known)
		case operators.Subtract:
			v.Sub(x.known, y.known)
		case "min":
			v.Set(slices.MinFunc([]*big.Rat{x.known, y.known}, (*big.Rat).Cmp))
		default:
			v.Set(slices.MaxFunc([]*big.Rat{x.known, y.known}, (*big.Rat).Cmp))
		}
		return result{kind: number, known: v}
	}
	a, b, step := c.common(x, y)
	out := result{kind: number, step: step}
	switch op {
	case operators.Add:
		out.node = c.plus(a, b)
	case operators.Subtract:
		out.node = c.minus(a, b)
	case "min":
		out.node = c.min(a, b)
	default:
		out.node = c.max(a, b)
	}
	return out
}

// multiply is exact: a factor that is known makes the step finer and costs nothing.
func (c *compiler) multiply(x, y result) result {
	switch {
	case x.known != nil && y.known != nil:
		return result{kind: number, known: new(big.Rat).Mul(x.known, y.known)}
	case y.known != nil:
		return c.multiply(y, x)
	case x.known == nil:
		return result{kind: number, node: c.times(x.node, y.node), step: new(big.Rat).Mul(x.step, y.step)}
	case x.known.Sign() == 0:
		return result{kind: number, known: new(big.Rat)}
	case x.known.Sign() < 0:
		y.node = c.scale(y.node, big.NewInt(-1))
	}
	y.step = new(big.Rat).Mul(y.step, new(big.Rat).Abs(x.known))
	return y
}

// floor is the greatest whole number at most x + shift.
func (c *compiler) floor(x result, shift *big.Rat) result {
	if x.known != nil {
		v := new(big.Rat).Add(x.known, shift)
		// big.Int.Div rounds down where the divisor is positive.
		return result{kind: number, known: new(big.Rat).SetInt(new(big.Int).Div(v.Num(), v.Denom()))}
	}
	if x.step.IsInt() { // whole already
		return x
	}
	a, step := x.node, x.step
	if shift.Sign() != 0 {
		var b int
		a, b, step = c.common(x, result{kind: number, known: shift})
		a = c.plus(a, b)
	}
	// a * p/q, rounded down
	return result{kind: number, node: c.floorDiv(c.scale(a, step.Num()), step.Denom()), step: one}
}

func (c *compiler) below(x, y result) result {
	if x.known != nil && y.known != nil {
		return result{kind: boolean, node: c.truth(x.known.Cmp(y.known) < 0)}
	}
	a, b, _ := c.common(x, y)
	return result{kind: boolean, node: c.less(a, b)}
}

func (c *compiler) opposite(x result) result { return result{kind: boolean, node: c.not(x.node)} }

func (c *compiler) same(x *expr, a, b result) (result, error) {
	out := result{kind: boolean}
	switch a.kind {
	case number:
		if a.known != nil && b.known != nil {
			out.node = c.truth(a.known.Cmp(b.known) == 0)
			return out, nil
		}
		p, q, _ := c.common(a, b)
		out.node = c.equal(p, q)
	case boolean:
		out.node = c.equal(a.node, b.node)
	default:
		if a.levels == nil {
			a, b = b, a
		}
		switch {
		case a.levels == nil:
			out.node = c.truth(a.text == b.text)
		case b.levels == nil:
			out.node = c.equal(a.node, c.constant(int64(slices.Index(a.levels, b.text))))
		case !slices.Equal(a.levels, b.levels):
			return out, x.errorf("the two sides have different lists of values: declare the same list for both")
		default:
			out.node = c.equal(a.node, b.node)
		}
	}
	return out, nil
}

// in looks up whether a category is among those that are written out.
func (c *compiler) in(x *expr) (result, error) {
	a, err := c.compile(x.args[0])
	if err != nil {
		return result{}, err
	}
	if a.levels == nil {
		return result{}, x.errorf("write the condition with a category of a candidate or donor")
	}
	table := make([]int64, len(a.levels))
	for _, element := range x.args[1].args {
		table[slices.Index(a.levels, element.text)] = 1
	}
	return result{kind: boolean, node: c.lookup(table, a.node)}, nil
}

// table looks categories up in a public map or mask.
func (c *compiler) table(x *expr, t *table, args []result) (result, error) {
	if t.form == formIntervals {
		return result{}, x.errorf("intervals are looked up in a site value: the match has maps and masks alone")
	}
	step := one
	for _, v := range t.cells {
		if v.Sign() != 0 {
			step = commonStep(step, v)
		}
	}
	index, keys := c.constant(0), [][]string{nil} // a cell for each combination of levels
	for _, a := range args {
		levels := a.levels
		if levels == nil {
			levels = []string{a.text}
		}
		var longer [][]string
		for _, k := range keys {
			for _, l := range levels {
				longer = append(longer, append(slices.Clone(k), l))
			}
		}
		keys = longer
		if len(keys) > maxLookup {
			return result{}, x.errorf("%d cells are to be looked up on shares, at most %d can be: use a site value", len(keys), maxLookup)
		}
		if a.levels != nil {
			index = c.plus(c.scale(index, big.NewInt(int64(len(levels)))), a.node)
		}
	}
	cells := make([]int64, len(keys))
	for i, k := range keys {
		n := steps(t.cells[cellKey(k...)], step)
		if n.BitLen() > 62 {
			return result{}, x.errorf("a value of table %s needs %d bits, 62 are the most: write fewer digits", t.name, n.BitLen())
		}
		cells[i] = n.Int64()
	}
	return result{kind: x.kind, node: c.lookup(cells, index), step: step}, nil
}

func (c *compiler) conditional(x *expr, args []result) (result, error) {
	switch x.kind {
	case boolean:
		return result{kind: boolean, node: c.choose(args[0].node, args[1].node, args[2].node)}, nil
	case number:
		if k, ok := c.isConst(args[0].node); ok {
			return args[2-k], nil
		}
		a, b, step := c.common(args[1], args[2])
		return result{kind: number, node: c.choose(args[0].node, a, b), step: step}, nil
	}
	return result{}, x.errorf("the match chooses between numbers or conditions: choose categories in a site value")
}

func (c *compiler) newAntigens(x *expr, a, b result) (result, error) {
	if a.variable.locus != b.variable.locus {
		return result{}, x.errorf("antigens of locus %s and of locus %s have none in common", a.variable.locus, b.variable.locus)
	}
	if a.level != b.level {
		return result{}, x.errorf("one typing is at %s level and one at %s level: compare at the same", a.level, b.level)
	}
	p, q := c.codes(a), c.codes(b)
	node := c.add64(Node{Op: OpCountNew, Args: []int{p[0], p[1], q[0], q[1]}}, 0, 2)
	return result{kind: number, node: node, step: one}, nil
}

// carried takes the typings of one side whose antigens make a set.
func (c *compiler) carried(x *expr) (result, error) {
	out := result{kind: set}
	for _, element := range x.args[0].args {
		r, err := c.compile(element)
		if err != nil {
			return out, err
		}
		if len(out.carried) > 0 {
			first, _ := c.sideOf(out.carried[0])
			if own, _ := c.sideOf(r.variable); own != first {
				return out, element.errorf("typings of one person make a set: this is another's")
			}
		}
		out.carried = append(out.carried, r.variable)
	}
	if len(out.carried) == 0 {
		return out, x.errorf("list the typings")
	}
	return out, nil
}

// loci lists those of a set's antigens.
func (r result) loci() []hla.Locus {
	if r.carried == nil {
		return r.variable.loci
	}
	var all []hla.Locus
	for _, v := range r.carried {
		if !slices.Contains(all, v.locus) {
			all = append(all, v.locus)
		}
	}
	return all
}

// meets packs both sets over the loci that they share, in the order of the list.
func (c *compiler) meets(x *expr, a, b result) (result, error) {
	var loci []hla.Locus
	for _, l := range a.loci() {
		if slices.Contains(b.loci(), l) {
			loci = append(loci, l)
		}
	}
	if len(loci) == 0 {
		return result{}, x.errorf("the two sets have no locus in common")
	}
	slices.Sort(loci)
	words := append(c.words(a, loci), c.words(b, loci)...)
	return result{kind: boolean, node: c.add64(Node{Op: OpIntersects, Args: words}, 0, 1)}, nil
}
