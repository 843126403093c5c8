package rss

import (
	"consilium/mpc"
	"consilium/mpc/ring"
)

const (
	// frontRows is from how many rows on those that cannot be among the wanted ones
	// are set aside first: the digits of fewer take little memory.
	frontRows = 1 << 17
	// frontShare bounds the part of the rows, one in so many, that is expected to be
	// left: their digits are made a second time.
	frontShare = 8
	// windowRows is how many rows a strand expands to compare them with one row.
	windowRows = 1 << 15
	// windowPlaces is room for them, with what chunks are rounded up by, and for
	// that row.
	windowPlaces = windowRows + 2*chunkUnit + 1
)

// front returns the places of the shuffled rows up to one that has at least the
// wanted rows up to it, in the order of places: the first ones are among them. It
// is nil when there are few rows, when too many of them are wanted, or when the
// row that it tried came too early, which is rare: then all rows are to be ranked.
//
// It finds what rank would find first, but does not keep the other rows' digits,
// which take four times the memory of their numbers. What is opened depends on the
// ranks of shuffled rows alone: see contest. Two batches of comparisons and twice
// the 2 rounds of digits.
func front(s *mpc.Session, numbers []column[ring.Words], w, wanted int) []int32 {
	n := numbers[0].a.Len()
	m := int(sampleSize(n, n)) // the first rows are a random sample
	at := pastWanted(wanted, m, n)
	if n < frontRows || at >= m/frontShare {
		return nil
	}
	sample := newContest(s.Step("sample"), cutColumns(numbers, 0, m), w)
	split := rankAtOnce(m, sample)[at]
	before, ok := sample.before(s.Step("split"), numbers, split)
	if !ok {
		return nil
	}
	var few []int32
	for i := range int32(n) {
		if i == split || bit(before.Words, int(i)) {
			few = append(few, i)
		}
	}
	if len(few) < wanted {
		return nil
	}
	return few
}

// before returns for each number whether it is less than that of the row in place
// split. The result is opened.
func (c *contest) before(s *mpc.Session, numbers []column[ring.Words], split int32) (ring.Planes, bool) {
	n := numbers[0].a.Len()
	won := ZeroBits(n, 1)
	strands(s, n, wordBits, func(l *strand) {
		window := c.window(split)
		m := newMeeting(window)
		x, y := unmoved(windowPlaces)[1:], make([]int32, windowPlaces)
		for lo, hi := range l.chunks(windowRows) {
			window.expand(l, numbers, lo, hi, 1)
			part := window.decide(l, m, x[:hi-lo], y[:hi-lo])
			copy(won.A.Words[lo/wordBits:], part.A.Words)
			copy(won.B.Words[lo/wordBits:], part.B.Words)
		}
	})
	return OpenBits(s.Step("result"), won), s.Err() == nil
}

// window returns a contest with a row of c in place 0 and room for a chunk of others
// after it.
func (c *contest) window(row int32) *contest {
	w := emptyContest(c.s, windowPlaces, c.digits)
	size := 2 * c.words
	copy(w.rows[:size], c.rows[int(row)*size:])
	return w
}

// rankFew is rank of rows whose first wanted ones are among a few.
func rankFew(s *mpc.Session, numbers []column[ring.Words], w, wanted int, few []int32) []int32 {
	n := numbers[0].a.Len()
	ranked := rank(len(few), wanted, newContest(s, pickColumns(numbers, few), w))
	order := make([]int32, n)
	pick(order, few, ranked)
	// The others follow in the order of places, which is that of few.
	next := len(few)
	for i := range int32(n) {
		if len(few) > 0 && few[0] == i {
			few = few[1:]
			continue
		}
		order[next] = i
		next++
	}
	return order
}

// cutColumns returns rows lo to hi-1, in the same memory.
func cutColumns(cols []column[ring.Words], lo, hi int) []column[ring.Words] {
	out := make([]column[ring.Words], len(cols))
	for i, x := range cols {
		out[i] = column[ring.Words]{x.a.Slice(lo, hi), x.b.Slice(lo, hi)}
	}
	return out
}

// pickColumns returns the rows in the given places.
func pickColumns(cols []column[ring.Words], places []int32) []column[ring.Words] {
	out := make([]column[ring.Words], len(cols))
	for i, x := range cols {
		out[i] = column[ring.Words]{make(ring.Words, len(places)), make(ring.Words, len(places))}
		pick(out[i].a, x.a, places)
		pick(out[i].b, x.b, places)
	}
	return out
}
