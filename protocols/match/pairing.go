package match

// pairing finds the most disjoint cycles of two arcs: a maximum matching of a graph
// by Edmonds' algorithm ("Paths, trees, and flowers", Canadian Journal of Mathematics
// 1965), with a search from each vertex that is left, in which blossoms, odd
// circles, are shrunk to their bases. O(n^3).
type pairing struct {
	neighbours [][]int
	mate       []int // of each vertex, or -1

	// Of one search:
	parent  []int // towards the root, of vertices reached by an edge that is not chosen
	base    []int // of the blossom that holds the vertex
	even    []bool
	waiting []int
}

func newPairing(n int, cycles []cycle) *pairing {
	p := &pairing{
		neighbours: make([][]int, n), mate: filled(n),
		parent: make([]int, n), base: make([]int, n), even: make([]bool, n),
	}
	for _, c := range cycles {
		p.neighbours[c[0]] = append(p.neighbours[c[0]], c[1])
		p.neighbours[c[1]] = append(p.neighbours[c[1]], c[0])
	}
	return p
}

// filled returns n times -1.
func filled(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = -1
	}
	return list
}

// most returns the cycles.
func (p *pairing) most() []cycle {
	for v := range p.mate {
		if p.mate[v] < 0 {
			p.augment(p.search(v))
		}
	}
	var list []cycle
	for v, w := range p.mate {
		if v < w {
			list = append(list, cycle{v, w})
		}
	}
	return list
}

// augment swaps chosen edges with others along the path that ends at v.
func (p *pairing) augment(v int) {
	for v >= 0 {
		before := p.parent[v]
		next := p.mate[before]
		p.mate[v], p.mate[before] = before, v
		v = next
	}
}

// search returns a vertex without a mate to which a path leads from the root whose
// edges are by turns not chosen and chosen, or -1.
func (p *pairing) search(root int) int {
	copy(p.parent, filled(len(p.parent)))
	clear(p.even)
	for v := range p.base {
		p.base[v] = v
	}
	p.even[root], p.waiting = true, []int{root}
	for len(p.waiting) > 0 {
		v := p.waiting[0]
		p.waiting = p.waiting[1:]
		for _, w := range p.neighbours[v] {
			switch {
			case p.base[v] == p.base[w] || p.mate[v] == w:
			case p.even[w]:
				p.shrink(v, w)
			case p.parent[w] < 0:
				p.parent[w] = v
				if p.mate[w] < 0 {
					return w
				}
				p.even[p.mate[w]] = true
				p.waiting = append(p.waiting, p.mate[w])
			}
		}
	}
	return -1
}

// shrink makes the circle that the edge from v to w closes one blossom.
func (p *pairing) shrink(v, w int) {
	base := p.meeting(v, w)
	inside := make([]bool, len(p.base))
	p.mark(inside, v, base, w)
	p.mark(inside, w, base, v)
	for u := range p.base {
		if inside[p.base[u]] {
			p.base[u] = base
			if !p.even[u] {
				p.even[u] = true
				p.waiting = append(p.waiting, u)
			}
		}
	}
}

// meeting returns the base where the ways from v and from w to the root meet.
func (p *pairing) meeting(v, w int) int {
	passed := make([]bool, len(p.base))
	for {
		v = p.base[v]
		passed[v] = true
		if p.mate[v] < 0 {
			break // the root
		}
		v = p.parent[p.mate[v]]
	}
	for {
		w = p.base[w]
		if passed[w] {
			return w
		}
		w = p.parent[p.mate[w]]
	}
}

// mark notes the blossoms on the way from v to the base, and turns the way round, so
// that it can also be gone from the other side, by the edge to child.
func (p *pairing) mark(inside []bool, v, base, child int) {
	for p.base[v] != base {
		inside[p.base[v]], inside[p.base[p.mate[v]]] = true, true
		p.parent[v] = child
		child = p.mate[v]
		v = p.parent[child]
	}
}
