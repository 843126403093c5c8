package match

import (
	"slices"

	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

const (
	// rowUnit is what values are filled up to multiples of where they are laid end to
	// end, so that bits can be too.
	rowUnit = 64
	// atOnce is up to how many elements go in one call, so that memory is bounded.
	atOnce = 1 << 21
)

// wholeWords returns n rounded up to whole words of bits.
func wholeWords(n int) int { return (n + rowUnit - 1) / rowUnit * rowUnit }

// value is what an operation made, until nothing needs it any more: numbers or bits
// of the operation's shape. Where there is one for each donor and candidate, those of
// the first donor come first.
type value struct {
	numbers rss.Vec
	bits    rss.Bits
	there   bool
}

// evaluation is one run of a circuit.
type evaluation struct {
	s      *mpc.Session
	code   []operation
	n      int // candidates, a multiple of rowUnit
	m      int // donors
	inputs []rss.Vec
	donor  []rss.Vec
	values []value
	uses   []int // that are to come
	talked int   // calls so far
}

// run returns the numbers that the wanted operations make of n candidates and a donor,
// a column each. An input that is outside its range makes the numbers of its row wrong,
// and no others.
//
// A batch takes the rounds and bytes of its operation in package rss; what they are
// for a policy is in what tests of this package pin.
func (c *circuit) run(s *mpc.Session, n int, inputs, donor []rss.Vec, wanted ...int) []rss.Vec {
	e := c.evaluate(s, n, 1, inputs, donor, wanted)
	out := make([]rss.Vec, len(wanted))
	for k, i := range wanted {
		out[k] = rss.Slice(s, e.spread(e.numbers(i), e.code[i].shape, perCandidate), 0, n)
		e.used(i)
	}
	return out
}

// runAll returns the bits that one operation makes of n candidates and m donors: bit
// j of plane i is that of donor i and candidate j.
func (c *circuit) runAll(s *mpc.Session, n, m int, inputs, donors []rss.Vec, wanted int) rss.Bits {
	e := c.evaluate(s, n, m, inputs, donors, []int{wanted})
	flat := e.spreadBits(e.bits(wanted), e.code[wanted].shape, perCandidate|perDonor)
	e.used(wanted)
	return widen(reshape(flat, e.n), n)
}

// tabulate returns the numbers that one operation makes of n candidates and m donors: the
// first donor's come first.
func (c *circuit) tabulate(s *mpc.Session, n, m int, inputs, donors []rss.Vec, wanted int) rss.Vec {
	e := c.evaluate(s, n, m, inputs, donors, []int{wanted})
	all := e.spread(e.numbers(wanted), c.code[wanted].shape, perCandidate|perDonor)
	e.used(wanted)
	rows := make([]rss.Vec, m)
	for i := range rows {
		rows[i] = rss.Slice(s, all, i*e.n, i*e.n+n)
	}
	return rss.Concat(s, rows...)
}

// evaluate does all that the wanted operations need talking for.
func (c *circuit) evaluate(s *mpc.Session, n, m int, inputs, donor []rss.Vec, wanted []int) *evaluation {
	e := &evaluation{s: s, code: c.code, n: wholeWords(n), m: m, inputs: inputs, donor: donor}
	e.values, e.uses = make([]value, len(c.code)), make([]int, len(c.code))
	for i, needed := range c.needed(wanted) {
		if needed {
			for _, a := range c.code[i].args {
				e.uses[a]++
			}
		}
	}
	for _, i := range wanted {
		e.uses[i]++
	}
	for _, batch := range c.schedule(wanted) {
		for part := range slices.Chunk(batch, max(1, atOnce/(e.n*m))) {
			e.talk(part)
		}
	}
	return e
}

// used counts one use of a value and forgets it after the last.
func (e *evaluation) used(i int) {
	if e.uses[i]--; e.uses[i] == 0 {
		e.values[i] = value{}
	}
}

func (e *evaluation) numbers(i int) rss.Vec {
	e.find(i)
	return e.values[i].numbers
}

func (e *evaluation) bits(i int) rss.Bits {
	e.find(i)
	return e.values[i].bits
}

// find computes a local operation when it is first needed, and what it needs.
func (e *evaluation) find(i int) {
	v := &e.values[i]
	if v.there {
		return
	}
	o := &e.code[i]
	x := func(k int) rss.Vec { return e.level(o, k) }
	switch o.act {
	case actInput:
		v.numbers = e.fill(e.inputs[o.k])
	case actDonor:
		v.numbers = e.donor[o.k]
	case actConst:
		v.numbers = rss.Public(e.s, ring.FromInt64([]int64{o.k}))
	case actAdd:
		v.numbers = rss.Add(e.s, x(0), x(1))
	case actSub:
		v.numbers = rss.Sub(e.s, x(0), x(1))
	case actScale:
		v.numbers = rss.Scale(e.s, x(0), o.k)
	case actParity:
		a := x(0)
		v.bits = rss.Bits{A: ring.Transpose(a.A, 1), B: ring.Transpose(a.B, 1)}
	case actNot:
		v.bits = rss.Not(e.s, e.bits(o.args[0]))
	case actXor:
		v.bits = rss.Xor(e.s, e.levelBits(o, 0), e.levelBits(o, 1))
	}
	v.there = true
	e.release(o)
}

// release counts the uses that an operation made of its arguments.
func (e *evaluation) release(o *operation) {
	for _, a := range o.args {
		e.used(a)
	}
}

// fill returns an input with zeros after its last row.
func (e *evaluation) fill(x rss.Vec) rss.Vec {
	if x.Len() == e.n {
		return x
	}
	z := rss.Zero[ring.Vec64](e.n)
	copy(z.A, x.A)
	copy(z.B, x.B)
	return z
}

// level returns an argument in the shape of the operation.
func (e *evaluation) level(o *operation, k int) rss.Vec {
	x := e.numbers(o.args[k])
	return e.spread(x, e.code[o.args[k]].shape, o.shape)
}

// levelBits is level for bits.
func (e *evaluation) levelBits(o *operation, k int) rss.Bits {
	x := e.bits(o.args[k])
	return e.spreadBits(x, e.code[o.args[k]].shape, o.shape)
}

// sizes returns for how many donors and how many candidates a shape has elements.
func (e *evaluation) sizes(of shape) (donors, candidates int) {
	donors, candidates = 1, 1
	if of&perDonor != 0 {
		donors = e.m
	}
	if of&perCandidate != 0 {
		candidates = e.n
	}
	return donors, candidates
}

// length is how many elements a value of the shape has.
func (e *evaluation) length(of shape) int {
	donors, candidates := e.sizes(of)
	return donors * candidates
}

// spread repeats the numbers of a shape until they have a wider one. Local.
func (e *evaluation) spread(x rss.Vec, from, to shape) rss.Vec {
	if x.Len() == e.length(to) {
		return x
	}
	donors, candidates := e.sizes(to)
	has, width := e.sizes(from)
	z := rss.Zero[ring.Vec64](donors * candidates)
	for i := range z.A {
		k := i/candidates%has*width + i%candidates%width
		z.A[i], z.B[i] = x.A[k], x.B[k]
	}
	return z
}

// spreadBits is spread for planes of bits. Local.
func (e *evaluation) spreadBits(x rss.Bits, from, to shape) rss.Bits {
	if x.Len() == e.length(to) {
		return x
	}
	donors, candidates := e.sizes(to)
	has, width := e.sizes(from)
	return local(x, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(donors*candidates, p.W)
		for j := range p.W {
			to, own := z.Plane(j), p.Plane(j)
			for i := range to {
				switch d := i * rowUnit / candidates % has; {
				case candidates == 1:
					to[i] = -(own[0] & 1)
				case width == 1:
					to[i] = -(own[d/rowUnit] >> (d % rowUnit) & 1)
				default:
					to[i] = own[i%(width/rowUnit)]
				}
			}
		}
		return z
	})
}

// talk does the operations of a batch in one call.
func (e *evaluation) talk(batch []int) {
	first := &e.code[batch[0]]
	s := e.s.Step(first.act.String(), e.talked)
	e.talked++
	width := 0
	for _, i := range batch {
		width = max(width, e.code[i].width)
	}
	switch first.act {
	case actPlanes:
		e.keepPlanes(batch, rss.Decompose(s, e.stack(batch, 0), width))
	case actZero:
		e.keepPlanes(batch, rss.EqualPublic(s, e.stack(batch, 0), 0, width))
	case actNegative:
		e.keepPlanes(batch, rss.LessPublic(s, e.stack(batch, 0), 0, width))
	case actAnd:
		e.keepPlanes(batch, rss.And(s, e.stackBits(batch, 0), e.stackBits(batch, 1)))
	case actMeet:
		e.values[batch[0]].bits = e.meet(s, first)
	case actLookup:
		e.keepNumbers(batch, rss.Lookup(s, first.table, e.stack(batch, 0)))
	case actNumber:
		e.keepNumbers(batch, rss.ToArith(s, e.stackBits(batch, 0)))
	case actMul:
		e.keepNumbers(batch, rss.Mul(s, e.stack(batch, 0), e.stack(batch, 1)))
	case actDivide:
		e.keepNumbers(batch, newDivision(first.low, first.high, first.k).quotient(s, e.stack(batch, 0)))
	}
	for _, i := range batch {
		e.values[i].there = true
		e.release(&e.code[i])
	}
}

// room returns how many elements an operation takes in a batch.
func (e *evaluation) room(o *operation) int { return wholeWords(e.length(o.shape)) }

// stack lays argument k of all operations of a batch end to end. Local.
func (e *evaluation) stack(batch []int, k int) rss.Vec {
	total := 0
	for _, i := range batch {
		total += e.room(&e.code[i])
	}
	z, at := rss.Zero[ring.Vec64](total), 0
	for _, i := range batch {
		o := &e.code[i]
		x := e.level(o, k)
		copy(z.A[at:], x.A)
		copy(z.B[at:], x.B)
		at += e.room(o)
	}
	return z
}

// stackBits is stack for bits, in one plane.
func (e *evaluation) stackBits(batch []int, k int) rss.Bits {
	total := 0
	for _, i := range batch {
		total += e.room(&e.code[i])
	}
	z, at := rss.ZeroBits(total, 1), 0
	for _, i := range batch {
		o := &e.code[i]
		x := e.levelBits(o, k)
		copy(z.A.Words[at/rowUnit:], x.A.Words)
		copy(z.B.Words[at/rowUnit:], x.B.Words)
		at += e.room(o)
	}
	return z
}

// keepNumbers keeps what a batch made, which lies end to end.
func (e *evaluation) keepNumbers(batch []int, z rss.Vec) {
	at := 0
	for _, i := range batch {
		o := &e.code[i]
		e.values[i].numbers = rss.Slice(e.s, z, at, at+e.length(o.shape))
		at += e.room(o)
	}
}

// keepPlanes keeps what a batch made: of each operation as many planes as it wants,
// or one.
func (e *evaluation) keepPlanes(batch []int, z rss.Bits) {
	at := 0
	for _, i := range batch {
		o := &e.code[i]
		w := 1
		if o.act == actPlanes {
			w = o.width
		}
		e.values[i].bits = cutPlanes(z, at, e.length(o.shape), w)
		at += e.room(o)
	}
}

// cutPlanes copies n bits of the low w planes, from a multiple of 64 on. Local.
func cutPlanes(x rss.Bits, lo, n, w int) rss.Bits {
	return local(x, func(p ring.Planes) ring.Planes {
		z := ring.MakePlanes(n, w)
		for j := range w {
			copy(z.Plane(j), p.Plane(j)[lo/rowUnit:])
		}
		return z
	})
}

// meet returns the bit that planes of two sets have a 1 in common.
func (e *evaluation) meet(s *mpc.Session, o *operation) rss.Bits {
	half := len(o.args) / 2
	sides := make([]rss.Bits, 2)
	for k := range sides {
		var planes []rss.Bits
		for i := range half {
			planes = append(planes, e.levelBits(o, k*half+i))
		}
		sides[k] = rss.ConcatPlanes(planes...)
	}
	return rss.OrAll(s.Step("any"), rss.And(s.Step("both"), sides[0], sides[1]))
}
