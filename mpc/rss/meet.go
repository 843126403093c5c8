package rss

import "consilium/mpc/ring"

// pairGroup is how many pairs of rows are met at once: their parities fill the 16
// bits of a lane.
const pairGroup = digitSize

// meeting multiplies pairs of rows, for one strand.
type meeting struct {
	c *contest
	// less and equal hold for each group of 16 pairs and each word of four digits
	// the parities of products: bit i of a lane is that of pair i in that digit.
	less, equal [64 / pairGroup][]uint64
	// seconds are forms of the rows that stand second in pairs, four words for each
	// of a row's words: in slot y of row y modulo their number, and behind these
	// room for those whose slot is taken in the same group.
	seconds []uint64
	slots   int
	rows    []int32        // by slot: whose form it is
	used    []uint32       // by slot: the group that used it last
	now     uint32         // the present group
	moves   int            // how often rows had moved when the first form was made
	x, y    [pairGroup]int // where in contest.rows and in seconds the pairs are
}

// secondRows is how many rows' forms are kept: a large part's splits.
const secondRows = 1 << 11

func newMeeting(c *contest) *meeting {
	m := &meeting{c: c, slots: secondRows}
	for g := range m.less {
		m.less[g], m.equal[g] = make([]uint64, c.words), make([]uint64, c.words)
	}
	for m.slots > len(c.rows)/c.words {
		m.slots /= 2 // no more than twice the rows
	}
	m.seconds = make([]uint64, 4*c.words*(m.slots+pairGroup))
	m.rows, m.used = make([]int32, m.slots), make([]uint32, m.slots)
	m.forget()
	return m
}

// forget forgets the forms of rows, which have moved.
func (m *meeting) forget() {
	m.moves = m.c.moves
	for i := range m.rows {
		m.rows[i] = -1
	}
}

// meet sets the planes of own to this party's part of the inner products of pairs
// of rows: of "less" for all digits, then of "equal" for all but the lowest.
func (m *meeting) meet(own ring.Planes, x, y []int32) {
	d := m.c.digits
	for i := range own.Stride() {
		hi := min(wordBits*(i+1), len(x))
		x, y := x[wordBits*i:hi], y[wordBits*i:hi]
		for g := range m.less {
			lo, hi := min(pairGroup*g, len(x)), min(pairGroup*(g+1), len(x))
			m.fill(m.less[g], m.equal[g], x[lo:hi], y[lo:hi])
		}
		for j := range d {
			own.Plane(j)[i] = digitBitsOf(&m.less, j)
			if j > 0 {
				own.Plane(d + j - 1)[i] = digitBitsOf(&m.equal, j)
			}
		}
	}
}

// digitBitsOf returns the 64 bits of a digit.
func digitBitsOf(sums *[64 / pairGroup][]uint64, digit int) uint64 {
	q, shift := digit/digitsPerWord, digitSize*(digit%digitsPerWord)
	const low = 1<<digitSize - 1
	return sums[0][q]>>shift&low | sums[1][q]>>shift&low<<16 |
		sums[2][q]>>shift&low<<32 | sums[3][q]>>shift&low<<48
}

// fill multiplies a group of pairs.
func (m *meeting) fill(less, equal []uint64, x, y []int32) {
	if len(x) == 0 {
		clear(less)
		clear(equal)
		return
	}
	m.now++
	for i := range x {
		m.x[i%pairGroup], m.y[i%pairGroup] = 2*m.c.words*int(x[i]), m.second(y[i], i)
	}
	valid := uint64(1)<<len(x) - 1
	valid |= valid<<16 | valid<<32 | valid<<48
	for q := range less {
		var l, e [pairGroup]uint64
		rows, seconds := m.c.rows[2*q:], m.seconds[4*q:]
		for i := range l {
			row := (*[2]uint64)(rows[m.x[i]:])
			form := (*[4]uint64)(seconds[m.y[i]:])
			l[i] = row[0]&form[0] ^ row[1]&form[1]
			e[i] = row[0]&form[2] ^ row[1]&form[3]
		}
		less[q], equal[q] = parities(&l)&valid, parities(&e)&valid
	}
}

// second returns where the form of row y is that pair i of the group is multiplied
// with. With (a, b) a word's components, "equal" is the product with (a, b),
// "less" with (t, u), whose bit v is the sum of the bits above v: y's digit is one
// of them. Of either, the product of this party's parts wants the sum of the two
// components, and the first.
func (m *meeting) second(y int32, i int) int {
	w := m.c.words
	slot := int(y) & (m.slots - 1)
	if m.rows[slot] == y {
		m.used[slot] = m.now
		return 4 * w * slot
	}
	if m.used[slot] == m.now {
		slot = m.slots + i
	} else {
		m.rows[slot], m.used[slot] = y, m.now
	}
	form := m.seconds[4*w*slot : 4*w*(slot+1)]
	row := m.c.rows[2*w*int(y) : 2*w*(int(y)+1)]
	for q := range w {
		a, b := row[2*q], row[2*q+1]
		t, u := above(a), above(b)
		form[4*q], form[4*q+1], form[4*q+2], form[4*q+3] = t^u, t, a^b, a
	}
	return 4 * w * slot
}

// above sets in each lane of 16 bits each bit to the sum of those above it.
func above(v uint64) uint64 {
	v = v >> 1 & 0x7fff7fff7fff7fff
	v ^= v >> 1 & 0x7fff7fff7fff7fff
	v ^= v >> 2 & 0x3fff3fff3fff3fff
	v ^= v >> 4 & 0x0fff0fff0fff0fff
	return v ^ v>>8&0x00ff00ff00ff00ff
}

// parities returns in bit i of each lane of 16 bits the sum of the bits of that lane
// of word i: each step adds up halves of two words and lays them side by side.
func parities(p *[pairGroup]uint64) uint64 {
	const m8, m4, m2, m1 = 0x00ff00ff00ff00ff, 0x0f0f0f0f0f0f0f0f, 0x3333333333333333, 0x5555555555555555
	var a [8]uint64
	for i := range a {
		u, v := p[i], p[i+8]
		a[i] = (u^u>>8)&m8 | (v^v<<8)&^m8
	}
	for i := range 4 {
		u, v := a[i], a[i+4]
		a[i] = (u^u>>4)&m4 | (v^v<<4)&^m4
	}
	for i := range 2 {
		u, v := a[i], a[i+2]
		a[i] = (u^u>>2)&m2 | (v^v<<2)&^m2
	}
	return (a[0]^a[0]>>1)&m1 | (a[1]^a[1]<<1)&^m1
}
