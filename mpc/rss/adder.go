package rss

import "consilium/mpc/ring"

// An adder adds, bit by bit, two numbers u and t of a chunk, of which the strand's
// dealer knows u and the other two parties know t. It goes in groups of at most
// three bits. The dealer deals the products of u's bits in each group (they are
// products of bits that it knows), of which a group's carry is a linear function
// with coefficients that the other two know (they are products of bits of t): see
// ring.SetCarry3. So two steps replace a full adder over three components and the
// two lowest levels of a carry tree. The groups' carries are joined by a tree.
//
// Derived here, checked by simulation, not reviewed. That the dealer adds two
// components by itself first is known (Mohassel and Rindal, ABY3, CCS 2018).
type adder struct {
	l      *strand
	bits   ring.Planes // of u at the dealer, of t elsewhere
	groups []bitGroup  // lowest first; together they are all bits
	dealt  ring.Planes // this party's part of the products, group by group; at the dealer spent
	coin   ring.Planes // at the dealer: the other part, if it was to be kept
}

// bitGroup is some neighbouring bits of an adder.
type bitGroup struct {
	lo, size int
	first    int // its first product
}

// groupsOf cuts n bits into groups. Only the lowest may be short.
func groupsOf(n int) (gs []bitGroup, products int) {
	for lo := 0; lo < n; {
		size := ring.GroupBits
		if rest := n % ring.GroupBits; lo == 0 && rest > 0 {
			size = rest
		}
		gs = append(gs, bitGroup{lo, size, products})
		lo, products = lo+size, products+ring.Products(size)
	}
	return gs, products
}

// newAdder deals the products of the low n bits, and the bits from n on as they
// are. keep says that the dealer, too, needs its parts. 1 round; 7/9 bits a bit
// and party on average.
func newAdder(l *strand, bits ring.Planes, n int, keep bool) *adder {
	gs, products := groupsOf(n)
	a := &adder{l: l, bits: bits, groups: gs}
	total := products + bits.W - n
	var value, coin ring.Planes
	switch l.seat() {
	case dealer:
		value = l.planes(bits.N, total)
		for _, g := range gs {
			ring.SetProducts(words(value, g.first, ring.Products(g.size)), words(bits, g.lo, g.size))
		}
		copy(value.Planes(products, total).Words, bits.Planes(n, bits.W).Words)
		if keep {
			coin = l.planes(bits.N, total)
		}
		a.dealt, a.coin = value, coin
	case after:
		value = l.planes(bits.N, total)
		a.dealt = value
	case before:
		coin = l.planes(bits.N, total)
		a.dealt = coin
	}
	offer(l, l.gate("deal"), value.Words, coin.Words)
	return a
}

// words returns w planes from lo on as slices.
func words(p ring.Planes, lo, w int) []ring.Words {
	out := make([]ring.Words, w)
	for j := range out {
		out[j] = p.Plane(lo + j)
	}
	return out
}

// products returns this party's part of a group's products, and t's bits.
func (a *adder) products(g bitGroup) (m, t []ring.Words) {
	return words(a.dealt, g.first, ring.Products(g.size)), words(a.bits, g.lo, g.size)
}

// answer makes w planes of which set gives this party's part of plane j, everywhere
// but at the dealer: it adds constants at the party after the dealer only. 1
// round, 2/3 bits a bit and party on average.
func (a *adder) answer(name string, w int, set func(j int, part ring.Words, constant bool)) Bits {
	z := a.l.bits(a.bits.N, w)
	switch a.l.seat() {
	case after:
		for j := range w {
			set(j, z.A.Plane(j), true)
		}
	case before:
		for j := range w {
			set(j, z.B.Plane(j), false)
		}
	}
	reply(a.l, a.l.gate(name), z.A.Words, z.B.Words)
	return z
}

// sign returns bit n of u + t, where n is the number of bits that are in groups.
func (a *adder) sign() Bits {
	last := len(a.groups) - 1
	g, p := a.carries(func(part ring.Words, constant bool) {
		// The highest bits of u and t ride on the carry that they are added to.
		top := a.bits.W - 1
		if part.Xor(part, a.dealt.Plane(a.dealt.W-1)); constant {
			part.Xor(part, a.bits.Plane(top))
		}
	}, last)
	return a.l.carryOut(g, p)
}

// carry returns the carry out of all bits.
func (a *adder) carry() Bits {
	g, p := a.carries(nil, -1)
	return a.l.carryOut(g, p)
}

// carries returns what each group generates and hands on, nothing for p[0]: nothing
// enters the lowest group. ride, if not nil, adds to the carry of one group.
func (a *adder) carries(ride func(part ring.Words, constant bool), rides int) (g, p []Bits) {
	n := len(a.groups)
	z := a.answer("carry", 2*n-1, func(j int, part ring.Words, constant bool) {
		if j >= n {
			a.setPass(part, a.groups[j-n+1], ring.GroupBits, constant)
			return
		}
		gr := a.groups[j]
		if a.setCarry(part, gr, gr.size); j == rides {
			ride(part, constant)
		}
	})
	planes := z.each()
	return planes[:n], append([]Bits{{}}, planes[n:]...)
}

// setCarry sets part to this party's part of the carry of a group's low k bits.
func (a *adder) setCarry(part ring.Words, g bitGroup, k int) {
	m, t := a.products(g)
	switch k {
	case 1:
		ring.SetCarry1(part, m, t)
	case 2:
		ring.SetCarry2(part, m, t)
	case 3:
		ring.SetCarry3(part, m, t)
	}
}

// setPass sets part to this party's part of what a group's low k bits hand on.
func (a *adder) setPass(part ring.Words, g bitGroup, k int, constant bool) {
	m, t := a.products(g)
	switch k {
	case 2:
		ring.SetPass2(part, m, t, constant)
	case 3:
		ring.SetPass3(part, m, t, constant)
	}
}

// carryOut joins groups that generate (g) and hand on (p) carries: a tree of pairs.
// ceil(log2 n) rounds, 2 bits a pair, 1 for the lowest pair of each level.
func (l *strand) carryOut(g, p []Bits) Bits {
	for level := 0; len(g) > 1; level++ {
		pairs := len(g) / 2
		z := l.and(l.gate("level", level), g[0].Len(), 2*pairs-1, func(j int, part ring.Words) {
			if j < pairs {
				setJoined(part, p[2*j+1], g[2*j], g[2*j+1])
			} else {
				i := j - pairs + 1
				setAnd(part, p[2*i+1], p[2*i])
			}
		}).each()
		odd := len(g) % 2
		g = append(z[:pairs:pairs], g[len(g)-odd:]...)
		p = append(append([]Bits{{}}, z[pairs:]...), p[len(p)-odd:]...)
	}
	return g[0]
}

// setAnd sets part to this party's part of x AND y.
func setAnd(part ring.Words, x, y Bits) {
	part.SetCross(x.A.Words, x.B.Words, y.A.Words, y.B.Words)
}

// setJoined sets part to this party's part of (x AND y) XOR z.
func setJoined(part ring.Words, x, y, z Bits) {
	part.SetCrossXor(x.A.Words, x.B.Words, y.A.Words, y.B.Words, z.A.Words)
}
