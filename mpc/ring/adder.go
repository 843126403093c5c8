package ring

// The kernels in this file add a number u, known to one party, to a number t,
// known to the other two, in groups of at most three bits. With m_S the product
// of the bits of u in the set S, what a group does to a carry is linear in the
// m_S, so that it can be computed on an XOR sharing of them: the carry that the
// group makes by itself is
//
//	G1 = m0 t0
//	G2 = m1 t1 + m01 t0 + m0 t0 t1
//	G3 = m2 t2 + m12 t1 + m012 t0 + m02 t0 t1 + m1 t1 t2 + m01 t0 t2 + m0 t0 t1 t2
//
// over Z_2, and whether it hands on a carry is the product of all (u_i + t_i).

// GroupBits is the largest group: with more, the products to be sent outweigh
// the ANDs that they save.
const GroupBits = 3

// Products is how many products a group of k bits has: all sets but the empty.
func Products(k int) int { return 1<<k - 1 }

// SetProducts sets m, of Products(k) planes, to the products of the k planes u:
// plane S-1 is that of the bits i of u for which bit i of S is one.
func SetProducts(m, u []Words) {
	for i, plane := range u {
		top := 1 << i
		copy(m[top-1], plane)
		for s := 1; s < top; s++ {
			m[top+s-1].And(m[s-1], plane)
		}
	}
}

// SetCarry1 sets g to the carry of a group of one bit.
func SetCarry1(g Words, m, t []Words) { g.And(m[0], t[0]) }

// SetCarry2 sets g to the carry of a group of two bits.
func SetCarry2(g Words, m, t []Words) {
	n := len(g)
	m0, m1, m01 := m[0][:n], m[1][:n], m[2][:n]
	t0, t1 := t[0][:n], t[1][:n]
	for i := range g {
		a, b := t0[i], t1[i]
		g[i] = b&(m1[i]^m0[i]&a) ^ m01[i]&a
	}
}

// SetCarry3 sets g to the carry of a group of three bits.
func SetCarry3(g Words, m, t []Words) {
	n := len(g)
	m0, m1, m01, m2 := m[0][:n], m[1][:n], m[2][:n], m[3][:n]
	m02, m12, m012 := m[4][:n], m[5][:n], m[6][:n]
	t0, t1, t2 := t[0][:n], t[1][:n], t[2][:n]
	for i := range g {
		a, b, c := t0[i], t1[i], t2[i]
		low := b&(m1[i]^m0[i]&a) ^ m01[i]&a
		g[i] = c&(m2[i]^low) ^ b&(m12[i]^m02[i]&a) ^ m012[i]&a
	}
}

// SetPass2 sets p to what two bits hand on: (u0 + t0)(u1 + t1), without the term
// t0 t1 when constant is false.
func SetPass2(p Words, m, t []Words, constant bool) {
	n := len(p)
	m0, m1, m01 := m[0][:n], m[1][:n], m[2][:n]
	t0, t1 := t[0][:n], t[1][:n]
	one := every(constant)
	for i := range p {
		a, b := t0[i], t1[i]
		p[i] = m01[i] ^ m0[i]&b ^ a&(m1[i]^b&one)
	}
}

// SetPass3 sets p to what three bits hand on: (u0 + t0)(u1 + t1)(u2 + t2),
// without the term t0 t1 t2 when constant is false.
func SetPass3(p Words, m, t []Words, constant bool) {
	n := len(p)
	m0, m1, m01, m2 := m[0][:n], m[1][:n], m[2][:n], m[3][:n]
	m02, m12, m012 := m[4][:n], m[5][:n], m[6][:n]
	t0, t1, t2 := t[0][:n], t[1][:n], t[2][:n]
	one := every(constant)
	for i := range p {
		a, b, c := t0[i], t1[i], t2[i]
		p[i] = m012[i] ^ m01[i]&c ^ b&(m02[i]^m0[i]&c) ^ a&(m12[i]^m1[i]&c^b&(m2[i]^c&one))
	}
}

// every returns a word of ones, or of zeros.
func every(ones bool) uint64 {
	if ones {
		return ^uint64(0)
	}
	return 0
}
