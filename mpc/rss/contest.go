package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

// contest compares shuffled rows with each other in batches and opens how each
// comparison comes out. It holds the rows' numbers in digits of four bits, each
// digit as one-hot: two digits are then compared by two inner products of 16
// bits, one for "less" and one for "equal", that cost one bit each however wide
// the digit is (derived here, checked by simulation, not reviewed; sums of
// products are free in the sharing of Araki et al. 2016).
//
// It opens. That is safe when the rows lie in a secret, uniformly random order
// and no two have the same number: what comes out then depends on the rows'
// ranks alone, and these are a uniformly random order of 1 to n.
type contest struct {
	s      *mpc.Session
	digits int
	words  int // of four digits each, that a component of a row takes
	// rows holds for each row its words, each as component A and B. A digit's
	// indicator of value v is bit v of its 16 bits.
	rows     []uint64
	batch    int // how many batches there were
	moves    int // how often rows have moved
	meetings [strandCount]*meeting
	spare    []uint64 // room for rows on the move
}

const (
	// digitsPerWord is how many digits share a word.
	digitsPerWord = 64 / digitSize
	// expandRows and meetPairs are how many rows a strand expands, and how many
	// pairs it compares, at once. The latter are many, for the rounds' sake.
	expandRows = 1 << 15
	meetPairs  = 1 << 18
)

// newContest expands the numbers of n rows, of w bits each, given as words with
// the lowest first. 2 rounds and 11 w / 4 bits a row, leaks nothing.
func newContest(s *mpc.Session, numbers []column[ring.Words], w int) *contest {
	n := numbers[0].a.Len()
	c := emptyContest(s, n, ceil(w, digitBits))
	strands(s.Step("digits"), n, wordBits, func(l *strand) {
		for lo, hi := range l.chunks(expandRows) {
			c.expand(l, numbers, lo, hi, lo)
		}
	})
	return c
}

// emptyContest has room for n rows of so many digits.
func emptyContest(s *mpc.Session, n, digits int) *contest {
	c := &contest{s: s, digits: digits, words: ceil(digits, digitsPerWord)}
	c.rows = make([]uint64, 2*c.words*n)
	return c
}

// expand writes the one-hot digits of numbers lo to hi-1 as the rows in place to
// and the ones after it.
func (c *contest) expand(l *strand, numbers []column[ring.Words], lo, hi, to int) {
	b := l.bits(hi-lo, digitBits*c.digits)
	for i, x := range numbers {
		from, to := 64*i, min(64*(i+1), b.Width())
		ring.Vec64(x.a.Slice(lo, hi)).SetPlanes(b.A.Planes(from, to), 0)
		ring.Vec64(x.b.Slice(lo, hi)).SetPlanes(b.B.Planes(from, to), 0)
	}
	c.write(l.digits(b), to, to+hi-lo)
}

// write writes the one-hot digits of the rows in places lo to hi-1.
func (c *contest) write(ds []digit, lo, hi int) {
	ones := [2]uint64{} // the constant 1 is component 0: role 0 has it as A, role 2 as B
	switch c.s.Role() {
	case 0:
		ones[0] = ^uint64(0)
	case 2:
		ones[1] = ^uint64(0)
	}
	for k, of := range []side{sideA, sideB} {
		for q := range c.words {
			part := ds[digitsPerWord*q : min(digitsPerWord*(q+1), len(ds))]
			for at := lo; at < hi; at += wordBits {
				var block [wordBits]uint64
				for j := range part {
					part[j].expand(block[digitSize*j:], of, (at-lo)/wordBits, ones[k])
				}
				ring.Transpose64(&block)
				for i, e := range block[:min(wordBits, hi-at)] {
					c.rows[2*c.words*(at+i)+2*q+k] = e
				}
			}
		}
	}
}

// moveAtOnce is how many words of rows are moved by way of other memory.
const moveAtOnce = 1 << 16

// move moves the row in place lo + from[i] to place lo + i, for all i; many rows
// along the cycles of that permutation. It changes from.
func (c *contest) move(lo int, from []int32) {
	c.moves++
	size := 2 * c.words
	rows := c.rows[lo*size : (lo+len(from))*size]
	row := func(i int32) []uint64 { return rows[int(i)*size : (int(i)+1)*size] }
	if len(rows) <= moveAtOnce {
		spare := c.spare[:0]
		for _, at := range from {
			spare = append(spare, row(at)...)
		}
		copy(rows, spare)
		c.spare = spare
		return
	}
	first := make([]uint64, size)
	for i := range from {
		start := int32(i)
		if from[start] == start {
			continue
		}
		copy(first, row(start))
		at := start
		for from[at] != start {
			next := from[at]
			copy(row(at), row(next))
			at, from[at] = next, at
		}
		copy(row(at), first)
		from[at] = at
	}
}

// below returns for pairs of rows whether the first has the smaller number.
// 2 + ceil(log2 d) rounds and 4 d - 2 bits or less a pair, for numbers of d
// digits. The result is opened.
func (c *contest) below(x, y []int32) (ring.Planes, bool) {
	s := c.s.Step("batch", c.batch)
	c.batch++
	won := ZeroBits(len(x), 1)
	strands(s, len(x), wordBits, func(l *strand) {
		m := c.meeting(l.dealer)
		for lo, hi := range l.chunks(meetPairs) {
			part := c.decide(l, m, x[lo:hi], y[lo:hi])
			copy(won.A.Words[lo/wordBits:], part.A.Words)
			copy(won.B.Words[lo/wordBits:], part.B.Words)
		}
	})
	return OpenBits(s.Step("result"), won), s.Err() == nil
}

// decide returns which pairs' first rows have the smaller number: by the highest
// digit that is not equal.
func (c *contest) decide(l *strand, m *meeting, x, y []int32) Bits {
	met := l.bits(len(x), 2*c.digits-1)
	m.meet(met.A, x, y)
	reshareOn(l.gate("meet"), met.A.Words, met.B.Words, 1, func(ring.Words, int, int) {})
	// Planes 0 to d-1 say where x's digit is less, from plane d on where digits 1
	// to d-1 are equal: as carries, "less" is made and "equal" hands it on.
	planes := met.each()
	return l.carryOut(planes[:c.digits:c.digits], append([]Bits{{}}, planes[c.digits:]...))
}

// meeting returns a strand's meeting, which has forgotten rows that have moved.
func (c *contest) meeting(strand int) *meeting {
	m := c.meetings[strand]
	if m == nil {
		m = newMeeting(c)
		c.meetings[strand] = m
	}
	if m.moves < c.moves {
		m.forget()
	}
	return m
}
