package rss

import "consilium/mpc/ring"

// dealBits returns u XOR t, bit by bit: the dealer, who knows u, deals its bits,
// and the other two know t's. 1 round, 1/3 bit a bit and party on average.
func (l *strand) dealBits(bits ring.Planes) Bits {
	var z Bits
	switch l.seat() {
	case dealer:
		z = Bits{l.planes(bits.N, bits.W), bits}
		offer(l, l.gate("deal"), z.B.Words, z.A.Words)
	case after:
		z = Bits{l.planes(bits.N, bits.W), bits}
		offer(l, l.gate("deal"), z.A.Words, nil)
	case before:
		z = Bits{bits, l.planes(bits.N, bits.W)}
		offer(l, l.gate("deal"), nil, z.B.Words)
	}
	return z
}

// half returns bit j of u XOR that of t, if the dealer kept its parts. Local.
func (a *adder) half(j int) Bits {
	product := a.dealt.W - a.bits.W + j // for the bits past the groups
	for _, g := range a.groups {
		if i := j - g.lo; i >= 0 && i < g.size {
			product = g.first + 1<<i - 1
		}
	}
	dealt, bit := a.dealt.Planes(product, product+1), a.bits.Planes(j, j+1)
	switch a.l.seat() {
	case dealer:
		return Bits{a.coin.Planes(product, product+1), dealt}
	case after:
		return Bits{dealt, bit}
	default:
		return Bits{bit, dealt}
	}
}

// sum returns all bits of u + t, if the dealer kept its parts.
func (a *adder) sum() Bits {
	z, carry := a.l.bits(a.bits.N, a.bits.W), a.prefixes()
	for j := range a.bits.W {
		bit, half := z.Plane(j), a.half(j)
		if j == 0 {
			copy(bit.A.Words, half.A.Words)
			copy(bit.B.Words, half.B.Words)
			continue
		}
		bit.A.Words.Xor(half.A.Words, carry[j-1].A.Words)
		bit.B.Words.Xor(half.B.Words, carry[j-1].B.Words)
	}
	return z
}

// prefixes returns the carry out of every position that is in a group.
func (a *adder) prefixes() []Bits {
	gs := a.groups
	g, p := a.inner()
	// The groups' own carries, joined from the lowest on.
	outG, outP := make([]Bits, len(gs)), make([]Bits, len(gs))
	for i, gr := range gs {
		outG[i], outP[i] = g[i][gr.size-1], p[i][gr.size-1]
	}
	outG = a.l.sklansky(outG, outP)
	// The positions within groups above the lowest: what enters the group may
	// pass.
	var carry []Bits
	for i, gr := range gs {
		carry = append(append(carry, g[i][:gr.size-1]...), outG[i])
	}
	if len(gs) == 1 {
		return carry
	}
	const within = ring.GroupBits - 1
	at := func(j int) (i, k int) { return j/within + 1, j % within }
	z := a.l.and(a.l.gate("within"), a.bits.N, within*(len(gs)-1), func(j int, part ring.Words) {
		i, k := at(j)
		setJoined(part, p[i][k], outG[i-1], g[i][k])
	})
	for j := range z.Width() {
		i, k := at(j)
		carry[gs[i].lo+k] = z.Plane(j)
	}
	return carry
}

// inner returns, for each group and each number of its lowest bits, the carry that
// they make and, above the lowest group, what they hand on.
func (a *adder) inner() (g, p [][]Bits) {
	type want struct {
		group bitGroup
		k     int
		pass  bool
	}
	var wants []want
	for i, gr := range a.groups {
		for k := range gr.size {
			wants = append(wants, want{gr, k + 1, false})
			if i > 0 && k > 0 {
				wants = append(wants, want{gr, k + 1, true})
			}
		}
	}
	z := a.answer("carry", len(wants), func(j int, part ring.Words, constant bool) {
		if w := wants[j]; w.pass {
			a.setPass(part, w.group, w.k, constant)
		} else {
			a.setCarry(part, w.group, w.k)
		}
	}).each()
	for i, gr := range a.groups {
		var gi, pi []Bits
		for k := range gr.size {
			gi, z = append(gi, z[0]), z[1:]
			switch {
			case i == 0:
				pi = append(pi, Bits{}) // nothing enters the lowest group
			case k == 0:
				pi = append(pi, a.half(gr.lo))
			default:
				pi, z = append(pi, z[0]), z[1:]
			}
		}
		g, p = append(g, gi), append(p, pi)
	}
	return g, p
}

// sklansky returns the carry out of each group, given what each generates (g) and
// hands on (p): Sklansky's prefix tree. ceil(log2 n) rounds.
func (l *strand) sklansky(g, p []Bits) []Bits {
	for level := 0; 1<<level < len(g); level++ {
		var carries, passes []int // groups of which one or both change
		for i := range g {
			if i>>level&1 == 1 {
				carries = append(carries, i)
				if i >= 2<<level {
					passes = append(passes, i)
				}
			}
		}
		below := func(i int) int { return i>>level<<level - 1 }
		z := l.and(l.gate("level", level), g[0].Len(), len(carries)+len(passes), func(j int, part ring.Words) {
			if j < len(carries) {
				i := carries[j]
				setJoined(part, p[i], g[below(i)], g[i])
			} else {
				i := passes[j-len(carries)]
				setAnd(part, p[i], p[below(i)])
			}
		})
		for j, i := range carries {
			g[i] = z.Plane(j)
		}
		for j, i := range passes {
			p[i] = z.Plane(len(carries) + j)
		}
	}
	return g
}
